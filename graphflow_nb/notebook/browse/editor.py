"""The fields in which the open session is changed, in a draft."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import ipywidgets as widgets
from msgspec import Raw

from ...cards import notice_html
from ...changes import KINDS, Path, json_value, value_at
from ...changes.masked import MaskedText, mask_text
from ...errors import ContextError, GraphflowError, PatchError
from ...model import MessageRole, exactjson
from ...storage.paths import DATA, resolve_path
from ..html import LiveHtml
from .paths import suggest_paths
from .stage import Stage
from .typed import parse_typed_path

__all__ = ["Editor"]

MAX_TEXT: Final = 200_000  # characters of a context that a text box takes
MAX_TASKS: Final = 500  # choices of a task


class Editor:
    """The fields of the draft; nothing is written by them.

    Args:
        stage: The state that the parts of the browser share.
        box: The box to fill.
    """

    def __init__(self, stage: Stage, box: widgets.VBox):
        self._stage = stage
        self.notice = LiveHtml()
        wide = {"width": "auto"}
        self.task = widgets.Combobox(
            description="Task",
            ensure_option=False,
            tooltip="The task that runs next; choose one, or type another",
        )
        self.status = widgets.Text(
            description="Status",
            placeholder="none (null)",
            tooltip="status_message: what the last task reported",
        )
        self.mode = widgets.ToggleButtons(
            options=["One value", "Context as JSON", "Chat message"],
            style={"button_width": "auto"},
        )
        self.path = widgets.Combobox(
            description="Path",
            ensure_option=False,
            placeholder="customer.tier",
            tooltip="Path in the context's data, keys joined by dots or written ('a.b', 'c'); "
            "the last key may be new",
        )
        self.kind = widgets.Dropdown(
            description="Type", options=KINDS, tooltip="The type of the new value"
        )
        self.value = widgets.Textarea(description="Value", rows=1, tooltip="The new value")
        self.set = widgets.Button(
            description="Set value", tooltip="Set it in the draft; nothing is stored yet"
        )
        self.remove = widgets.Button(
            description="Remove value", tooltip="Remove it from the draft; nothing is stored yet"
        )
        one = widgets.HBox([self.path, self.kind, self.value, self.set, self.remove])
        one.add_class("gfnb-bar")
        self.json = widgets.Textarea(
            rows=16, layout=wide, description="JSON", tooltip="The whole context as JSON"
        )
        self.json.add_class("gfnb-json")
        self.wrong = LiveHtml()
        self._wrong = ""
        self.role = widgets.Dropdown(
            description="Role",
            tooltip="The author of the message",
            options=[str(r) for r in MessageRole],
        )
        self.message = widgets.Textarea(description="Message", rows=2, layout=wide)
        self.add = widgets.Button(
            description="Add message", tooltip="Append it in the draft; nothing is stored yet"
        )
        chat = widgets.VBox([self.role, self.message, self.add])
        self._modes = {
            "One value": one,
            "Context as JSON": widgets.VBox([self.json, self.wrong]),
            "Chat message": chat,
        }
        top = widgets.HBox([self.task, self.status])
        top.add_class("gfnb-bar")
        top.add_class("gfnb-wide")
        self.box = box
        self.box.children = (top, self.mode, *self._modes.values(), self.notice)
        self._draft: Any = None
        self._previewed: Any = None
        self._masked: MaskedText | None = None  # the context as it was put there
        self._masked_value: MaskedText | None = None  # and the value at the path
        self._masked_status: MaskedText | None = None
        self._offered = ("", "")  # the kind and value that were last put there by the program
        stage.desk.typed.append(self._find_typed)
        self._wire()

    def _wire(self) -> None:
        def act(action: Callable[[], None], *, quiet: bool = False) -> None:
            self._stage.act(action, quiet=quiet, place=self.notice)

        def observe(control: Any, take: Callable[[str], None]) -> None:
            def change(change: Any) -> None:
                if not self._stage.rendering:
                    act(lambda: take(change["new"]), quiet=True)

            control.observe(change, "value")

        observe(self.task, lambda value: self._set_field("current_task_id", value))
        observe(self.status, self._set_status)
        observe(self.json, self._set_context)
        observe(self.path, self._show_value)
        observe(self.mode, lambda _: None)
        self.set.on_click(lambda _: act(self._set_value))
        self.remove.on_click(lambda _: act(self._remove_value))
        self.add.on_click(lambda _: act(self._add_message))

    # What the fields do to the draft

    def _set_field(self, field: str, value: str | None) -> None:
        self._stage.desk.edit().set(field, value)
        self._stage.desk.drop_preview()

    def _set_status(self, text: str) -> None:
        masked = self._masked_status
        if text and masked is not None:
            text = exactjson.decode(masked.restore(Raw(exactjson.encode(text))))
        self._set_field("status_message", text or None)

    def _set_context(self, text: str) -> None:
        self._stage.desk.drop_preview()
        try:
            self._stage.desk.edit().set_context_text(text, self._masked)
            self._show_wrong("")
        except ContextError as error:
            self._show_wrong(str(error))

    def _show_wrong(self, wrong: str) -> None:
        """Show what is wrong with the context's JSON; empty for nothing."""
        self._wrong, self.wrong.value = wrong, notice_html("error", wrong)

    def _parse_path(self) -> Path:
        if not self.path.value.strip():
            raise PatchError("type the path of a value first, e.g. customer.tier")
        return self._resolve_path(self.path.value)

    def _resolve_path(self, typed: str) -> Path:
        """Return the keys of a path in the draft, which may be one key with dots in it."""
        context = bytes(self._stage.desk.edit().context)
        return resolve_path(context, parse_typed_path(typed))

    def _show_value(self, path: str) -> None:
        """Show the value at a path."""
        try:
            keys = self._resolve_path(path)
            raw = value_at(self._stage.desk.edit().context, ("data", *keys))
        except GraphflowError:
            return
        form = exactjson.kind(raw)
        if len(bytes(raw)) > MAX_TEXT or self._is_typed():
            return  # what a person typed is never replaced
        kind = {"string": "text", "object": "JSON", "array": "JSON"}.get(form, form)
        masked = mask_text(
            raw, self._stage.desk.mask, (*DATA, *keys), self._stage.desk.edit().value()
        )
        self._offer(kind, masked.text, masked)

    def _offer(self, kind: str, value: str, masked: MaskedText | None = None) -> None:
        """Put a value into the fields, which a person may change; secrets in it are masked."""
        self.kind.value, self.value.value = kind, value
        self._offered = self.kind.value, self.value.value
        self._masked_value = masked

    def _read_value(self) -> Raw:
        """Return the value in the fields, with the stored secrets in place of their masks.

        Raises:
            PatchError: A mask was changed, copied or moved.
            ContextError: The text is not a value of its kind.
        """
        kind, text, masked = self.kind.value, self.value.value, self._masked_value
        path = (*DATA, *self._parse_path())
        if masked is not None and masked.path == path and (kind, text) == self._offered:
            return masked.original
        value = json_value(kind, text, secret=self._stage.desk.mask.covers(path))
        return (masked or mask_text(Raw(b"null"), self._stage.desk.mask, path)).restore(value, path)

    def _is_typed(self) -> bool:
        """Return whether a person typed a value that was not set yet."""
        return bool(self.value.value) and self.value.value != self._offered[1]

    def _set_value(self) -> None:
        self._check_json()
        self._stage.desk.edit().set_value(self._parse_path(), self._read_value())
        self._free_fields(f"{self.path.value} is set")

    def _remove_value(self) -> None:
        self._check_json()
        self._stage.desk.edit().remove_value(self._parse_path())
        self._free_fields(f"{self.path.value} is removed")

    def _add_message(self) -> None:
        self._check_json()
        if not self.message.value:
            raise PatchError("write the message first")
        self._stage.desk.edit().add_message(self.role.value, self.message.value)
        self._free_fields("the message is added")

    def _free_fields(self, done: str) -> None:
        """Empty the fields after what was typed is in the draft, and say so."""
        with self._stage.quietly():
            self._empty_fields()
        self._stage.desk.drop_preview()
        self._fill_context()
        self._stage.notify("info", f"{done} in the draft; Preview changes shows what will change")

    def _empty_fields(self) -> None:
        self.path.value = self.message.value = ""
        self._offer(self.kind.value, "")

    def _check_json(self) -> None:
        if self._wrong:
            raise ContextError(self._describe_wrong())

    def _describe_wrong(self) -> str:
        return f"{self._wrong}. Correct the context under JSON, or discard the changes"

    def _find_typed(self) -> str:
        """Return what was typed and is not in the draft yet, as an advice; empty if all is."""
        draft = self._stage.desk.draft
        if draft is None or draft is not self._draft:
            return ""  # these fields are of a draft that is gone
        if self._wrong:
            return self._describe_wrong()
        if self._is_value_waiting():
            typed = f"what was typed for {self.path.value}" if self.path.value else "the value"
            return f"{typed} is not in the draft yet: press Set value, or clear Path and Value"
        if self.message.value:
            return "the chat message is not in the draft yet: press Add message, or clear it"
        return ""

    def _is_value_waiting(self) -> bool:
        """Return whether a value was typed and neither set nor removed."""
        if not self.path.value.strip():
            return self._is_typed()
        try:
            known = value_at(self._stage.desk.edit().context, ("data", *self._parse_path()))
        except GraphflowError:
            return bool(self.value.value)
        try:
            return not exactjson.same(known, self._read_value())
        except (ContextError, PatchError):
            return True

    # Showing

    def render(self, *, visible: bool) -> None:
        """Show the draft.

        Args:
            visible: Whether the editor is the part that is shown.
        """
        desk = self._stage.desk
        shown = visible and desk.draft is not None and not desk.in_conflict
        if not shown:
            self.box.layout.display = "none"
        if desk.draft is None:
            if self._draft is not None:  # a saved notebook would keep what was typed
                self._draft = self._previewed = None
                self._empty_fields()
                self.json.value = ""
            return
        if desk.draft is not self._draft:
            self._draft = desk.draft
            self._fill()
        elif desk.preview is not None and desk.preview is not self._previewed:
            self._fill_context()  # a secret that was typed is masked, too
        self._previewed = desk.preview
        for name, box in self._modes.items():
            box.layout.display = "" if name == self.mode.value else "none"
        if shown:  # at last: what is typed into a field before it is filled would join the rest
            self.box.layout.display = ""

    def _fill(self) -> None:
        draft = self._draft
        tasks = [name for name, _ in self._stage.listing.counts.tasks(draft.get("graph_id"))]
        self.task.options = tasks[:MAX_TASKS]
        self.task.value = draft.get("current_task_id")
        status = Raw(exactjson.encode(draft.get("status_message") or ""))
        self._masked_status = mask_text(status, self._stage.desk.mask, ("status_message",))
        self.status.value = self._masked_status.text
        self._empty_fields()
        self._fill_context()

    def _fill_context(self) -> None:
        draft = self._draft
        self._masked, text = None, draft.context_text
        self.json.disabled = len(text) > MAX_TEXT
        self._show_wrong("")
        if self.json.disabled:
            self.json.value = ""
            self.json.placeholder = (
                f"{len(text):,} characters are too many for a text box: change single values"
            )
        else:
            self._masked = mask_text(draft.context, self._stage.desk.mask, ("context",))
            self.json.value = self._masked.text
        self.path.options = suggest_paths(draft.context)
