"""Named views: filters, order and columns that are kept while the workbench is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

import ipywidgets as widgets

from ... import cards
from ...client import Client
from ...errors import QueryError
from ...model.masks import Mask
from ...storage.paths import ContextPath
from ...storage.query import DEFAULT_ORDER
from ..html import Html, LiveHtml
from .chosen import WINDOWS
from .stage import Stage
from .typed import write_call

__all__ = ["SavedView", "ViewBar", "views_of"]

MAX_VIEWS: Final = 100
MAX_NAME: Final = 80  # characters
_kept: WeakKeyDictionary[Client, dict[str, SavedView]] = WeakKeyDictionary()


class SavedView(NamedTuple):
    """What a list shows.

    Attributes:
        filters: The filters by name.
        window: The time of the last save, one of ``WINDOWS``.
        order: The order.
        context: The context paths that are columns.
    """

    filters: Mapping[str, Any]
    window: str
    order: str
    context: Sequence[ContextPath]

    def call(self, mask: Mask) -> str:
        """Return the call of ``browse`` that shows it, for ``Listing.name_call``.

        Args:
            mask: What is hidden of the values that are looked for.
        """
        arguments = dict(self.filters)
        if seconds := WINDOWS[self.window]:
            name = "updated_since" if seconds > 0 else "updated_until"
            arguments[name] = f"{abs(seconds) // 60} minutes"
        if self.context:
            arguments["context"] = list(self.context)
        if self.order != DEFAULT_ORDER:
            arguments["order"] = self.order
        return write_call("browse", arguments, mask)


def views_of(client: Client) -> dict[str, SavedView]:
    """Return the named views of a workbench; they are kept as long as it is."""
    return _kept.setdefault(client, {})


class ViewBar:
    """The controls that name what the list shows, and show what was named.

    Args:
        stage: The state that the parts of the browser share.
        client: The client whose views they are.

    Attributes:
        open: The button that shows the controls, and hides them.
    """

    def __init__(self, stage: Stage, client: Client):
        self._stage = stage
        self._views = views_of(client)
        self.open = widgets.ToggleButton(
            description="Views…",
            icon="bookmark",
            tooltip="Name these filters, this order and these columns, or show named ones",
            layout={"width": "auto"},
        )
        self.open.observe(self._turn, "value")
        self.name = widgets.Combobox(
            description="View",
            placeholder="a name",
            tooltip="The name of a view; views are kept while the workbench is there",
        )
        self.notice = LiveHtml()
        self.code = Html()
        buttons = [
            self._button(
                "Keep view", "save", "Keep what the list shows under this name", self._keep
            ),
            self._button("Show view", "eye", "Show what was kept under this name", self._show),
            self._button("Forget view", "trash", "Forget this name", self._forget),
        ]
        bar = widgets.HBox([self.name, *buttons])
        bar.add_class("gfnb-bar")
        self.box = widgets.VBox([bar, self.code, self.notice], layout={"display": "none"})
        self.box.add_class("gfnb-drawer")

    def _button(self, label: str, icon: str, tip: str, action: Any) -> widgets.Button:
        button = widgets.Button(description=label, icon=icon, tooltip=tip, layout={"width": "auto"})
        button.on_click(lambda _: self._stage.act(action, place=self.notice))
        return button

    def _turn(self, change: Any) -> None:
        self.box.layout.display = "" if change["new"] else "none"
        self._stage.act(lambda: None, quiet=True, place=self.notice)

    def _current(self) -> SavedView:
        listing = self._stage.listing
        return SavedView(dict(listing.filters), listing.window, listing.order, listing.context)

    def call(self) -> str:
        """Return the line of Python that makes what the list shows."""
        return self._stage.listing.name_call(self._current().call(self._stage.listing.mask))

    def _keep(self) -> None:
        name = str(self.name.value).strip()
        if not name or len(name) > MAX_NAME:
            raise QueryError(f"a view needs a name of 1 to {MAX_NAME} characters")
        if name not in self._views and len(self._views) >= MAX_VIEWS:
            raise QueryError(f"there are {MAX_VIEWS} views already: forget one first")
        self._views[name] = self._current()
        self._stage.notify("good", f"Kept {name!r} while this workbench is there")

    def _show(self) -> None:
        view = self._views[self._named()]
        self._stage.listing.show(view.filters, view.window, view.order, view.context)
        self._stage.count_later()

    def _forget(self) -> None:
        name = self._named()
        del self._views[name]
        self.name.value = ""
        self._stage.notify("good", f"Forgot {name!r}")

    def _named(self) -> str:
        name = str(self.name.value).strip()
        if name not in self._views:
            known = ", ".join(map(repr, sorted(self._views))) or "none yet"
            raise QueryError(f"there is no view {name!r}; views: {known}")
        return name

    def render(self) -> None:
        """Show the names, and the line of Python that makes what the list shows."""
        names = tuple(sorted(self._views))
        if self.name.options != names:
            self.name.options = names
        self.code.value = cards.code_html(self.call())
