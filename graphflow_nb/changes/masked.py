"""Texts to be edited in which secrets are masked, and the values that go back into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import NamedTuple

from msgspec import Raw

from ..errors import ContextError, PatchError
from ..model import exactjson
from ..model.masks import SHOWN, Mask, describe_hidden, number_mask, show_kind
from ..secret_keys import MASK
from ..secret_neighbours import PLAIN, Place
from ..secret_texts import Span, replace_spans
from .patch import Path, pointer

__all__ = ["MaskedText", "mask_text"]


class Kept(NamedTuple):
    """A value that a mask is shown instead of.

    Attributes:
        path: The keys from the session down; of elements of lists, which may move, empty.
        raw: The JSON text of the value.
    """

    path: Path
    raw: Raw


class MaskedText(NamedTuple):
    """A JSON text with line breaks, in which each secret is replaced by a mask with a number.

    A text value that is edited by itself is without quotes.

    Attributes:
        text: The text.
        path: Where it is, from the session down.
        kept: The values by their masks.
        original: The JSON text without masks.
        mask: What is hidden.
        place: What is known of it by what is around it.
    """

    text: str
    path: Path
    kept: Mapping[str, Kept]
    original: Raw
    mask: Mask
    place: Place = PLAIN

    def restore(self, edited: Raw, path: Path | None = None) -> Raw:
        """Return an edited JSON text with the values back in place of their masks, to the letter.

        Args:
            edited: The JSON text.
            path: Where it is put. Default: where it was.

        Raises:
            PatchError: A mask was changed, copied, or moved to another key, or what it is shown
                instead of would no longer be hidden.
        """
        used: set[str] = set()
        where = self.path if path is None else path
        try:
            restored = self._restore(edited, where, used)
            self._check_hidden(restored, where, used)
        except (ContextError, RecursionError):
            return edited  # nested too deep: said by what takes it
        return restored

    def _check_hidden(self, restored: Raw, path: Path, used: set[str]) -> None:
        """Raise PatchError if a secret would be shown, since the name beside it was changed."""
        if not used or self.place.covered:
            return
        hidden = [
            bytes(kept.raw)
            for kept in mask_text(restored, self.mask, path, place=self.place).kept.values()
        ]
        for text in sorted(used):
            value = bytes(self.kept[text].raw).strip(b'"')
            if not any(value in other for other in hidden):
                raise PatchError(
                    f"{text!r} would be shown: what said that it is a secret is no longer there. "
                    "Type the value itself, or leave its name as it is"
                )

    def _restore(self, raw: Raw, path: Path, used: set[str]) -> Raw:
        form = exactjson.kind(raw)
        if form == "object":
            parts = exactjson.split_object(raw, "")
            new: dict[str, Raw] = {}
            for name, part in parts.items():
                key = name
                if name in self.kept:  # a key that is a secret itself
                    key = exactjson.decode(self._take(name, path, used))
                elif MASK in name:
                    self._check_stored(name, path)
                new[key] = self._restore(part, (*path, key), used)
            return Raw(exactjson.join(new))
        if form == "array":
            items = exactjson.split_array(raw, "")
            return Raw(exactjson.join([self._restore(v, (*path, ""), used) for v in items]))
        if form != "string" or not (text := exactjson.decode(raw)) or MASK not in text:
            return raw
        if text in self.kept:  # also a text of which a part is masked
            return self._take(text, path, used)
        pieces, end = [], 0
        for match in SHOWN.finditer(text):
            pieces.append(text[end : match.start()])
            if match[0] in self.kept:
                pieces.append(str(exactjson.decode(self._take(match[0], path, used))))
            else:
                self._check_stored(match[0], path)
                pieces.append(match[0])
            end = match.end()
        return Raw(exactjson.encode("".join(pieces) + text[end:])) if end else raw

    def _take(self, text: str, path: Path, used: set[str]) -> Raw:
        """Return the value that a mask, or a text with masks, is shown instead of."""
        kept = self.kept[text]
        if kept.path != path:
            raise PatchError(
                f"{text!r} was moved to {pointer(path)}: it is shown instead of the value at "
                f"{pointer(kept.path)} and keeps that one only. Type the value itself here"
            )
        masks = set(SHOWN.findall(text))
        if used & masks:
            raise PatchError(
                f"{text!r} is there twice: it is shown instead of one secret. Type the value "
                "itself in the second place"
            )
        used |= masks
        return kept.raw

    def _check_stored(self, text: str, path: Path) -> None:
        """Raise PatchError for a mask that is not one of the text's, and was not stored as such."""
        for match in SHOWN.finditer(text):
            if not self._has(match[0]):
                raise PatchError(
                    f"{match[0]!r} at {pointer(path)} is shown instead of a secret that is not "
                    "there. Type the value itself, or discard the changes"
                )

    def _has(self, text: str) -> bool:
        """Return whether a text that looks like a mask was stored as such."""
        return exactjson.encode(text)[1:-1] in bytes(self.original)


def mask_text(
    raw: Raw, mask: Mask, path: Path, within: Raw | None = None, place: Place = PLAIN
) -> MaskedText:
    """Return a JSON text as it is edited, with masks in place of secrets.

    Example:
        >>> from msgspec import Raw
        >>> from graphflow_nb.changes.masked import mask_text
        >>> from graphflow_nb.model.masks import DEFAULT_MASK
        >>> masked = mask_text(Raw(b'{"password":"x1"}'), DEFAULT_MASK, ("context", "data"))
        >>> masked.text
        '{\\n  "password": "••• 1 (text, 2 characters)"\\n}'
        >>> bytes(masked.restore(Raw(masked.text.encode())))
        b'{"password":"x1"}'

    Args:
        raw: The JSON text.
        mask: What is hidden of it.
        path: Where it is, from the session down.
        within: The session's JSON text, in which its name may be beside it. Default: not known.
        place: What is known of it by what is around it, where ``within`` is not passed.
    """
    kept: dict[str, Kept] = {}
    # Where someone stored the sign of a mask, a number is looked for that no text has.
    stored = bytes(raw) if MASK.encode() in bytes(raw) or b"\\u2022" in bytes(raw) else b""

    def number(hidden: str, value: Raw, at: Path) -> str:
        for number in count(len(kept) + 1):  # not one that someone stored as a text
            text = number_mask(hidden, number)
            if text not in kept and exactjson.encode(text)[1:-1] not in stored:
                break
        kept[text] = Kept(at, value)
        return text

    def show(value: Raw, at: Path, spans: Sequence[Span] | None) -> str:
        if spans is None:
            return number(show_kind(value, at, None), value, at)
        text = replace_spans(
            exactjson.decode(value),
            spans,
            lambda part: number(describe_hidden(len(part)), Raw(exactjson.encode(part)), at),
        )
        kept[text] = Kept(at, value)
        return text

    if within is not None:
        place = mask.place_within(within, path)
    shown = mask.hide(raw, path, show, place)
    whole = exactjson.kind(shown) == "string"
    text = str(exactjson.decode(shown)) if whole else exactjson.pretty(shown)
    if mask.covers(path):
        place = Place(covered=True)
    return MaskedText(text, path, kept, raw, mask, place)
