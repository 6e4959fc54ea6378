"""Write, kill, start again and look: what a store keeps of what it acknowledged."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any, Final, Literal, Self

import pandas as pd
from markupsafe import Markup

from ...cards import fact_table
from ...errors import LessonError
from ...model import Session
from ...notebook.panel import Action, Panel
from ...printable import describe_count
from ..shown import ShownAsPanel
from ..stores import StoreName, lesson_store
from .child import read_number
from .findings import Finding, findings_html, tabulate
from .writer import Writer, read_row

__all__ = ["SETTINGS", "Durability", "durability_table"]

#: The settings that ``durability_table`` compares, for each kind of store.
SETTINGS: Final[dict[StoreName, tuple[dict[str, str], ...]]] = {
    "memory": ({},),
    "sqlite": ({"journal_mode": "wal"}, {"journal_mode": "delete"}),
    "redis": (
        {"appendonly": "no"},
        {"appendonly": "yes", "appendfsync": "everysec"},
        {"appendonly": "yes", "appendfsync": "always"},
    ),
    "postgres": ({"synchronous_commit": "on"}, {"synchronous_commit": "off"}),
}

State = Literal["ready", "writing", "killed", "restarted", "closed"]

_MOST_SAVES = 20_000  # after which a writer that nobody kills waits
_SHOWN = 10  # findings in the panel
_PACE = 0.005  # seconds between two saves, so that a person has more than a minute to kill it


class Durability(ShownAsPanel[Panel]):
    """A store, a writer that saves numbers in it, and a real SIGKILL for what keeps the data.

    The writer is a process that saves 1, 2, 3, … in one session, the next number when the store
    has acknowledged the one before. Each acknowledged number goes into a ledger, which is not in
    the store. ``kill`` kills the store's server, or the writer itself where that keeps the data
    (memory, SQLite). After ``restart``, ``look`` compares the row with the ledger.

    Example:
        >>> from graphflow_nb.lessons import Durability
        >>> with Durability("sqlite") as trial:
        ...     trial.write(saves=20)
        ...     trial.kill()
        ...     trial.restart()
        ...     trial.look().lost
        0

    Args:
        kind: The kind of store: ``memory``, ``sqlite``, ``redis`` or ``postgres``.
        pace: The seconds that the writer waits between two saves; 0 for none.
        name: How the notebook names it, for the lines of code that it shows.
        settings: The settings of the store, as ``lesson_store`` takes them.

    Attributes:
        store: The store.
        row: The session that the last ``look`` found, None if there was none.

    Raises:
        StorageError: The kind or a setting is unknown.
        LocalServerError: The server could not be started.
    """

    def __init__(
        self,
        kind: StoreName,
        *,
        pace: float = _PACE,
        name: str = "trial",
        **settings: str,
    ):
        if not (isinstance(pace, (int, float)) and 0 <= pace <= 1):
            raise LessonError(f"pace= must be a number of seconds from 0 to 1, not {pace!r}")
        self.store = lesson_store(kind, **settings)
        self.row: Session | None = None
        self._pace = pace
        self._writer: Writer | None = None
        self._state: State = "ready"
        self._rounds = 0
        self._findings: list[Finding] = []
        self._lock = threading.RLock()
        self._name = name

    @property
    def acknowledged(self) -> int:
        """The number of the last save that the store acknowledged, from the ledger."""
        return 0 if self._writer is None else self._writer.acknowledged

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What each ``look`` found."""
        return tuple(self._findings)

    def write(self, saves: int = 50) -> None:
        """Start a writer on a new session, and return when a number of saves was acknowledged.

        The writer goes on until ``kill``: there is always a save on its way. After 20,000 saves it
        waits to be killed.

        Args:
            saves: The number of saves to wait for.

        Raises:
            LessonError: A writer is at work, the store was killed and not restarted, the writer
                failed, or the number is out of range.
        """
        if not (isinstance(saves, int) and 1 <= saves <= _MOST_SAVES):
            raise LessonError(f"saves= must be an integer from 1 to {_MOST_SAVES:,}, not {saves!r}")
        with self._lock:
            self._expect("write", "ready", "restarted")
            self._rounds += 1
            url = self.store.url or "memory:"
            self._writer = Writer(url, self._id, most=_MOST_SAVES, pace=self._pace)
            self._show("writing")
            self._writer.wait_for(saves)
            self._show("writing")

    @property
    def _id(self) -> str:
        return f"count-{self._rounds}"

    def kill(self) -> None:
        """Kill what keeps the data by a real SIGKILL, in the middle of a save.

        That is the server with all of its processes, as ``LessonStore.kill`` does it; of memory and
        SQLite it is the writer.

        Raises:
            LessonError: No writer is at work.
        """
        with self._lock:
            self._expect("kill", "writing")
            assert self._writer is not None
            if self.store.has_server:
                self.store.kill()
                self._writer.wait_until_idle()
            self._writer.kill()
            self._show("killed")

    def restart(self) -> None:
        """Start again what was killed, and wait until it is ready.

        Raises:
            LessonError: Nothing was killed.
            LocalServerError: The server did not start.
        """
        with self._lock:
            self._expect("restart", "killed")
            if self.store.has_server:
                self.store.restart()
            # Of memory and SQLite it is the process that look starts.
            self._show("restarted")

    def look(self) -> Finding:
        """Return what the store has, read by a new process, beside what the ledger has.

        Raises:
            LessonError: The store was not killed and restarted, or it can't be read.
        """
        with self._lock:
            self._expect("look", "restarted")
            assert self._writer is not None
            acknowledged = self._writer.acknowledged
            found = read_row(self.store.url or "memory:", self._id)
            self.row = found.session
            stored = 0 if found.is_missing else None
            if found.session is not None:
                stored = read_number(found.session)
            finding = Finding(acknowledged, stored)
            self._findings.append(finding)
            self._show("ready")
            return finding

    def _expect(self, step: str, *states: str) -> None:
        if self._state not in states:
            raise LessonError(f"{step}() is not possible now: {_HINTS[self._state]}")

    def table(self) -> pd.DataFrame:
        """Return the findings as one row, as ``tabulate`` describes it."""
        return tabulate({(self.store.kind, self.store.setting): self._findings})

    def close(self) -> None:
        """End the writer and the store, and remove the data."""
        with self._lock:
            if self._writer is not None:
                self._writer.kill()
            self._show("closed")
            self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Durability of {self.store.label}: {_HINTS[self._state]}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        self.panel.refresh()  # the writer may be further
        return super()._repr_mimebundle_(**kwargs)

    def _make_panel(self) -> Panel:
        return Panel(f"Durability: {self.store.label}", self._draw, self._list_actions)

    def _list_actions(self) -> list[list[Action]]:
        state, name = self._state, self._name
        steps: list[tuple[str, Callable[[], object], bool]] = [
            ("Write", self.write, state in ("ready", "restarted")),
            ("Kill", self.kill, state == "writing"),
            ("Restart", self.restart, state == "killed"),
            ("Look", self.look, state == "restarted"),
        ]
        return [
            [
                Action(
                    label,
                    f"{name}.{label.lower()}()",
                    partial(self._say, step),
                    enabled,
                    "danger" if label == "Kill" else "primary" if enabled else "",
                )
                for label, step, enabled in steps
            ]
        ]

    def _say(self, step: Callable[[], object]) -> str:
        """Take a step, and return what is said beside its button."""
        found = step()
        return found.verdict if isinstance(found, Finding) else _HINTS[self._state]

    def _show(self, state: State) -> None:
        """Go to the next state, and show it where the panel is."""
        self._state = state
        self._refresh()

    def _draw(self) -> Markup:
        victim = "its server, with all its processes" if self.store.has_server else "the writer"
        facts = [
            ("Store", self.store.label),
            ("A kill ends", victim),
            ("Now", _HINTS[self._state]),
        ]
        if self._state != "ready":
            facts.append(("Acknowledged", self._describe_ledger()))
        shown = self._findings[-_SHOWN:]
        body = fact_table(facts)
        if shown:
            body += findings_html(shown, first=len(self._findings) - len(shown) + 1)
        if len(shown) < len(self._findings):
            body += Markup("<p>%s</p>") % f"the last {len(shown)} of {len(self._findings)} kills"
        return body

    def _describe_ledger(self) -> str:
        count = describe_count(self.acknowledged, "save")
        if self._state != "writing":
            return f"{count}, by the ledger"
        if self._writer is not None and self._writer.finished:
            return f"{count}, after which the writer waits: nothing is on its way"
        return f"{count} when this was drawn; the writer goes on"


