"""An index of the sessions in Redis, for quick pages: sorted sets by time of the last save.

All its keys share one hash tag, so a cluster keeps them on one node. Workers that save sessions do
not know the index. So each read checks its entries against the sessions themselves, and
``RedisSessionStorage.build_index`` brings it up to date.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from operator import le, lt
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec

from ...errors import StorageError
from ...model.times import UNKNOWN_TIME, datetime_of, micros_of, micros_or_unknown, time_of
from ...printable import describe_count
from ..query import Cursor, Query
from ..table import GroupCount
from .client import RedisClient
from .errors import is_refused

__all__ = [
    "Entry",
    "IndexSize",
    "Position",
    "RedisIndex",
    "entry_after",
    "is_current",
    "key_pattern",
    "next_cursor",
]

# KEYS[1] the hash of places; ARGV: base of the names, 1 to write only if the index was built or is
# being built, then id, score and place of each session, score and place empty for one that is gone.
_PUT: Final = """
local base = ARGV[1]
if ARGV[2] == '1' and redis.call('EXISTS', base .. ':built') == 0
    and redis.call('EXISTS', base .. ':building') == 0 then return 0 end
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
_ASKED = 1_000  # sessions whose scores are asked for at once
_LAST = float("inf")  # the score of a session whose time is unknown: it comes after all others


class Entry(msgspec.Struct, frozen=True, order=True, gc=False):
    """An entry of a sorted set; entries are ordered by score, then by id.

    Attributes:
        score: The time of the last save in µs since 1970 UTC, infinite where unknown.
        id: The session's id.
    """

    score: float
    id: str


class Position(NamedTuple):
    """The entry of a session in the index.

    Attributes:
        id: The session's id.
        updated: The time of the last save in µs since 1970 UTC, or ``UNKNOWN_TIME``.
        graph_id, current_task_id: The session's graph and task.
    """

    id: str
    updated: int
    graph_id: str
    current_task_id: str


class IndexSize(NamedTuple):
    """The number of keys that the index takes, and of sessions that it contains."""

    keys: int
    sessions: int


class _SortedSet(NamedTuple):
    """The sorted set of one task of one graph, or that of all sessions (both texts empty)."""

    key: bytes
    graph_id: str = ""
    current_task_id: str = ""


