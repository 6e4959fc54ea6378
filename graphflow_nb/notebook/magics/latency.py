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
    """The magic ``%%latency`` of one shell.

    The magic's line is removed from the cell before it runs, and what was recorded meanwhile is
    shown after it. So a cell can await, and its errors are shown as they are without the magic; a
    cell magic that ran the cell itself could do neither.

    Args:
        shell: The IPython shell.
    """

    def __init__(self, shell: Any):
        self._shell = shell
        self._names: list[str] | None = None  # the named workbenches; None without the magic
        self._marks: WeakKeyDictionary[Client, int] = WeakKeyDictionary()

    def load(self) -> None:
        """Give the shell the magic."""
        self._shell.input_transformers_cleanup.append(self.remove_line)
        self._shell.events.register("pre_run_cell", self.mark_records)
        self._shell.events.register("post_run_cell", self.show_latency)
        self._shell.register_magic_function(self.refuse, "cell", "latency")

    def unload(self) -> None:
        """Remove the magic from the shell."""
        self._shell.input_transformers_cleanup.remove(self.remove_line)
        self._shell.events.unregister("pre_run_cell", self.mark_records)
        self._shell.events.unregister("post_run_cell", self.show_latency)
        self._shell.magics_manager.magics["cell"].pop("latency", None)

    def refuse(self, line: str, cell: str) -> None:
        """Run the cell, then print and plot what its storage operations cost.

        ``%%latency`` shows the operations of all workbenches, ``%%latency wb`` those of the
        workbenches named.
        """
        # IPython calls this only where the line is not the first one, and shows the text as help.
        raise QueryError(f"{_MAGIC} must be the first line of its cell")

    def remove_line(self, lines: list[str]) -> list[str]:
        """Return the lines of a cell without the magic's line."""
        return lines[1:] if _named_workbenches("".join(lines)) is not None else lines

    def mark_records(self, info: Any) -> None:
        """Remember how far the recorders are, before a cell with the magic runs."""
        self._names = _named_workbenches(info.raw_cell or "")
        if self._names is not None:
            self._marks = WeakKeyDictionary(
                {client: client.recorder.since()[1] for client in self._chosen()}
            )

    def _chosen(self) -> list[Client]:
        if not self._names:
            return clients()
        named = [self._shell.user_ns.get(name) for name in self._names]
        return [client for client in named if isinstance(client, Client)]

    def show_latency(self, _: Any) -> None:
        """Show what was recorded since, after a cell with the magic."""
        if self._names is None:
            return
        # A workbench that the cell itself opened has no mark: all its operations are new.
        news = [client.recorder.since(self._marks.get(client, 0))[0] for client in self._chosen()]
        self._names = None
        from IPython.display import display

        show: Any = display
        latency = Latency(Records.chained(news).merged())
        print(latency)
        if len(latency):
            show(latency.plot())


def _named_workbenches(cell: str) -> list[str] | None:
    """Return the workbenches that the magic names; None if the cell does not start with it."""
    first = cell.lstrip().partition("\n")[0].split()
    return first[1:] if first[:1] == [_MAGIC] else None
