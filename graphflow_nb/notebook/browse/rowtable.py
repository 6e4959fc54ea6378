"""A table of text rows that one can move in and select from, with the keyboard too.

The one widget of our own: the tables that are well kept sort and page what was sent to the browser,
while here a page is all that is sent and the store does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any

import anywidget
import traitlets

from ...cards import CARD_CSS

__all__ = ["RowTable"]

_HERE = files(__package__)


class RowTable(anywidget.AnyWidget):
    """Rows of text; nothing in them is ever taken for markup.

    Args:
        label: its name for screen readers.
        columns: of each its ``name``, ``label``, and whether it is a ``number`` and ``sortable``.
        on_open: called with the number of a row that is opened.
        on_sort: called with the name of a column.
        on_turn: called with 1 or -1 when a page is turned by the keyboard.
    """

    _esm = _HERE.joinpath("rowtable.js").read_text()
    _css = CARD_CSS + _HERE.joinpath("browse.css").read_text()

    label = traitlets.Unicode().tag(sync=True)
    columns: Any = traitlets.List().tag(sync=True)
    #: cells, marks, order and a number that tells one page from the next, in one message
    page = traitlets.Dict().tag(sync=True)
    #: numbers of the selected rows, with that of the page and of the message it answers
    selection = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        label: str,
        columns: Sequence[dict[str, Any]],
        on_open: Callable[[int], None],
        on_select: Callable[[list[int]], None],
        on_sort: Callable[[str], None] | None = None,
        on_turn: Callable[[int], None] | None = None,
    ):
        super().__init__(label=label, columns=list(columns), page={}, selection={})
        self._handlers: dict[str, Callable[[Any], None] | None] = {
            "open": on_open,
            "select": on_select,
            "sort": on_sort,
            "turn": on_turn,
        }
        self._keys: list[Any] = []
        self._said = 0
        self.on_msg(self._heard)

    def show(
        self,
        keys: Sequence[Any],
        rows: Sequence[Sequence[str | list[str]]],
        *,
        selected: Sequence[int] = (),
        opened: int | None = None,
        marked: Sequence[int] = (),
        order: str = "",
        empty: str = "",
    ) -> None:
        """Show these rows; nothing is sent if they are shown already.

        Args:
            keys: what tells one row from another.
            rows: their cells, each a text, or a short text and what it says when pointed at.
            selected, opened, marked: numbers of rows.
            order: a column's name, with ``-`` in front descending.
            empty: what to say if there is no row.
        """
        page = {
            "rows": [list(row) for row in rows],
            "opened": opened,
            "marked": list(marked),
            "order": order,
            "empty": empty,
        }
        number = self.page.get("number", 0)
        if list(keys) != self._keys:
            self._keys = list(keys)
            number += 1
        page["number"] = number
        if self.page != page:
            self.page = page
        selection = {"rows": list(selected), "number": number, "said": self._said}
        if self.selection != selection:
            self.selection = selection

    def _heard(self, _: Any, content: Any, buffers: Any) -> None:
        self._said = content.get("said") or self._said
        handler = self._handlers.get(content.get("event"))
        # What was clicked on a page that is gone means none of the rows that are there now.
        if handler is not None and content.get("number") == self.page.get("number"):
            handler(content.get("value"))
