"""An index of the sessions in Redis, for quick pages: sorted sets by time of the last save.

All its keys share one hash tag, so that on a cluster they live on one node. Workers that save
sessions do not know it, so what it says is checked against the sessions themselves, and
``RedisSessionStorage.build_index`` brings it up to date.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec

from ...model.times import UNKNOWN_TIME, micros_of, time_of
from ..query import Cursor, Query
from ..table import GroupCount
from .client import RedisClient
from .form import Stored

__all__ = ["RedisIndex", "cursor", "in_place", "position"]

# KEYS[1] the hash of places; ARGV: base of the names, 1 to write only if the index was built, then
# id, score and place of each session, score and place empty for one that is gone.
_PUT: Final = """
local base = ARGV[1]
if ARGV[2] == '1' and redis.call('EXISTS', base .. ':built') == 0 then return 0 end
for i = 3, #ARGV, 3 do
    local id, score, place = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    local was = redis.call('HGET', KEYS[1], id)
    if was and was ~= place then
        redis.call('ZREM', base .. ':at:' .. was, id)
        if redis.call('EXISTS', base .. ':at:' .. was) == 0 then
            redis.call('SREM', base .. ':places', was)
        end
    end
    if score == '' then
        redis.call('HDEL', KEYS[1], id)
        redis.call('ZREM', base .. ':updated', id)
    else
        redis.call('HSET', KEYS[1], id, place)
        redis.call('SADD', base .. ':places', place)
        redis.call('ZADD', base .. ':at:' .. place, score, id)
        redis.call('ZADD', base .. ':updated', score, id)
    end
end
return 1
"""

_BATCH = 200  # sessions put at once, so that no script holds the server up


class RedisIndex:
    """The index of the sessions under one prefix."""

    def __init__(self, client: RedisClient, prefix: str):
        self._client = client
        self._base = f"{{graphflow_nb:index:{quote(prefix, safe=':')}}}".encode()

    def _name(self, what: str, place: str = "") -> bytes:
        return self._base + f":{what}{place}".encode()

    async def built(self) -> datetime | None:
        """When it was built, None if there is none."""
        text = await self._client.get(self._name("built"))
        return None if text is None else time_of(int(text))

    async def put(self, sessions: Sequence[tuple[str, int, str, str]], *, built: bool) -> None:
        """Note where sessions stand.

        Args:
            sessions: id, µs of the last save (or ``UNKNOWN_TIME``), graph and task of each.
            built: only if there is an index.
        """
        entries = []
        for id, updated, graph, task in sessions:
            score = b"inf" if updated == UNKNOWN_TIME else b"%d" % updated
            entries.append((id.encode(), score, _place(graph, task)))
        await self._put(entries, built)

    async def remove(self, ids: Sequence[str]) -> None:
        """Forget sessions that are gone."""
        await self._put([(id.encode(), b"", "") for id in ids], True)

    async def _put(self, entries: Sequence[tuple[bytes, bytes, str]], built: bool) -> None:
        for start in range(0, len(entries), _BATCH):
            words = [word for entry in entries[start : start + _BATCH] for word in entry]
            await self._client.script(
                _PUT, self._name("where"), self._base, b"1" if built else b"0", *words
            )

    async def finish(self) -> None:
        """Say that it was built, now."""
        now = time.time_ns() // 1000
        await self._client.command("SET", self._name("built"), b"%d" % now)

    async def ids(self) -> list[bytes]:
        """Of all sessions that it knows."""
        return await self._client.command("HKEYS", self._name("where"))  # type: ignore[no-any-return]

    async def drop(self) -> None:
        """Remove it."""
        places = await self._client.command("SMEMBERS", self._name("places"))
        names = [self._name(what) for what in ("built", "where", "updated", "places")]
        names += [self._name("at:", place.decode()) for place in places]
        for name in names:
            await self._client.command("UNLINK", name)

    async def keys_and_sessions(self) -> tuple[int, int]:
        """How many keys it takes, and how many sessions it knows."""
        places, sessions = await self._client.pipeline(
            [("SCARD", self._name("places")), ("ZCARD", self._name("updated"))]
        )
        return (3 if sessions else 0) + 1 + places, sessions

    def pages(self, query: Query) -> bool:
        """Whether it helps to find the page that is asked for."""
        return query.order_by == "updated_at" and query.ids is None and query.limit is not None

    def counts_all(self, query: Query) -> bool:
        """Whether it knows all that the query's conditions ask for."""
        known = Query(
            graph=query.graph,
            task=query.task,
            updated_since=query.updated_since,
            updated_until=query.updated_until,
        )
        return replace(query, order=known.order, limit=None, after=None) == known

    async def page(
        self, query: Query, after: tuple[float, str] | None, count: int
    ) -> list[tuple[float, str]]:
        """The next entries in the query's order, graph, task and time, as score and id."""
        edges = list(_edges(query))
        if query.descending:
            edges.reverse()
        if after is not None:
            edges[0] = b"+inf" if after[0] == float("inf") else b"%d" % int(after[0])
        words = (*edges, "BYSCORE", *(("REV",) if query.descending else ()))
        found: list[tuple[float, str]] = []
        for name, _ in await self._sets(query):
            # Entries of the very time at which the page before ended are passed over by their ids.
            start, mine = 0, 0
            while mine < count:
                answer = await self._client.command(
                    "ZRANGE", name, *words, "LIMIT", start, count, "WITHSCORES"
                )
                pairs = _pairs(answer)
                start += len(pairs)
                entries = [
                    entry
                    for entry in pairs
                    if after is None or (entry < after if query.descending else entry > after)
                ]
                mine += len(entries)
                found += entries
                if len(pairs) < count:
                    break
        return sorted(found, reverse=query.descending)[:count]

    async def groups(self, query: Query) -> list[GroupCount]:
        """How many entries stand at each task of each graph."""
        sets = await self._sets(query, by_place=True)
        low, high = _edges(query)
        commands: list[tuple[Any, ...]] = []
        for name, _ in sets:
            commands += [
                ("ZCOUNT", name, low, high),
                ("ZRANGE", name, low, high, "BYSCORE", "LIMIT", 0, 1, "WITHSCORES"),
                # The newest of those whose time is known.
                ("ZRANGE", name, _finite(high), low, "BYSCORE", "REV", "LIMIT", 0, 1, "WITHSCORES"),
            ]
        answers = await self._client.pipeline(commands)
        counts = []
        for (_, (graph, task)), n, first, last in zip(
            sets, answers[::3], answers[1::3], answers[2::3], strict=True
        ):
            if n:
                oldest, newest = (
                    time_of(int(_pairs(end)[0][0])) if end and _pairs(end)[0][0] < 2**62 else None
                    for end in (first, last)
                )
                counts.append(GroupCount(graph, task, n, oldest, newest))
        return sorted(counts, key=lambda c: (c.graph_id, c.current_task_id))

    async def _sets(
        self, query: Query, *, by_place: bool = False
    ) -> list[tuple[bytes, tuple[str, str]]]:
        """The sorted sets that hold the query's graph and task, with the place of each."""
        if not by_place and query.graph is None and query.task is None:
            return [(self._name("updated"), ("", ""))]
        chosen = []
        for text in await self._client.command("SMEMBERS", self._name("places")):
            place = msgspec.json.decode(text, type=tuple[str, str])
            if query.graph in (None, place[0]) and query.task in (None, place[1]):
                chosen.append((self._name("at:", text.decode()), place))
        return chosen


