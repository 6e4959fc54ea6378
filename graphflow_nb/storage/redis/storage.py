"""Sessions in Redis or Valkey, a single server or a cluster."""

from __future__ import annotations

import time
from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar, Final, Self

import numpy as np

from ...errors import QueryError, ReadOnlyError, SessionConflict, StorageError
from ...model import Session, mark_saved
from ...model.times import UNKNOWN_TIME, micros_or_none
from .. import rows
from ..address import Address
from ..checks import check_ids_once, check_text, check_texts
from ..facts import RedisFacts
from ..limits import QUICK_ROWS
from ..paths import ContextPath, is_encodable
from ..query import Query
from ..table import GroupCount, Table
from ..trace import current
from ..url import redact
from .client import RedisClient
from .facts import look
from .form import UNCOUNTED, Stored, digest, encode, read
from .index import RedisIndex, cursor, in_place, position

__all__ = ["RedisSessionStorage"]

# KEYS[1] the session; ARGV: digest of the text that must be there, the new text (empty to delete),
# milliseconds until it expires (empty to leave that as it is). Says 1 if it was done, 0 if nothing
# is there, or else what is there.
_SWAP: Final = """
local there = redis.call('GET', KEYS[1])
if not there then return 0 end
if redis.sha1hex(there) ~= ARGV[1] then return there end
if ARGV[2] == '' then
    redis.call('DEL', KEYS[1])
elseif ARGV[3] == '' then
    redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
else
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return 1
"""

_TRIES = 100  # how often a write that must not fail is tried while others write
_BATCH = 500  # commands sent at once
_BATCH_BYTES = 4_000_000


