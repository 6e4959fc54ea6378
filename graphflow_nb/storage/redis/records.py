"""One session's text under its key: read it, create it, replace it if it is still the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from ...errors import SessionConflict, SessionFormatError, StorageError
from ...model import Seen, Session, mark_saved
from ..checks import check_text
from ..history import WRITTEN
from ..odd import NAME_MARKS, bytes_of_name, format_error, name_of_bytes
from ..offloop import run_off_loop
from ..origin import is_as_read
from .client import RedisClient
from .form import UNCOUNTED, Stored, decode_stored, digest
from .odd import OddStored, decode_odd

__all__ = ["HISTORY", "TRIES", "Found", "New", "Records", "Swap", "Write", "contention_error"]

# KEYS[1] the session; ARGV: digest of the text that must be there, the new text (empty to delete),
# milliseconds until it expires (empty to leave that unchanged). Returns 1 if it was done, 0 if
# nothing is stored, or else the stored text.
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

# As above, and the text that is stored or deleted is appended to the session's history first: a
# script that fails takes nothing back, and what must not be missing is the version. ARGV also: the
# key of the history, the head of the version after its time.
_NOTE: Final = """
local function note(text)
    local now = redis.call('TIME')
    local at = string.format('%.0f', now[1] * 1000000 + now[2])
    local n = redis.call('HINCRBY', ARGV[4], 'last', 1)
    if n == 1 then redis.call('HSET', ARGV[4], 'first', 1) end
    redis.call('HSET', ARGV[4], n, '{"at":' .. at .. ',' .. ARGV[5], n .. 't', text)
end
local function expire()
    local ttl = redis.call('PTTL', KEYS[1])
    if ttl > 0 then
        redis.call('PEXPIRE', ARGV[4], ttl)
    elseif ttl == -1 then
        redis.call('PERSIST', ARGV[4])
    end
    return 1
end
"""
_SWAP_NOTED: Final = _NOTE + _SWAP.replace(
    "if ARGV[2] == '' then", "note(ARGV[2] == '' and there or ARGV[2])\nif ARGV[2] == '' then"
).replace("return 1\n", "return expire()\n")
# KEYS[1] the session; ARGV: nothing, the text, milliseconds until it expires (empty for never),
# then as above. Returns 1 if the id was free.
_CREATE_NOTED: Final = f"""{_NOTE}
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
note(ARGV[2])
if ARGV[3] == '' then
    redis.call('SET', KEYS[1], ARGV[2])