def position(query: Query) -> tuple[float, str] | None:
    """Where a query's page begins, as score and id."""
    cursor = query.after
    if cursor is None:
        return None
    return (float("inf") if cursor.time is None else float(micros_of(cursor.time)), cursor.id)


def cursor(query: Query, entry: tuple[float, str]) -> Cursor:
    """Where the page after an entry begins."""
    score, id = entry
    return Cursor(query.order, id, None if score == float("inf") else time_of(int(score)))


def _edges(query: Query) -> tuple[bytes, bytes]:
    """The least and the greatest score."""
    since, until = query.updated_since, query.updated_until
    low = b"-inf" if since is None else b"%d" % micros_of(since)
    # An unknown time is neither before nor after any other.
    high = b"+inf" if until is None else b"(%d" % micros_of(until)
    return low, _finite(high) if since is not None else high


def _finite(edge: bytes) -> bytes:
    return b"(+inf" if edge == b"+inf" else edge


def in_place(stored: Stored, score: float) -> bool:
    """Whether a session is still where its entry says."""
    known = stored.updated
    return score == (float("inf") if known == UNKNOWN_TIME else float(known))


def _place(graph: str, task: str) -> str:
    return msgspec.json.encode((graph, task)).decode()


def _pairs(answer: list[object]) -> list[tuple[float, str]]:
    # RESP3 gives pairs, RESP2 a flat list.
    if answer and isinstance(answer[0], (list, tuple)):
        pairs = [(entry[1], entry[0]) for entry in answer]  # type: ignore[index]
    else:
        pairs = list(zip(answer[1::2], answer[::2], strict=True))
    return [(float(score), bytes(id).decode()) for score, id in pairs]