class RedisSessionStorage:
    """Sessions in Redis; made by ``await RedisSessionStorage.connect(url)``.

    The form is that of graph-flow's documentation: ``SET <id> <json>``. A save is compare-and-swap
    on the whole stored text, so the save of a worker that does not count versions is noticed too;
    ``version`` is the count in the JSON, or where nobody counts a digest of the text. Times are
    those of the client that saved; a worker's save leaves them unknown.

    Values that are not sessions are never listed, changed or deleted.
    """

    suspends: ClassVar[bool] = True
    #: Reports wait, encode, execute and decode.
    phases: ClassVar[bool] = True
    #: When a batch fails, some of its sessions may have been written.
    atomic_batches: ClassVar[bool] = False

    def __init__(
        self,
        client: RedisClient,
        prefix: str,
        ttl: float | None,
        read_only: bool,
        scan_limit: int,
    ):
        self.prefix = prefix
        self._asked_read_only = read_only
        self._client = client
        self._expiry = b"" if ttl is None else b"%d" % round(ttl * 1000)
        self._scan_limit = scan_limit
        self._index = RedisIndex(client, prefix)
        self._indexed = False

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        prefix: str = "",
        ttl: float | None = None,
        read_only: bool = False,
        max_connections: int = 4,
        timeout: float = 30.0,
        scan_limit: int = 200_000,
    ) -> Self:
        """Connect, on the running event loop. A cluster and a replica are recognised.

        Args:
            url: ``redis://user:password@host:6379/0``, ``rediss://`` with TLS, ``unix://path``;
                ``valkey://`` and ``valkeys://`` too. Of a cluster, any of its nodes.
            prefix: stands in front of each id; the documented storage has none.
            ttl: seconds after its last save at which a session expires; None leaves that as it is.
            read_only: refuse every write.
            max_connections: at most so many are held.
            timeout: seconds that one exchange may take.
            scan_limit: keys that a query may look at where no index serves it.

        Raises:
            StorageError: no such server, a wrong password, or the driver is not installed.
            StorageTimeout: no answer in time.
        """
        check_text(prefix, "prefix", nul=True)
        if ttl is not None and not (isinstance(ttl, (int, float)) and 0.001 <= ttl < 1e10):
            raise StorageError(f"ttl= is in seconds, at least 0.001, not {ttl!r}")
        client = await RedisClient.connect(url, max_connections, timeout)
        storage = cls(client, prefix, ttl, read_only, scan_limit)
        try:
            storage._indexed = await storage._index.built() is not None
        except BaseException:
            await client.close()
            raise
        return storage

    @property
    def read_only(self) -> bool:
        """Whether writes are refused: opened so, or the server was a replica when last seen."""
        return self._asked_read_only or self._client.replica

    @property
    def loop(self) -> AbstractEventLoop:
        """The event loop that the connections belong to."""
        return self._client.loop

    @property
    def place(self) -> str:
        """Which store it is, without the password."""
        return f"{redact(self._client.url)} {self.prefix}*"

    @property
    def address(self) -> Address:
        """Which server and database it is, for tools that watch databases."""
        return self._client.address

    @property
    def server_version(self) -> str:
        """``Redis 7.2.4``, ``Valkey 9.1.2``, …"""
        return self._client.server

    # One session

    async def save(self, session: Session) -> None:
        """Store a session; raises SessionConflict if the stored one is not the one read."""
        self._check(session)
        trace = current()
        seen = session.seen
        if session.is_new:
            version, now = 1, _now(None)
            created: int | None = now
            text = encode(session, version, created, now)
            trace.lap("encode")
            trace.size(len(text), 1)
            there = await self._create(session.id, text)
        else:
            created = micros_or_none(session.raw_created)
            if seen is None or seen[0] != session.version:
                stored = await self._stored(session.id)
                if stored is None or not _is(stored, session):
                    trace.lap("execute")
                    raise SessionConflict(session, None if stored is None else stored.session())
                created, seen = _known(stored.created), (stored.version, digest(stored.text))
                trace.lap("execute")
            version, now = _next(session.version), _now(session.raw_updated)
            text = encode(session, version, created, now)
            trace.lap("encode")
            trace.size(len(text), 1)
            there = await self._swap(session.id, seen[1], text)
        trace.lap("execute")
        if there is not None:
            raise self._conflict(session, there)
        await self._saved(session, text, version, created, now)

    async def upsert(self, session: Session) -> None:
        """Store a session whatever is stored there: last write wins."""
        self._check(session)
        trace = current()
        for _ in range(_TRIES):
            stored = await self._stored(session.id)
            trace.lap("execute")
            now = _now(None if stored is None else _known(stored.updated))
            created = now if stored is None else _known(stored.created)
            version = 1 if stored is None else _next(stored.version)
            text = encode(session, version, created, now)
            trace.lap("encode")
            if stored is None:
                there = await self._create(session.id, text)
            else:
                there = await self._swap(session.id, digest(stored.text), text)
            trace.lap("execute")
            if there is None:
                trace.size(len(text), 1)
                await self._saved(session, text, version, created, now)
                return
        raise self._restless(session.id)

    async def get(self, id: str) -> Session | None:
        """The session of that id, or None.

        Raises:
            StorageError: something else is stored under that id.
        """
        stored = await self._stored(id)
        trace = current()
        trace.lap("execute")
        if stored is None:
            return None
        session = stored.session()
        trace.size(len(stored.text), 1)
        trace.lap("decode")
        return session

    async def delete(self, id: str) -> None:
        """Delete the session of that id, if there is one; nothing else is ever deleted."""
        self._check_writable()
        for _ in range(_TRIES):
            stored = await self._stored(id)
            if stored is None or await self._swap(id, digest(stored.text), b"") is None:
                if self._indexed:
                    await self._index.remove([id])
                current().lap("execute")
                return
        raise self._restless(id)

    async def restore(self, session: Session) -> None:
        """Put a deleted session back; raises SessionConflict if its id is taken."""
        self._check(session)
        now = _now(None)
        created = now if session.raw_created is None else micros_or_none(session.raw_created)
        version = _next(session.version)
        text = encode(session, version, created, now)
        there = await self._create(session.id, text)
        current().lap("execute")
        if there is not None:
            raise self._conflict(session, there)
        await self._saved(session, text, version, created, now)

    async def _create(self, id: str, text: bytes) -> bytes | None:
        """Store what is new; says what is there if something is."""
        key = self._key(id)
        expiry = ("PX", self._expiry) if self._expiry else ()
        for _ in range(_TRIES):
            if await self._client.command("SET", key, text, "NX", *expiry):
                self._client.replica = False  # or it was one, and has been promoted
                return None
            there = await self._client.get(key)
            if there is not None:
                return there
        raise self._restless(id)

    async def _swap(self, id: str, seen: str, text: bytes) -> bytes | None:
        """Replace the text of that digest; says what else is there, ``b""`` for nothing."""
        answer = await self._client.script(_SWAP, self._key(id), seen.encode(), text, self._expiry)
        left = _left(answer)
        if left is None:
            self._client.replica = False
        return left

    async def _stored(self, id: str) -> Stored | None:
        check_text(id, "id", nul=True)
        text = await self._client.get(self._key(id))
        return None if text is None else self._read(id, text)

    def _read(self, id: str, text: bytes) -> Stored:
        stored = read(text, id)
        if stored is None:
            raise StorageError(
                f"what {redact(self._client.url)} keeps under {self.prefix + id!r} is no session "
                f"of the id {id!r}, so nothing was changed; is the prefix={self.prefix!r} right?"
            )
        return stored

    def _conflict(self, session: Session, there: bytes) -> SessionConflict:
        stored = self._read(session.id, there).session() if there else None
        return SessionConflict(session, stored)

    async def _saved(
        self, session: Session, text: bytes, version: int, created: int | None, now: int
    ) -> None:
        _mark(session, text, version, created, now)
        if self._indexed:
            await self._put_in_index([session])

    async def _put_in_index(self, sessions: Sequence[Session]) -> None:
        entries = [
            (s.id, micros_or_none(s.raw_updated) or UNKNOWN_TIME, s.graph_id, s.current_task_id)
            for s in sessions
        ]
        await self._index.put(entries, built=True)

    def _key(self, id: str) -> bytes:
        return (self.prefix + id).encode()

    def _check_writable(self) -> None:
        # A replica refuses by itself, until it is promoted.
        if self._asked_read_only:
            raise ReadOnlyError(
                f"{redact(self._client.url)} was opened for reading only: nothing was written"
            )

    def _check(self, session: Session) -> None:
        self._check_writable()
        check_texts(session, nul=True)

    def _restless(self, id: str) -> StorageError:
        return StorageError(
            f"session {id!r} was saved by others {_TRIES} times in a row: try again"
        )

    # Several sessions

    async def save_many(self, sessions: Sequence[Session]) -> list[SessionConflict]:
        """Save each as ``save`` does, many at once.

        Returns:
            Those that conflict, in the order given; they were left out.

        Raises:
            StorageError: a value that can't be stored, or an id given twice: nothing was written.
                Or the store failed: the sessions marked as saved are, the others may be.
        """
        for session in sessions:
            self._check(session)
        check_ids_once(session.id for session in sessions)
        conflicts: dict[str, SessionConflict] = {}
        for part in _portions(sessions):
            conflicts |= await self._save_part(part)
        return [conflicts[s.id] for s in sessions if s.id in conflicts]

    async def _save_part(self, part: Sequence[Session]) -> dict[str, SessionConflict]:
        trace = current()
        # Those of which it is not known what text they were read from are read once more.
        unseen = [s for s in part if not s.is_new and (s.seen is None or s.seen[0] != s.version)]
        texts = await self._client.mget([self._key(s.id) for s in unseen])
        conflicts: dict[str, SessionConflict] = {}
        known: dict[str, Stored] = {}
        for session, text in zip(unseen, texts, strict=True):
            stored = None if text is None else self._read(session.id, text)
            if stored is None or not _is(stored, session):
                conflicts[session.id] = SessionConflict(
                    session, None if stored is None else stored.session()
                )
            else:
                known[session.id] = stored
        trace.lap("execute")
        expiry = ("PX", self._expiry) if self._expiry else ()
        news, olds, creates, swaps = [], [], [], []
        for session in part:
            key = self._key(session.id)
            if session.is_new:
                now = _now(None)
                text = encode(session, 1, now, now)
                news.append((session, text, 1, now, now))
                creates.append(("SET", key, text, "NX", *expiry))
            elif session.id not in conflicts:
                now = _now(session.raw_updated)
                stored = known.get(session.id)
                created = (
                    micros_or_none(session.raw_created)
                    if stored is None
                    else _known(stored.created)
                )
                version = _next(session.version)
                text = encode(session, version, created, now)
                seen = digest(stored.text) if stored else (session.seen or (0, ""))[1]
                olds.append((session, text, version, created, now))
                swaps.append((key, seen.encode(), text, self._expiry))
        trace.lap("encode")
        trace.size(sum(len(entry[1]) for entry in (*news, *olds)), len(news) + len(olds))
        answers = await self._client.pipeline(creates)
        answers = [None if answer else b"" for answer in answers]
        if swaps:
            answers += [_left(answer) for answer in await self._client.scripts(_SWAP, swaps)]
        trace.lap("execute")
        good = []
        for entry, there in zip((*news, *olds), answers, strict=True):
            session = entry[0]
            if there is None:
                _mark(*entry)
                good.append(session)
            elif session.is_new:
                taken = await self._create(session.id, entry[1])
                if taken is None:  # deleted in between
                    _mark(*entry)
                    good.append(session)
                else:
                    conflicts[session.id] = self._conflict(session, taken)
            else:
                conflicts[session.id] = self._conflict(session, there)
        if self._indexed:
            await self._put_in_index(good)
        return conflicts

    async def import_many(self, sessions: Sequence[Session]) -> list[str]:
        """Put sessions in as they are, with version and times, where their ids are free.

        Returns:
            The ids that were taken, whose sessions were left as they are.

        Raises:
            StorageError: a value that can't be stored, or an id given twice: nothing was written.
                Or the store failed: some may have been written.
        """
        for session in sessions:
            self._check(session)
        check_ids_once(session.id for session in sessions)
        expiry = ("PX", self._expiry) if self._expiry else ()
        taken = []
        for part in _portions(sessions):
            commands = []
            for session in part:
                now = _now(None)
                created, updated = (
                    now if time is None else micros_or_none(time)
                    for time in (session.raw_created, session.raw_updated)
                )
                version = 0 if session.version >= UNCOUNTED else session.version
                text = encode(session, version, created, updated)
                commands.append(("SET", self._key(session.id), text, "NX", *expiry))
            answers = await self._client.pipeline(commands)
            taken += [s.id for s, answer in zip(part, answers, strict=True) if not answer]
            if self._indexed:
                free = [s for s, answer in zip(part, answers, strict=True) if answer]
                await self._put_in_index(free)
        return taken

    async def delete_many(
        self, ids: Sequence[str], versions: Sequence[int] | None = None
    ) -> list[str]:
        """Delete these, where versions are given only those that still have them.

        Returns:
            The ids that were deleted, in the order given.
        """
        self._check_writable()
        for id in ids:
            check_text(id, "id", nul=True)
        wanted = None if versions is None else dict(zip(ids, versions, strict=True))
        found = []
        for id, text in zip(ids, await self._client.mget([self._key(i) for i in ids]), strict=True):
            if text is not None:
                stored = self._read(id, text)
                if wanted is None or stored.version == wanted[id]:
                    found.append(stored)
        gone: set[str] = set()
        for start in range(0, len(found), _BATCH):
            part = found[start : start + _BATCH]
            answers = await self._client.scripts(
                _SWAP, [(self._key(s.id), digest(s.text).encode(), b"", b"") for s in part]
            )
            for stored, answer in zip(part, answers, strict=True):
                if _left(answer) is None:
                    gone.add(stored.id)
                elif wanted is None:  # saved in between
                    await self.delete(stored.id)
                    gone.add(stored.id)
        if self._indexed:
            await self._index.remove(sorted(gone))
        current().lap("execute")
        return [id for id in dict.fromkeys(ids) if id in gone]

    # Queries

    async def query(self, query: Query) -> list[Session]:
        """The selected sessions, in order."""
        found, _, _ = await self._select(query)
        trace = current()
        trace.lap("execute")
        sessions = [stored.session() for _, stored in found]
        trace.size(sum(len(stored.text) for _, stored in found), len(found))
        trace.lap("decode")
        return sessions

    async def table(self, query: Query, context: Sequence[ContextPath] = ()) -> Table:
        """The selected sessions by column; ``context_bytes`` is the length of the JSON text."""
        found, entries, note = await self._select(query.one_more())
        shown = found[: query.limit]
        left = await self._client.pipeline([("PTTL", self._key(id)) for id, _ in shown])
        now = time.time_ns() // 1000
        trace = current()
        trace.lap("execute")
        table = rows.table(found, query, context)
        table.expires = np.array(
            [UNKNOWN_TIME if ms < 0 else now + ms * 1000 for ms in left], np.int64
        )
        table.note = note
        if entries and table.next is not None:
            # The next page goes on where the index is, also if the session moved on since.
            table.next = cursor(query, entries[len(table) - 1]) if len(table) else query.after
        trace.size(int(table.context_bytes.sum()), len(table))
        trace.lap("decode")
        return table

    async def count(self, query: Query) -> int:
        """How many sessions are selected; limit and page are ignored."""
        if await self._use_index() and self._index.counts_all(query):
            return sum(group.sessions for group in await self._index.groups(query))
        total = 0
        async for portion in self._walk(query):
            total += len(portion)
        return total

    async def counts(self, query: Query) -> list[GroupCount]:
        """How many of the selected sessions stand at each task of each graph."""
        if await self._use_index() and self._index.counts_all(query):
            return await self._index.groups(query)
        groups = rows.Groups()
        async for portion in self._walk(query):
            groups.add(portion)
        return groups.counts()

    async def _select(
        self, query: Query
    ) -> tuple[list[tuple[str, Stored]], list[tuple[float, str]], str | None]:
        """The page, the entries of the index by which it was found, and a note on it."""
        if self._index.pages(query) and await self._use_index():
            return await self._select_by_index(query)
        kept: list[tuple[str, Stored]] = []
        async for portion in self._walk(query):
            kept += portion
            if query.limit is not None and len(kept) > 4 * query.limit + 1000:
                kept = rows.selected(kept, query)
        return rows.selected(kept, query), [], None

    async def _select_by_index(
        self, query: Query
    ) -> tuple[list[tuple[str, Stored]], list[tuple[float, str]], str | None]:
        limit = query.limit or 0
        after = position(query)
        found: list[tuple[str, Stored]] = []
        entries: list[tuple[float, str]] = []
        looked, moved = 0, False
        # Where other conditions leave out sessions, more are looked at than a page has.
        portion_size = limit if self._index.counts_all(query) else max(limit, 100)
        while len(found) < limit:
            page = await self._index.page(query, after, portion_size)
            if not page:
                break
            after = page[-1]
            looked += len(page)
            if looked > self._scan_limit:
                raise self._too_many()
            for entry, portion in zip(page, await self._fetch([e[1] for e in page]), strict=True):
                if portion is None or not rows.matching([portion], query):
                    moved = True
                else:
                    moved = moved or not in_place(portion[1], entry[0])
                    found.append(portion)
                    entries.append(entry)
        return found[:limit], entries[:limit], await self._index_note(moved)

    async def _index_note(self, moved: bool) -> str | None:
        built = await self._index.built()
        keys, known = await self._index.keys_and_sessions()
        complete = not self.prefix and await self._client.key_count() == keys + known
        if built is None or (complete and not moved):
            return None
        return (
            f"found by the index of {built:%Y-%m-%d %H:%M} UTC, which knows {known:,} sessions; "
            "those that others made since are not in it, and those that they saved stand where "
            "they were: wb.build_index() brings it up to date"
        )

    async def _walk(
        self, query: Query, *, bounded: bool = True
    ) -> AsyncIterator[list[tuple[str, Stored]]]:
        """The sessions that match, portion by portion and in no order."""
        if query.ids is not None:
            ids = [id for id in dict.fromkeys(query.ids) if is_encodable(id)]
            found = [entry for entry in await self._fetch(ids) if entry is not None]
            yield rows.matching(found, query)
            return
        looked = 0
        async for keys in self._client.scan(_pattern(self.prefix + (query.id_prefix or ""))):
            looked += len(keys)
            if bounded and looked > self._scan_limit:
                raise self._too_many()
            ids = [id for key in keys if (id := self._id(key)) is not None]
            found = [entry for entry in await self._fetch(ids) if entry is not None]
            yield rows.matching(found, query)

    def _id(self, key: bytes) -> str | None:
        try:
            return key.decode().removeprefix(self.prefix)
        except UnicodeDecodeError:
            return None

    async def _fetch(self, ids: Sequence[str]) -> list[tuple[str, Stored] | None]:
        """The sessions of these ids, None for what is none."""
        texts = await self._client.mget([self._key(id) for id in ids])
        found = [read(text, id) for id, text in zip(ids, texts, strict=True)]
        return [None if s is None else (s.id, s) for s in found]

    def _too_many(self) -> QueryError:
        return QueryError(
            f"more than {self._scan_limit:,} keys would have to be looked at, and a part of them "
            "would be no answer: wb.build_index() makes pages quick, id_prefix= or ids= narrow it, "
            "and connecting with a higher scan_limit= allows it"
        )

    async def slow_orders(self) -> dict[str, str]:
        """The orders that no index serves, and what would help; nothing is said of small stores."""
        keys = await self._client.key_count()
        if keys <= QUICK_ROWS:
            return {}
        why = f"all {keys:,} keys are looked at for each page"
        slow = dict.fromkeys(("created_at", "id"), f"{why}; only updated_at can have an index")
        if not await self._use_index():
            slow["updated_at"] = f"{why}; wb.build_index() makes it quick"
        return slow

    async def facts(self) -> RedisFacts:
        """What the server tells of itself, for advice; changes nothing."""
        return await look(
            self._client,
            self._index,
            place=self.place,
            read_only=self.read_only,
            prefix=self.prefix,
            ttl=bool(self._expiry),
        )

    # The index

    async def _use_index(self) -> bool:
        self._indexed = await self._index.built() is not None
        return self._indexed

    async def build_index(self) -> int:
        """Make the index for quick pages, or bring it up to date; other writes go on meanwhile.

        What this package writes afterwards is kept in it. Workers don't know it: what they save is
        shown where it stood, and what they create is not shown until it is built again.

        Returns:
            How many sessions it knows.
        """
        self._check_writable()
        # From now on what is written here is put in, so that nothing is missed while it is built.
        self._indexed = True
        await self._index.finish()
        known = 0
        async for portion in self._walk(Query(order="id"), bounded=False):
            known += len(portion)
            entries = [(i, s.updated, s.graph_id, s.current_task_id) for i, s in portion]
            await self._index.put(entries, built=False)
        ids = [id.decode() for id in await self._index.ids()]
        for start in range(0, len(ids), _BATCH):
            part = ids[start : start + _BATCH]
            there = await self._fetch(part)
            await self._index.remove(
                [id for id, entry in zip(part, there, strict=True) if entry is None]
            )
        await self._index.finish()
        return known

    async def drop_index(self) -> None:
        """Remove the index, if there is one; no session is touched."""
        self._check_writable()
        await self._index.drop()
        self._indexed = False

    async def close(self) -> None:
        """Give back the connections; closing twice is no error."""
        await self._client.close()

    def __repr__(self) -> str:
        kind = f"{self._client.server}{' Cluster' if self._client.cluster else ''}"
        keys = f", keys {self.prefix}*" if self.prefix else ""
        mode = ", read-only" if self.read_only else ""
        return f"<RedisSessionStorage {redact(self._client.url)}: {kind}{keys}{mode}>"


