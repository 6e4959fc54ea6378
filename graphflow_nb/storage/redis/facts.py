"""Facts about Redis and Valkey, for advice; in a cluster all primaries are asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...errors import StorageError, StorageUnavailable
from ..facts import RedisFacts
from .client import RedisClient
from .index import IndexSize, RedisIndex

__all__ = ["collect_facts"]

_SUMS: Final = ("maxmemory", "used_memory", "evicted_keys")


async def collect_facts(
    client: RedisClient, index: RedisIndex, *, place: str, read_only: bool, prefix: str, ttl: bool
) -> RedisFacts:
    """Return what the server reports; what it refuses to report is in ``unseen``.

    Args:
        client: The client that sends the commands.
        index: The index of the sessions.
        place, read_only, prefix, ttl: Facts that the storage knows itself, see ``RedisFacts``.

    Raises:
        StorageUnavailable: The server is out of reach.
    """
    unseen: dict[str, str] = {}

    async def ask(subject: str, *words: str) -> list[Any] | None:
        try:
            return await client.on_primaries(*words)
        except StorageUnavailable:
            raise
        except StorageError as error:
            unseen[subject] = str(error.__cause__ or error)
            return None

    about = await ask("memory and persistence", "INFO")
    append = await ask("appendfsync", "CONFIG GET", "append*")
    save = await ask("snapshots", "CONFIG GET", "save")
    indexed = await index.built_at()
    size = await index.size() if indexed else IndexSize(0, 0)
    return RedisFacts(
        place=place,
        read_only=read_only,
        connections=client.size,
        unseen=unseen,
        keys=await client.key_count(),
        expiring=None if about is None else sum(map(_count_expiring, about)),
        prefix=prefix,
        ttl=ttl,
        indexed=indexed,
        known=size.sessions,
        index_keys=size.keys,
        about=None if about is None else _combine(about),
        appendfsync=_read_setting(append, "appendfsync"),
        save=_read_setting(save, "save"),
    )


def _combine(about: list[Mapping[str, Any]]) -> dict[str, str | int]:
    """Return the combined answers of all primaries to INFO."""
    first = about[0]
    return {
        "maxmemory_policy": str(first.get("maxmemory_policy", "")),
        "aof_enabled": min(int(node.get("aof_enabled", 0)) for node in about),
        "uptime_in_seconds": min(int(node.get("uptime_in_seconds", 0)) for node in about),
        **{name: sum(int(node.get(name, 0)) for node in about) for name in _SUMS},
    }


def _count_expiring(about: Mapping[str, Any]) -> int:
    """Return how many keys of one primary expire."""
    spaces = (value for name, value in about.items() if name.startswith("db"))
    return sum(int(space["expires"]) for space in spaces if isinstance(space, dict))


def _read_setting(answers: list[Any] | None, name: str) -> str | None:
    """Return one setting from the mapping that the driver makes of each answer."""
    if not answers:
        return None
    found = answers[0].get(name, answers[0].get(name.encode()))
    return found.decode() if isinstance(found, bytes) else found
