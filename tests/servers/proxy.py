"""A TCP proxy that makes the network as bad as a test wants it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

__all__ = ["Proxy"]


class _Reader(asyncio.StreamReader):
    """A stream that says as soon as the sender has gone, though there may be more to read."""

    ended = False

    def feed_eof(self) -> None:
        self.ended = True
        super().feed_eof()


class Proxy:
    """Passes bytes between clients and one server, until told otherwise.

    Args:
        target: host and port, or the path of a Unix socket.
    """

    def __init__(self, target: tuple[str, int] | str):
        self.target = target
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._links: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._going = asyncio.Event()
        self._server: asyncio.Server | None = None
        self.heal()

    def heal(self) -> None:
        """Pass everything on at once again."""
        self._refusing = False
        self._pause = 0.0
        self._piece = 65_536
        self._left: int | None = None
        self._loop.call_soon_threadsafe(self._going.set)

    def cut(self) -> None:
        """Reset all connections."""
        self._loop.call_soon_threadsafe(self._cut)

    def cut_after(self, count: int) -> None:
        """Reset all connections when so many more bytes came through, in both ways together."""
        self._left = count

    def stall(self) -> None:
        """Pass nothing on; connections stay."""
        self._loop.call_soon_threadsafe(self._going.clear)

    def delay(self, seconds: float) -> None:
        """Hold each piece back."""
        self._pause = seconds

    def drip(self, count: int, seconds: float = 0.01) -> None:
        """Pass pieces of so many bytes on, one after the other."""
        self._piece, self._pause = count, seconds

    def refuse(self) -> None:
        """Reset new connections at once; those that are there stay."""
        self._refusing = True

    def _cut(self) -> None:
        self._left = None
        for writer in self._links:
            writer.transport.abort()

    async def _serve(self, reader: _Reader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        try:
            back, forth = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        self._links |= {writer, forth}
        ways = (self._pass(reader, forth, writer), self._pass(back, writer, forth))
        await asyncio.gather(*ways)
        self._links -= {writer, forth}

    async def _connect(self) -> tuple[_Reader, asyncio.StreamWriter]:
        reader = _Reader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport: asyncio.WriteTransport
        if isinstance(self.target, str):
            transport, _ = await self._loop.create_unix_connection(lambda: protocol, self.target)
        else:
            transport, _ = await self._loop.create_connection(lambda: protocol, *self.target)
        return reader, asyncio.StreamWriter(transport, protocol, reader, self._loop)

    async def _pass(self, reader: _Reader, writer: asyncio.StreamWriter, other: Any) -> None:
        with suppress(OSError):
            while data := await reader.read(self._piece):
                await self._going.wait()
                if self._pause:
                    await asyncio.sleep(self._pause)
                if reader.ended:  # the sender has gone: this is not delivered late
                    break
                if self._left is not None:
                    self._left -= len(data)
                    if self._left <= 0:
                        writer.write(data[: self._left or None])
                        self._cut()
                        break
                writer.write(data)
                await writer.drain()
        # The other way round is cut too, or a client would wait for a server that is gone.
        writer.close()
        other.transport.abort()

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    async def _start(self) -> None:
        async def serve(reader: _Reader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                await self._serve(reader, writer)
            except asyncio.CancelledError:
                pass
            finally:
                self._tasks.discard(task)

        def protocol() -> asyncio.StreamReaderProtocol:
            reader = _Reader()
            return asyncio.StreamReaderProtocol(reader, lambda _, writer: serve(reader, writer))

        self._server = await self._loop.create_server(protocol, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self._cut()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