_HINTS: Final = {
    "ready": "write() starts a writer",
    "writing": "a writer is at work; kill() kills what keeps the data",
    "killed": "what keeps the data was killed; restart() starts it again",
    "restarted": "the store runs again; look() compares it with the ledger",
    "closed": "it is closed; make another one",
}


def durability_table(
    kinds: StoreName | Sequence[StoreName] = tuple(SETTINGS),
    *,
    kills: int = 5,
    seed: int = 0,
    most_saves: int = 150,
) -> pd.DataFrame:
    """Kill each kind of store, with each of its settings, and return what was lost.

    Each kill comes after a random number of acknowledged saves, with the writer at full speed.

    Example:
        >>> from graphflow_nb.lessons import durability_table
        >>> table = durability_table(["memory"], kills=3)
        >>> table.loc[0, ["kills", "with_loss"]].tolist()
        [3, 3]

    Args:
        kinds: The kinds of stores, or one; each is tried with its settings in ``SETTINGS``.
        kills: The number of kills of each setting.
        seed: The seed of the random numbers.
        most_saves: The largest number of acknowledged saves after which a kill comes.

    Returns:
        One row for each kind and setting, as ``tabulate`` describes it.

    Raises:
        LessonError: A number is out of range, or a kind is unknown.
        LocalServerError: A server could not be started.
    """
    for name, value, largest in (("kills", kills, 1000), ("most_saves", most_saves, _MOST_SAVES)):
        if not (isinstance(value, int) and 1 <= value <= largest):
            raise LessonError(f"{name}= must be an integer from 1 to {largest:,}, not {value!r}")
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    if unknown := [kind for kind in kinds if kind not in SETTINGS]:
        raise LessonError(f"unknown store {unknown[0]!r}: use {', '.join(SETTINGS)}")
    findings: dict[tuple[str, str], Sequence[Finding]] = {}
    for kind in kinds:
        for settings in SETTINGS[kind]:
            with Durability(kind, pace=0, **settings) as trial:
                setting = trial.store.setting
                chance = Random(f"{seed} {kind} {setting}")
                for _ in range(kills):
                    trial.write(chance.randint(1, most_saves))
                    trial.kill()
                    trial.restart()
                    trial.look()
                findings[kind, setting] = trial.findings
    return tabulate(findings)
