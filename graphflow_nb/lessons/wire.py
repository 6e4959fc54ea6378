"""Wire: the line between a process and a server, which a lesson can hold at one request.

What a process sends passes through here, and so does what the server answers. The wire knows
where a request ends and nothing of what it means: of the exchanges after it was told to hold, the
save is the first request that names the session.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import struct
import tempfile
import weakref
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, Literal, TypeVar
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from ..bridge import LoopThread
from ..errors import LessonError
from ..storage import StoreUrl

__all__ = ["Held", "Wire"]

T = TypeVar("T")

#: What is held on its way: the request to the server, or the server's answer.
Held = Literal["request", "answer"]

_PIECE: Final = 1_000_000
_ANSWER_SECONDS: Final = 10.0  # that a server may take for a request whose sender is dead


class Wire:
    """A line to a server of PostgreSQL or Redis, through a Unix socket in a private folder.

    Args:
        url: The URL of the server.
        id: The id of the session whose save is held.

    Attributes:
        url: The URL at which a process reaches the server through the wire.

    Raises:
        LessonError: The URL is of another kind.
    """

    def __init__(self, url: StoreUrl, id: str):
        self._on_held: Callable[[Held], None] = _ignore
        self._folder = tempfile.mkdtemp(prefix="gfnb-wire-")
        # Also where nobody closes it, such as at the end of a kernel.
        self._remove = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._holding: Held | None = None
        self._delivered: asyncio.Future[bool] | None = None
        self._answered = False  # whether the server has answered the request that was held
        self._over = asyncio.Event()  # no other answer comes
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        try:
            if url.scheme.startswith("postgres"):
                self._target, socket, self.url = _postgres(url, self._folder)
                self._is_whole = _is_whole_postgres
                # A parameter is sent with its length before it; the text of a statement is not.
                self._name = struct.pack("!i", len(id.encode())) + id.encode()
            else:
                self._target, socket, self.url = _redis(url, self._folder)
                self._is_whole = _is_whole_redis
                self._name = id.encode() + b"\r\n"
            self._run(self._start(socket))
        except BaseException:
            self._remove()
            raise

    def hold(self, what: Held, on_held: Callable[[Held], None]) -> None:
        """Hold the next save: its request before the server has it, or the server's answer.

        Args:
            what: What to hold.
            on_held: The function that is called, on another thread, when it is held.
        """

        async def prepare() -> None:
            self._holding, self._on_held = what, on_held
            self._delivered = asyncio.get_running_loop().create_future()
            self._answered = False
            self._over.clear()

        self._run(prepare())

    def release(self) -> None:
        """Pass on what is held, and everything from now on."""
        self._run(self._decide(True))

    def deliver(self) -> bool:
        """Pass on the request whose sender is dead, and wait for the server's answer.

        Returns:
            Whether the server answered.
        """

        async def deliver() -> bool:
            await self._decide(True)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), _ANSWER_SECONDS)
            return self._answered

        return self._run(deliver())

    def lose(self) -> None:
        """Drop what is held, as a line does that is cut."""
        self._run(self._decide(False))

    def close(self) -> None:
        """Close all connections and remove the socket; closing twice is not an error."""

        async def stop() -> None:
            if self._server is not None:
                self._server.close()
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._run(stop())
        self._remove()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return LoopThread.shared().run(work)

    async def _start(self, socket: str) -> None:
        self._server = await asyncio.start_unix_server(self._serve, socket)

    async def _decide(self, delivered: bool) -> None:
        self._holding = None
        if self._delivered is not None and not self._delivered.done():
            self._delivered.set_result(delivered)

    async def _hold_here(self, what: Held) -> bool:
        """Hold until it is decided whether this is passed on, and return that."""
        assert self._delivered is not None
        self._holding = None
        self._on_held(what)
        return await self._delivered

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            back, forth = await self._connect()
        except OSError:
            writer.transport.abort()
            self._tasks.discard(task)
            return
        line = _Line()
        try:
            there = asyncio.create_task(self._pass_requests(reader, forth, line))
            here = asyncio.create_task(self._pass_answers(back, writer, line))
            try:
                await asyncio.wait({there, here}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                there.cancel()
                here.cancel()
                await asyncio.gather(there, here, return_exceptions=True)
        except asyncio.CancelledError:
            pass
        finally:
            if line.waiting:
                self._over.set()
            writer.transport.abort()
            forth.transport.abort()
            self._tasks.discard(task)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, str):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection(*self._target)

    async def _pass_requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: _Line
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(_PIECE):
                # A request that has left the process has left it whole.
                while self._holding is not None and not self._is_whole(data):
                    if not (more := await reader.read(_PIECE)):
                        return
                    data += more
                if self._holding is not None and self._name in data:
                    if self._holding == "answer":
                        line.saving = True
                    elif await self._is_known(data):
                        line.waiting = True
                        if not await self._hold_here("request"):
                            return
                writer.write(data)
                await writer.drain()
            # The sender has gone. What it sent is carried out all the same.
            if line.waiting:
                await self._over.wait()

    async def _pass_answers(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: _Line
    ) -> None:
        while data := await reader.read(_PIECE):
            if line.waiting:
                self._answered = True
                self._over.set()
            # Redis refuses a script that it does not know, which is then sent whole.
            if line.saving and not data.startswith(b"-"):
                line.saving = False
                if self._holding == "answer" and not await self._hold_here("answer"):
                    return
            with suppress(OSError):
                writer.write(data)
                await writer.drain()

    async def _is_known(self, request: bytes) -> bool:
        """Return whether the server can carry a request out; it may not know a script of Redis."""
        match = re.match(rb"\*\d+\r\n\$7\r\nEVALSHA\r\n\$40\r\n(\w{40})\r\n", request)
        if match is None:
            return True
        reader, writer = await self._connect()
        try:
            writer.write(b"*3\r\n$6\r\nSCRIPT\r\n$6\r\nEXISTS\r\n$40\r\n%s\r\n" % match[1])
            answer = await reader.readuntil(b":") + await reader.readline()
        finally:
            writer.transport.abort()
        return answer.strip().endswith(b":1")


def _ignore(held: Held) -> None:
    pass


class _Line:
    """What is known of one connection.

    Attributes:
        saving: Whether its next answer is that to the save.
        waiting: Whether a request of it was held.
    """

    saving = False
    waiting = False


def _is_whole_postgres(data: bytes) -> bool:
    """Return whether these are whole messages, and the last one asks for an answer."""
    at, kind = 0, b""
    while at + 5 <= len(data):
        kind = data[at : at + 1]
        at += 1 + int.from_bytes(data[at + 1 : at + 5])
    return at == len(data) and kind in (b"S", b"H", b"Q")  # sync, flush, query


def _is_whole_redis(data: bytes) -> bool:
    """Return whether these are whole commands: ``*count``, and each word after its length."""
    at = 0
    while at < len(data):
        end = data.find(b"\r\n", at)
        if end < 0:
            return False
        words = int(data[at + 1 : end])
        at = end + 2
        for _ in range(words):
            end = data.find(b"\r\n", at)
            if end < 0:
                return False
            at = end + 2 + int(data[at + 1 : end]) + 2
    return at == len(data)


_Target = str | tuple[str, int]


def _postgres(url: StoreUrl, folder: str) -> tuple[_Target, str, str]:
    """Return the server's address, the socket of the wire, and its URL."""
    parts = urlsplit(url.reveal())
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    host = query.get("host") or parts.hostname or "localhost"
    port = int(query.get("port") or parts.port or 5432)
    if "," in host:
        raise LessonError("a lesson's wire leads to one server, and this URL names several")
    target: _Target = f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)
    user = query.get("user") or unquote(parts.username or "")
    query |= {"host": folder, "port": "5432"} | ({"user": user} if user else {})
    if parts.password:
        query["password"] = unquote(parts.password)
    through = f"postgresql://{parts.path or '/'}?{urlencode(query, quote_via=quote)}"
    return target, os.path.join(folder, ".s.PGSQL.5432"), through


def _redis(url: StoreUrl, folder: str) -> tuple[_Target, str, str]:
    """Return the server's address, the socket of the wire, and its URL."""
    parts = urlsplit(url.reveal())
    socket = os.path.join(folder, "redis")
    if url.scheme == "unix":
        database = parse_qs(parts.query).get("db", ["0"])[-1]
        return unquote(parts.path), socket, f"unix://{socket}?db={database}"
    if url.scheme not in ("redis", "valkey"):
        raise LessonError(f"a lesson's wire can't lead to {url}: use a store of lesson_store()")
    database = parts.path.strip("/") or "0"
    return (
        (parts.hostname or "localhost", parts.port or 6379),
        socket,
        (f"unix://{socket}?db={database}"),
    )
