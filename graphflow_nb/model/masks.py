"""Mask: which values of sessions are hidden where they are shown, and what is shown instead.

What a program reads is never masked, only what a person is shown. Every view asks the mask of its
store (``Client.mask``), and what belongs to no store ``DEFAULT_MASK``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

from msgspec import Raw

from ..errors import ContextError, QueryError
from . import exactjson
from .secret_keys import MASK, key_words, secret_kind, stems_of

__all__ = [
    "DEFAULT_MASK",
    "NO_MASK",
    "Mask",
    "MaskChoice",
    "contains_mask",
    "hide_value",
    "is_shown",
    "number_mask",
]

#: What ``open(mask=…)`` takes.
MaskChoice: TypeAlias = bool | str | Iterable[str] | Mapping[str, bool]

_BY_CHOICE: Final = frozenset({"iban", "email", "phone"})
#: What is shown instead of a value; in an editor with a number.
_SHOWN: Final = re.compile(
    rf"{MASK}(?: \d+)? \((?:text, [\d,]+ characters?|number|JSON that can't be read)\)"
)
_CHAT: Final = ("context", "chat_history")
# A key and its value, in JSON text or in Python's repr of it, also where it is cut off.
_QUOTED: Final = r'"(?:[^"\\]|\\.)*(?:"|\Z)|\'(?:[^\'\\]|\\.)*(?:\'|\Z)'
_PAIR: Final = re.compile(rf"({_QUOTED})(\s*:\s*)((?:{_QUOTED}|[^\s,}}\]\"'{{\[]+))", re.DOTALL)
_NESTED: Final = re.compile(rf"({_QUOTED})(\s*:\s*)([{{\[].*)", re.DOTALL)


Show: TypeAlias = Callable[[Raw, Raw, tuple[str, ...]], Raw]


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
        names = _read_choice(choice)
        self._on = choice is not False
        also = frozenset(name for name, masked in names.items() if masked and name in _BY_CHOICE)
        chosen = {key_words(name): masked for name, masked in names.items() if name not in also}
        self._stems = stems_of(also, chosen)
        # Each key is asked for many times, and few keys are different.
        self._kind = lru_cache(maxsize=10_000)(lambda key: secret_kind(key, also, chosen))

    def kind(self, key: str) -> str | None:
        """Return what kind of secret is under a key; None if it is not masked."""
        return self._kind(key) if self._on else None

    def covers(self, path: tuple[str, ...]) -> bool:
        """Return whether what is at a path is masked as a whole.

        Args:
            path: Keys and indexes from the session down, e.g. ``("context", "data", "login")``.
                Texts of the chat are not masked.
        """
        return self._on and path[:2] != _CHAT and any(map(self._is_secret, path))

    def _is_secret(self, key: str) -> bool:
        return self._kind(key) is not None

    def hide(self, raw: Raw, path: tuple[str, ...] = (), show: Show | None = None) -> Raw:
        """Return a JSON text with each secret in it replaced by what is shown instead.

        Args:
            raw: The value.
            path: Where it is; see ``covers``.
            show: Returns what is shown instead of a value: from what is shown by default, the
                value, and its path, in which indexes are empty.
        """
        if not self._on:
            return raw
        covered = self.covers(path)
        if not covered:
            text = bytes(raw)
            if text[:1] not in (b"{", b"[") or not self.may_hide(text.decode(errors="replace")):
                return raw
        try:
            return self._hide(raw, path, show, covered=covered)
        except (ContextError, RecursionError):
            return Raw(exactjson.encode(f"{MASK} (JSON that can't be read)"))

    def hide_or_none(self, raw: Raw | None, path: tuple[str, ...]) -> Raw | None:
        """Return what ``hide`` returns; None for None."""
        return None if raw is None else self.hide(raw, path)

    def may_hide(self, text: str) -> bool:
        """Return whether something may be hidden in a JSON text, or several in one, by its keys.

        Quick, for what is mostly innocent.
        """
        if not self._on or "\\u" in text:  # a key may be spelled with escapes
            return self._on
        plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
        lower = plain.lower()
        return any(stem in lower for stem in self._stems)

    def _hide(self, raw: Raw, path: tuple[str, ...], show: Show | None, *, covered: bool) -> Raw:
        opening = bytes(memoryview(raw)[:1])
        if opening == b"{":
            parts = exactjson.split_object(raw, "context")
            new = {
                name: part
                if (*path, name) == _CHAT
                else self._hide(part, (*path, name), show, covered=covered or self._is_secret(name))
                for name, part in parts.items()
            }
            same = all(new[name] is part for name, part in parts.items())
            return raw if same else Raw(exactjson.join(new))
        if opening == b"[":
            items = exactjson.split_array(raw, "context")
            changed = [self._hide(item, (*path, ""), show, covered=covered) for item in items]
            same = all(one is other for one, other in zip(items, changed, strict=True))
            return raw if same else Raw(exactjson.join(changed))
        if not covered:
            return raw
        shown = hide_value(raw)
        return shown if show is None or shown is raw else show(shown, raw, path)

    def hide_object(self, value: Any, path: tuple[str, ...] = ()) -> Any:
        """Return a Python object as ``hide`` returns a JSON text; objects and lists are copied."""
        return self._hide_object(value, path, covered=self.covers(path)) if self._on else value

    def _hide_object(self, value: Any, path: tuple[str, ...], *, covered: bool) -> Any:
        if isinstance(value, dict):
            return {
                key: self._hide_object(
                    item, (*path, key), covered=covered or self._is_secret(str(key))
                )
                for key, item in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self._hide_object(item, (*path, ""), covered=covered) for item in value]
        if not covered or value is None or isinstance(value, bool) or value == "":
            return value
        return _describe_text(len(value)) if isinstance(value, str) else f"{MASK} (number)"

    def hide_text(self, text: str) -> str:
        """Return a stored text with secrets replaced: JSON as by ``hide``, any other by ``scrub``.

        What has no secret in it is returned as it is.
        """
        if not self._on or text[:1] not in ("{", "["):
            return self.scrub(text)
        raw = Raw(text.encode(errors="surrogateescape"))
        try:
            shown = self._hide(raw, (), None, covered=False)
        except (ContextError, RecursionError):
            return self.scrub(text)
        return text if shown is raw else bytes(shown).decode()

    def scrub(self, text: str) -> str:
        """Return a text in which values may be quoted, such as an error's, without secrets.

        Args:
            text: A text that may have pieces of JSON, or of Python's form of it, in it.
        """
        if not self._on:
            return text
        found = next((m for m in _NESTED.finditer(text) if self._is_secret(_unquote(m[1]))), None)
        if found is not None:  # where an object or a list ends can't be seen in a text that is cut
            text = f"{text[: found.start(3)]}{MASK}"

        def replace(match: re.Match[str]) -> str:
            secret = self._is_secret(_unquote(match[1]))
            return f"{match[1]}{match[2]}{MASK}" if secret else match[0]

        return _PAIR.sub(replace, text)


def hide_value(raw: Raw) -> Raw:
    """Return what is shown instead of one value: its kind; what tells nothing stays as it is."""
    form = exactjson.kind(raw)
    if form == "number":
        return Raw(exactjson.encode(f"{MASK} (number)"))
    if form != "string" or bytes(raw) == b'""':
        return raw
    return Raw(exactjson.encode(_describe_text(len(exactjson.decode(raw)))))


def _describe_text(length: int) -> str:
    return f"{MASK} (text, {length:,} {'character' if length == 1 else 'characters'})"


def number_mask(shown: str, number: int) -> str:
    """Return what is shown instead of a value with a number in it, which names the value."""
    return f"{MASK} {number}{shown.removeprefix(MASK)}"


def is_shown(text: str) -> bool:
    """Return whether a text is what is shown instead of a value."""
    return text.startswith(MASK) and _SHOWN.fullmatch(text) is not None


def contains_mask(raw: Raw) -> bool:
    """Return whether what is shown instead of a value occurs in a text of a JSON text."""
    text = bytes(raw).decode(errors="replace")
    if MASK not in text and "\\u2022" not in text:
        return False
    try:
        return _SHOWN.search(exactjson.show(exactjson.decode(raw))) is not None
    except (ContextError, RecursionError):
        return _SHOWN.search(text) is not None


def _unquote(text: str) -> str:
    return text[1:-1]


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
            f"mask must be True, False, names of keys such as ['iban'], or a mapping such as "
            f"{{'iban': True, 'cookie': False}}, not {choice!r}"
        )
    return named


#: The mask of what belongs to no store.
DEFAULT_MASK: Final = Mask()
#: The mask that hides nothing.
NO_MASK: Final = Mask(False)