class RedisIndex:
    """The index of the sessions under one prefix.

    Attributes:
        exists: Whether there was an index when the server was last asked, or one that was being
            built, into which what is written must be put too.
    """

    def __init__(self, client: RedisClient, prefix: str):
        self.exists = False
        self._client = client
        self._base = f"{{graphflow_nb:index:{quote(prefix, safe=':')}}}".encode()

    def _key(self, name: str, place: str = "") -> bytes:
        return self._base + f":{name}{place}".encode()

    async def refresh(self) -> bool:
        """Ask the server, set ``exists``, and return whether there is a whole index to read."""
        is_built = await self.built_at() is not None
        self.exists = is_built or await self._time_of("building") is not None
        return is_built

    async def built_at(self) -> datetime | None:
        """Return the time at which the index was built, None without an index."""
        return await self._time_of("built")

    async def _time_of(self, name: str) -> datetime | None:
        try:
            text = await self._client.get(self._key(name))
        except StorageError as error:
            if is_refused(error):  # a user who may not read it has none
                return None
            raise
        return None if text is None else datetime_of(int(text))

    async def begin(self) -> None:
        """Have all that is written from now on put in; a first index is not read yet."""
        if not await self.refresh():
            await self._mark("building")
        self.exists = True

    async def mark_built(self) -> None:
        """Set the time at which the index was built to now."""
        await self._mark("built")
        await self._client.command("UNLINK", self._key("building"))

    async def _mark(self, name: str) -> None:
        now = time.time_ns() // 1000
        await self._client.command("SET", self._key(name), b"%d" % now)

    async def put(self, positions: Iterable[Position], *, always: bool = False) -> None:
        """Add sessions, or move those that the index contains already.

        Args:
            positions: The sessions.
            always: Whether to write even if the index does not exist yet.
        """
        entries = []
        for id, updated, graph, task in positions:
            score = b"inf" if updated == UNKNOWN_TIME else b"%d" % updated
            entries.append((id.encode(), score, _encode_place(graph, task)))
        await self._put(entries, always)

    async def remove(self, ids: Iterable[str]) -> None:
        """Remove sessions that are gone."""
        await self._put([(id.encode(), b"", "") for id in ids], False)

    async def _put(self, entries: Sequence[tuple[bytes, bytes, str]], always: bool) -> None:
        for start in range(0, len(entries), _BATCH):
            words = [word for entry in entries[start : start + _BATCH] for word in entry]
            call = (self._key("where"), self._base, b"0" if always else b"1", *words)
            await self._client.scripts(_PUT, [call])

    async def ids(self) -> list[str]:
        """Return the ids of all sessions in the index."""
        ids: list[bytes] = await self._client.command("HKEYS", self._key("where"))
        return [id.decode() for id in ids]

    async def drop(self) -> None:
        """Delete all keys of the index."""
        places = await self._client.command("SMEMBERS", self._key("places"))
        keys = [self._key(name) for name in ("built", "building", "where", "updated", "places")]
        keys += [self._key("at:", place.decode()) for place in places]
        for key in keys:
            await self._client.command("UNLINK", key)

    async def size(self) -> IndexSize:
        """Return how many keys the index takes, and how many sessions it contains."""
        places, sessions = await self._client.pipeline(
            [("SCARD", self._key("places")), ("ZCARD", self._key("updated"))]
        )
        return IndexSize((3 if sessions else 0) + 1 + places, sessions)

    async def note(self, *, alone: bool, moved: int = 0) -> str | None:
        """Return what to know about an answer of the index; None without an index.

        Workers write past the index, and nothing tells cheaply that none did. So the note says how
        old the index is, and which signs there are that it lags.

        Args:
            alone: Whether all other keys of the database should be sessions in the index.
            moved: The number of sessions that differed from their entries in this answer.
        """
        built = await self.built_at()
        if built is None:
            return None
        size = await self.size()
        signs = []
        if moved:
            signs.append(f"{moved:,} of the sessions in this answer differed from their entries. ")
        if alone:
            keys = await self._client.key_count() - size.keys
            if keys != size.sessions:
                signs.append(
                    f"The database has {describe_count(keys, 'other key')} "
                    "than those of the index. "
                )
        return (
            f"answered by the index, which was built at {built:%Y-%m-%d %H:%M} UTC "
            f"({_describe_age(built)}) and contains "
            f"{describe_count(size.sessions, 'session')}. It does not notice "
            "what workers write: sessions that they created since are missing, those that they "
            f"saved or deleted are counted where they were. {''.join(signs)}wb.build_index() reads "
            "all sessions and brings it up to date"
        )

    def can_page(self, query: Query) -> bool:
        """Return whether an index helps to find the query's page."""
        return query.order_by == "updated_at" and query.ids is None and query.limit is not None

    def covered(self, query: Query) -> Query:
        """Return a query with those conditions alone that an index covers."""
        return Query(
            graph=query.graph,
            task=query.task,
            updated_since=query.updated_since,
            updated_until=query.updated_until,
        )

    def can_count(self, query: Query) -> bool:
        """Return whether an index covers all conditions of the query."""
        covered = self.covered(query)
        if replace(query, order=covered.order, limit=None, after=None) != covered:
            return False
        return all(map(_is_exact, (query.updated_since, query.updated_until)))

    async def page(self, query: Query, after: Entry | None, count: int) -> list[Entry]:
        """Return the next entries in the query's order that match graph, task and time.

        Args:
            query: The query; its other conditions, its cursor and its limit are ignored.
            after: The last entry of the page before, None for the first page.
            count: The largest number of entries.
        """
        first, last = _score_range(query)
        if query.descending:
            first, last = last, first
        if after is not None:
            first = b"+inf" if after.score == _LAST else b"%d" % int(after.score)
        words = (first, last, "BYSCORE", *(("REV",) if query.descending else ()))
        found: list[Entry] = []
        for sorted_set in await self._sorted_sets(query):
            # Entries with the score at which the page before ended are passed over by their ids.
            start, kept = 0, 0
            while kept < count:
                answer = await self._client.command(
                    "ZRANGE", sorted_set.key, *words, "LIMIT", start, count, "WITHSCORES"
                )
                read = _read_entries(answer)
                start += len(read)
                entries = [
                    entry
                    for entry in read
                    if after is None or (entry < after if query.descending else entry > after)
                ]
                kept += len(entries)
                found += entries
                if len(read) < count:
                    break
        return sorted(found, reverse=query.descending)[:count]

    async def page_of_prefix(self, query: Query, after: Entry | None) -> list[Entry]:
        """Return all entries in the query's order that match its id_prefix, graph, task and time.

        The server goes through all entries, and sends these alone.

        Args:
            query: The query; its other conditions, its cursor and its limit are ignored.
            after: The last entry of the page before, None for the first page.
        """
        pattern = key_pattern(query.id_prefix or "") or "*"
        since, until = query.updated_since, query.updated_until
        lowest, highest = (
            None if time is None else float(micros_of(time)) for time in (since, until)
        )
        ends = lt if _is_exact(until) else le  # as in ``_score_range``
        found = []
        for sorted_set in await self._sorted_sets(query):
            if sorted_set.current_task_id or sorted_set.graph_id:
                found += await self._scan_set(sorted_set, pattern)
            else:
                found += await self._scan_places(sorted_set, pattern)
        return sorted(
            (
                entry
                for entry in found
                if (lowest is None or lowest <= entry.score < _LAST)
                and (highest is None or ends(entry.score, highest))
                and (after is None or (entry < after if query.descending else entry > after))
            ),
            reverse=query.descending,
        )

    async def _scan_set(self, sorted_set: _SortedSet, pattern: str) -> list[Entry]:
        """Return the entries of a sorted set whose ids match a pattern."""
        scores = await self._client.scan_entries(sorted_set.key, pattern)
        return [Entry(float(score), id.decode()) for id, score in scores.items()]

    async def _scan_places(self, sorted_set: _SortedSet, pattern: str) -> list[Entry]:
        """Return the entries of all sessions whose ids match a pattern.

        The ids are found among the places: the server writes each score of a sorted set as text
        before it compares, which takes twice as long.
        """
        ids = await self._client.scan_fields(self._key("where"), pattern)
        entries = []
        for start in range(0, len(ids), _ASKED):
            part = ids[start : start + _ASKED]
            scores = await self._client.command("ZMSCORE", sorted_set.key, *part)
            entries += [
                Entry(float(score), id.decode())
                for id, score in zip(part, scores, strict=True)
                if score is not None  # one that was removed meanwhile
            ]
        return entries

    async def groups(self, query: Query) -> list[GroupCount]:
        """Return how many entries that match the query are at each task of each graph."""
        sets = await self._sorted_sets(query, by_place=True)
        low, high = _score_range(query)
        commands: list[tuple[Any, ...]] = []
        for key, _, _ in sets:
            commands += [
                ("ZCOUNT", key, low, high),
                ("ZRANGE", key, low, high, "BYSCORE", "LIMIT", 0, 1, "WITHSCORES"),
                # The newest of those whose time is known.
                (
                    "ZRANGE",
                    key,
                    _exclude_infinity(high),
                    low,
                    "BYSCORE",
                    "REV",
                    "LIMIT",
                    0,
                    1,
                    "WITHSCORES",
                ),
            ]
        answers = await self._client.pipeline(commands)
        counts = []
        for (_, graph, task), n, first, last in zip(
            sets, answers[::3], answers[1::3], answers[2::3], strict=True
        ):
            if n:
                counts.append(GroupCount(graph, task, n, _time_in(first), _time_in(last)))
        return sorted(counts, key=lambda count: (count.graph_id, count.current_task_id))

    async def _sorted_sets(self, query: Query, *, by_place: bool = False) -> list[_SortedSet]:
        """Return the sorted sets that contain the query's graph and task."""
        if not by_place and query.graph is None and query.task is None:
            return [_SortedSet(self._key("updated"))]
        chosen = []
        for text in await self._client.command("SMEMBERS", self._key("places")):
            graph, task = msgspec.json.decode(text, type=tuple[str, str])
            if query.graph in (None, graph) and query.task in (None, task):
                chosen.append(_SortedSet(self._key("at:", text.decode()), graph, task))
        return chosen


