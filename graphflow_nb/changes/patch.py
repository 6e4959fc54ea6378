"""Change and Patch: a JSON Patch (RFC 6902) whose values keep every digit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self, TypeAlias, overload

from msgspec import Raw

from ..errors import ContextError, PatchError
from ..model import exactjson
from ..model.exactjson import pointer
from ..model.masks import DEFAULT_MASK, SHOWN, Mask, mask_in_use
from ..printable import printable
from ..secret_texts import scrub

__all__ = ["SECRET", "Change", "Patch", "Path", "parse_pointer", "pointer", "python", "shorten"]

#: Keys and indexes from the session down.
Path: TypeAlias = tuple[str, ...]
_OPS: Final = {"add", "remove", "replace", "move", "copy", "test"}


@dataclass(frozen=True, slots=True)
class Change:
    """One step of a patch.

    Example:
        >>> from graphflow_nb import Session, diff
        >>> (change,) = diff(Session("a", "intake"), Session("a", "payout"))
        >>> change.op, change.path, str(change)
        ('replace', ('current_task_id',), 'replace /current_task_id: "intake" → "payout"')

    Attributes:
        op: ``add``, ``remove`` or ``replace``; in a patch from elsewhere also ``move``, ``copy``
            and ``test``.
        path: The keys and indexes from the session down, e.g. ``("context", "data", "amount")``.
        value: The JSON text of the new value; None for ``remove``, ``move`` and ``copy``.
        before: The JSON text of the previous value, where a comparison made the change.
        source: The path that ``move`` and ``copy`` take the value from.
        inside: Where a comparison made a change of an element: the list it is in, by its path and
            its JSON text before the first change. An index names an element of that list only.
    """

    op: str
    path: Path
    value: Raw | None = None
    before: Raw | None = None
    source: Path | None = None
    inside: tuple[Path, Raw] | None = field(default=None, compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the step in RFC 6902's form, its value as a Python object."""
        step: dict[str, Any] = {"op": self.op, "path": pointer(self.path)}
        if self.source is not None:
            step["from"] = pointer(self.source)
        if self.value is not None:
            step["value"] = exactjson.decode(self.value)
        return step

    def __str__(self) -> str:
        return self.describe(mask_in_use())

    def __repr__(self) -> str:
        return f"<Change: {self}>"

    def describe(self, mask: Mask) -> str:
        """Return the step in one line, for people.

        Args:
            mask: What is hidden of the values.
        """
        text = f"{self.op} {printable(pointer(mask.hide_path(self.path)))}"
        if self.source is not None:
            return f"{text} from {printable(pointer(mask.hide_path(self.source)))}"
        shown = (mask.hide_or_none(raw, self.path) for raw in (self.before, self.value))
        old, new = (printable(shorten(raw)) for raw in shown)
        if self.op == "replace" and self.before is not None:
            return f"{text}: {old} → {new}"
        return f"{text}: {old if self.op == 'remove' and self.before is not None else new}"


def shorten(raw: Raw | None) -> str:
    """Return a JSON text for people, cut after 200 characters; ``nothing`` for None."""
    text = "nothing" if raw is None else bytes(raw).decode(errors="replace")
    return text if len(text) <= 200 else f"{text[:200]} … ({len(text):,} characters)"


class Patch(Sequence[Change]):
    """A sequence of changes, in the order in which they are applied.

    Example:
        >>> from graphflow_nb import Patch, Session
        >>> from graphflow_nb.changes import apply
        >>> patch = Patch([{"op": "add", "path": "/context/data/amount", "value": 120}])
        >>> dict(apply(Session("claim-1", "intake"), patch).context)
        {'amount': 120}

    Args:
        changes: ``Change`` objects; or RFC 6902's form, as a list of dicts or as JSON text (which
            keeps the digits of every number).
        mask: What is hidden of the values where the patch is shown. Default: what looks secret.

    Attributes:
        mask: As passed.

    Raises:
        PatchError: The changes are not a JSON Patch.
    """

    __slots__ = ("_changes", "mask")

    def __init__(
        self,
        changes: Patch | str | Iterable[Change | Mapping[str, Any]] = (),
        *,
        mask: Mask = DEFAULT_MASK,
    ):
        self.mask: Mask = changes.mask if isinstance(changes, Patch) else mask
        if isinstance(changes, str):
            try:
                texts = exactjson.split_array(exactjson.typed(changes), "the patch")
                steps: list[Any] = [exactjson.split_object(text, "a change") for text in texts]
            except ContextError as error:
                raise PatchError(f"this is not JSON Patch: {error}") from error
        elif isinstance(changes, Iterable):
            steps = list(changes)
        else:
            shown = scrub(repr(changes))
            raise PatchError(f"a patch is a list of changes, not {shown}")
        self._changes = tuple(s if isinstance(s, Change) else _parse_step(s) for s in steps)

    def to_json(self) -> str:
        """Return RFC 6902's JSON text, with every digit."""
        steps = []
        for change in self:
            parts = {"op": change.op, "path": pointer(change.path)}
            if change.source is not None:
                parts["from"] = pointer(change.source)
            step = {name: Raw(exactjson.encode(text)) for name, text in parts.items()}
            if change.value is not None:
                step["value"] = change.value
            steps.append(Raw(exactjson.join(step)))
        return exactjson.join(steps).decode()

    @overload
    def __getitem__(self, index: int) -> Change: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Change | Self:
        found = self._changes[index]
        return type(self)(found, mask=self.mask) if isinstance(found, tuple) else found

    def __len__(self) -> int:
        return len(self._changes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Patch) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "\n".join(change.describe(self.mask) for change in self) or "no change"


