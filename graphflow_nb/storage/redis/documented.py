"""The saves of the storage for Redis in graph-flow's documentation: ``SET <id> <json>``.

``RedisSessionStorage`` never sends these. They show what such a worker does to a value that another
one changed, and to the time in which it expires.
"""

from __future__ import annotations

from typing import Self

from ...model import Session
from ..url import StoreUrl
from .client import RedisClient
from .form import encode

__all__ = ["DocumentedSaves"]


class DocumentedSaves:
    """One client that saves sessions as graph-flow's documentation does.

    Example:
        >>> from graphflow_nb import Session
        >>> from graphflow_nb.storage.redis.documented import DocumentedSaves
        >>> from graphflow_nb.private_server import LocalRedis  # or a server of yours
        >>> with LocalRedis() as server:
        ...     worker = await DocumentedSaves.connect(server.url)
        ...     print(await worker.save(Session("claim-1", "intake"), seconds=60))
        ...     print(await worker.expires_in("claim-1") > 59)
        ...     print(await worker.save(Session("claim-1", "intake")))
        ...     print(await worker.expires_in("claim-1"))
        ...     await worker.close()
        1
        True
        1
        None
    """

    def __init__(self, client: RedisClient):
        self._client = client

    @classmethod
    async def connect(cls, url: str) -> Self:
        """Connect to a server.

        Raises:
            StorageError: The server is out of reach.
        """
        return cls(await RedisClient.connect(StoreUrl(url), 1, 30.0))

    async def save(
        self, session: Session, *, seconds: float | None = None, keep_ttl: bool = False
    ) -> int:
        """Replace whatever is stored, as ``SET`` does, and with it the time in which it expires.

        Args:
            session: The session.
            seconds: The time in which it expires, as ``SET … PX`` says; None for none.
            keep_ttl: Whether to keep the time that is set, as ``SET … KEEPTTL`` does.

        Returns:
            The number of values that were written, which is 1.

        Raises:
            StorageError: The server refused the command.
        """
        # Such a worker counts no versions and writes no times.
        text = encode(session, 0, None, None)
        words = ["PX", str(round(seconds * 1000))] if seconds is not None else []
        words += ["KEEPTTL"] if keep_ttl else []
        await self._client.command("SET", session.id.encode(), text, *words)
        return 1

    async def expires_in(self, id: str) -> float | None:
        """Return in how many seconds a session expires, None for never or where there is none."""
        left: int = await self._client.command("PTTL", id.encode())
        return left / 1000 if left >= 0 else None

    async def expire_now(self, id: str) -> bool:
        """Let a session expire at once, as if its time had come; return whether there was one."""
        return bool(await self._client.command("PEXPIRE", id.encode(), 0))

    async def close(self) -> None:
        """Close the connection; closing twice is not an error."""
        await self._client.close()
