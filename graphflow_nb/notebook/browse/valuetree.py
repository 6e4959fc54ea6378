"""A tree of values, or a list of messages, to read and to change in place, by keyboard too."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any, Final, Literal, NamedTuple

import traitlets
from msgspec import Raw

from ...cards import CARD_CSS, MAX_TEXT, moment_text
from ...cards.lines import Line, count_items
from ...changes import KINDS, Path, json_value, pointer
from ...changes.masked import MaskedText, mask_text
from ...changes.patch import parse_pointer
from ...errors import GraphflowError, PatchError
from ...model import OddMessage, exactjson
from ...model.masks import DEFAULT_MASK, Mask, contains_mask
from ..module import ModuleWidget, read_module

__all__ = ["Asked", "ValueTree", "mark_of"]

_FOLDER: Final = files(__package__)
#: Characters of a value that can be changed in place; a text box takes no more.
MAX_EDIT: Final = 200_000
#: Lines up to which all branches of a tree are open at first.
MAX_OPEN: Final = 150
_KEY: Final = os.urandom(16)
_FORMS: Final = {"string": "text", "object": "JSON", "array": "JSON"}


class Asked(NamedTuple):
    """A change that a person asked for in the tree.

    Attributes:
        of: What the tree showed then, e.g. the id of the session.
        path: The keys and indexes of the value from the session down.
        value: The JSON text of the new value.
        mark: What identifies the value that was shown; see ``mark_of``.
    """

    of: str
    path: Path
    value: Raw
    mark: str


def mark_of(raw: Raw) -> str:
    """Return what identifies a value, for a comparison with the one that was shown.

    With a key of this process, since it is kept in saved notebooks: no secret can be found by it.
    """
    return hashlib.blake2b(bytes(raw), digest_size=8, key=_KEY).hexdigest()


class ValueTree(ModuleWidget):
    """Values and messages as lines; nothing in them is ever taken for markup.

    A click on a value, Enter or F2 opens it in place; Enter keeps what was typed and Escape leaves
    it. Numbers travel as texts, so that no digit is lost in the front end.

    Args:
        on_set: Called with a change that a person asks for; an error that it raises is shown beside
            the value.
        read: Called with the path of a value that was cut, or is edited as JSON; returns its text.
        on_typing: Called when what a person types begins to differ from the value, and when not.

    Attributes:
        page: The lines, and what they are of; all in one message.
        answer: The answer to the last question of the front end.
        typing: The path of the value that is being typed, as a person types it; empty for none.
    """

    _esm = read_module(_FOLDER, "valuetree.js")
    _css = CARD_CSS + _FOLDER.joinpath("valuetree.css").read_text()

    page = traitlets.Dict().tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        on_set: Callable[[Asked], None],
        read: Callable[[Path], Raw],
        on_typing: Callable[[], None],
    ):
        super().__init__(page={}, answer={})
        self._on_set, self._read, self._on_typing = on_set, read, on_typing
        self._mask = DEFAULT_MASK
        self._masked: MaskedText | None = None  # what was given to be edited, with masks in it
        self._paths: dict[str, Path] = {}  # of lines whose keys are secrets
        self.typing = ""
        self.on_msg(lambda _, content, __: self.receive(content))

    def show(
        self,
        lines: Sequence[Line],
        *,
        of: str,
        label: Literal["Context", "Chat"],
        editable: bool,
        before: Callable[[Path], Raw | None] | None = None,
        hide: Callable[[Raw, Path], Raw] = DEFAULT_MASK.hide,
        mask: Mask = DEFAULT_MASK,
        turn: int = 0,
        empty: str = "",
    ) -> None:
        """Show these lines; nothing is sent if they are shown already.

        Args:
            lines: The lines.
            of: What they are of, e.g. the id of a session.
            label: The name of the tree for screen readers.
            editable: Whether values can be changed in place.
            before: Returns the value at a path before the changes of the draft, None if it was not
                there. Default: there is no draft.
            hide: Returns what is shown of the value at a path before the changes of the draft.
            mask: What is hidden of values; those that the lines hide are shown on demand only.
            turn: A number; where it differs from the one before, a value that is open is left.
            empty: The text that is shown without lines.
        """
        opened = len(lines) <= MAX_OPEN
        self._mask = mask
        # A key that is a secret is not sent: a number stands for its path.
        self._paths = {
            f"/{number}": line.path for number, line in enumerate(lines) if line.shown_path
        }
        keys = {path: key for key, path in self._paths.items()}
        page = {
            "of": of,
            "label": label,
            "turn": turn,
            "editable": editable,
            "kinds": list(KINDS),
            "lines": [
                _describe(line, before(line.path) if before else line.raw, hide, opened=opened)
                | ({"key": keys[line.path]} if line.shown_path else {})
                for line in lines
            ],
            "empty": empty,
        }
        if page != self.page:
            self.page = page

    def receive(self, message: dict[str, Any]) -> None:
        """Handle what a person did in the tree.

        Args:
            message: The ``event``: ``set`` (``of``, ``key``, ``kind``, ``text``, ``mark``),
                ``read`` or ``reveal`` (``key``), ``typing`` or ``left`` (``place``). Questions have
                a ``stamp``, which comes back in the answer.
        """
        event = message.get("event")
        if event in ("typing", "left"):
            self.typing = str(message.get("place", "")) if event == "typing" else ""
            self._on_typing()
            return
        answer = {"stamp": message.get("stamp"), "error": "", "mark": "", "text": ""}
        try:
            path = self._find_path(message)
            if event == "set":
                self._set(path, message)
            raw = self._read(path)
            answer["mark"] = mark_of(raw)
            if event == "read":
                answer["text"] = self._edit_text(path, raw)
            elif event == "reveal":
                # A message, and not a value of the widget, which a notebook would save.
                self.send({"revealed": message.get("key"), "text": _show_whole(raw)})
                return
        except GraphflowError as error:
            answer["error"] = str(error)
            answer["mark"] = self._current_mark(message)
        self.answer = answer

    def _find_path(self, message: dict[str, Any]) -> Path:
        known = self._paths.get(str(message.get("key")))
        return parse_pointer(message.get("key")) if known is None else known

    def _set(self, path: Path, message: dict[str, Any]) -> None:
        kind, text = message.get("kind"), message.get("text")
        if kind not in KINDS or not isinstance(text, str):
            raise PatchError("this is not a value that can be set")
        value = json_value(kind, text, secret=self._mask.covers(path))
        masked = self._masked
        if masked is not None and masked.path == path:
            value = masked.restore(value)
        elif contains_mask(value) and not contains_mask(self._read(path)):
            raise PatchError("this is what is shown instead of the secret: type all of the new one")
        typing, self.typing = self.typing, ""  # it is what is put into the draft now
        try:
            self._on_set(Asked(str(message.get("of")), path, value, str(message.get("mark"))))
        except GraphflowError:
            self.typing = typing
            raise

    def _edit_text(self, path: Path, raw: Raw) -> str:
        """Return a value as it is edited, with masks in place of secrets."""
        if len(bytes(raw)) > MAX_EDIT:
            raise PatchError(
                f"{len(bytes(raw)):,} bytes are too many to be changed in place: change single "
                "values in it, or the session from a cell"
            )
        self._masked = mask_text(raw, self._mask, path, self._read(()))
        return self._masked.text

    def _current_mark(self, message: dict[str, Any]) -> str:
        """Return what identifies the value as it is now, so that Enter again replaces that."""
        try:
            return mark_of(self._read(self._find_path(message)))
        except GraphflowError:
            return ""


def _describe(
    line: Line, before: Raw | None, hide: Callable[[Raw, Path], Raw], *, opened: bool
) -> dict[str, Any]:
    """Return a line as the front end shows it."""
    form = exactjson.kind(line.raw)
    text = bytes(line.raw).decode(errors="replace")
    shown: dict[str, Any] = {
        "key": pointer(line.path),
        "name": line.name,
        "level": line.level,
        "place": line.place,
        "kind": _FORMS.get(form, form),
    }
    if line.more:
        return shown | {"more": f"… {line.more:,} more below {line.place}: see Below"}
    if line.message is not None:
        shown |= _describe_message(line)
    changed = before is None or not exactjson.same(before, line.raw)
    if line.items:
        shown |= {"count": count_items(line), "open": opened, "mark": mark_of(line.raw)}
        return shown
    shown |= {"raw": text[:MAX_TEXT], "mark": mark_of(line.raw)}
    if line.hidden:
        shown |= {"raw": line.hidden, "secret": True}
    elif len(text) > MAX_TEXT:
        shown["cut"] = f"… {len(text):,} characters in all"
    if changed:
        shown["was"] = "new" if before is None else f"was {_shorten(hide(before, line.path))}"
    return shown


def _describe_message(line: Line) -> dict[str, Any]:
    message = line.message
    if isinstance(message, OddMessage):
        return {"head": f"an odd message, as it is stored: {message.problem}", "fixed": True}
    assert message is not None
    role = message.role.value
    head = f"{role}, {moment_text(message.timestamp)}"
    return {"head": head, "role": role, "place": f"message {line.name}"}


def _shorten(raw: Raw) -> str:
    text = bytes(raw).decode(errors="replace")
    return text if len(text) <= 60 else f"{text[:60]}…"


def _show_whole(raw: Raw) -> str:
    """Return a secret as a person reads it: a text as it is, the rest as JSON."""
    if exactjson.kind(raw) == "string":
        return str(exactjson.decode(raw))[:MAX_EDIT]
    return exactjson.pretty(raw)[:MAX_EDIT]
