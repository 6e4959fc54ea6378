"""Compaction: the lines of a journal without those that are of no use any more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .files import Lines
from .index import Record, Span
from .lines import HEADER_BYTES, Line, encode_header, encode_line, renumber

__all__ = ["Compaction"]


class _Moved(NamedTuple):
    """The new places of an entry's lines."""

    record: Record
    begin: Span
    done: Span | None


class Compaction:
    """The lines of the entries that are kept, renumbered.

    Args:
        lines: The lines as they are.
        kept: The entries that are kept, oldest first.
        sealed: Whether they have numbers, checksums and a first line that counts them.
    """

    def __init__(self, lines: Lines, kept: Sequence[Record], *, sealed: bool):
        self._lines = lines
        self._kept = kept
        self._sealed = sealed
        self._moved: list[_Moved] = []
        self._offset = 0
        self._number = 0

    @property
    def count(self) -> int:
        """The number of all lines."""
        return self._sealed + sum(
            1 + (record.done is not None) + (record.state == "void") for record in self._kept
        )

    def texts(self) -> Iterator[bytes]:
        """Yield the lines."""
        if self._sealed:
            yield encode_header(self.count)
            self._offset, self._number = HEADER_BYTES, 1
        for record in self._kept:
            text, begin = self._renumber(record.begin)
            yield text
            done = None
            if record.done is not None:
                text, done = self._renumber(record.done)
                yield text
            if record.state == "void":
                self._number += 1
                text = encode_line(
                    Line(record.number, outcome="void"), self._number, sealed=self._sealed
                )
                self._offset += len(text)
                yield text
            self._moved.append(_Moved(record, begin, done))

    def _renumber(self, span: Span) -> tuple[bytes, Span]:
        self._number += 1
        text = renumber(self._lines.read(*span), self._number, sealed=self._sealed)
        place = Span(self._offset, len(text))
        self._offset += len(text)
        return text, place

    def apply(self) -> None:
        """Note the new places, once the lines were replaced."""
        for record, begin, done in self._moved:
            record.begin, record.done = begin, done