def key_pattern(prefix: str) -> str | None:
    """Return the pattern of keys that begin with a prefix, None for all keys."""
    if not prefix:
        return None
    return "".join(f"\\{c}" if c in "*?[]^-\\" else c for c in prefix) + "*"


def _describe_age(time: datetime) -> str:
    """Return how long ago a time was, coarsely."""
    minutes = (datetime.now(UTC) - time).total_seconds() / 60
    if minutes < 1:
        return "less than a minute ago"
    for unit, size in (("min", 1), ("h", 60)):
        if minutes < 120 * size:
            return f"{minutes / size:.0f} {unit} ago"
    return f"{minutes / 1440:,.0f} days ago"


def entry_after(query: Query) -> Entry | None:
    """Return the entry after which the query's page begins, None for the first page."""
    cursor = query.after
    if cursor is None:
        return None
    updated = micros_or_unknown(cursor.time)
    return Entry(_LAST if updated == UNKNOWN_TIME else float(updated), cursor.id)


def next_cursor(query: Query, entry: Entry) -> Cursor:
    """Return the cursor of the page that begins after an entry."""
    return Cursor(query.order, entry.id, _score_time(entry.score))


def is_current(entry: Entry, updated: int) -> bool:
    """Return whether a session was last saved at the time in its entry.

    Args:
        entry: The entry.
        updated: The time of the last save in µs since 1970 UTC, or ``UNKNOWN_TIME``.
    """
    return entry.score == (_LAST if updated == UNKNOWN_TIME else float(updated))


