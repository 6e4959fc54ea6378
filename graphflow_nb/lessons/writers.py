"""Two writers and a third look at one row of a real store, and the rule by which they save."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, runtime_checkable

from ..bridge import LoopThread
from ..errors import LessonError, SessionConflict, SessionNotFound
from ..model import Session
from ..notebook.workbench import Workbench, open
from .schedule import WRITERS
from .stores import LessonStore

__all__ = ["RULES", "Desk", "Rule", "open_desk"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule by which a save replaces what is stored.

    Attributes:
        name: The name, as ``Race(rule=…)`` takes it.
        says: What it says, in a sentence.
        kinds: For each kind of store that has it, what does the save there.
        otherwise: Why the other kinds do not have it.
    """

    name: str
    says: str
    kinds: Mapping[str, str]
    otherwise: str = ""


_OURS: Final = "the save of this package, which compares with the version that was loaded"
RULES: Final = {
    rule.name: rule
    for rule in (
        Rule(
            "last write wins",
            "A save replaces whatever is stored.",
            {
                "memory": "upsert() of this package, as the storage in memory of graph-flow 0.5.1",
                "sqlite": "upsert() of this package",
                "postgres": "the statement of graph-flow's documentation, on its table",
                "redis": "SET id json, the storage of graph-flow's documentation",
            },
        ),
        Rule(
            "guard",
            "A save replaces a row that was not saved after the transaction of this save began; "
            "else it writes nothing, and says nothing.",
            {
                "sqlite": "a statement of this lesson with the condition of graph-flow 0.5.1, "
                "which has no storage for SQLite; 'begin' is a time that the lesson keeps",
                "postgres": "the statement of graph-flow 0.5.1 on its table, in a transaction",
            },
            "the guard is a condition in the SQL of graph-flow 0.5.1, and this store has no SQL: "
            "its save replaces what is there",
        ),
        Rule(
            "versions",
            "A save replaces the version that was loaded; else it writes nothing and raises "
            "SessionConflict.",
            dict.fromkeys(("memory", "sqlite", "postgres"), _OURS)
            | {"redis": "the save of this package, which compares with the text that was loaded"},
        ),
        Rule(
            "graph-flow 0.6",
            "A save replaces the version that was loaded, or inserts the row where there is none.",
            {"postgres": "the statement of graph-flow 0.6.0 and 0.8.1, on its table"},
            "graph-flow 0.6 has a storage for PostgreSQL; another store takes rule='versions'",
        ),
    )
}

#: Of each rule the release whose statement saves in PostgreSQL, and the table.
_TABLES: Final[dict[str, tuple[Any, str]]] = {
    "last write wins": ("documented", "sessions_documented"),
    "guard": ("0.5.1", "sessions_0_5"),
    "versions": ("0.6.0", "sessions_0_6"),
    "graph-flow 0.6": ("0.6.0", "sessions_0_6"),
}


class _Saves(Protocol):
    """One connection that saves in the way of another program."""

    async def save(self, session: Session) -> int:
        """Save a session; return how many rows were written."""

    async def close(self) -> None:
        """Close the connection."""


@runtime_checkable
class _SupportsBegin(Protocol):
    async def begin(self) -> None:
        """Begin the transaction of the next save."""

    async def rollback(self) -> None:
        """Give up that transaction, if there is one."""


