"""``%%latency``: what the storage operations of one cell cost, after ``%load_ext graphflow_nb``."""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakKeyDictionary

from ...client import Client, clients
from ...errors import QueryError
from ...monitoring import Records
from ..latency import Latency

__all__ = ["CellLatency"]

_MAGIC: Final = "%%latency"


class CellLatency:
    """The magic of one shell.

    The line is taken out of the cell before it runs, and what was recorded meanwhile is shown after
    it. So a cell can await, and its errors are shown as they are without the magic; a cell magic
    that ran the cell itself could do neither.
    """

    def __init__(self, shell: Any):
        self._shell = shell
        self._names: list[str] | None = None
        self._marks: WeakKeyDictionary[Client, int] = WeakKeyDictionary()

    def load(self) -> None:
        """Begin to heed the magic."""
        self._shell.input_transformers_cleanup.append(self.transform)
        self._shell.events.register("pre_run_cell", self.before)
        self._shell.events.register("post_run_cell", self.after)
        self._shell.register_magic_function(self.magic, "cell", "latency")

    def unload(self) -> None:
        """Heed it no longer."""
        self._shell.input_transformers_cleanup.remove(self.transform)
        self._shell.events.unregister("pre_run_cell", self.before)
        self._shell.events.unregister("post_run_cell", self.after)
        self._shell.magics_manager.magics["cell"].pop("latency", None)

    def magic(self, line: str, cell: str) -> None:
        """Run the cell, then print and plot what its storage operations cost.

        ``%%latency`` tells of all workbenches, ``%%latency wb`` of those named.
        """
        raise QueryError(f"{_MAGIC} has to be the first line of its cell")

    def transform(self, lines: list[str]) -> list[str]:
        """The cell without the magic's line."""
        return lines[1:] if _asked("".join(lines)) is not None else lines

    def before(self, info: Any) -> None:
        """Remember where the recorders stand."""
        self._names = _asked(info.raw_cell or "")
        if self._names is not None:
            self._marks = WeakKeyDictionary({wb: wb.recorder.since()[1] for wb in self._chosen()})

    def _chosen(self) -> list[Client]:
        if not self._names:
            return clients()
        named = [self._shell.user_ns.get(name) for name in self._names]
        return [wb for wb in named if isinstance(wb, Client)]

    def after(self, _: Any) -> None:
        """Show what came in since."""
        if self._names is None:
            return
        # A workbench that the cell itself opened is asked for all that it has.
        news = [wb.recorder.since(self._marks.get(wb, 0))[0] for wb in self._chosen()]
        self._names = None
        from IPython.display import display

        latency = Latency(Records.chained(news).merged())
        print(latency)
        if len(latency):
            display(latency.plot())  # type: ignore[no-untyped-call]


def _asked(cell: str) -> list[str] | None:
    """The workbenches that the magic names; None if the cell does not begin with it."""
    first = cell.lstrip().partition("\n")[0].split()
    return first[1:] if first[:1] == [_MAGIC] else None