def _score_range(query: Query) -> tuple[bytes, bytes]:
    """Return the smallest and the largest score that the query's times allow."""
    since, until = query.updated_since, query.updated_until
    low = b"-inf" if since is None else b"%d" % micros_of(since)
    # An unknown time is neither before nor after any other.
    high = b"+inf"
    if until is not None:  # of equal scores, an earlier time may have been rounded up
        high = (b"(%d" if _is_exact(until) else b"%d") % micros_of(until)
    return low, _exclude_infinity(high) if since is not None else high


def _is_exact(time: datetime | None) -> bool:
    """Return whether a score, a float, has this very time: until the year 2255."""
    return time is None or abs(micros_of(time)) <= 2**53


def _exclude_infinity(edge: bytes) -> bytes:
    return b"(+inf" if edge == b"+inf" else edge


def _score_time(score: float) -> datetime | int | None:
    return None if score == _LAST else time_of(int(score))


def _time_in(answer: list[Any]) -> datetime | None:
    """Return the time of an answer's only entry, None where it has none or it is unknown."""
    return datetime_of(_score_time(_read_entries(answer)[0].score)) if answer else None


def _encode_place(graph: str, task: str) -> str:
    return msgspec.json.encode((graph, task)).decode()


def _read_entries(answer: list[Any]) -> list[Entry]:
    # RESP3 returns pairs, RESP2 a flat list.
    if answer and isinstance(answer[0], (list, tuple)):
        answer = [item for pair in answer for item in pair]
    return [
        Entry(float(score), id.decode())
        for id, score in zip(answer[::2], answer[1::2], strict=True)
    ]
