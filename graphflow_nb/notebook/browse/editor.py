"""The open session, to be changed: draft, preview, save, conflict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import ipywidgets as widgets
from markupsafe import Markup

from ...cards import notice_html, patch_html, plain_box, session_html
from ...changes import KINDS, Choice, Patch, Path, json_value, value_at
from ...errors import ContextError, GraphflowError, JournalError, PatchError
from ...model import MessageRole, exactjson
from ...storage.paths import resolve_path
from ..html import Html
from .paths import suggest_paths
from .render import clash_html, merge_html
from .runs import render_origin
from .stage import Place, Stage
from .typed import parse_typed_path

__all__ = ["Editor"]

MAX_TEXT: Final = 200_000  # characters of a context that a text box takes
MAX_TASKS: Final = 500  # choices of a task


class Editor:
    """The fields of the draft; nothing is written but by the Save button, after a preview.

    Args:
        stage: The state that the parts of the browser share.
        above: The place of notices above the open session, where the editor is no longer open.
    """

    def __init__(self, stage: Stage, above: Place):
        self._stage = stage
        self._above = above
        self.notice, self._save_notice = Html(), Html()
        wide = {"width": "auto"}
        self.task = widgets.Combobox(
            description="Task",
            ensure_option=False,
            tooltip="The task at which it goes on; choose one, or type another",
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
        self.wrong = Html()
        self._wrong = ""
        self.role = widgets.Dropdown(
            description="Role", tooltip="Who says it", options=[str(r) for r in MessageRole]
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
        self.preview = widgets.Button(
            description="Preview changes",
            tooltip="Show what saving would change; nothing is stored yet",
            icon="search",
            button_style="info",
        )
        self.discard = widgets.Button(
            description="Discard changes", tooltip="Drop the draft", icon="undo"
        )
        self.preview_text = Html()
        self.preview_text.add_class("gfnb-text")
        self.save = widgets.Button(
            description="Save",
            tooltip="Save what was previewed",
            icon="check",
            button_style="success",
            layout={"width": "auto", "align_self": "flex-start"},
        )
        self.anyway = widgets.Button(
            description="Save without undo",
            tooltip="Save what was previewed though nothing can bring back what it replaces",
            icon="check",
            button_style="danger",
            layout={"width": "auto"},
        )
        self._unnoted: Any = None  # the preview that the journal could not note
        buttons = widgets.HBox([self.save, self.anyway])
        self._confirm = widgets.VBox([self.preview_text, buttons])
        self.conflict = widgets.VBox()
        self.conflict.add_class("gfnb-conflict")
        top = widgets.HBox([self.task, self.status])
        top.add_class("gfnb-bar")
        top.add_class("gfnb-wide")
        buttons = widgets.HBox([self.preview, self.discard])
        self._fields = widgets.VBox([top, self.mode, *self._modes.values(), self.notice, buttons])
        self.box = widgets.VBox([self._fields, self.conflict, self._confirm, self._save_notice])
        self._draft: Any = None
        self._merge: Any = None
        self._choices: list[tuple[Path, widgets.RadioButtons]] = []
        self._offered = ("", "")  # the kind and value that were last put there by the program
        stage.desk.find_typed = self._find_typed
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
        observe(self.status, lambda value: self._set_field("status_message", value or None))
        observe(self.json, self._set_context)
        observe(self.path, self._show_value)
        observe(self.mode, lambda _: None)
        self.set.on_click(lambda _: act(self._set_value))
        self.remove.on_click(lambda _: act(self._remove_value))
        self.add.on_click(lambda _: act(self._add_message))
        self.preview.on_click(lambda _: act(self._preview_changes))
        self.discard.on_click(lambda _: act(self._stage.desk.discard))
        self.save.on_click(lambda _: self._act_below(self._save))
        self.anyway.on_click(lambda _: self._act_below(lambda: self._save(undo=False)))

    def _act_below(self, action: Callable[[], None]) -> None:
        """Do what a button under the fields says; notices are under that button."""
        self._stage.act(action, place=self._save_notice)

    # What the fields do to the draft

    def _set_field(self, field: str, value: str | None) -> None:
        self._stage.desk.edit().set(field, value)
        self._stage.desk.drop_preview()

    def _set_context(self, text: str) -> None:
        self._stage.desk.drop_preview()
        try:
            self._stage.desk.edit().set_context_text(text)
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
        text = bytes(raw).decode()
        if len(text) > MAX_TEXT or self._is_typed():
            return  # what a person typed is never replaced
        kind = {"string": "text", "object": "JSON", "array": "JSON"}.get(form, form)
        self._offer(kind, exactjson.decode(raw) if form == "string" else exactjson.pretty(text))

    def _offer(self, kind: str, value: str) -> None:
        """Put a value into the fields, which a person may change."""
        self.kind.value, self.value.value = kind, value
        self._offered = self.kind.value, self.value.value

    def _is_typed(self) -> bool:
        """Return whether a person typed a value that was not set yet."""
        return bool(self.value.value) and self.value.value != self._offered[1]

    def _set_value(self) -> None:
        self._check_json()
        value = json_value(self.kind.value, self.value.value)
        self._stage.desk.edit().set_value(self._parse_path(), value)
        self._free_fields(f"{self.path.value!r} is set")

    def _remove_value(self) -> None:
        self._check_json()
        self._stage.desk.edit().remove_value(self._parse_path())
        self._free_fields(f"{self.path.value!r} is removed")

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

    def _check_typed(self) -> None:
        typed = self._find_typed()
        if typed:
            raise PatchError(typed)

    def _preview_changes(self) -> None:
        self._check_json()
        self._check_typed()
        self._stage.desk.preview_changes()

    def _find_typed(self) -> str:
        """Return what was typed and is not in the draft yet, as an advice; empty if all is."""
        if self._stage.desk.draft is not self._draft:
            return ""  # these fields are of a draft that is gone
        if self._wrong:
            return self._describe_wrong()
        if self._is_value_waiting():
            typed = f"what was typed for {self.path.value!r}" if self.path.value else "the value"
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
            return not exactjson.same(known, json_value(self.kind.value, self.value.value))
        except ContextError:
            return True

    def _save(self, *, undo: bool = True) -> None:
        desk = self._stage.desk
        self._check_typed()
        if desk.draft is None:
            raise PatchError("there is nothing to save: the changes were saved or dropped already")
        id, new = desk.draft.base.id, desk.new
        try:
            desk.save(undo=undo)
        except JournalError:
            self._unnoted = desk.preview
            raise
        if desk.conflict is not None or desk.deleted_meanwhile:
            return
        self._stage.listing.load()
        done, later = "Created" if new else "Saved", "; Undo… can undo it" if undo else ""
        self._stage.notify("good", f"{done} {id!r}{later}", place=self._above)
        self._stage.count_later(again=True)

    # Showing

    def render(self, *, visible: bool) -> None:
        """Show the draft.

        Args:
            visible: Whether the editor is the part that is shown.
        """
        desk = self._stage.desk
        self.box.layout.display = "" if visible and desk.draft is not None else "none"
        if desk.draft is None:
            self._draft = None
            return
        if desk.draft is not self._draft:
            self._draft = desk.draft
            self._fill()
        for name, box in self._modes.items():
            box.layout.display = "" if name == self.mode.value else "none"
        self._render_conflict()
        open_conflict = desk.conflict is not None or desk.deleted_meanwhile
        self._fields.layout.display = "none" if open_conflict else ""
        self._confirm.layout.display = "none" if desk.preview is None else ""
        if desk.preview is not None:
            self.anyway.layout.display = "" if desk.preview is self._unnoted else "none"
            changes = len(desk.preview)
            words = "Create this session" if desk.new else f"Save {_count_changes(changes)}"
            self.save.description = words
            self.save.tooltip = f"{words}, unless someone else saved the session meanwhile"
            html = self._render_new() if desk.new else _render_changes(desk.preview)
            if desk.respelled:
                html = notice_html("warning", desk.respelled) + html
            self.preview_text.value = html

    def _render_new(self) -> Markup:
        fork = self._stage.desk.fork
        origin = Markup("") if fork is None else render_origin(fork)
        shown = Markup("<b>This will be stored</b>%s") % session_html(self._draft.session())
        return origin + shown

    def _fill(self) -> None:
        draft = self._draft
        tasks = [name for name, _ in self._stage.listing.tasks(draft.get("graph_id"))]
        self.task.options = tasks[:MAX_TASKS]
        self.task.value = draft.get("current_task_id")
        self.status.value = draft.get("status_message") or ""
        self._empty_fields()
        self._fill_context()

    def _fill_context(self) -> None:
        draft = self._draft
        text = draft.context_text
        self.json.disabled = len(text) > MAX_TEXT
        self._show_wrong("")
        if self.json.disabled:
            self.json.value = ""
            self.json.placeholder = (
                f"{len(text):,} characters are too many for a text box: change single values"
            )
        else:
            self.json.value = text
        self.path.options = suggest_paths(draft.context)

    def _render_conflict(self) -> None:
        desk = self._stage.desk
        merge = desk.conflict
        shown = "deleted" if desk.deleted_meanwhile else merge
        if shown is self._merge:
            return
        self._merge = shown
        self._choices = []
        if shown is None:
            self.conflict.children = ()
            return
        drop = widgets.Button(
            description="Drop my changes", tooltip="Keep what is stored", icon="undo"
        )
        drop.on_click(lambda _: self._act_below(self._drop))
        if merge is None:
            text = notice_html(
                "warning", "Someone deleted this session meanwhile. Nothing was written."
            )
            keep = widgets.Button(description="Save it as a new session", layout={"width": "auto"})
            keep.on_click(lambda _: self._act_below(self._keep))
            self.conflict.children = (Html(text), widgets.HBox([keep, drop]))
            return
        clashes = len(merge.clashes)
        both = "One field was" if clashes == 1 else f"{clashes:,} fields were"
        say = "Someone saved this session meanwhile. Nothing was written. " + (
            f"{both} changed by both: choose." if clashes else "Your changes do not touch theirs."
        )
        children: list[Any] = [Html(notice_html("warning", say) + plain_box(merge_html(merge)))]
        for clash in merge.clashes:
            choice = widgets.RadioButtons(
                options=[("keep what is stored now", "stored"), ("take mine", "mine")],
                value=None,
                layout={"width": "auto"},
            )
            self._choices.append((clash.path, choice))
            children += [Html(plain_box(clash_html(clash))), choice]
        use = widgets.Button(
            description="Preview the merged session",
            button_style="info",
            icon="search",
            layout={"width": "auto"},
        )
        use.on_click(lambda _: self._act_below(self._resolve))
        self.conflict.children = (*children, widgets.HBox([use, drop]))

    def _resolve(self) -> None:
        desk = self._stage.desk
        chosen = {path: control.value for path, control in self._choices}
        if None in chosen.values():
            raise PatchError("choose a value for each field that was changed by both")
        desk.resolve(cast(dict[Path, Choice], chosen))
        if desk.draft is None:
            self._stage.notify("info", "What you wanted is stored already", place=self._above)

    def _drop(self) -> None:
        desk = self._stage.desk
        id = desk.session.id if desk.session is not None else None
        deleted = desk.deleted_meanwhile
        desk.discard()
        if id is not None:
            if deleted:
                desk.close()
            else:
                desk.open(id)

    def _keep(self) -> None:
        self._stage.desk.keep_deleted()
        self._stage.desk.preview_changes()


def _render_changes(changes: Patch) -> Markup:
    return plain_box(Markup("<b>This will change</b>%s") % patch_html(changes))


def _count_changes(count: int) -> str:
    return "1 change" if count == 1 else f"{count:,} changes"
