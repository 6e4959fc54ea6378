"""The history of the sessions in Redis: a hash for each session, on the node of its session.

The hash has ``first`` and ``last``, the numbers of the oldest and the newest version, and for each
number ``n`` the field ``n`` with what is known of the version (``_Head``), and one of: ``nt``, the
whole text that was stored; ``nc``, the context alone; ``np``, the patch that gives the context. The
script of a save writes it in the same step. Where a session expires, its history does too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Raw

from ...model import exactjson
from ..history import Expired, HistorySize, Steps, VersionRow, missing_history
from ..migration import Migration
from ..paths import is_encodable
from .client import RedisClient
from .form import decode_stored
from .records import HISTORY, Records

__all__ = ["RedisHistory"]

# KEYS[1] the session; ARGV: the key of its history, the numbers to replace, each with its head and
# its patch. Returns how many were replaced.
_COMPACT: Final = """
local done = 0
for i = 2, #ARGV, 3 do
    local n = ARGV[i]
    if redis.call('HDEL', ARGV[1], n .. 't', n .. 'c') > 0 then
        redis.call('HSET', ARGV[1], n, ARGV[i + 1], n .. 'p', ARGV[i + 2])
        done = done + 1
    end
end
return done
"""
# KEYS[1] the session; ARGV: the key of its history, the last number to remove.
_REMOVE: Final = """
local first = tonumber(redis.call('HGET', ARGV[1], 'first') or '1')
local last = tonumber(ARGV[2])
for n = first, last do redis.call('HDEL', ARGV[1], n, n .. 't', n .. 'c', n .. 'p') end
if last >= tonumber(redis.call('HGET', ARGV[1], 'last') or '0') then
    redis.call('DEL', ARGV[1])
else
    redis.call('HSET', ARGV[1], 'first', string.format('%.0f', math.max(first, last + 1)))
end
return 1
"""
# KEYS[1] the session; ARGV: the key of its history, then for each version its head and its context.
_APPEND: Final = """
for i = 2, #ARGV, 2 do
    local n = redis.call('HINCRBY', ARGV[1], 'last', 1)
    redis.call('HSETNX', ARGV[1], 'first', 1)
    redis.call('HSET', ARGV[1], n, ARGV[i], n .. 'c', ARGV[i + 1])
end
return 1
"""

_PREFIX: Final = HISTORY.decode()
_FIELDS: Final = 500  # versions that are read at once
_COUNTED: Final = 10_000  # sessions whose histories are counted one by one
_NOTE: Final = (
    "graphflow_nb.history.HistoryStorage keeps each version that it saves or deletes in a hash "
    "for each session. Workers don't see it, and no session is changed."
)


class _Head(msgspec.Struct, omit_defaults=True):
    """What is known of a version; the session's columns are left out where the text has them."""

    at: int
    deleted: bool
    source: str
    writer: str
    version: int | None = None
    graph_id: str | None = None
    current_task_id: str | None = None
    status_message: str | None = None
    created: int | None = None
    bytes: int = 0
    extra: str | None = None


_decoder = msgspec.json.Decoder(_Head)


