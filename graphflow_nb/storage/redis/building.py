"""Building the index in Redis: all sessions are read, while others write."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import StorageError
from ..query import Query
from .batches import PORTION
from .client import RedisClient
from .errors import is_refused
from .index import Position, RedisIndex
from .keys import Keys
from .records import Records

__all__ = ["build"]


async def build(
    client: RedisClient,
    records: Records,
    keys: Keys,
    index: RedisIndex,
    progress: Callable[[int, int | None], None] | None,
    stop: Callable[[], bool] | None,
) -> int:
    """Build the index or bring it up to date; see ``RedisSessionStorage.build_index``.

    Until it is whole a first index is not read, so that one that was stopped hides no session.

    Args:
        client: The client that sends the commands.
        records: The stored sessions.
        keys: The same by their keys.
        index: The index.
        progress, stop: See there.

    Raises:
        StorageError: The server may delete parts of an index to make room.
    """
    if evicts := await _find_eviction(client):
        raise StorageError(
            f"with maxmemory-policy {evicts} the server deletes any key when its memory is full, "
            "also parts of an index, whose pages would then lack sessions: no index was built. Set "
            "the policy to noeviction, or to one that begins with volatile-, then call it again",
            nothing_written=True,
        )
    total = None
    if progress is not None and not records.prefix:
        total = await client.key_count()
    await index.begin()
    known = 0
    async for portion in keys.scan(Query(order="id"), bounded=False):
        if stop is not None and stop():
            return known
        known += len(portion)
        await index.put(
            (Position(id, s.updated, s.graph_id, s.current_task_id) for id, s in portion),
            always=True,
        )
        if progress is not None:
            # Until the index is whole the work is not done.
            progress(known, total if total is not None and total > known else None)
    ids = await index.ids()
    for start in range(0, len(ids), PORTION):
        if stop is not None and stop():
            return known
        part = ids[start : start + PORTION]
        found = await records.find_many(part)
        await index.remove([id for id, entry in zip(part, found, strict=True) if entry is None])
    await index.mark_built()
    if progress is not None:
        progress(known, known)
    return known


async def _find_eviction(client: RedisClient) -> str:
    """Return the policy by which a server deletes keys that never expire; empty for none."""
    try:
        nodes = await client.on_primaries("INFO", "memory")
    except StorageError as error:
        if is_refused(error):  # a user who may not ask
            return ""
        raise
    for node in nodes:
        policy = str(node.get("maxmemory_policy", ""))
        if policy.startswith("allkeys-") and int(node.get("maxmemory", 0)):
            return policy
    return ""
