"""Commands to Redis or Valkey, a single server or a cluster, through redis-py.

The driver is an optional extra, so it is imported only where a connection is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from operator import methodcaller
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Self, TypeVar
from urllib.parse import urlsplit

from ...errors import BridgeError, GraphflowError, ReadOnlyError, StorageDenied, StorageError
from ...extras import install_command
from ..address import Address
from ..trace import current
from ..url import REDIS_SCHEMES, StoreUrl
from .errors import find_refused_command, is_refused, raise_translated
from .form import digest
from .identity import identify_cluster, identify_server

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.cluster import RedisCluster

__all__ = ["KeySample", "RedisClient"]

T = TypeVar("T")

# Keys that one step of a scan covers: the server does nothing else for some 3 ms meanwhile, and
# shorter steps take the client longer than the keys themselves.
_SCAN_COUNT = 4_000
_MATCH_COUNT = 10_000  # the same where a pattern leaves few of them to be sent
_PORTION = 1_000  # of these are given at once: their values are read together
_SAMPLE_COUNT = 1_000  # keys that one step covers where a part of the keys is enough
_SAMPLE_STEPS = 5  # of a scan, by which the rest is estimated
_MGET_COUNT = 500  # values in one MGET
#: The commands of this package that only read.
_READS = frozenset(
    {
        *("DBSIZE", "GET", "HGET", "HKEYS", "HMGET", "HSTRLEN", "INFO", "MEMORY", "PTTL", "SCARD"),
        *("SMEMBERS", "STRLEN", "ZCARD", "ZCOUNT", "ZMSCORE", "ZRANGE"),
    }
)


class KeySample(NamedTuple):
    """Some keys of a database.

    Attributes:
        keys: Those that match.
        looked_at: Among how many keys of any kind they were, about.
    """

    keys: list[bytes]
    looked_at: int


class RedisClient:
    """A client of one server or cluster, on the event loop that it was connected on.

    Each exchange has one time limit, and an error is one of this package's.

    Attributes:
        loop: The event loop that the connections belong to.
        url: The URL as it was given, with its password.
        size: The largest number of connections.
        cluster: Whether the server is a cluster.
        replica: Whether the server was a replica when it was last asked.
        server: The server's name and version, ``Valkey 9.1.2``.
        address: The server and database, for tools that watch databases.
        identity: The server and database, however the URL was spelled.
    """

    def __init__(self, redis: Redis | RedisCluster, url: StoreUrl, size: int, timeout: float):
        self.loop = asyncio.get_running_loop()
        self.url = url
        self.size = size
        self.cluster = False
        self.replica = False
        self.server = ""
        self.address: Address
        self.identity = ""
        self._redis: Any = redis
        self._free = asyncio.Semaphore(size)
        self._timeout = timeout
        self._opened = self._closed = False
        self._scripts: dict[str, str] = {}

    @classmethod
    async def connect(cls, url: StoreUrl, size: int, timeout: float) -> Self:
        """Connect to a server and find out what it is.

        Args:
            url: The URL of the server, or of any node of a cluster.
            size: The largest number of connections.
            timeout: The seconds that one exchange may take.

        Raises:
            StorageError: The URL is invalid, the server refuses, or redis-py is not installed.
        """
        try:
            from redis.asyncio import Redis
            from redis.asyncio.cluster import RedisCluster
            from redis.asyncio.connection import parse_url
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
        except ImportError as error:
            raise StorageError(
                f"the driver for Redis is not installed: {install_command('redis')}"
            ) from error
        options: dict[str, Any] = {
            "socket_timeout": timeout,
            "socket_connect_timeout": min(timeout, 10.0),
            # A command that may have been done already is not repeated without the caller.
            "retry": Retry(NoBackoff(), 0),
            "client_name": "graphflow_nb",
            "max_connections": size + 1,
        }
        # A copy with the name that redis-py knows the scheme by; its text forms are masked too.
        known = StoreUrl(f"{REDIS_SCHEMES[url.scheme]}:{url.rest()}")
        try:
            _ = urlsplit(known.reveal()).port
            client = cls(Redis.from_url(known.reveal(), **options), url, size, timeout)
        except (TypeError, ValueError):
            # The cause is dropped: it may quote a piece of the password.
            raise StorageError(
                f"the URL {url} can't be read: it is redis://user:password@host:6379/0, "
                "with @ : / ? # in a password written as %40 %3A %2F %3F %23"
            ) from None
        try:
            try:
                about = await client._ask_server()
            except StorageError as error:
                if not is_refused(error, "setname"):
                    raise
                # The name is a courtesy, for which a user may lack the right.
                await client._redis.aclose()
                del options["client_name"]
                client._redis = Redis.from_url(known.reveal(), **options)
                about = await client._ask_server()
            if about.get("cluster_enabled"):
                await client._redis.aclose()
                options["max_connections"] = 2 * size + 2
                client._redis = RedisCluster.from_url(known.reveal(), **options)
                client.cluster = True
                await client.run(lambda redis: redis.initialize())
                nodes = client._redis.get_nodes()
                client.identity = await identify_cluster((n.host, n.port) for n in nodes)
            else:
                client.identity = await identify_server(parse_url(known.reveal()), about)
        except BaseException:
            await client._redis.aclose()
            raise
        client._describe(about, parse_url(known.reveal()))
        client._opened = True
        return client

    async def _ask_server(self) -> dict[str, Any]:
        """Return the answer to INFO; empty for a user without the right to ask."""
        from redis.exceptions import NoPermissionError

        async def ask(redis: Any) -> dict[str, Any]:
            try:
                about: dict[str, Any] = await redis.info()
            except NoPermissionError as error:  # so a single primary is assumed
                if "setname" in str(error):  # of the connection, which failed
                    raise
                with suppress(NoPermissionError):  # which is an answer too
                    await redis.ping()
                return {}
            return about

        return await self.run(ask)

    def _describe(self, about: Mapping[str, Any], parts: Mapping[str, Any]) -> None:
        """Set what server it is, from the answer to INFO and the parts of the URL."""
        self.replica = about.get("role") in ("slave", "replica")
        name = "Valkey" if "valkey_version" in about else "Redis"
        version = about.get("valkey_version") or about.get("redis_version") or "of unknown version"
        self.server = f"{name} {version}"
        port = parts.get("port", 6379)
        self.address = Address(
            name.lower(),
            parts.get("path") or parts.get("host", "localhost"),
            None if port == 6379 else port,
            str(parts.get("db", 0)),
        )

    async def run(self, call: Callable[[Any], Awaitable[T]], *, writes: bool = True) -> T:
        """Return the result of ``call(redis)`` within the time limit; report the phase ``wait``.

        Args:
            call: The call, on redis-py's client.
            writes: Whether it may write; the error of what reads says nothing about writes.

        Raises:
            BridgeError: The running event loop is another than the one it was connected on.
            StorageError: The storage is closed, or the server refused the command.
            StorageTimeout: There was no answer in time.
            StorageUnavailable: The server is out of reach.
        """
        if asyncio.get_running_loop() is not self.loop:
            raise BridgeError(
                "this Redis storage belongs to another event loop, the one it was connected on: "
                "use graphflow_nb.open(url), whose workbench can be called from anywhere"
            )
        self._check_open()
        task = asyncio.current_task()
        assert task is not None
        async with self._free:
            self._check_open()  # again: it may have been closed during the wait
            current().lap("wait")
            cancelled = task.cancelling()
            try:
                # The driver's own timeout applies to each piece of an answer.
                async with asyncio.timeout(self._timeout):
                    result = await call(self._redis)
            except GraphflowError:
                raise
            except Exception as error:
                self._raise(error, writes=writes)
            if task.cancelling() > cancelled:
                # Python 3.11's asyncio.wait_for, by which the driver sends, drops a cancellation
                # that comes as it ends. What was interrupted would go on, and write.
                raise asyncio.CancelledError
            return result

    def _check_open(self) -> None:
        if self._closed:
            raise StorageError("the storage is closed: connect again", nothing_written=True)

    async def command(self, *words: Any) -> Any:
        """Return the answer to one command."""
        try:
            return await self.run(
                lambda redis: redis.execute_command(*words), writes=words[0] not in _READS
            )
        except StorageError as error:
            if len(words) > 1 and is_refused(error, "key"):
                raise self._refused(words[0], words[1]) from error.__cause__
            raise

    def _refused(self, command: str, key: object) -> StorageError:
        name = key.decode(errors="replace") if isinstance(key, bytes) else str(key)
        return StorageError(
            f"{self.url}: this user may not use {command} on the key {name!r}; ask for the right "
            "to this key, or open it as another user",
            nothing_written=True,
        )

    async def get(self, key: bytes) -> bytes | None:
        """Return the string at a key, None if the key does not exist.

        Raises:
            StorageError: The key holds another type.
        """
        value: bytes | None = await self.command("GET", key)
        return value

    async def mget(
        self, keys: Sequence[bytes], hidden: set[bytes] | None = None
    ) -> list[bytes | None]:
        """Return the strings at these keys; None for a missing key or another type.

        Args:
            keys: The keys.
            hidden: Receives the keys that the user may not read, for which there is None too.
                Without it, the first one raises an error.

        Raises:
            StorageError: A key may not be read, and ``hidden`` is None.
        """
        found: list[bytes | None] = []
        for start in range(0, len(keys), _MGET_COUNT):
            part = keys[start : start + _MGET_COUNT]
            try:
                found += await self._mget(part)
            except StorageError as error:
                if not is_refused(error):
                    raise
                # One key that may not be read fails the whole question, so each is asked for.
                found += await self._get_each(part, hidden)
        return found

    async def _get_each(
        self, keys: Sequence[bytes], hidden: set[bytes] | None
    ) -> list[bytes | None]:
        from redis.exceptions import NoPermissionError, ResponseError

        found: list[bytes | None] = []
        answers = await self._send([("GET", key) for key in keys])
        for key, answer in zip(keys, answers, strict=True):
            if isinstance(answer, NoPermissionError):
                if hidden is None or " key" not in str(answer):
                    raise self._refused("GET", key) from answer
                hidden.add(key)
            elif isinstance(answer, Exception) and not isinstance(answer, ResponseError):
                raise_translated(answer, self.url)
            found.append(None if isinstance(answer, Exception) else answer)
        return found

    async def _mget(self, keys: Sequence[bytes]) -> list[bytes | None]:
        if self.cluster:
            return await self.run(lambda redis: redis.mget_nonatomic(keys), writes=False)
        return await self.run(lambda redis: redis.mget(keys), writes=False)

    async def pipeline(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Return the answers to several commands sent at once; raise the first error of them."""
        return self._check_answers(await self._send(commands))

    async def pipeline_of_allowed(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Return the answers to several commands, None for each that the user may not ask."""
        from redis.exceptions import NoPermissionError

        answers = await self._send(commands)
        return self._check_answers(
            [None if isinstance(answer, NoPermissionError) else answer for answer in answers]
        )

    async def _send(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Return the answers to several commands, an exception for each that failed."""
        if not commands:
            return []

        async def send(redis: Any) -> list[Any]:
            async with redis.pipeline(transaction=False) as pipe:
                for words in commands:
                    pipe.execute_command(*words)
                answers: list[Any] = await pipe.execute(raise_on_error=False)
            return answers

        return await self.run(send, writes=any(words[0] not in _READS for words in commands))

    def _check_answers(self, answers: list[Any]) -> list[Any]:
        for answer in answers:
            if isinstance(answer, Exception):
                self._raise(answer)
        return answers

    def _raise(self, error: Exception, *, writes: bool = True) -> NoReturn:
        """Raise an exception of the driver as one of ours, and note what it says of the server."""
        try:
            raise_translated(error, self.url, writes=writes, opened=self._opened)
        except ReadOnlyError:
            self.replica = not self.cluster  # was a primary, and has been demoted
            raise

    async def scripts(self, text: str, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Return the answers to several calls of a Lua script, sent at once.

        Args:
            text: The script.
            calls: The key and the arguments of each call.
        """
        try:
            return await self._run_scripts(text, calls)
        except StorageError as error:
            if (command := find_refused_command(error, text)) is None:
                raise
            raise StorageDenied(
                f"{self.url}: this user may not use {command}, which a write needs; nothing was "
                "written. Ask for this right, or open it as another user",
                nothing_written=len(calls) == 1,
            ) from error.__cause__

    async def _run_scripts(self, text: str, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        from redis.exceptions import NoScriptError

        name = self._scripts.get(text)
        if name is None:
            name = self._scripts[text] = digest(text.encode())
        if len(calls) == 1:
            try:
                return [await self.run(lambda redis: redis.evalsha(name, 1, *calls[0]))]
            except StorageError as error:
                if not isinstance(error.__cause__, NoScriptError):
                    raise
            return [await self.run(lambda redis: redis.eval(text, 1, *calls[0]))]
        answers = await self._send([("EVALSHA", name, 1, *call) for call in calls])
        # A server that was restarted or has joined the cluster does not know the script yet.
        unknown = [i for i, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        again = await self._send([("EVAL", text, 1, *calls[i]) for i in unknown])
        for i, answer in zip(unknown, again, strict=True):
            answers[i] = answer
        return self._check_answers(answers)

    async def scan(
        self, pattern: str | None, *, kind: str = "string"
    ) -> AsyncIterator[list[bytes]]:
        """Yield all keys of one kind, in portions and each once.

        Args:
            pattern: The pattern that a key must match; None for all.
            kind: What the keys hold, as the server names it.
        """
        seen: set[bytes] = set()
        options: dict[str, Any] = {"count": _SCAN_COUNT, "_type": kind}
        if pattern is not None:
            options |= {"match": pattern, "count": _MATCH_COUNT}
        nodes = self._redis.get_primaries() if self.cluster else [None]
        for node in nodes:
            if node is not None:
                options["target_nodes"] = node
            cursor: int | None = None
            while cursor != 0:
                cursor, keys = await self._scan(cursor or 0, options)
                # A server that resizes its table lists some twice, also in one step.
                fresh = [key for key in dict.fromkeys(keys) if key not in seen]
                seen.update(fresh)
                for start in range(0, len(fresh), _PORTION):
                    yield fresh[start : start + _PORTION]

    async def sample(
        self, pattern: str | None, *, wanted: int | None = None, most: int | None = None
    ) -> KeySample:
        """Return some of the keys that hold strings, which the server lists first.

        Args:
            pattern: The pattern that a key must match; None for all.
            wanted: The number of keys that are enough; None for what a few steps give.
            most: The number of keys of any kind to be looked at, if fewer match.
        """
        options: dict[str, Any] = {"count": _SAMPLE_COUNT, "_type": "string"}
        if pattern is not None:
            options |= {"match": pattern, "count": _MATCH_COUNT}
        node = self._redis.get_primaries()[0] if self.cluster else None
        if node is not None:
            options["target_nodes"] = node
        keys: list[bytes] = []
        looked_at, cursor = 0, 0
        if wanted is not None:
            options["count"] = min(wanted, options["count"])
        most = _SAMPLE_STEPS * options["count"] if most is None else most
        while looked_at < most and (wanted is None or len(keys) < wanted):
            cursor, found = await self._scan(cursor, options)
            looked_at += options["count"]
            keys += found
            if not cursor:
                looked_at = await self.key_count(node)
                break
        return KeySample(keys, looked_at)

    async def scan_entries(self, key: bytes, pattern: str) -> dict[bytes, float]:
        """Return the entries of a sorted set that match a pattern, with their scores."""
        return await self._scan_inside("zscan", key, pattern)

    async def scan_fields(self, key: bytes, pattern: str) -> list[bytes]:
        """Return the fields of a hash that match a pattern."""
        return list(await self._scan_inside("hscan", key, pattern))

    async def _scan_inside(self, method: str, key: bytes, pattern: str) -> dict[bytes, Any]:
        found: dict[bytes, Any] = {}
        cursor: int | None = None
        while cursor != 0:
            scan = methodcaller(method, key, cursor or 0, match=pattern, count=_MATCH_COUNT)
            following, entries = await self.run(scan, writes=False)
            cursor = int(following)
            found.update(entries)
        return found

    async def _scan(self, cursor: int, options: dict[str, Any]) -> tuple[int, list[bytes]]:
        following, keys = await self.run(lambda redis: redis.scan(cursor, **options), writes=False)
        # A cluster returns the cursor of each node, here of one.
        if isinstance(following, dict):
            following = next(iter(following.values()))
        return int(following), keys

    async def key_count(self, node: Any = None) -> int:
        """Return the number of keys of any kind.

        Args:
            node: The node of a cluster; None for all.
        """
        if self.cluster:
            nodes = "primaries" if node is None else node
            sizes: Any = await self.run(
                lambda redis: redis.dbsize(target_nodes=nodes), writes=False
            )
            return sum(sizes.values()) if isinstance(sizes, dict) else int(sizes)
        return int(await self.command("DBSIZE"))

    async def has_expiring_keys(self) -> bool:
        """Return whether any key may expire, in any database of the server."""
        from redis.exceptions import NoPermissionError

        try:
            answers = await self.on_primaries("INFO", "keyspace")
        except StorageError as error:
            if isinstance(error.__cause__, NoPermissionError):
                return True
            raise
        spaces = [space for answer in answers for space in answer.values()]
        return any(not isinstance(space, dict) or space["expires"] for space in spaces)

    async def on_primaries(self, *words: str) -> list[Any]:
        """Return the answers of all primaries to one command, as the driver reads them."""
        if not self.cluster:
            return [await self.command(*words)]

        async def ask(redis: Any) -> list[Any]:
            # Node by node: for some commands the driver returns the first answer alone.
            return [
                await redis.execute_command(*words, target_nodes=node)
                for node in redis.get_primaries()
            ]

        return await self.run(ask, writes=words[0] not in _READS)

    async def close(self) -> None:
        """Close the connections, when the exchanges in progress have ended, or their time has.

        Closing twice is not an error.
        """
        if self._closed:
            return
        self._closed = True
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timeout):
                    for _ in range(self.size):
                        await self._free.acquire()
        finally:
            await self._redis.aclose()
