"""One way to speak to Redis or Valkey, a single server or a cluster, through redis-py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit

from ...errors import (
    BridgeError,
    GraphflowError,
    ReadOnlyError,
    StorageError,
    StorageTimeout,
    StorageUnavailable,
)
from ..address import Address
from ..trace import current
from ..url import REDIS_SCHEMES, redact

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.cluster import RedisCluster

__all__ = ["RedisClient"]

T = TypeVar("T")

SCAN_COUNT = 1000  # keys looked at in one step of a scan
MGET_COUNT = 500  # values fetched at once


class RedisClient:
    """Commands on the loop that it was connected on, with one timeout and our errors."""

    def __init__(self, redis: Redis | RedisCluster, url: str, size: int, timeout: float):
        self.loop = asyncio.get_running_loop()
        self.url = url
        self.cluster = False
        self.replica = False
        self.server = ""
        self.address: Address
        self._redis: Any = redis
        self.size = size
        self._free = asyncio.Semaphore(size)
        self._timeout = timeout
        self._closed = False
        self._scripts: dict[str, str] = {}

    @classmethod
    async def connect(cls, url: str, size: int, timeout: float) -> Self:
        """Connect and find out what server it is."""
        try:
            from redis.asyncio import Redis
            from redis.asyncio.cluster import RedisCluster
            from redis.asyncio.connection import parse_url
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
        except ImportError as error:
            raise StorageError(
                "the driver for Redis is not installed: pip install 'graphflow_nb[redis]'"
            ) from error
        options: dict[str, Any] = {
            "socket_timeout": timeout,
            "socket_connect_timeout": min(timeout, 10.0),
            # What may have been done already is not done again behind the caller's back.
            "retry": Retry(NoBackoff(), 0),
            "client_name": "graphflow_nb",
            "max_connections": size + 1,
        }
        scheme, _, rest = url.partition(":")
        address = f"{REDIS_SCHEMES[scheme]}:{rest}"
        try:
            _ = urlsplit(address).port
            client = cls(Redis.from_url(address, **options), url, size, timeout)
        except (TypeError, ValueError):
            # The cause is dropped: it may quote a piece of the password.
            raise StorageError(
                f"the URL {redact(url)} can't be read: it is redis://user:password@host:6379/0, "
                "with @ : / ? # in a password written as %40 %3A %2F %3F %23"
            ) from None
        try:
            about = await client._about()
            if about.get("cluster_enabled"):
                await client._redis.aclose()
                options["max_connections"] = 2 * size + 2
                client._redis = RedisCluster.from_url(address, **options)
                client.cluster = True
                await client.run(lambda redis: redis.initialize())
        except BaseException:
            await client._redis.aclose()
            raise
        client.replica = about.get("role") in ("slave", "replica")
        name = "Valkey" if "valkey_version" in about else "Redis"
        version = about.get("valkey_version") or about.get("redis_version") or "of unknown version"
        client.server = f"{name} {version}"
        told = parse_url(address)
        port = told.get("port", 6379)
        client.address = Address(
            name.lower(),
            told.get("path") or told.get("host", "localhost"),
            None if port == 6379 else port,
            str(told.get("db", 0)),
        )
        return client

    async def _about(self) -> dict[str, Any]:
        from redis.exceptions import NoPermissionError

        async def ask(redis: Any) -> dict[str, Any]:
            try:
                return await redis.info()  # type: ignore[no-any-return]
            except NoPermissionError:  # a user that may not ask: a single primary is assumed
                await redis.ping()
                return {}

        return await self.run(ask)

    async def run(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """Await ``work(redis)`` within the timeout; reports the phase ``wait``."""
        if asyncio.get_running_loop() is not self.loop:
            raise BridgeError(
                "this Redis storage belongs to another event loop, the one it was connected on: "
                "use graphflow_nb.open(url), whose workbench can be called from anywhere"
            )
        if self._closed:
            raise StorageError("the storage is closed: connect again")
        async with self._free:
            current().lap("wait")
            try:
                # The driver's own timeout is one for each piece of an answer.
                async with asyncio.timeout(self._timeout):
                    return await work(self._redis)
            except GraphflowError:
                raise
            except Exception as error:
                raise _translated(error, self.url) from _cause(error, self.url)

    async def command(self, *words: Any) -> Any:
        """One command."""
        return await self.run(lambda redis: redis.execute_command(*words))

    async def get(self, key: bytes) -> bytes | None:
        """The string at a key; raises StorageError if something else is there."""
        return await self.command("GET", key)  # type: ignore[no-any-return]

    async def mget(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The strings at these keys, None where there is none or something else."""
        found: list[bytes | None] = []
        for start in range(0, len(keys), MGET_COUNT):
            found += await self._mget(keys[start : start + MGET_COUNT])
        return found

    async def _mget(self, keys: Sequence[bytes]) -> list[bytes | None]:
        if self.cluster:
            return await self.run(lambda redis: redis.mget_nonatomic(keys))
        return await self.run(lambda redis: redis.mget(keys))

    async def pipeline(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """The answers to several commands sent at once; raises the first error among them."""
        answers = await self._pipeline(commands)
        for answer in answers:
            if isinstance(answer, Exception):
                raise _translated(answer, self.url) from _cause(answer, self.url)
        return answers

    async def _pipeline(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        if not commands:
            return []

        async def work(redis: Any) -> list[Any]:
            async with redis.pipeline(transaction=False) as pipe:
                for words in commands:
                    pipe.execute_command(*words)
                return await pipe.execute(raise_on_error=False)  # type: ignore[no-any-return]

        return await self.run(work)

    async def script(self, text: str, key: bytes, *arguments: Any) -> Any:
        """Run a Lua script on one key."""
        return (await self.scripts(text, [(key, *arguments)]))[0]

    async def scripts(self, text: str, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Run a Lua script several times, each on one key with arguments, sent at once."""
        from redis.exceptions import NoScriptError

        name = self._scripts.get(text)
        if name is None:
            from .form import digest

            name = self._scripts[text] = digest(text.encode())
        if len(calls) == 1:
            try:
                return [await self.run(lambda redis: redis.evalsha(name, 1, *calls[0]))]
            except StorageError as error:
                if not isinstance(error.__cause__, NoScriptError):
                    raise
            return [await self.run(lambda redis: redis.eval(text, 1, *calls[0]))]
        answers = await self._pipeline([("EVALSHA", name, 1, *call) for call in calls])
        # A server that was restarted or joined since does not know the script yet.
        unknown = [i for i, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        again = await self._pipeline([("EVAL", text, 1, *calls[i]) for i in unknown])
        for i, answer in zip(unknown, again, strict=True):
            answers[i] = answer
        for answer in answers:
            if isinstance(answer, Exception):
                raise _translated(answer, self.url) from _cause(answer, self.url)
        return answers

    async def scan(self, pattern: str | None) -> AsyncIterator[list[bytes]]:
        """All keys of strings, in portions and each once."""
        seen: set[bytes] = set()
        options: dict[str, Any] = {"count": SCAN_COUNT, "_type": "string"}
        if pattern is not None:
            options["match"] = pattern
        nodes = self._redis.get_primaries() if self.cluster else [None]
        for node in nodes:
            if node is not None:
                options["target_nodes"] = node
            cursor: int | None = None
            while cursor != 0:
                cursor, keys = await self._scan(cursor or 0, options)
                fresh = [key for key in keys if key not in seen]
                seen.update(fresh)
                if fresh:
                    yield fresh

    async def _scan(self, cursor: int, options: dict[str, Any]) -> tuple[int, list[bytes]]:
        following, keys = await self.run(lambda redis: redis.scan(cursor, **options))
        # A cluster tells the cursor of each node.
        return int(
            next(iter(following.values())) if isinstance(following, dict) else following
        ), keys

    async def key_count(self) -> int:
        """How many keys of any kind there are."""
        if self.cluster:
            sizes: Any = await self.run(lambda redis: redis.dbsize(target_nodes="primaries"))
            return sum(sizes.values()) if isinstance(sizes, dict) else int(sizes)
        return int(await self.command("DBSIZE"))

    async def on_primaries(self, *words: str) -> list[Any]:
        """The answers of all primaries to one command, read as the driver reads them."""
        if not self.cluster:
            return [await self.command(*words)]

        async def ask(redis: Any) -> list[Any]:
            # Node by node: for some commands the driver hands out the first answer alone.
            return [
                await redis.execute_command(*words, target_nodes=node)
                for node in redis.get_primaries()
            ]

        return await self.run(ask)

    async def close(self) -> None:
        """Close the connections; closing twice is no error."""
        if not self._closed:
            self._closed = True
            await self._redis.aclose()


def _translated(error: Exception, url: str) -> StorageError:
    """A driver's exception as ours; the only place where that happens for Redis."""
    from redis import exceptions as driver

    place = redact(url)
    said = redact(url, error) or type(error).__name__
    if isinstance(error, driver.ReadOnlyError):
        return ReadOnlyError(f"{place} is a replica and takes no writes: open its primary")
    if isinstance(error, (TimeoutError, driver.TimeoutError)):
        return StorageTimeout(
            f"{place} gave no answer in time; whether a write took place is not known. "
            "Try again, or connect with a longer timeout="
        )
    if isinstance(error, driver.AuthenticationError):
        return StorageError(f"{place} refused the user or password: check the URL")
    if isinstance(error, driver.NoPermissionError):
        return StorageError(f"{place}: {said}; ask for this right or open it with another user")
    if "WRONGTYPE" in said:
        return StorageError(
            f"{place}: the key holds something that is no session; nothing was changed. Sessions "
            "of their own live under another prefix="
        )
    if isinstance(error, driver.OutOfMemoryError) or said.startswith("OOM"):
        return StorageError(f"{place} is full (maxmemory): nothing was written")
    lost = (OSError, driver.ConnectionError, driver.ClusterError, driver.RedisClusterException)
    if isinstance(error, lost):
        return StorageUnavailable(
            f"{place} is out of reach ({said}); whether a write that was under way took place is "
            "not known. The workbench connects again by itself: is the server running?"
        )
    return StorageError(f"{place}: {said}")


def _cause(error: Exception, url: str) -> Exception | None:
    """The error itself, unless it would tell the password."""
    return None if redact(url, error) != str(error) else error
