"""The number of rows of a page, so that its values take bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["PAGE_BYTES", "PageSize"]

#: The bytes of values on a page, about.
PAGE_BYTES: Final = 16_000_000
_FIRST: Final = 5  # rows, of whose values nothing is known: each may have megabytes


@dataclass(slots=True)
class PageSize:
    """The number of rows of the next page of a large read, by what the pages before had.

    Example:
        >>> from graphflow_nb.storage.pagesize import PageSize
        >>> size = PageSize(most=10_000)
        >>> size.rows
        5
        >>> size.note(rows=5, bytes=1_000_000_000)
        >>> size.rows
        1

    Attributes:
        most: The number of rows that is never exceeded.
        rows: The number of rows of the next page.
        bytes: The bytes of values on a page, about.
    """

    most: int
    rows: int = 0
    bytes: int = PAGE_BYTES

    def __post_init__(self) -> None:
        self.rows = self.rows or min(_FIRST, self.most)

    def note(self, rows: int, bytes: int) -> None:
        """Take note of a page.

        Args:
            rows: The number of its rows.
            bytes: The size of its values.
        """
        if rows:
            mean = 1 + bytes // rows
            # Small steps up: values may be larger further on.
            self.rows = max(1, min(self.most, 4 * self.rows, self.bytes // mean))
