"""The sessions that a benchmark works on: its own, or those that the store holds."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Final, Protocol
from uuid import uuid4

from ..errors import BenchmarkError
from ..model import Context, Session
from ..storage import Query, SessionStorage
from ..storage.capabilities import require
from ..storage.protocols import SupportsDeleteMany, SupportsSaveMany, SupportsTable

__all__ = ["GRAPH", "OwnSessions", "Sessions", "StoredSessions", "remove_sessions"]

#: The graph_id of all sessions that benchmarks create.
GRAPH: Final = "graphflow_nb benchmark"

_PORTION: Final = 500
_OWN_ID: Final = re.compile(r"[0-9a-f]{8}-0000-4000-8000-[0-9a-f]{12}")
_SAMPLE: Final = (
    "the claim was sent on Monday with photos of the damage and a bill from the workshop which "
    "our partner could not read so please ask for another copy before the amount is approved or "
    "paid out to the account that customers named when they called about water in their kitchen"
)


class Sessions(Protocol):
    """The sessions of a benchmark, as its requests need them.

    Attributes:
        prefix: The beginning of all their ids, by which a scan reads no others; None if it may.
    """

    prefix: str | None

    def count(self) -> int:
        """Return the number of sessions."""

    def id(self, index: int) -> str:
        """Return the id of one of them."""


class StoredSessions:
    """Sessions that the store holds, for reading only.

    Example:
        >>> import graphflow_nb
        >>> from graphflow_nb.benchmark import StoredSessions
        >>> storage = graphflow_nb.open("demo").storage
        >>> sessions = await StoredSessions.found(storage, 10)
        >>> sessions.count()
        10

    Args:
        ids: The ids of the sessions.

    Attributes:
        prefix: None: a scan reads what is stored.
    """

    prefix: str | None = None

    def __init__(self, ids: list[str]):
        self._ids = ids

    @classmethod
    async def found(cls, storage: SessionStorage, limit: int) -> StoredSessions:
        """Return the newest sessions of a store.

        Args:
            storage: The storage to read from.
            limit: The largest number of sessions.

        Raises:
            BenchmarkError: The store holds no session.
            CapabilityError: The storage has no method ``table``.
        """
        table = await require(storage, SupportsTable).table(Query(limit=limit))
        if not len(table):
            raise BenchmarkError("the store holds no session to read: omit stored=True")
        return cls(list(table.id))

    def count(self) -> int:
        """Return the number of sessions."""
        return len(self._ids)

    def id(self, index: int) -> str:
        """Return the id of one of them."""
        return self._ids[index]


class OwnSessions:
    """Sessions that the benchmark creates and deletes.

    Their ids are UUIDs, which every form of graph-flow's table accepts, and begin with eight digits
    that only this run has; their graph_id is ``graphflow_nb benchmark``.

    Example:
        >>> from graphflow_nb.benchmark import OwnSessions
        >>> sessions = OwnSessions(size=1000, seed=1)
        >>> session = sessions.another()
        >>> session.graph_id, len(session.context_json())
        ('graphflow_nb benchmark', 1000)

    Args:
        size: The bytes of each context's JSON text, 100 to 1,000,000.
        seed: The seed of the contents; the same seed makes the same ones.

    Attributes:
        prefix: The eight digits with which their ids begin.
    """

    prefix: str | None

    def __init__(self, size: int, seed: int):
        self.prefix = self._digits = uuid4().hex[:8]
        self._size = size
        self._chance = random.Random(seed)
        self._make_prose = _make_prose(self._chance, size + 10_000)
        self._made = 0
        self._on_their_way: set[int] = set()

    def count(self) -> int:
        """Return the number that is stored for certain: those before the oldest one on its way."""
        return min(self._on_their_way, default=self._made)

    def id(self, index: int) -> str:
        """Return the id of one of them."""
        return _make_id(self._digits, index)

    @property
    def made(self) -> int:
        """The number that was created, and may be stored until ``remove`` has ended."""
        return self._made

    async def fill(
        self, storage: SessionStorage, count: int, progress: Callable[[int], bool]
    ) -> None:
        """Save sessions until there are ``count`` of them.

        Args:
            storage: The storage that saves them.
            count: The number of sessions to reach.
            progress: Called with how many are stored; it returns True to stop.
        """
        while self._made < count:
            portion = [self._make_session(i) for i in range(self._made, count)[:_PORTION]]
            self._made += len(portion)
            if isinstance(storage, SupportsSaveMany):
                await storage.save_many(portion)
            else:
                for session in portion:
                    await storage.save(session)
            if progress(self._made):
                return

    def another(self) -> Session:
        """Return one more session, which is on its way to the store until ``arrived`` is called."""
        self._on_their_way.add(self._made)
        self._made += 1
        return self._make_session(self._made - 1)

    def arrived(self, session: Session) -> None:
        """Note that the store has answered the save of a session."""
        self._on_their_way.discard(int(session.id[-12:], 16))

    def rewritten(self, index: int) -> Session:
        """Return one of the sessions with new content, to be written over the stored one."""
        return self._make_session(index, "decide", "rewritten")

    def _make_session(self, index: int, task: str = "intake", status: str = "begun") -> Session:
        return Session(
            self.id(index),
            task,
            graph_id=GRAPH,
            status_message=status,
            context=Context.from_json(self._make_context()),
        )

    def _make_context(self) -> str:
        start = int(self._chance.random() * 10_000)
        # The history is bounded, so that sizes stay although a runner appends messages.
        text = '{"data":{"step":%d,"notes":"%s"},"chat_history":{"messages":[],"max_messages":5}}'
        spare = self._size - len(text % (start, ""))
        return text % (start, self._make_prose[start : start + max(spare, 0)])

    async def remove(self, storage: SessionStorage) -> int:
        """Delete the sessions of this benchmark, and no others.

        Returns:
            How many ids were deleted.
        """
        return await remove_sessions(storage, self._digits, self._made)


async def remove_sessions(
    storage: SessionStorage, prefix: str | None = None, count: int | None = None
) -> int:
    """Delete sessions that benchmarks left in a store, however many.

    Args:
        storage: The storage to delete from.
        prefix: The eight digits with which the ids of one benchmark begin; None for all of them.
        count: How many that benchmark created; None to look for them.

    Returns:
        How many ids were deleted.

    Raises:
        CapabilityError: The storage has no method ``table``, and no count was given.
    """
    if prefix is not None and count is not None:
        for portion in _split(_make_id(prefix, index) for index in range(count)):
            await _delete(storage, portion)
        return count
    looking = require(storage, SupportsTable)
    query = Query(graph=GRAPH, id_prefix=prefix, order="id", limit=_PORTION)
    deleted = 0
    while True:
        table = await looking.table(query)
        # The graph_id is a name that others may use too.
        found = [id for id in table.id if _OWN_ID.fullmatch(id)]
        await _delete(storage, found)
        deleted += len(found)
        if table.next is None:
            return deleted
        query = replace(query, after=table.next)


async def _delete(storage: SessionStorage, ids: list[str]) -> None:
    if isinstance(storage, SupportsDeleteMany):
        await storage.delete_many(ids)
    else:
        for id in ids:
            await storage.delete(id)


def _make_id(prefix: str, index: int) -> str:
    return f"{prefix}-0000-4000-8000-{index:012x}"


def _split(ids: Iterator[str]) -> Iterator[list[str]]:
    while portion := list(islice(ids, _PORTION)):
        yield portion


def _make_prose(chance: random.Random, length: int) -> str:
    """Return text that compresses about as well as what people write."""
    known = _SAMPLE.split()
    words: list[str] = []
    size = 0
    while size < length:
        word = chance.choice(known) if chance.random() < 0.85 else f"{chance.getrandbits(40):x}"
        words.append(word)
        size += len(word) + 1
    return " ".join(words)