class RedisHistory:
    """The history of the sessions under one prefix; see ``HistoryTable``.

    Args:
        client: The client that sends the commands.
        records: The sessions.
        place: The store's name, for errors.
        check_writable: Raises ReadOnlyError if the store was opened for reading only.
    """

    def __init__(
        self,
        client: RedisClient,
        records: Records,
        place: str,
        check_writable: Callable[[], None],
    ):
        self._client = client
        self._records = records
        self._place = place
        self._check_writable = check_writable
        self._mark = f"{{{_PREFIX}{quote(records.prefix, safe=':')}}}:since".encode()
        self._ids: list[str] = []  # found by the scan whose portions are being read

    async def plan(self) -> Migration:
        """Return the command that marks the store as one with a history; runs nothing."""
        return Migration(self._place, (f"SET {self._mark.decode()} 1",), _NOTE)

    async def create(self) -> Migration:
        """Mark the store as one with a history; return what was run."""
        self._check_writable()
        await self._client.command("SET", self._mark, b"1")
        return await self.plan()

    async def drop(self) -> Migration:
        """Remove every version and the mark; return what was run."""
        self._check_writable()
        await self.stop()
        await self._client.command("UNLINK", self._mark)
        for id in await self._scan():
            await self._client.command("UNLINK", self._key(id))
        commands = (f"UNLINK {self._mark.decode()}", f"UNLINK {_PREFIX}*")
        return Migration(self._place, commands, "Every version of every session is removed.")

    async def exists(self) -> bool:
        """Return whether the store is marked as one with a history."""
        return await self._client.get(self._mark) is not None

    async def _check_exists(self) -> None:
        if not await self.exists():
            raise missing_history(self._place)

    async def start(self) -> None:
        """Note every write of this storage from now on, in the script that writes."""
        self._check_writable()
        await self._check_exists()
        self._records.note_in(f"graphflow_nb {os.getpid()}")

    async def stop(self) -> None:
        """Note the writes of this storage no longer."""
        self._records.note_in(None)

    def _key(self, id: str) -> bytes:
        return self._records.history_key(id)

    async def append(self, rows: Sequence[VersionRow]) -> None:
        """Append versions with the next numbers of their sessions."""
        self._check_writable()
        await self._check_exists()
        calls = []
        for row in rows:
            words = (msgspec.json.encode(_head_of(row)), (row.context or "").encode())
            calls.append((self._records.key(row.id), self._key(row.id), *words))
        if calls:
            await self._client.scripts(_APPEND, calls)

    async def read(
        self,
        id: str,
        *,
        first: int | None = None,
        last: int | None = None,
        limit: int | None = None,
        content: bool = True,
    ) -> list[VersionRow]:
        """Return the versions of a session from number ``last`` down to ``first``."""
        if not is_encodable(id):
            return []
        bounds = await self._range(id)
        if bounds is None:
            await self._check_exists()
            return []
        low = bounds[0] if first is None else max(first, bounds[0])
        high = bounds[1] if last is None else min(last, bounds[1])
        if limit is not None:
            low = max(low, high - limit + 1)
        rows: list[VersionRow] = []
        for end in range(high, low - 1, -_FIELDS):
            rows += await self._read(id, range(end, max(low, end - _FIELDS + 1) - 1, -1))
        return rows if content else [row._replace(context=None, patch=None) for row in rows]

    async def _range(self, id: str) -> tuple[int, int] | None:
        """Return the first and the last number of a session, None without any."""
        first, last = await self._client.command("HMGET", self._key(id), "first", "last")
        return None if last is None else (int(first or 1), int(last))

    async def _read(self, id: str, numbers: Sequence[int]) -> list[VersionRow]:
        if not numbers:
            return []
        fields = [f"{number}{kind}" for number in numbers for kind in ("", "t", "c", "p")]
        answer = await self._client.command("HMGET", self._key(id), *fields)
        rows = []
        for at, number in enumerate(numbers):
            head, text, context, patch = answer[4 * at : 4 * at + 4]
            if head is not None:
                rows.append(_row_of(id, number, head, text, context, patch))
        return rows

    async def _heads(self, id: str) -> list[tuple[int, _Head]]:
        """Return the numbers of a session and what is known of each, oldest first."""
        bounds = await self._range(id)
        if bounds is None:
            return []
        numbers = range(bounds[0], bounds[1] + 1)
        heads: list[tuple[int, _Head]] = []
        for start in range(0, len(numbers), _FIELDS):
            part = numbers[start : start + _FIELDS]
            answer = await self._client.command("HMGET", self._key(id), *part)
            pairs = zip(part, answer, strict=True)
            heads += [(number, _decoder.decode(head)) for number, head in pairs if head is not None]
        return heads

    async def number_at(self, id: str, moment: int) -> int | None:
        """Return the number that was the newest at a time in µs; None if there was none yet."""
        if not is_encodable(id):
            return None
        heads = await self._heads(id)
        return next((number for number, head in reversed(heads) if head.at <= moment), None)

    async def steps(
        self,
        ids: Sequence[str] | None = None,
        *,
        since: int | None = None,
        until: int | None = None,
        limit: int = 100_000,
    ) -> Steps:
        """Return versions of many sessions, without contexts."""
        await self._check_exists()
        wanted = await self._scan() if ids is None else sorted({*filter(is_encodable, ids)})
        rows: list[tuple[object, ...]] = []
        for id in wanted:
            for r in reversed(await self.read(id, content=False)):
                if (since is None or r.at >= since) and (until is None or r.at < until):
                    texts = (r.graph_id, r.current_task_id, r.status_message)
                    rows.append((id, r.number, r.at, *texts, r.deleted, r.source))
            if len(rows) > limit:
                break
        return Steps.from_rows(rows, limit)

    async def ids(self, after: str | None, limit: int) -> list[str]:
        """Return the next ids that have versions, after one of them.

        The keys are scanned for the first portion, and kept for the others.
        """
        if after is None:
            await self._check_exists()
            self._ids = await self._scan()
        return [id for id in self._ids if after is None or id > after][:limit]

    async def _scan(self) -> list[str]:
        found: list[str] = []
        async for keys in self._client.scan(f"{_PREFIX}*", kind="hash"):
            found += [id for key in keys if (id := self._records.id_of_history(key)) is not None]
        return sorted(found)

    async def compact(self, id: str, patches: Mapping[int, tuple[str, int]]) -> int:
        """Replace contexts by patches; return how many were replaced."""
        self._check_writable()
        words: list[object] = []
        for row in await self._read(id, sorted(patches)):
            patch, size = patches[row.number]
            head = msgspec.json.encode(_head_of(row._replace(bytes=size)))
            words += [row.number, head, patch.encode()]
        if not words:
            return 0
        call = (self._records.key(id), self._key(id), *words)
        return int((await self._client.scripts(_COMPACT, [call]))[0])

    async def find_expired(
        self, ids: Sequence[str], versions: int | None, before: int | None
    ) -> Expired:
        """Return what ``remove_expired`` would remove."""
        found = []
        for id in ids:
            if part := await self._expired(id, versions, before):
                found.append(await self._measure(id, part))
        return Expired(len(found), sum(n for n, _ in found), sum(size for _, size in found))

    async def remove_expired(
        self, ids: Sequence[str], versions: int | None, before: int | None, limit: int
    ) -> Expired:
        """Remove versions that a retention does not keep, oldest first, session by session."""
        self._check_writable()
        found = []
        for id in ids:
            if limit <= 0:
                break
            if part := (await self._expired(id, versions, before))[:limit]:
                found.append(await self._measure(id, part))
                limit -= len(part)
                call = (self._records.key(id), self._key(id), part[-1])
                await self._client.scripts(_REMOVE, [call])
        return Expired(len(found), sum(n for n, _ in found), sum(size for _, size in found))

    async def _expired(self, id: str, versions: int | None, before: int | None) -> list[int]:
        """Return the numbers of a session that a retention does not keep, oldest first."""
        heads = await self._heads(id)
        count = 0 if versions is None else len(heads) - versions
        if before is not None:
            # The version before the first recent one was still stored when the age began.
            recent = next((at for at, (_, head) in enumerate(heads) if head.at >= before), None)
            recent = len(heads) if recent is None else recent
            gone = recent > 0 and heads[recent - 1][1].deleted
            count = max(count, recent if gone else recent - 1)
        return [number for number, _ in heads[: max(count, 0)]]

    async def _measure(self, id: str, numbers: Sequence[int]) -> tuple[int, int]:
        """Return how many versions there are, and the bytes of their texts and patches."""
        key = self._key(id)
        fields = [f"{number}{kind}" for number in numbers for kind in "tcp"]
        sizes = await self._client.pipeline([("HSTRLEN", key, field) for field in fields])
        return len(numbers), sum(map(int, sizes))

    async def size(self) -> HistorySize:
        """Return the size of the history; the memory is estimated from some sessions."""
        await self._check_exists()
        ids = await self._scan()
        some = ids[:_COUNTED]
        commands = [("HMGET", self._key(id), "first", "last", "1") for id in some]
        ranges = await self._client.pipeline(commands)
        versions = sum(int(last) - int(first or 1) + 1 for first, last, _ in ranges if last)
        sample = some[:: max(1, len(some) // 100)]
        used = [await self._client.command("MEMORY", "USAGE", self._key(id)) for id in sample]
        scale = len(ids) / len(some) if some else 0
        mean = sum(int(size or 0) for size in used) / (len(used) or 1)
        exact = len(ids) <= _COUNTED
        oldest = None
        if exact:
            starts = [(id, int(first or 1)) for id, (first, _, _) in zip(some, ranges, strict=True)]
            asked = [("HGET", self._key(id), str(first)) for id, first in starts]
            heads = [head for head in await self._client.pipeline(asked) if head is not None]
            oldest = min((_decoder.decode(head).at for head in heads), default=None)
        return HistorySize(len(ids), round(versions * scale), round(mean * len(ids)), exact, oldest)

    def __repr__(self) -> str:
        return f"<RedisHistory of {self._place}>"


def _head_of(row: VersionRow) -> _Head:
    return _Head(
        at=row.at,
        deleted=row.deleted,
        source=row.source,
        writer=row.writer,
        version=row.version,
        graph_id=row.graph_id,
        current_task_id=row.current_task_id,
        status_message=row.status_message,
        created=row.created,
        bytes=row.bytes,
        extra=row.extra,
    )


def _row_of(
    id: str, number: int, head: bytes, text: bytes | None, context: bytes | None, patch: Any
) -> VersionRow:
    known = _decoder.decode(head)
    size, extra = known.bytes, known.extra
    columns: tuple[Any, ...] = (
        known.version,
        known.graph_id or "",
        known.current_task_id or "",
        known.status_message,
        known.created,
    )
    if text is not None:
        stored = decode_stored(text, id)
        context = text if stored is None else bytes(stored.context)
        size = len(context)
        if stored is not None:
            session = stored.session("")
            extra = _join(session.extra)
            columns = (
                stored.counted or None,
                stored.graph_id,
                stored.current_task_id,
                stored.status_message,
                stored.known_created,
            )
    version, graph_id, task, status, created = columns
    return VersionRow(
        id=id,
        number=number,
        version=version,
        at=known.at,
        graph_id=graph_id,
        current_task_id=task,
        status_message=status,
        created=created,
        deleted=known.deleted,
        context=None if context is None else context.decode(errors="surrogateescape"),
        patch=None if patch is None else patch.decode(),
        bytes=size,
        source=known.source,
        writer=known.writer,
        extra=extra,
    )


def _join(extra: dict[str, Raw] | None) -> str | None:
    return exactjson.join(extra).decode() if extra else None
