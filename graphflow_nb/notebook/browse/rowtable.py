"""A table of text rows to move in and select from, with the keyboard too.

It is the one widget of our own: the well-kept tables sort and page what was sent to the browser,
while here only one page is sent and the store does the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from importlib.resources import files
from typing import Any, Final

import traitlets

from ...cards import CARD_CSS
from ..module import ModuleWidget, read_module

__all__ = ["RowTable"]

_FOLDER: Final = files(__package__)

#: Rows whose handles are known. A message about a row that left the page before these is ignored:
#: nobody can have clicked on it.
MAX_HANDLES: Final = 20_000


class RowTable(ModuleWidget):
    """Rows of text; nothing in them is ever taken for markup.

    Each row is identified by a key and carries a *handle*, a number that stays with its key and
    is never given to another one. A click reports the handle of the row that was clicked, so it
    means the row that was shown, whatever is on the page when the message arrives.

    Args:
        label: The name of the table for screen readers.
        columns: Of each column its ``name``, its ``label``, and whether it is a ``number`` and
            ``sortable``; ``why`` says why not, or what it costs. With a ``width`` in pixels a
            column is as wide as that until a person changes it; one that may ``grow`` takes what is
            left. Of a column with ``middle`` the ends of a text stay visible.
        on_open: Called with the key of a row that is opened.
        on_select: Called with the keys of the rows that are selected, in the order of the page.
            Without it no row can be selected, and there are no boxes to tick.
        on_sort: Called with the name of a column.
        on_turn: Called with 1 or -1 when a page is turned by the keyboard.

    Attributes:
        page: The cells, the handle of each row, the marks and the order; all in one message.
        selection: The handles of the selected rows, and the stamp of the message that it answers.
        widths: The widths that a person gave to columns, in pixels by name.
    """

    _esm = read_module(_FOLDER, "rowtable.js")
    _css = CARD_CSS + _FOLDER.joinpath("browse.css").read_text()

    label = traitlets.Unicode().tag(sync=True)
    selectable = traitlets.Bool().tag(sync=True)
    columns: Any = traitlets.List().tag(sync=True)
    page = traitlets.Dict().tag(sync=True)
    selection = traitlets.Dict().tag(sync=True)
    widths = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        label: str,
        columns: Sequence[dict[str, Any]],
        on_open: Callable[[Any], None],
        on_select: Callable[[list[Any]], None] | None = None,
        on_sort: Callable[[str], None] | None = None,
        on_turn: Callable[[int], None] | None = None,
    ):
        super().__init__(
            label=label,
            selectable=on_select is not None,
            columns=list(columns),
            page={},
            selection={},
        )
        self._on_open, self._on_select = on_open, on_select
        self._on_sort, self._on_turn = on_sort, on_turn
        self._handles: dict[Hashable, int] = {}
        self._keys: dict[int, Any] = {}
        self._last = 0  # the newest handle
        self._lock = threading.Lock()
        self._stamp = 0  # of the last selection by a person
        self.on_msg(lambda _, content, __: self.receive(content))

    def show(
        self,
        keys: Sequence[Any],
        rows: Sequence[Sequence[str | list[Any]]],
        *,
        columns: Sequence[dict[str, Any]] | None = None,
        selected: Sequence[Any] = (),
        opened: Any = None,
        marked: Sequence[Any] = (),
        order: str = "",
        empty: str = "",
    ) -> None:
        """Show these rows; nothing is sent if they are shown already.

        Args:
            keys: A key that identifies each row.
            rows: The cells of each row: a text, or a short text and what it says when pointed at;
                of a number also its share of the largest, which is drawn as a bar.
            columns: The columns that the cells are of. Default: as before.
            selected: The keys of the selected rows; keys that are not on the page are left out.
            opened: The key of the open row.
            marked: The keys of the rows that changed.
            order: The name of the column of the order, with ``-`` in front for descending.
            empty: The text that is shown without rows.
        """
        handles = self._give_handles(keys)
        page = {
            "rows": [list(row) for row in rows],
            "handles": [handles[key] for key in keys],
            "opened": handles.get(opened),
            "marked": [handles[key] for key in marked if key in handles],
            "order": order,
            "empty": empty,
        }
        selection = {
            "handles": [handles[key] for key in selected if key in handles],
            "stamp": self._stamp,
        }
        # In one message, or rows would be shown with the selection of others.
        with self.hold_sync():
            if columns is not None and self.columns != columns:
                self.columns = list(columns)
            if self.page != page:
                self.page = page
            if self.selection != selection:
                self.selection = selection

    def _give_handles(self, keys: Sequence[Any]) -> dict[Any, int]:
        """Return the handle of each key, and forget those of rows that were shown long ago."""
        found = {}
        with self._lock:
            for key in keys:
                handle = self._handles.pop(key, 0)
                if not handle:
                    handle = self._last = self._last + 1
                    self._keys[handle] = key
                found[key] = self._handles[key] = handle  # to the end: the newest
            while len(self._handles) > max(MAX_HANDLES, len(found)):
                oldest = next(iter(self._handles))
                del self._keys[self._handles.pop(oldest)]
        return found

    def lead(self, goal: str) -> None:
        """Put the focus somewhere in the view of this table, unless a person is elsewhere by now.

        Args:
            goal: ``row`` for the row that the keys mean, ``back`` for where the focus was before it
                was led to a dialog, or the name of a box, whose CSS class has ``gfnb-`` in front.
        """
        self.send({"lead": goal})

    def receive(self, message: dict[str, Any]) -> None:
        """Handle what a person did in the table.

        Args:
            message: The ``event`` (open, select, sort, turn) and its ``value``: a handle, a list of
                handles, the name of a column, or a step; of open and select also the ``stamp`` of
                the selection that it makes.
        """
        event, value = message.get("event"), message.get("value")
        if event in ("open", "select"):
            self._stamp = message.get("stamp") or self._stamp
        if event == "open" and isinstance(value, int) and value in self._keys:
            self._on_open(self._keys[value])
        elif event == "select" and self._on_select is not None and isinstance(value, list):
            self._on_select([self._keys[handle] for handle in value if handle in self._keys])
        elif event == "sort" and self._on_sort is not None and isinstance(value, str):
            self._on_sort(value)
        elif event == "turn" and self._on_turn is not None and isinstance(value, int):
            self._on_turn(value)
