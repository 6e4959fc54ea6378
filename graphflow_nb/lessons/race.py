"""A race: two writers load, change and save one row of a real store, in any order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Self

import pandas as pd
from markupsafe import Markup

from ..changes import Merge
from ..errors import LessonError, SessionConflict, SessionNotFound
from ..model import Session
from ..notebook.panel import Action, Panel, show_panel
from .events import Change, Ending, Event, add, as_change, find_effects, put_all, show_state
from .rounds import Round
from .schedule import (
    WRITERS,
    Step,
    check_schedule,
    interleavings,
    mirror,
    no_begin,
    parse_schedule,
    schedule_text,
)
from .shown import ShownAsPanel
from .stores import LessonStore, StoreName, lesson_store
from .turns import WriterFunction, run_in_turns
from .writers import open_desk

__all__ = ["Race", "Remedy"]

#: What a writer does after a save that was refused.
Remedy = Literal["stop", "retry", "merge"]

_REMEDIES: Final = ("stop", "retry", "merge")
MAX_CHANGES: Final = 5  # of one round; which are stored is found by trying their orders
MAX_STEPS: Final = 500  # of one round
MAX_ACTIONS: Final = 4  # of one writer in ``play_all``, which plays 70 orders of them


@dataclass
class _Hand:
    """What a writer holds.

    Attributes:
        name: The name of its change: ``A``, ``A2``, …
        base: The session as it was loaded; None if nothing is held.
        session: The session with the writer's change.
        changed, began: Whether it was changed, whether its transaction was begun.
        conflict: The error of the last save, None where it was not refused.
        life: How often the session had been deleted when it was loaded.
    """

    name: str
    base: Session | None = None
    session: Session | None = None
    changed: bool = False
    began: bool = False
    conflict: SessionConflict | None = None
    life: int = 0


class Race(ShownAsPanel[Panel]):
    """Two writers on one row of a real store, each with a connection of its own.

    Each step is a method, or all are played by a text. After each step a third connection reads the
    row. In a notebook the race shows itself as a panel with a button for each step.

    Example:
        >>> from graphflow_nb.lessons import Race
        >>> with Race("memory", rule="last write wins") as race:
        ...     played = race.play("A.load B.load A.save B.save")
        ...     print(played.outcome, played.lost)
        balance 105 ('A',)

    Args:
        store: The kind of store (``"memory"``, ``"sqlite"``, ``"postgres"``, ``"redis"``), which is
            started for this race, or a store of ``lesson_store``, which others may use too.
        rule: ``"last write wins"``, ``"guard"`` (graph-flow 0.5.1), ``"versions"``, or
            ``"graph-flow 0.6"``, whose statement differs from ``"versions"`` for a deleted row.
        changes: What the writers ``"A"`` and ``"B"`` do: a ``Change``, or a function of a session.
            Each does the same every time: whose change is stored is found by making them again.
            Default: A adds 10 to the balance, B adds 5.
        start: The context of the row at the beginning. Default: a balance of 100.

    Attributes:
        store: The store.
        rule: The rule.
        id: The id of the session in this round.

    Raises:
        LessonError: The rule does not exist or the store does not have it, or a change is none.
    """

    def __init__(
        self,
        store: StoreName | LessonStore = "sqlite",
        *,
        rule: str = "versions",
        changes: Mapping[str, Change | Callable[[Session], object]] | None = None,
        start: Mapping[str, Any] | None = None,
    ):
        given = {"A": add("balance", 10), "B": add("balance", 5)} if changes is None else changes
        self._given = {name: as_change(given.get(name), name) for name in WRITERS}
        self._context = {"balance": 100} if start is None else dict(start)
        self.rule = rule
        self._number = 0
        with ExitStack() as stack:
            if isinstance(store, LessonStore):
                self.store = store
            else:
                self.store = stack.enter_context(lesson_store(store))
            self._desk = open_desk(self.store, rule)
            stack.callback(self._desk.close)
            self.again()
            self._closing = stack.pop_all()

    # One round

    def again(self) -> None:
        """Begin a new round on a new row; what the writers hold is dropped."""
        if self._number:
            for writer in WRITERS:
                self._desk.rollback(writer)
        while True:
            self._number += 1
            id = f"claim-{self._number}"
            if self._desk.uuid:
                id = f"00000000-0000-4000-8000-{self._number:012}"
            session = Session(id, "review", graph_id="claims", context=self._context)
            try:
                self._desk.observer.save(session)
                break
            except SessionConflict:
                pass  # of another race on the same store
        self.id = id
        self._row = self.look()
        assert self._row is not None
        self._start = copy(self._row)
        self._hands = {name: _Hand(name) for name in WRITERS}
        self._changes = dict(self._given)
        self._accepted: set[str] = set()
        self._life = 0
        self._events: list[Event] = []
        self._refresh()

    def look(self) -> Session | None:
        """Return the row as it is stored, read by a third connection; None if there is none."""
        return self._desk.look(self.id)

    def load(self, writer: str) -> Event:
        """Let a writer load the row."""
        hand = self._hand(writer)
        found = self._desk.load(writer, self.id)
        self._desk.rollback(writer)
        self._hands[writer] = _Hand(hand.name, found, copy(found), life=self._life)
        return self._note(writer, "load", found, "nothing" if found is None else "done")

    def change(self, writer: str, change: Change | None = None, **values: Any) -> Event:
        """Let a writer change what it loaded; nothing is stored yet.

        Args:
            writer: ``"A"`` or ``"B"``.
            change: Another change than the writer's own.
            values: Values to set in the context, instead of the writer's own change:
                ``race.change("A", balance=150)``.

        Raises:
            LessonError: The writer holds nothing, or the change failed.
        """
        hand = self._holding(writer)
        if hand.changed:
            raise LessonError(f"{writer} has changed it already: race.save({writer!r}) is next")
        if hand.name in self._accepted:
            count = sum(name.startswith(writer) for name in self._changes)
            if len(self._changes) >= MAX_CHANGES:
                raise LessonError(
                    f"a round has at most {MAX_CHANGES} changes, and this was not made: "
                    "race.again() begins a new round"
                )
            hand.name = f"{writer}{count + 1}"
            self._changes[hand.name] = self._given[writer]
        if values:
            change = put_all(values)
        if change is not None:
            self._changes[hand.name] = as_change(change, writer)
        assert hand.session is not None
        self._changes[hand.name].apply(hand.session)
        hand.changed = True
        return self._note(writer, "change", hand.session)

    def begin(self, writer: str) -> Event:
        """Let a writer begin the transaction of its save, whose ``NOW()`` is this moment.

        Raises:
            LessonError: The writer holds nothing, or has begun it; or this rule has no such step.
        """
        hand = self._holding(writer)
        if not self._desk.has_begin:
            raise no_begin()
        if hand.began:
            raise LessonError(f"{writer} has begun already: race.save({writer!r}) is next")
        self._desk.begin(writer)
        hand.began = True
        return self._note(writer, "begin", hand.session)

    def save(self, writer: str) -> Event:
        """Let a writer save, by the rule; where it did not change the session, it does so first.

        A refused save is an event and no error: ``retry`` or ``merge`` may follow.

        Raises:
            LessonError: The writer holds nothing.
            StorageError: The store failed.
        """
        hand = self._holding(writer)
        if not hand.changed:
            self.change(writer)
        return self._save(writer)

    def _save(self, writer: str) -> Event:
        hand = self._hands[writer]
        assert hand.session is not None
        there, held = self._row, copy(hand.session)  # a save moves the version on in place
        before = self._find_effects(hand.name, there)
        try:
            wrote = self._desk.save(writer, hand.session)
        except SessionConflict as conflict:
            hand.conflict, hand.began = conflict, False
            self._row = self.look()
            return self._note(writer, "save", held, "refused", note=str(conflict))
        self._accepted.add(hand.name)
        self._row = after = self.look()
        lost = (before or frozenset()) - (self._find_effects(hand.name, after) or frozenset())
        self._hands[writer] = _Hand(hand.name)
        return self._note(
            writer,
            "save",
            held,
            "done" if wrote else "skipped",
            lost=tuple(sorted(lost)) if wrote and after is not None else (),
            back=wrote and hand.life != self._life,
        )

    def delete(self, writer: str) -> Event:
        """Let a writer delete the row, whatever it is, or find that there is none."""
        self._hand(writer)
        found = self._row is not None
        self._desk.benches[writer].delete(self.id)
        self._row = self.look()
        self._life += found
        return self._note(writer, "delete", None, "done" if found else "nothing")

    def create(self, writer: str) -> Event:
        """Let a writer create the session again, as it was at the beginning.

        Raises:
            LessonError: The row exists.
        """
        self._hand(writer)
        session = Session(self.id, "review", graph_id="claims", context=self._context)
        try:
            self._desk.benches[writer].save(session)
        except SessionConflict as conflict:
            raise LessonError(
                "the row exists, so it was not created: delete it first"
            ) from conflict
        self._row = self.look()
        return self._note(writer, "create", session)

    def retry(self, writer: str) -> Event:
        """Let a writer whose save was refused load again, change that, and save."""
        self._conflict_of(writer)
        name = self._hands[writer].name
        change = self._changes[name]
        if self.load(writer).ending == "nothing":
            return self._events[-1]
        self.change(writer, change)
        return self.save(writer)

    def merge(self, writer: str) -> Event:
        """Let a writer whose save was refused merge its change with what is stored, and save.

        ``graphflow_nb.Merge`` merges them. Where both changed the same place, it stops there.
        """
        conflict = self._conflict_of(writer)
        hand = self._hands[writer]
        if conflict.stored is None:
            raise LessonError(
                f"the row was deleted, so there is nothing to merge with; {writer} holds its change"
            )
        assert hand.base is not None
        assert hand.session is not None
        merge = Merge(hand.base, conflict.stored, hand.session)
        if merge.clashes:
            places = ", ".join(clash.pointer for clash in merge.clashes)
            note = f"both changed {places}"
            return self._note(writer, "merge", hand.session, "clash", note=note)
        hand.session, hand.base, hand.conflict = merge.session({}), conflict.stored, None
        self._note(writer, "merge", hand.session)
        return self._save(writer)

    @property
    def round(self) -> Round:
        """What happened in this round until now."""
        row = self.look()
        return Round(
            self.store.label,
            self.rule,
            {name: change.label for name, change in self._changes.items()},
            self._show(self._start),
            tuple(self._events),
            row,
            find_effects(self._start, row, {n: self._changes[n] for n in self._accepted}),
            frozenset(self._accepted),
        )

    # Whole rounds

    def play(self, schedule: str, *, on_conflict: Remedy = "stop") -> Round:
        """Play a new round in an order that is given.

        Args:
            schedule: The steps: ``"A.load B.load A.save B.save"``. A save without a change before
                changes first. The actions are load, change, save, delete, create,
                and begin.
            on_conflict: What a writer does at once after a save that was refused: ``"stop"``,
                ``"retry"`` or ``"merge"``.

        Raises:
            LessonError: The schedule is not possible; nothing was played.
            StorageError: The store failed; the round ends there.
        """
        steps = parse_schedule(schedule)
        if on_conflict not in _REMEDIES:
            raise LessonError(
                f"on_conflict= is one of {', '.join(map(repr, _REMEDIES))}, not {on_conflict!r}; "
                "nothing was played"
            )
        if len(steps) > MAX_STEPS:
            raise LessonError(
                f"a round has at most {MAX_STEPS} steps, not {len(steps):,}; nothing was played"
            )
        check_schedule(steps, can_begin=self._desk.has_begin)
        self.again()
        return self._play(steps, on_conflict)

    def _play(self, steps: Sequence[Step], on_conflict: Remedy) -> Round:
        acts = {
            "load": self.load,
            "change": self.change,
            "begin": self.begin,
            "save": self.save,
            "delete": self.delete,
            "create": self.create,
        }
        for writer, action in steps:
            event = acts[action](writer)
            if event.ending == "refused" and on_conflict != "stop":
                (self.retry if on_conflict == "retry" else self.merge)(writer)
        return self.round

    def play_all(
        self, *, on_conflict: Remedy = "stop", actions: Sequence[str] = ("load", "change", "save")
    ) -> pd.DataFrame:
        """Play every order of the steps of both writers, a round for each, and read each row.

        Args:
            on_conflict: As ``play`` has it.
            actions: The actions of each writer. Three each have 20 orders. Under the guard
                ``("load", "change", "begin", "save")`` has 70.

        Returns:
            A row for each order, indexed by ``number`` (int64, from 1): ``interleaving`` (text, as
            ``play`` takes it), ``outcome`` (text, what is stored), ``lost`` (text, whose change is
            lost and how; empty for none), ``error`` (text, which writer got which error; empty for
            none), ``mirror`` (int64, the number of the order with the writers exchanged).

        Raises:
            LessonError: An action is not possible there, or there are too many; nothing was played.
        """
        if not 1 <= len(actions) <= MAX_ACTIONS:
            raise LessonError(
                f"actions= has 1 to {MAX_ACTIONS} actions, not {len(actions)}; nothing was played"
            )
        orders = list(interleavings(tuple(actions)))
        check_schedule(parse_schedule(schedule_text(orders[0])), can_begin=self._desk.has_begin)
        rows = []
        for steps in orders:
            played = self.play(schedule_text(steps), on_conflict=on_conflict)
            rows.append(_describe_row(steps, played, orders.index(mirror(steps)) + 1))
        frame = pd.DataFrame(rows, index=pd.RangeIndex(1, len(rows) + 1, name="number"))
        frame.attrs["note"] = f"{self.store.label}, {self.rule}: {self._desk.how}"
        return frame

    @classmethod
    def all(cls, store: StoreName | LessonStore, *, rule: str, **options: Any) -> pd.DataFrame:
        """Open a race, play every order, close it, and return what ``play_all`` returns.

        Example:
            >>> from graphflow_nb.lessons import Race
            >>> frame = Race.all("memory", rule="last write wins")
            >>> len(frame), (frame["lost"] != "").sum()
            (20, np.int64(18))

        Args:
            store, rule: As ``Race`` takes them.
            options: Those of ``play_all``, and ``changes`` and ``start`` of ``Race``.
        """
        of_race = {name: options.pop(name) for name in ("changes", "start") if name in options}
        with cls(store, rule=rule, **of_race) as race:
            return race.play_all(**options)

    def try_out(
        self,
        function: WriterFunction,
        against: WriterFunction | None = None,
        *,
        calls: tuple[int, int] = (2, 2),
    ) -> list[Round]:
        """Let both writers run a function of yours, in every order of its calls on the store.

        The function is called as ``function(store, id, change)``: ``store.get(id)`` returns the
        session, ``change(session)`` makes the writer's change, ``store.save(session)`` saves by
        the rule, and raises ``SessionConflict`` where the rule refuses; ``store.delete(id)``
        deletes. Each call on the store waits for its turn.

        Args:
            function: The function.
            against: Another function for B to run.
            calls: How many calls of A and of B are put in order. All six orders of two calls each
                are played; further calls follow.

        Returns:
            What happened in each round, the error with which a function ended in ``raised``.

        Raises:
            LessonError: A function neither ended nor called the store for 20 seconds.
        """
        functions = {"A": function, "B": against or function}
        rounds = []
        for steps in interleavings(("call",) * calls[0], ("call",) * calls[1]):
            self.again()
            turns = [step.writer for step in steps]
            raised = run_in_turns(functions, turns, self._serve, self._changes, self.id)
            rounds.append(replace(self.round, raised=raised))
        return rounds

    def _serve(self, writer: str, method: str, argument: Any) -> Any:
        """Do a call of a function's on the store, on this thread."""
        id = argument.id if isinstance(argument, Session) else argument
        if id != self.id or isinstance(argument, Session) != (method == "save"):
            raise LessonError(
                f"{method} takes {'a session' if method == 'save' else 'the id'} of this race, "
                f"{self.id!r}, not {argument!r}"
            )
        if method == "get":
            if self.load(writer).ending == "nothing":
                raise SessionNotFound(self.id)
            return copy(self._holding(writer).session)
        if method == "delete":
            return self.delete(writer)
        hand = self._hand(writer)
        if hand.session is None:
            raise LessonError(f"{writer} saves a session that it did not get: call get(id) first")
        hand.session, hand.changed = argument, True
        self._note(writer, "change", argument)
        if self._save(writer).ending == "refused":
            raise self._conflict_of(writer)
        return None

    # Checks

    def _hand(self, writer: str) -> _Hand:
        if writer not in WRITERS:
            raise LessonError(f"the writers are 'A' and 'B', not {writer!r}; nothing was done")
        if len(self._events) >= MAX_STEPS:
            raise LessonError(
                f"a round has at most {MAX_STEPS} steps, so nothing was done: race.again() begins "
                "a new round"
            )
        return self._hands[writer]

    def _holding(self, writer: str) -> _Hand:
        hand = self._hand(writer)
        if hand.session is None:
            raise LessonError(
                f"{writer} holds no session, so nothing was done: race.load({writer!r}) first"
            )
        return hand

    def _conflict_of(self, writer: str) -> SessionConflict:
        conflict = self._hand(writer).conflict
        if conflict is None:
            raise LessonError(f"no save of {writer} was refused, so there is nothing to remedy")
        return conflict

    # What is shown

    def _find_effects(self, name: str, row: Session | None) -> frozenset[str] | None:
        names = self._accepted | {name}
        return find_effects(self._start, row, {n: self._changes[n] for n in sorted(names)})

    def _show(self, session: Session | None) -> str:
        return show_state(session, version=self.rule in ("versions", "graph-flow 0.6"))

    def _note(
        self,
        writer: str,
        action: str,
        held: Session | None,
        ending: Ending = "done",
        **more: Any,
    ) -> Event:
        """Note and return a step, with the row as the third connection read it last."""
        shown = self._show(held), self._show(self._row)
        self._events.append(Event(writer, action, ending, *shown, **more))
        self._refresh()
        return self._events[-1]

    def _actions(self) -> list[list[Action]]:
        rows = []
        for writer in WRITERS:
            hand = self._hands[writer]
            holds, refused = hand.session is not None, hand.conflict is not None
            buttons: list[tuple[str, Callable[[str], Event], bool]] = [
                ("load", self.load, True),
                ("change", self.change, holds and not hand.changed),
            ]
            if self._desk.has_begin:
                buttons.append(("begin", self.begin, holds and not hand.began))
            buttons.append(("save", self.save, holds and not refused))
            if self.rule in ("versions", "graph-flow 0.6"):
                buttons += [("retry", self.retry, refused), ("merge", self.merge, refused)]
            buttons.append(("delete", self.delete, True))
            rows.append([_make_action(writer, *button) for button in buttons])
        return [*rows, [Action("New round", "race.again()", self.again)]]

    def _draw(self) -> Markup:
        picture = self.round.picture
        if not picture.events:
            picture = replace(picture, said=f"The rule: {self._desk.rule.says}")
        return picture.to_html()

    def _make_panel(self) -> Panel:
        return Panel(f"a race on {self.store.label}, {self.rule}", self._draw, self._actions)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return show_panel(self.panel, repr(self.round), **kwargs)

    def __repr__(self) -> str:
        return f"<Race on {self.store.label}, {self.rule}, round {self._number}>"

    def close(self) -> None:
        """Close the connections, and the store if it was started for this race."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _make_action(writer: str, name: str, method: Callable[[str], Event], enabled: bool) -> Action:
    return Action(
        f"{writer}: {name}",
        f'race.{name}("{writer}")',
        lambda: method(writer).describe(),
        enabled,
        "primary" if enabled and name in ("retry", "merge") else "",
    )


def _describe_row(steps: Sequence[Step], played: Round, mirrored: int) -> dict[str, Any]:
    lost = [
        f"{name}: " + ("skipped" if name in played.skipped else "overwritten")
        for name in played.lost
    ]
    return {
        "interleaving": schedule_text(steps),
        "outcome": played.outcome,
        "lost": ", ".join(lost),
        "error": ", ".join(f"{writer}: SessionConflict" for writer in played.refused),
        "mirror": mirrored,
    }
