"""Mask: which values of sessions are hidden where they are shown, and what is shown instead.

What a program reads is never masked, only what a person is shown. Every view asks the mask of its
store (``Client.mask``), and what belongs to no store ``DEFAULT_MASK``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import count
from threading import Lock
from typing import Any, Final, TypeAlias
from weakref import WeakSet

from msgspec import Raw

from ..errors import ContextError, QueryError
from ..printable import describe_count
from ..secret_keys import MASK, key_words, secret_kind, stems_of
from ..secret_neighbours import (
    PLAIN,
    Inside,
    Kind,
    Place,
    look_into_list,
    look_into_object,
    read_index,
)
from ..secret_texts import (
    Span,
    current_scrubber,
    find_marks,
    find_secrets,
    replace_spans,
    scrub_outside_by,
    show_sign,
)
from . import exactjson

__all__ = [
    "DEFAULT_MASK",
    "NO_MASK",
    "SHOWN",
    "Mask",
    "MaskChoice",
    "contains_mask",
    "describe_hidden",
    "is_shown",
    "mask_in_use",
    "note_mask",
    "number_mask",
    "show_kind",
]

#: What ``open(mask=…)`` takes.
MaskChoice: TypeAlias = bool | str | Iterable[str] | Mapping[str, bool]

_BY_CHOICE: Final = frozenset({"iban", "email", "phone"})
#: What is shown instead of a value, or of a part of a text; in an editor with a number.
SHOWN: Final = re.compile(
    rf"{MASK}(?: \d+)? \((?:text, [\d,]+ characters?|number|JSON that can't be read)\)"
)
_SHORTEST_KEY: Final = 12  # of keys that are looked into for secrets
#: Characters of many texts that are searched at once: until a search of Python's expressions has
#: ended, no other thread runs, nor the loop on which others wait.
_AT_ONCE: Final = 1 << 20
#: Returns the text that is shown for a value, from the value, its path, in which indexes are empty,
#: and the parts of the text that are secret; None where all of it is.
Show: TypeAlias = Callable[[Raw, tuple[str, ...], Sequence[Span] | None], str]


class Mask:
    """Which values are hidden where a person is shown them, by the names of their keys.

    Example:
        >>> from graphflow_nb.model.masks import Mask
        >>> mask = Mask(["iban"])
        >>> [mask.kind(key) for key in ("dbPassword", "customer_iban", "author")]
        ['password', 'iban', None]

    Args:
        choice: True for keys that look as if a secret were under them; False for none. Names are
            masked beside these: kinds (``iban``, ``email``, ``phone``) or keys, in any spelling;
            a mapping says of each name whether it is masked.

    Raises:
        QueryError: The choice is something else.
    """

    def __init__(self, choice: MaskChoice = True):
        names = self._chosen = _read_choice(choice)
        self._on = choice is not False
        also = frozenset(name for name, masked in names.items() if masked and name in _BY_CHOICE)
        chosen = {key_words(name): masked for name, masked in names.items() if name not in also}
        # Each key is asked for many times, and few keys are different. What has no stem of a
        # secret's key, as most have not, takes a tenth of what splitting it takes.
        stems = re.compile("|".join(map(re.escape, stems_of(also, chosen))))

        @lru_cache(maxsize=10_000)
        def kind(key: str) -> str | None:
            if key.isascii() and stems.search(key.lower()) is None:
                return None
            return secret_kind(key, also, chosen)

        self._kind: Kind = kind
        self._stems: re.Pattern[str] | None = stems

    def __reduce__(self) -> tuple[Any, ...]:
        return (Mask, (dict(self._chosen) if self._on else False,))  # as errors need to be copied

    def __or__(self, other: Mask) -> Mask:
        """Return the mask that hides what this one or the other hides."""
        return _Joined(self, other)

    @property
    def is_on(self) -> bool:
        """Whether anything is hidden."""
        return self._on

    def kind(self, key: str) -> str | None:
        """Return what kind of secret is under a key; None if it is not masked."""
        return self._kind(key) if self._on else None

    def covers(self, path: tuple[str, ...]) -> bool:
        """Return whether what is at a path is masked as a whole.

        Args:
            path: Keys and indexes from the session down, e.g. ``("context", "data", "login")``.
        """
        return self._on and any(map(self._is_secret, path))

    def _is_secret(self, key: str) -> bool:
        return self._kind(key) is not None

    def place_within(self, raw: Raw, path: tuple[str, ...]) -> Place:
        """Return what is known of the value at a path of a JSON text by what is around it.

        Args:
            raw: The JSON text, in which a name, or the head of a column, may be beside the value.
            path: Keys and indexes from its top.

        Raises:
            ContextError: The text can't be read.
        """
        place, found = PLAIN, raw if self._on else None
        for key in path if self._on else ():
            form = None if found is None else exactjson.kind(found)
            if found is not None and form == "object":
                parts = exactjson.split_object(found, "context")
                place, found = look_into_object(parts, _RAW, self._kind)(key), parts.get(key)
            elif found is not None and form == "array":
                items = exactjson.split_array(found, "context")
                index = read_index(key)
                index = None if index is None else index + len(items) * (index < 0)
                found = items[index] if index is not None and 0 <= index < len(items) else None
                place = look_into_list(items, place, _RAW, self._kind).at(index)
            else:
                place, found = place.step(key), None
            if place.covered or self._is_secret(key):
                return Place(covered=True)
            if found is None and place == PLAIN:
                break
        return place

    def hide(
        self,
        raw: Raw,
        path: tuple[str, ...] = (),
        show: Show | None = None,
        place: Place = PLAIN,
    ) -> Raw:
        """Return a JSON text with each secret in it replaced by what is shown instead.

        Args:
            raw: The value.
            path: Where it is; see ``covers``.
            show: Returns what is shown instead of a value. Default: its kind.
            place: What is known of it by what is around it; see ``place_within``.
        """
        if not self._on:
            return raw
        if self.covers(path):
            place = _COVERED
        marks = () if place.covered else self._find_marks(raw)
        if not (marks or place.covered or place.rows or place.columns):
            return raw
        try:
            return self._hide(raw, path, show or show_kind, marks, place)
        except (ContextError, RecursionError):
            return Raw(exactjson.encode(f"{MASK} (JSON that can't be read)"))

    def hide_or_none(self, raw: Raw | None, path: tuple[str, ...]) -> Raw | None:
        """Return what ``hide`` returns; None for None."""
        return None if raw is None else self.hide(raw, path)

    def may_hide(self, text: str) -> bool:
        """Return whether something may be hidden in a JSON text, or several in one.

        Quick, for what is mostly innocent.
        """
        return self._on and bool(find_marks(text, self._kind, self._stems))

    def may_hide_any(self, texts: Sequence[str | None]) -> bool:
        """Return whether something may be hidden in one of many JSON texts."""
        return any(self.may_hide("".join(filter(None, some))) for some in _cut(texts))

    def _find_marks(self, raw: Raw) -> tuple[bytes, ...]:
        text = bytes(raw).decode(errors="surrogateescape")
        marks = find_marks(text, self._kind, self._stems)
        return tuple(mark.encode(errors="surrogateescape") for mark in marks)

    def _hide(
        self,
        raw: Raw,
        path: tuple[str, ...],
        show: Show,
        marks: tuple[bytes, ...],
        place: Place = PLAIN,
    ) -> Raw:
        text, covered = bytes(raw), place.covered
        known = covered or place.rows or place.columns
        if not known and not any(map(text.__contains__, marks)):
            return raw
        opening = text[:1]
        if opening == b"{":
            parts = exactjson.split_object(raw, "context")
            find = look_into_object(parts, _RAW, self._kind)
            new: dict[str, Raw] = {}
            for name, part in parts.items():
                inside = _COVERED if covered or self._is_secret(name) else find(name)
                key = self._hide_key(name, path, show, new)
                new[key] = self._hide(part, (*path, name), show, marks, inside)
            same = all(new.get(name) is part for name, part in parts.items())
            return raw if same else Raw(exactjson.join(new))
        if opening == b"[":
            items = exactjson.split_array(raw, "context")
            places = _ALL if covered else look_into_list(items, place, _RAW, self._kind)
            changed = [
                self._hide(item, (*path, ""), show, marks, places.at(n))
                for n, item in enumerate(items)
            ]
            same = all(one is other for one, other in zip(items, changed, strict=True))
            return raw if same else Raw(exactjson.join(changed))
        if covered:
            shows_nothing = opening not in b'"-0123456789' or text == b'""'
            return raw if shows_nothing else Raw(exactjson.encode(show(raw, path, None)))
        spans = self.find(exactjson.decode(raw)) if opening == b'"' else ()
        return Raw(exactjson.encode(show(raw, path, spans))) if spans else raw

    def _hide_key(
        self, key: str, path: tuple[str, ...], show: Show, taken: Mapping[str, Raw]
    ) -> str:
        """Return what is shown instead of a key; another text for each key of an object."""
        if not self.hides_key(key):
            return key
        shown = first = show(Raw(exactjson.encode(key)), path, None)
        for number in count(2):
            if shown not in taken:
                break
            shown = number_mask(first, number)
        return shown

    def hides_key(self, key: str) -> bool:
        """Return whether a key is a secret itself, as in a list of tokens and their owners."""
        return len(key) >= _SHORTEST_KEY and bool(self.find(key))

    def hide_path(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """Return the keys of a path with what is shown instead of secrets."""
        if not any(map(self.hides_key, path)):
            return path
        return tuple(describe_hidden(len(key)) if self.hides_key(key) else key for key in path)

    def hides_pair(self, raw: Raw) -> bool:
        """Return whether an object or a list names a secret, and has its value beside the name.

        Example:
            >>> from msgspec import Raw
            >>> from graphflow_nb.model.masks import DEFAULT_MASK
            >>> pairs = b'{"name":"Authorization","value":"x"}', b'["api_key","x1"]', b'["a","b"]'
            >>> [DEFAULT_MASK.hides_pair(Raw(pair)) for pair in pairs]
            [True, True, False]
        """
        if not self._on:
            return False
        form = exactjson.kind(raw)
        if form == "object":
            parts = exactjson.split_object(raw, "")
            find = look_into_object(parts, _RAW, self._kind)
            return any(find(key) != PLAIN for key in parts)
        if form != "array":
            return False
        items = exactjson.split_array(raw, "")
        places = look_into_list(items, PLAIN, _RAW, self._kind)
        if places.each.among_pairs:
            return any(
                look_into_list(exactjson.split_array(item, ""), places.each, _RAW, self._kind).some
                for item in items
            )
        return places != Inside()

    def hide_object(self, value: Any, path: tuple[str, ...] = ()) -> Any:
        """Return a Python object as ``hide`` returns a JSON text; objects and lists are copied."""
        place = _COVERED if self.covers(path) else PLAIN
        return self._hide_object(value, place) if self._on else value

    def _hide_object(self, value: Any, place: Place) -> Any:
        if isinstance(value, dict):
            find = look_into_object(value, _OBJECTS, self._kind)
            shown: dict[Any, Any] = {}
            for key, item in value.items():
                name = str(key)
                secret = place.covered or self._is_secret(name)
                key = self._hide_key(name, (), show_kind, shown) if self.hides_key(name) else key
                shown[key] = self._hide_object(item, _COVERED if secret else find(name))
            return shown
        if isinstance(value, (list, tuple)):
            places = _ALL if place.covered else look_into_list(value, place, _OBJECTS, self._kind)
            return [self._hide_object(item, places.at(n)) for n, item in enumerate(value)]
        if value is None or isinstance(value, bool) or value == "":
            return value
        if not place.covered:
            return self.hide_in(value) if isinstance(value, str) else value
        return describe_hidden(len(value)) if isinstance(value, str) else f"{MASK} (number)"

    def find(self, text: str) -> list[Span]:
        """Return the parts of a text that are hidden."""
        return find_secrets(text, self._kind) if self._on else []

    def hide_in(self, text: str) -> str:
        """Return a text of a person or a task with each secret in it replaced by its kind.

        Example:
            >>> from graphflow_nb.model.masks import DEFAULT_MASK
            >>> DEFAULT_MASK.hide_in("log in with password=x1y2 at once")
            'log in with password=••• (text, 4 characters) at once'
        """
        return replace_spans(text, self.find(text), lambda part: describe_hidden(len(part)))

    def hide_each(self, texts: Sequence[str | None]) -> list[str | None]:
        """Return texts as ``hide_in`` does: quick for many, most of which are innocent."""
        if not self._on:
            return list(texts)
        shown: list[str | None] = []
        for some in _cut(texts):
            marks = find_marks(
                "\n".join(filter(None, some)), self._kind, self._stems, escaped=False
            )
            shown += (
                self.hide_in(text) if text and any(map(text.__contains__, marks)) else text
                for text in some
            )
        return shown

    def hide_text(self, text: str) -> str:
        """Return a stored text with secrets replaced: JSON as by ``hide``, any other by ``scrub``.

        What has no secret in it is returned as it is.
        """
        if not self._on or text[:1] not in ("{", "["):
            return self.scrub(text)
        raw = Raw(text.encode(errors="surrogateescape"))
        try:
            marks = self._find_marks(raw)
            shown = self._hide(raw, (), show_kind, marks) if marks else raw
        except (ContextError, RecursionError):
            return self.scrub(text)
        return text if shown is raw else bytes(shown).decode()

    def scrub(self, text: str) -> str:
        """Return a text in which values may be quoted, such as an error's, without secrets.

        Args:
            text: A text that may have pieces of JSON, or of Python's form of it, in it.
        """
        return replace_spans(text, self.find(text), show_sign)


def _cut(texts: Sequence[str | None]) -> Iterator[Sequence[str | None]]:
    """Yield texts in portions that are searched at once."""
    start = size = 0
    for end, text in enumerate(texts):
        size += len(text or "")
        if size >= _AT_ONCE:
            yield texts[start : end + 1]
            start, size = end + 1, 0
    yield texts[start:]


class _RawReader:
    """How what is beside a value is read in a JSON text."""

    def text(self, value: Raw) -> str | None:
        text = bytes(value)
        return exactjson.decode(value) if text[:1] == b'"' and len(text) <= _MAX_NAME else None

    def is_list(self, value: Raw) -> bool:
        return bytes(memoryview(value)[:1]) == b"["

    def items(self, value: Raw) -> Sequence[Raw]:
        return exactjson.split_array(value, "context") if self.is_list(value) else ()

    def parts(self, value: Raw) -> Mapping[str, Raw] | None:
        is_object = bytes(memoryview(value)[:1]) == b"{"
        return exactjson.split_object(value, "context") if is_object else None


class _ObjectReader:
    """How what is beside a value is read in a Python object."""

    def text(self, value: Any) -> str | None:
        return value if isinstance(value, str) and len(value) <= _MAX_NAME else None

    def is_list(self, value: Any) -> bool:
        return isinstance(value, (list, tuple))

    def items(self, value: Any) -> Sequence[Any]:
        return value if isinstance(value, (list, tuple)) else ()

    def parts(self, value: Any) -> Mapping[str, Any] | None:
        return value if isinstance(value, dict) else None


_MAX_NAME: Final = 400  # characters of a text that may be a name
_RAW: Final = _RawReader()
_OBJECTS: Final = _ObjectReader()
_COVERED: Final = Place(covered=True)
_ALL: Final = Inside(_COVERED)


def show_kind(raw: Raw, path: tuple[str, ...], spans: Sequence[Span] | None) -> str:
    """Return what is shown instead of one value: its kind."""
    if exactjson.kind(raw) == "number":
        return f"{MASK} (number)"
    text = exactjson.decode(raw)
    if spans is None:
        return describe_hidden(len(text))
    return replace_spans(text, spans, lambda part: describe_hidden(len(part)))


def describe_hidden(length: int) -> str:
    """Return what is shown instead of a text of so many characters."""
    return f"{MASK} (text, {describe_count(length, 'character')})"


def number_mask(shown: str, number: int) -> str:
    """Return what is shown instead of a value with a number in it, which names the value."""
    return f"{MASK} {number}{shown.removeprefix(MASK)}"


def is_shown(text: str) -> bool:
    """Return whether a text is what is shown instead of a value."""
    return text.startswith(MASK) and SHOWN.fullmatch(text) is not None


def contains_mask(raw: Raw) -> bool:
    """Return whether what is shown instead of a value occurs in a text of a JSON text."""
    text = bytes(raw).decode(errors="replace")
    if MASK not in text and "\\u2022" not in text:
        return False
    try:
        return SHOWN.search(exactjson.show(exactjson.decode(raw))) is not None
    except (ContextError, RecursionError):
        return SHOWN.search(text) is not None


def _read_choice(choice: object) -> Mapping[str, bool]:
    if isinstance(choice, bool):
        return {}
    if isinstance(choice, str):
        return {choice: True}
    named = choice if isinstance(choice, Mapping) else None
    if named is None and isinstance(choice, Iterable):
        named = dict.fromkeys(choice, True)
    if named is None or not all(
        isinstance(name, str) and key_words(name) and isinstance(masked, bool)
        for name, masked in named.items()
    ):
        raise QueryError(
            "mask must be True, False, names of keys such as ['iban'], or a mapping such as "
            f"{{'iban': True, 'cookie': False}}, not {choice!r}"
        )
    return named


#: The mask of what belongs to no store.
DEFAULT_MASK: Final = Mask()
#: The mask that hides nothing.
NO_MASK: Final = Mask(False)


class _Joined(Mask):
    """What one of several masks hides."""

    def __init__(self, *masks: Mask) -> None:
        super().__init__()
        self._masks = masks
        self._kind, self._stems = self._find_kind, None

    def _find_kind(self, key: str) -> str | None:
        return next((kind for mask in self._masks if (kind := mask.kind(key))), None)


class _AnyMask(Mask):
    """What looks secret, and beside it what the mask of any store in use was told to hide."""

    def __init__(self) -> None:
        super().__init__()
        self._others: WeakSet[Mask] = WeakSet()
        self._lock = Lock()
        self._kind, self._stems = self._find_kind, None

    def add(self, mask: Mask) -> None:
        with self._lock:
            self._others.add(mask)

    def _find_kind(self, key: str) -> str | None:
        with self._lock:
            others = tuple(self._others)
        return next((kind for mask in (DEFAULT_MASK, *others) if (kind := mask.kind(key))), None)


_any_mask: Final = _AnyMask()
scrub_outside_by(_any_mask)


def note_mask(mask: Mask) -> None:
    """Let what belongs to no store, such as one message, hide what this mask hides too.

    Args:
        mask: The mask of a store that is opened; as long as it is in use.
    """
    if mask is not DEFAULT_MASK and mask is not NO_MASK:
        _any_mask.add(mask)


def mask_in_use() -> Mask:
    """Return the mask of the store whose call is under way; outside of one what any store hides."""
    scrubber = current_scrubber()
    return scrubber if isinstance(scrubber, Mask) else _any_mask
