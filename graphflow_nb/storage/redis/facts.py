"""What Redis and Valkey tell of themselves; of a cluster all primaries are asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...errors import StorageError, StorageUnavailable
from ..facts import RedisFacts
from .client import RedisClient
from .index import RedisIndex

__all__ = ["look"]

_SUMS: Final = ("maxmemory", "used_memory", "evicted_keys")


async def look(
    client: RedisClient, index: RedisIndex, *, place: str, read_only: bool, prefix: str, ttl: bool
) -> RedisFacts:
    """Ask the server; what it refuses to tell is said.

    Raises:
        StorageUnavailable: it is out of reach.
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
    indexed = await index.built()
    return RedisFacts(
        place=place,
        read_only=read_only,
        connections=client.size,
        unseen=unseen,
        keys=await client.key_count(),
        expiring=None if about is None else sum(map(_expiring, about)),
        prefix=prefix,
        ttl=ttl,
        indexed=indexed,
        known=(await index.keys_and_sessions())[1] if indexed else 0,
        about=None if about is None else _together(about),
        appendfsync=_value(append, "appendfsync"),
        save=_value(save, "save"),
    )


def _together(about: list[Mapping[str, Any]]) -> dict[str, str | int]:
    first = about[0]
    return {
        "maxmemory_policy": str(first.get("maxmemory_policy", "")),
        "aof_enabled": min(int(node.get("aof_enabled", 0)) for node in about),
        "uptime_in_seconds": min(int(node.get("uptime_in_seconds", 0)) for node in about),
        **{name: sum(int(node.get(name, 0)) for node in about) for name in _SUMS},
    }


def _expiring(about: Mapping[str, Any]) -> int:
    spaces = (value for name, value in about.items() if name.startswith("db"))
    return sum(int(space["expires"]) for space in spaces if isinstance(space, dict))


def _value(answers: list[Any] | None, name: str) -> str | None:
    """One setting: the driver makes a mapping of what a server says."""
    if not answers:
        return None
    said = answers[0]
    found = said.get(name, said.get(name.encode()))
    return found.decode() if isinstance(found, bytes) else found