def _mark(session: Session, text: bytes, version: int, created: int | None, now: int) -> None:
    mark_saved(session, version, created, now, (version, digest(text)))


def _portions(sessions: Sequence[Session]) -> list[list[Session]]:
    """Parts that are sent at once, bounded in number and bytes."""
    portions: list[list[Session]] = []
    size = 0
    for session in sessions:
        more = len(session.context_json())
        if not portions or len(portions[-1]) >= _BATCH or size + more > _BATCH_BYTES:
            portions.append([])
            size = 0
        portions[-1].append(session)
        size += more
    return portions


def _is(stored: Stored, session: Session) -> bool:
    """Whether a session is the stored one, by version and, where both know it, creation."""
    created, known = micros_or_none(session.raw_created), stored.created
    return stored.version == session.version and (created is None or created == known)


def _left(answer: Any) -> bytes | None:
    """What a swap found instead of what it was to replace; ``b""`` for nothing, None if done."""
    if isinstance(answer, bytes):
        return answer
    return None if int(answer) == 1 else b""


def _next(version: int) -> int:
    """The count after one more save."""
    return 1 if version >= UNCOUNTED else version + 1


def _now(last: Any) -> int:
    """µs since 1970 UTC, later than the time of the last save."""
    now = time.time_ns() // 1000
    before = micros_or_none(last)
    return now if before is None else max(now, before + 1)


def _known(micros: int) -> int | None:
    return None if micros == UNKNOWN_TIME else micros


def _pattern(prefix: str) -> str | None:
    """The pattern of keys that begin so."""
    if not prefix:
        return None
    return "".join(f"\\{c}" if c in "*?[]^-\\" else c for c in prefix) + "*"
