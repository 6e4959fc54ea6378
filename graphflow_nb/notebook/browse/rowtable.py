"""A table of text rows to move in and select from, with the keyboard too.

It is the one widget of our own: the well-kept tables sort and page what was sent to the browser,
while here only one page is sent and the store does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any, Final

import anywidget
import traitlets

from ...cards import CARD_CSS

__all__ = ["RowTable"]

_FOLDER: Final = files(__package__)


class RowTable(anywidget.AnyWidget):
    """Rows of text; nothing in them is ever taken for markup.

    Args:
        label: The name of the table for screen readers.
        columns: Of each column its ``name``, its ``label``, and whether it is a ``number`` and
            ``sortable``.
        on_open: Called with the number of a row that is opened.
        on_select: Called with the numbers of the rows that are selected.
        on_sort: Called with the name of a column.
        on_turn: Called with 1 or -1 when a page is turned by the keyboard.

    Attributes:
        page: The cells, marks and order, and a number that identifies the page; all in one message.
        selection: The numbers of the selected rows, the number of the page, and the stamp of the
            message that it answers.
    """

    _esm = _FOLDER.joinpath("rowtable.js").read_text()
    _css = CARD_CSS + _FOLDER.joinpath("browse.css").read_text()

    label = traitlets.Unicode().tag(sync=True)
    columns: Any = traitlets.List().tag(sync=True)
    page = traitlets.Dict().tag(sync=True)
    selection = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        label: str,
        columns: Sequence[dict[str, Any]],
        on_open: Callable[[int], None],
        on_select: Callable[[list[int]], None] | None = None,
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
        self._stamp = 0  # of the last selection by a person
        self.on_msg(lambda _, content, __: self.receive(content))

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
            keys: A key that identifies each row.
            rows: The cells of each row: a text, or a short text and what it says when pointed at.
            selected: The numbers of the selected rows.
            opened: The number of the open row.
            marked: The numbers of the rows that changed.
            order: The name of the column of the order, with ``-`` in front for descending.
            empty: The text that is shown without rows.
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
        selection = {"rows": list(selected), "number": number, "stamp": self._stamp}
        if self.selection != selection:
            self.selection = selection

    def receive(self, message: dict[str, Any]) -> None:
        """Handle what a person did in the table.

        Args:
            message: The ``event`` (open, select, sort, turn), its ``value``, the ``number`` of the
                page on which it happened, and of a selection its ``stamp``.
        """
        self._stamp = message.get("stamp") or self._stamp
        handler = self._handlers.get(message.get("event", ""))
        # A click on a page that is gone is not a click on the rows that are there now.
        if handler is not None and message.get("number") == self.page.get("number"):
            handler(message.get("value"))
