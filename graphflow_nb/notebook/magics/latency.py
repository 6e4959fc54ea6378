"""``%%latency``: what the storage operations of one cell cost, after ``%load_ext graphflow_nb``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from ...client import Connected, clients
from ...errors import QueryError
from ...monitoring import Records
from ..latency import Latency

__all__ = ["CellLatency"]

_MAGIC: Final = "%%latency"


@dataclass(eq=False)
class _Cell:
    """A cell with the magic that is being run.

    Attributes:
        info: What IPython calls this run of a cell.
        names: The named workbenches; none for all.
        marks: How far the recorder of each workbench was before the cell.
    """

    info: Any
    names: Sequence[str]
    marks: dict[Connected, int]


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
        self._cells: list[_Cell] = []  # one that runs another is before it

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
        # IPython calls this only where the magic's line was not removed, and shows the text as
        # help.
        if wrong := self._find_wrong(line.split(), cell):
            raise self._wrong_name(wrong)
        raise QueryError(f"{_MAGIC} must be the first line of its cell")

    def remove_line(self, lines: list[str]) -> list[str]:
        """Return the lines of a cell without the magic's line.

        With a name that can't be a workbench's the line stays, so that the cell is refused.
        """
        names = _named_workbenches("".join(lines))
        if names is None or self._find_wrong(names, "".join(lines[1:])):
            return lines
        return lines[1:]

    def _find_wrong(self, names: Sequence[str], body: str) -> str | None:
        """Return a name that is no workbench's, and that the cell can't make one; else None."""
        if re.search(r"^\s*%", body, re.MULTILINE):  # such as %gf open
            return None
        words = set(re.findall(r"\w+", body))
        return next((n for n in names if n not in words and not self._is_workbench(n)), None)

    def _is_workbench(self, name: str) -> bool:
        return isinstance(self._shell.user_ns.get(name), Connected)

    def _wrong_name(self, name: str) -> QueryError:
        known = [n for n in self._shell.user_ns if self._is_workbench(n) and n[0] != "_"]
        if name in self._shell.user_ns:
            kind = type(self._shell.user_ns[name]).__name__
            what = f"{name} is a {kind}, not a workbench"
        else:
            what = f"there is no workbench {name}"
        near = get_close_matches(name, known, cutoff=0.5) or sorted(known)
        hint = f"name one of {', '.join(near)}, or " if near else ""
        return QueryError(f"{_MAGIC}: {what}; {hint}leave the name out for all workbenches")

    def mark_records(self, info: Any) -> None:
        """Remember how far the recorders are, before a cell with the magic runs."""
        text = (info.raw_cell or "").lstrip()
        names = _named_workbenches(text)
        if names is None or self._find_wrong(names, text.partition("\n")[2]):
            return
        marks = {client: client.recorder.since()[1] for client in self._choose(names)}
        self._cells.append(_Cell(info, names, marks))

    def _choose(self, names: Sequence[str]) -> list[Connected]:
        """Return the workbenches with these names; all without names."""
        if not names:
            return clients()
        named = [self._shell.user_ns.get(name) for name in names]
        return [client for client in named if isinstance(client, Connected)]

    def show_latency(self, result: Any) -> None:
        """Show what was recorded since, after a cell with the magic."""
        cell = self._take_cell(result)
        if cell is None:
            return
        # One that the cell closed and forgot still has its mark. One that the cell itself opened
        # has none: all its operations are new.
        chosen = dict.fromkeys([*cell.marks, *self._choose(cell.names)])
        # Of several on one monitored storage, which all record the same, the first.
        once: dict[int, Connected] = {}
        for client in chosen:
            once.setdefault(id(client.storage), client)
        news = [c.recorder.since(cell.marks.get(c, 0))[0] for c in once.values()]
        from IPython.display import display

        show: Any = display
        latency = Latency(Records.chained(news).merged())
        print(latency)
        if len(latency):
            show(latency.plot())
        for name in cell.names:
            if not self._is_workbench(name):
                wrong = self._wrong_name(name)
                self._shell.showtraceback((type(wrong), wrong, None))

    def _take_cell(self, result: Any) -> _Cell | None:
        """Return the cell of this run and forget it; None if it is without the magic."""
        for cell in reversed(self._cells):
            # After an interrupt there is no result, or one that describes the run again.
            if result is None or cell.info.raw_cell == result.info.raw_cell:
                self._cells.remove(cell)
                return cell
        return None


def _named_workbenches(cell: str) -> list[str] | None:
    """Return the workbenches that the magic names; None if the cell does not start with it."""
    first = cell.lstrip().partition("\n")[0].split()
    return first[1:] if first[:1] == [_MAGIC] else None
