"""The sessions that a benchmark works on: its own, or those that are stored."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, Protocol
from uuid import uuid4

from ..errors import BenchmarkError
from ..model import Context, Session
from ..storage import Query, SessionStorage
from ..storage.protocols import SupportsTable, require

__all__ = ["GRAPH", "OwnSessions", "Sessions", "StoredSessions"]

#: The graph_id of all sessions that benchmarks make.
GRAPH: Final = "graphflow_nb benchmark"

_PORTION: Final = 500
_SAMPLE: Final = (
    "the claim was sent on Monday with photos of the damage and a bill from the workshop which "
    "our partner could not read so please ask for another copy before the amount is approved or "
    "paid out to the account that customers named when they called about water in their kitchen"
)


class Sessions(Protocol):
    """What a benchmark's requests are made on."""

    def count(self) -> int:
        """How many there are."""

    def id(self, index: int) -> str:
        """The id of one of them."""


class StoredSessions:
    """Sessions that are there already, for reading only; made by ``await StoredSessions.found``."""

    def __init__(self, ids: list[str]):
        self._ids = ids

    @classmethod
    async def found(cls, storage: SessionStorage, limit: int) -> StoredSessions:
        """The newest of a store.

        Raises:
            BenchmarkError: there is none.
            CapabilityError: the storage has no method ``table``.
        """
        table = await require(storage, SupportsTable).table(Query(limit=limit))
        if not len(table):
            raise BenchmarkError("the store holds no session to read: leave sessions='stored' out")
        return cls(list(table.id))

    def count(self) -> int:
        return len(self._ids)

    def id(self, index: int) -> str:
        return self._ids[index]


class OwnSessions:
    """Sessions that the benchmark makes and deletes.

    Their ids are UUIDs, which every form of graph-flow's table takes, and begin with eight digits
    that this run alone has; their graph_id is ``GRAPH``.

    Args:
        size: bytes of each context's JSON text, 100 to 1,000,000.
        seed: the same seed gives the same contents.
    """

    def __init__(self, size: int, seed: int):
        self.prefix = uuid4().hex[:8]
        self._size = size
        self._chance = random.Random(seed)
        self._prose = _prose(self._chance, size + 10_000)
        self._made = 0
        self._on_their_way: set[int] = set()

    def count(self) -> int:
        """How many are stored for certain: those before the oldest that is on its way."""
        return min(self._on_their_way, default=self._made)

    def id(self, index: int) -> str:
        return f"{self.prefix}-0000-4000-8000-{index:012x}"

    async def fill(
        self, storage: SessionStorage, count: int, progress: Callable[[int], bool]
    ) -> None:
        """Store so many; ``progress`` is told how many are, and ends it by returning True."""
        many = getattr(storage, "save_many", None)
        while self._made < count:
            portion = [self._session(i) for i in range(self._made, count)[:_PORTION]]
            self._made += len(portion)
            if many is not None:
                await many(portion)
            else:
                for session in portion:
                    await storage.save(session)
            if progress(self._made):
                return

    def another(self) -> Session:
        """One more, on its way to the store until ``arrived`` is called."""
        self._on_their_way.add(self._made)
        self._made += 1
        return self._session(self._made - 1)

    def arrived(self, session: Session) -> None:
        """Take note that the store has answered."""
        self._on_their_way.discard(int(session.id[-12:], 16))

    def rewritten(self, index: int) -> Session:
        """One of them with other content, to be written over the stored one."""
        return self._session(index, "decide", "written anew")

    def _session(self, index: int, task: str = "intake", status: str = "begun") -> Session:
        return Session(
            self.id(index),
            task,
            graph_id=GRAPH,
            status_message=status,
            context=Context.from_json(self._context()),
        )

    def _context(self) -> str:
        start = int(self._chance.random() * 10_000)
        # A runner's messages pass through a history of bounded length, so that sizes stay.
        text = '{"data":{"step":%d,"notes":"%s"},"chat_history":{"messages":[],"max_messages":5}}'
        spare = self._size - len(text % (start, ""))
        return text % (start, self._prose[start : start + max(spare, 0)])

    async def remove(self, storage: SessionStorage) -> int:
        """Delete all that were made, and nothing else; how many ids that were."""
        many = getattr(storage, "delete_many", None)
        ids = (self.id(index) for index in range(self._made))
        for portion in _portions(ids):
            if many is not None:
                await many(portion)
            else:
                for id in portion:
                    await storage.delete(id)
        return self._made


def _portions(ids: Iterator[str]) -> Iterator[list[str]]:
    while portion := list(islice(ids, _PORTION)):
        yield portion


def _prose(chance: random.Random, length: int) -> str:
    """Text that compresses about as well as what people write."""
    known = _SAMPLE.split()
    words: list[str] = []
    size = 0
    while size < length:
        word = chance.choice(known) if chance.random() < 0.85 else f"{chance.getrandbits(40):x}"
        words.append(word)
        size += len(word) + 1
    return " ".join(words)