def _parse_step(step: Any) -> Change:
    if not isinstance(step, Mapping):
        shown = scrub(repr(step))
        raise PatchError(
            f"a change is a mapping with op, path and value, not {shown}: a patch is a list of "
            'such, as [{"op": "replace", "path": "/status_message", "value": "ok"}]'
        )
    try:
        plain = {
            name: exactjson.decode(text) if isinstance(text := step[name], Raw) else text
            for name in ("op", "path", "from")
            if name in step
        }
        op, path = plain.get("op"), parse_pointer(plain.get("path"))
        source = parse_pointer(plain.get("from")) if op in ("move", "copy") else None
        value = None
        if op in ("add", "replace", "test"):
            if "value" not in step:
                raise PatchError(f"{op} {pointer(path)} has no value")
            value = step["value"]
            if not isinstance(value, Raw):
                value = Raw(exactjson.encode(value, f"the value for {pointer(path)}"))
    except ContextError as error:
        raise PatchError(str(error)) from error
    if op not in _OPS:
        raise PatchError(f"unknown change {op!r}: use {', '.join(sorted(_OPS))}")
    return Change(op, path, value, source=source)


def parse_pointer(text: object) -> Path:
    """Return the path of a JSON Pointer; the inverse of ``pointer``."""
    if not isinstance(text, str) or not text.startswith("/"):
        raise PatchError(f"a path is a JSON Pointer such as /context/data/key, not {text!r}")
    return tuple(key.replace("~1", "/").replace("~0", "~") for key in text[1:].split("/"))


class _Secret:
    """What is written in source instead of a value: a name, which whoever runs it has to set."""

    def __repr__(self) -> str:
        return "SECRET"


#: The one of these.
SECRET: Final = _Secret()


def python(patch: Patch, mask: Mask = DEFAULT_MASK) -> str:
    """Return exact Python source of a patch: a list, or JSON text where digits would be lost.

    Args:
        patch: The changes.
        mask: What is hidden of the values: ``SECRET`` is written in place of each.
    """
    if any(_is_hidden(change, mask) for change in patch):
        return repr([_hide_step(change, mask) for change in patch])
    try:
        steps = [change.to_dict() for change in patch]
        source = repr(steps)
        if Patch(json.loads(exactjson.encode(_drop_literals(steps)))) == patch:
            return source
    except (ContextError, RecursionError, ValueError):
        pass
    return repr(patch.to_json())


def _is_hidden(change: Change, mask: Mask) -> bool:
    for path in (change.path, change.source):
        if path is not None and mask.hide_path(path) is not path:
            return True
    return mask.hide_or_none(change.value, change.path) is not change.value


def _hide_step(change: Change, mask: Mask) -> dict[str, Any]:
    """Return a step in RFC 6902's form with ``SECRET`` in place of what is hidden."""

    def replace(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: replace(item) for key, item in value.items()}
        if isinstance(value, list):
            return [replace(item) for item in value]
        return SECRET if isinstance(value, str) and SHOWN.search(value) else value

    step = change.to_dict()
    step["path"] = pointer(mask.hide_path(change.path))
    if change.source is not None:
        step["from"] = pointer(mask.hide_path(change.source))
    if change.value is not None and _is_hidden(change, mask):
        step["value"] = replace(exactjson.decode(mask.hide(change.value, change.path)))
    return step


def _drop_literals(value: Any) -> Any:
    """Return a value without the literals that a float's ``repr`` does not show."""
    if isinstance(value, dict):
        return {key: _drop_literals(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_drop_literals(item) for item in value]
    return float(value) if isinstance(value, float) else value