else
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return expire()
"""

#: What the keys of histories begin with.
HISTORY: Final = b"graphflow_nb:history:"

_FEW: Final = 20
_PTTL_COUNT: Final = 5000  # commands sent at once
TRIES: Final = 100  # attempts at a write that must not fail while others write

#: A session, or nearly one, with its id, as ``rows`` takes it.
Found = tuple[str, Stored | OddStored]


class New(msgspec.Struct, frozen=True):
    """The text of a session whose id must be free.

    Attributes:
        id: The session's id.
        text: The text to store.
        expires_in: The milliseconds after which it expires, 0 for never; None for the storage's
            own rule.
    """

    id: str
    text: bytes
    expires_in: int | None = None


class Swap(msgspec.Struct, frozen=True):
    """A stored text to be replaced, or deleted where the new text is empty.

    Attributes:
        id: The session's id.
        seen: The digest of the text that must be stored.
        text: The new text.
    """

    id: str
    seen: str
    text: bytes


class Write(msgspec.Struct, frozen=True):
    """A session with what is written for it.

    Attributes:
        session: The session.
        text: The text to store.
        version: The version in it.
        created, updated: The times in it, in µs since 1970 UTC.
    """

    session: Session
    text: bytes
    version: int
    created: int | None
    updated: int

    def mark_saved(self, store: str) -> None:
        """Set the session's version and times after the text was stored.

        Args:
            store: The identity of the store.
        """
        seen = Seen(store, self.version, digest(self.text))
        mark_saved(self.session, self.version, self.created, self.updated, seen)


class Records:
    """The sessions under one prefix, each a text under a key of its own.

    Args:
        client: The client that sends the commands.
        prefix: The text before each id.
        ttl: The seconds after which a written session expires; None leaves expiry as it is.

    Attributes:
        prefix: The text before each id.
        store: The identity of the store.
        expire: Whether a written session expires.
    """

    def __init__(self, client: RedisClient, prefix: str, ttl: float | None):
        self.prefix = prefix
        self.store = f"{client.identity} {prefix}*"
        self.expire = ttl is not None
        self._client = client
        self._expiry = b"" if ttl is None else b"%d" % round(ttl * 1000)
        self._writer: str | None = None  # where each write is noted

    def note_in(self, writer: str | None) -> None:
        """Append what is written to each session's history from now on; None for no longer.

        Args:
            writer: Who writes, for the history.
        """
        self._writer = writer

    def history_key(self, id: str) -> bytes:
        """Return the key of a session's history, which a cluster keeps on the session's node.

        Raises:
            StorageError: There is no such key.
        """
        key = self.key(id)
        before, _, tagged = key.partition(b"{")
        # What is in the first braces of a key, if it is not empty, alone decides on its node.
        if len(before) < len(key) and tagged.find(b"}") > 0:
            return HISTORY + b":" + key
        if self._client.cluster and b"}" in key:
            raise StorageError(
                f"session {id!r} can't have a history: a cluster keeps no other key on the node of "
                "a key that has } without a { before it. Nothing was written; choose another id, "
                "or keep the history elsewhere, by HistoryStorage(storage, archive=…)",
                nothing_written=True,
            )
        return HISTORY + b"{%s}" % key

    def id_of_history(self, key: bytes) -> str | None:
        """Return the id of the session whose history has a key; None for that of another prefix."""
        rest = key.removeprefix(HISTORY)
        rest = rest[1:] if rest.startswith(b":") else rest[1:-1]
        return self.id_of(rest) if rest.startswith(self.prefix.encode()) else None

    def _note(self, id: str, *, deleted: bool) -> tuple[bytes, bytes]:
        """Return the arguments of a script for the history."""
        head = {"deleted": deleted, "source": WRITTEN, "writer": self._writer}
        return self.history_key(id), msgspec.json.encode(head)[1:]

    def key(self, id: str) -> bytes:
        """Return the key of a session; its id may be the name of bytes that are not UTF-8."""
        data = bytes_of_name(id)
        return (self.prefix + id).encode() if data is None else self.prefix.encode() + data

    def _keys(self, ids: Sequence[str]) -> list[bytes]:
        """Return the key of the session with each of these ids, as ``key`` does."""
        prefix = self.prefix
        if any(id.startswith(NAME_MARKS) for id in ids):
            return [self.key(id) for id in ids]
        return [(prefix + id).encode() for id in ids]  # a fifth of the time

    def id_of(self, key: bytes) -> str:
        """Return the id of the session with this key; its name where the key is not UTF-8."""
        rest = key.removeprefix(self.prefix.encode())
        try:
            return rest.decode()
        except UnicodeDecodeError:
            return name_of_bytes(rest)

    def ids_of(self, keys: Sequence[bytes]) -> list[str]:
        """Return the id of the session with each of these keys, as ``id_of`` does."""
        size = len(self.prefix.encode())
        try:  # nearly always
            if not size:
                return [*map(bytes.decode, keys)]  # a third quicker
            return [key[size:].decode() for key in keys]
        except UnicodeDecodeError:
            return [self.id_of(key) for key in keys]

    # Reading

    async def read(self, id: str) -> Stored | None:
        """Return the stored session with this id, or None if it does not exist.

        Raises:
            StorageError: Something else is stored under that id.
        """
        check_text(id, "id", nul=True)
        text = await self._client.get(self.key(id))
        return None if text is None else self._decode(id, text)

    async def read_many(self, ids: Sequence[str]) -> list[Stored | None]:
        """Return the stored sessions with these ids, None for each that does not exist.

        Raises:
            StorageError: Something else is stored under one of the ids.
        """
        texts = await self._client.mget(self._keys(ids))
        return [
            None if text is None else self._decode(id, text)
            for id, text in zip(ids, texts, strict=True)
        ]

    async def find_many(
        self, ids: Sequence[str], hidden: set[bytes] | None = None
    ) -> list[Found | None]:
        """Return the values with these ids, None for each that is not nearly a session.

        Args:
            ids: The ids.
            hidden: Receives the keys that the user may not read.
        """
        texts = await self._client.mget(self._keys(ids), hidden)

        def decode() -> list[Found | None]:
            found: list[Found | None] = []
            for id, text in zip(ids, texts, strict=True):
                stored = decode_stored(text, id) or decode_odd(text, id)
                found.append(None if stored is None else (id, stored))
            return found

        return await run_off_loop(len(ids), decode)

    async def find_all(self, ids: Sequence[str]) -> list[Stored | OddStored | None]:
        """Return the values with these ids, None for each that does not exist.

        Raises:
            StorageError: Something else is stored under one of the ids.
        """
        texts = await self._client.mget(self._keys(ids))
        return [
            None if text is None else self._decode_any(id, text)
            for id, text in zip(ids, texts, strict=True)
        ]

    async def raw(self, id: str) -> dict[str, Any] | None:
        """Return the key and the value of an id as they are stored."""
        key = self.key(id)
        text = await self._client.get(key)
        return None if text is None else {"key": _show(key), "value": _show(text)}

    async def expiries(self, ids: Sequence[str]) -> list[int | None]:
        """Return in how many milliseconds each session expires, 0 for never.

        One that is gone since it was read gets 1: it may have expired. None where the user may read
        the session, but not ask for its expiry.
        """
        # One question for all, since each key's takes some 10 µs in the driver.
        if len(ids) > _FEW and not await self._client.has_expiring_keys():
            return [0] * len(ids)
        left: list[int | None] = []
        for start in range(0, len(ids), _PTTL_COUNT):
            part = ids[start : start + _PTTL_COUNT]
            commands = [("PTTL", self.key(id)) for id in part]
            for ms in await self._client.pipeline_of_allowed(commands):
                left.append(ms if ms is None else 0 if ms == -1 else max(ms, 1))
        return left

    def _decode_any(self, id: str, text: bytes) -> Stored | OddStored:
        try:
            return self._decode(id, text)
        except SessionFormatError:
            odd = decode_odd(text, id)
            assert odd is not None
            return odd

    def _decode(self, id: str, text: bytes) -> Stored:
        stored = decode_stored(text, id)
        if stored is None:
            if (odd := decode_odd(text, id)) is not None:
                raise format_error(id, odd.problem)
            raise StorageError(
                f"the value of the key {self.prefix + id!r} in {self._client.url} is not a "
                f"session with the id {id!r}; nothing was changed. Is prefix={self.prefix!r} "
                "right?",
                nothing_written=True,
            )
        return stored

    # Writing

    async def create(self, new: New) -> bytes | None:
        """Store a new session's text; return None, or the text that is stored already."""
        command = self._create_command(new)
        for _ in range(TRIES):
            if self._writer is None:
                done = await self._client.command(*command)
            else:
                (done,) = await self._client.scripts(_CREATE_NOTED, [self._create_call(new)])
            if done:
                self._client.replica = False  # or it was one, and has been promoted
                return None
            there = await self._client.get(self.key(new.id))
            if there is not None:
                return there
        raise contention_error(new.id)

    async def create_many(self, texts: Sequence[New]) -> list[bool]:
        """Store the texts of new sessions; return for each whether its id was free."""
        if self._writer is not None:
            calls = [self._create_call(new) for new in texts]
            answers = await self._client.scripts(_CREATE_NOTED, calls) if calls else []
        else:
            answers = await self._client.pipeline([self._create_command(new) for new in texts])
        return [bool(answer) for answer in answers]

    def _create_command(self, new: New) -> tuple[Any, ...]:
        expiry = self._expiry if new.expires_in is None else new.expires_in
        return ("SET", self.key(new.id), new.text, "NX", *(("PX", expiry) if expiry else ()))

    def _create_call(self, new: New) -> tuple[Any, ...]:
        expiry = self._expiry if new.expires_in is None else new.expires_in
        return (self.key(new.id), b"", new.text, expiry or b"", *self._note(new.id, deleted=False))

    async def swap(self, id: str, seen: str, text: bytes) -> bytes | None:
        """Replace a stored text, or delete it where the new one is empty.

        Args:
            id: The session's id.
            seen: The digest of the text that must be stored.
            text: The new text.

        Returns:
            None if it was done, else the other stored text, ``b""`` for nothing.
        """
        (there,) = await self.swap_many([Swap(id, seen, text)])
        if there is None:
            self._client.replica = False
        return there

    async def delete(self, id: str) -> None:
        """Delete a session, if there is one, whatever its text is now.

        Raises:
            StorageError: Something else is stored under that id, or others save it all the time.
        """
        for _ in range(TRIES):
            check_text(id, "id", nul=True)
            text = await self._client.get(self.key(id))
            if text is None:
                return
            if await self.swap(id, digest(self._decode_any(id, text).text), b"") is None:
                return
        raise contention_error(id)

    async def swap_many(self, swaps: Sequence[Swap]) -> list[bytes | None]:
        """Replace several texts as ``swap`` does, all sent at once."""
        if not swaps:
            return []
        calls: list[tuple[Any, ...]] = [
            (self.key(s.id), s.seen.encode(), s.text, self._expiry) for s in swaps
        ]
        script = _SWAP
        if self._writer is not None:
            script = _SWAP_NOTED
            pairs = zip(calls, swaps, strict=True)
            calls = [(*call, *self._note(s.id, deleted=not s.text)) for call, s in pairs]
        return [_read_answer(answer) for answer in await self._client.scripts(script, calls)]

    def session(self, stored: Stored) -> Session:
        """Return a stored session as ``get`` returns it."""
        return stored.session(self.store)

    def seen_mark(self, session: Session) -> str | None:
        """Return the digest of the text that a session was read from.

        None where this store did not return it in the state that it claims.
        """
        seen = session.seen
        if seen is None or seen.version != session.version or seen.store != self.store:
            return None
        return str(seen.mark)

    def is_as_read(self, session: Session, stored: Stored) -> bool:
        """Return whether a session was read in the state that is stored; see ``is_as_read``.

        A mark is a digest of the text, and so is the version of a session that nothing counts. So
        one that another Redis returned, such as a replica, is known by its text too.
        """
        seen = stored.seen(self.store)
        if session.version == seen.version:
            marked = session.seen is not None and session.seen[1:] == seen[1:]
            if marked or (seen.version >= UNCOUNTED and self.seen_mark(session) is None):
                return True
        return is_as_read(session, seen, stored.known_created)

    def conflict(self, session: Session, there: bytes) -> SessionConflict:
        """Return the conflict of a session with the text that is stored, ``b""`` for nothing."""
        stored = self._decode(session.id, there).session(self.store) if there else None
        return SessionConflict(session, stored)


def contention_error(id: str) -> StorageError:
    """Return the error for a session that others saved before each of our attempts."""
    return StorageError(f"session {id!r} was saved by others {TRIES} times in a row: try again")


def _read_answer(answer: Any) -> bytes | None:
    """Return the text that the script found instead; ``b""`` for nothing, None if done."""
    if isinstance(answer, bytes):
        return answer
    return None if int(answer) == 1 else b""


def _show(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
