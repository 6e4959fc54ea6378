"""Contexts as patches: each version's text from that of the next one, to the letter."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw

from ..changes import Patch
from ..changes.applying import apply_to_text
from ..changes.comparing import compare
from ..errors import GraphflowError, HistoryError

__all__ = ["MAX_CHAIN", "MAX_CHAIN_BYTES", "encode", "rebuild"]

#: The most patches from a context that is kept as a whole to the version that is rebuilt.
MAX_CHAIN: Final = 64
#: The most bytes that are rebuilt on the way, so that large contexts have shorter chains.
MAX_CHAIN_BYTES: Final = 2_000_000


def encode(text: str, following: str) -> str | None:
    """Return the JSON Patch that makes a context's text from that of the next version.

    Example:
        >>> from graphflow_nb.history.encoding import encode, rebuild
        >>> before, after = ('{"a":%s,"b":"%s"}' % (a, "x" * 50) for a in ("1.10", "2"))
        >>> encode(before, after)
        '[{"op":"replace","path":"/a","value":1.10}]'
        >>> rebuild(after, encode(before, after)) == before
        True

    Args:
        text: The context's JSON text.
        following: The text of the next version.

    Returns:
        The patch; None where it would not be shorter, or would not give the text to the letter.
    """
    if text == following:
        return "[]"
    try:
        changes = compare(Raw(following.encode()), Raw(text.encode()))
        patch = Patch(changes).to_json()
        if len(patch.encode()) < len(text.encode()) and rebuild(following, patch) == text:
            return patch
    except (GraphflowError, RecursionError, UnicodeError):
        pass  # not JSON, or nested too deep: kept as a whole
    return None


def rebuild(following: str, patch: str) -> str:
    """Return the text of a context from that of the next version; the inverse of ``encode``.

    Raises:
        HistoryError: The patch does not fit the text.
    """
    if patch == "[]":
        return following
    try:
        text = bytes(apply_to_text(Raw(following.encode()), Patch(patch))).decode()
        # PostgreSQL writes a blank after each comma and colon; what was joined again has none.
        return _space(text) if _space(following) == following else text
    except (GraphflowError, RecursionError, UnicodeError) as error:
        raise HistoryError(
            f"a version can't be rebuilt: its patch does not fit the version after it ({error}). "
            "The history table was changed by hand; the versions after it are not affected"
        ) from error


def _space(text: str) -> str:
    try:
        return msgspec.json.format(text, indent=0)
    except msgspec.MsgspecError:
        return text
