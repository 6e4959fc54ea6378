"""StoredRow: what is stored under an id as it is, shown without its secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..model.masks import DEFAULT_MASK, Mask

__all__ = ["StoredRow"]


class StoredRow(dict[str, Any]):
    """Each column of the store with its value; a dict that hides secrets where it is shown.

    Example:
        >>> from graphflow_nb.client import StoredRow
        >>> row = StoredRow({"id": "a", "context": '{"data": {"pin": "12"}}'})
        >>> row
        {'id': 'a', 'context': '{"data":{"pin":"••• (text, 2 characters)"}}'}
        >>> row["context"]
        '{"data": {"pin": "12"}}'

    Args:
        columns: The values by column.
        mask: What is hidden. Default: what looks secret.
    """

    def __init__(self, columns: Mapping[str, Any], mask: Mask = DEFAULT_MASK):
        super().__init__(columns)
        self._mask = mask

    def shown(self) -> dict[str, Any]:
        """Return the columns with what is shown instead of secrets."""
        return {name: self._hide(value) for name, value in self.items()}

    def _hide(self, value: Any) -> Any:
        if isinstance(value, bytes):
            text = value.decode(errors="surrogateescape")
            return self._mask.hide_text(text).encode(errors="surrogateescape")
        return self._mask.hide_text(value) if isinstance(value, str) else value

    def __repr__(self) -> str:
        return repr(self.shown())