@dataclass(frozen=True)
class Desk:
    """The connections of a race: one of each writer, and one to look.

    Attributes:
        rule: The rule by which the writers save.
        how: What does the save in this store.
        benches: The workbench of each writer, on which it loads.
        observer: A third workbench, which looks at the row.
        uuid: Whether an id must be a UUID.
    """

    rule: Rule
    how: str
    benches: Mapping[str, Workbench]
    observer: Workbench
    uuid: bool
    _saves: Mapping[str, Any]
    _closing: ExitStack = field(repr=False)

    @property
    def has_begin(self) -> bool:
        """Whether the transaction of a save can be begun before it."""
        return self.rule.name == "guard"

    def begin(self, writer: str) -> None:
        """Begin the transaction of a writer's next save."""
        LoopThread.shared().run(self._saves[writer].begin())

    def rollback(self, writer: str) -> None:
        """Give up the transaction that a writer began, if there is one."""
        if isinstance(saves := self._saves.get(writer), _SupportsBegin):
            LoopThread.shared().run(saves.rollback())

    def save(self, writer: str, session: Session) -> bool:
        """Save a session by the rule; return whether a row was written.

        Raises:
            SessionConflict: The rule compares versions, and the stored one is another.
        """
        if writer in self._saves:
            count: int = LoopThread.shared().run(self._saves[writer].save(session))
            if not count and self.rule.name == "graph-flow 0.6":
                raise SessionConflict(session, self.look(session.id))
            return bool(count)
        if self.rule.name == "versions":
            self.benches[writer].save(session)
        else:
            self.benches[writer].upsert(session)
        return True

    def load(self, writer: str, id: str) -> Session | None:
        """Return what is stored, read by a writer's connection; None if there is nothing."""
        return _find(self.benches[writer], id)

    def look(self, id: str) -> Session | None:
        """Return what is stored, read by the third connection; None if there is nothing."""
        return _find(self.observer, id)

    def close(self) -> None:
        """Close the connections; closing twice is not an error."""
        self._closing.close()


def _find(bench: Workbench, id: str) -> Session | None:
    try:
        return bench.get(id)
    except SessionNotFound:
        return None


def open_desk(store: LessonStore, rule: str) -> Desk:
    """Open the connections of a race.

    Args:
        store: The store.
        rule: The name of the rule, a key of ``RULES``.

    Raises:
        LessonError: The rule does not exist, or this kind of store does not have it.
    """
    if not isinstance(rule, str) or rule not in RULES:
        raise LessonError(
            f"rule= is one of {', '.join(map(repr, RULES))}, not {rule!r}; nothing was opened"
        )
    found = RULES[rule]
    if store.kind not in found.kinds:
        raise LessonError(
            f"{store.label} can't be raced under {rule!r}: {found.otherwise}. Nothing was opened; "
            f"choose another rule, or one of the stores {', '.join(found.kinds)}"
        )
    with ExitStack() as stack:
        saves = {name: _open_saves(store, rule, stack) for name in WRITERS}
        benches = [_open_bench(store, rule, stack) for _ in range(3)]
        return Desk(
            found,
            found.kinds[store.kind],
            dict(zip(WRITERS, benches, strict=False)),
            benches[2],
            (store.kind, rule) == ("postgres", "guard"),
            {name: each for name, each in saves.items() if each is not None},
            stack.pop_all(),
        )
    raise AssertionError  # the block above returns


def _open_bench(store: LessonStore, rule: str, stack: ExitStack) -> Workbench:
    if store.kind == "postgres":
        assert store.url is not None
        bench = open(store.url, writable=True, table=_TABLES[rule][1], max_connections=1)
    else:
        bench = store.open()
    if store.kind != "memory":  # which has one workbench, and the store closes it
        stack.callback(bench.close)
    return bench


def _open_saves(store: LessonStore, rule: str, stack: ExitStack) -> _Saves | None:
    """Return the connection that saves as another program does; None for this package's save."""
    if store.kind == "postgres":
        from ..storage.postgres.crate import CrateSaves

        assert store.url is not None
        release, table = _TABLES[rule]
        saves = _connect(CrateSaves.connect(store.url, release, table=table), stack)
        return None if rule == "versions" else saves
    if store.kind == "redis" and rule == "last write wins":
        from ..storage.redis.documented import DocumentedSaves

        assert store.url is not None
        return _connect(DocumentedSaves.connect(store.url), stack)
    if store.kind == "sqlite" and rule == "guard":
        from ..storage.sqlite.guarded import GuardedSaves

        with store.open() as bench:  # which creates the table
            path = bench.attributes.address.namespace
        assert path is not None
        return _connect(GuardedSaves.connect(path), stack)
    return None


def _connect(connecting: Coroutine[Any, Any, _Saves], stack: ExitStack) -> _Saves:
    saves = LoopThread.shared().run(connecting)
    stack.callback(lambda: LoopThread.shared().run(saves.close()))
    return saves
