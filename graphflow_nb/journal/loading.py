"""Loading: what a journal's file holds, and which of its lines can't be read."""

from __future__ import annotations

import sys
from datetime import UTC
from pathlib import Path
from typing import cast

from ..errors import StorageError
from ..model.times import micros_of
from ..printable import describe_count
from .entries import DamagedLine, Op
from .files import NamedLines
from .index import Index, Record, Span
from .lines import BEGINNINGS, HEADER_BYTES, LineHead, UnreadableLineError, read_head

__all__ = ["Loaded"]


class Loaded:
    """What was read from a file.

    A line that was cut off is not damaged where the first line of the file does not count it yet:
    the process ended while it was appended, and its write had not begun.

    Args:
        lines: The file, whose end is mended.
        path: Its path.

    Attributes:
        index: The entries.
        damaged: The lines that can't be read or are missing.
        line: The number of the last line; 0 in an empty file.
        next: The number of the next entry.
        has_header: Whether the first line is there, and can be replaced.

    Raises:
        StorageError: The file is not a journal.
    """

    def __init__(self, lines: NamedLines, path: Path):
        self.index = Index()
        self.damaged: list[DamagedLine] = []
        self.next = 1
        self.has_header = False
        counted = 0  # lines, as the first one says
        expected = 1  # the number of the next line
        unreadable = 0  # lines since the last that could be read
        offset = at = 0
        text = b"\n"
        for at, text in enumerate(lines.scan(), 1):
            try:
                head = read_head(text)
            except UnreadableLineError as error:
                if at == 1 and not _begins_as_one(text):
                    _check_is_journal(lines, path)
                self.damaged.append(DamagedLine(at, str(error)))
                unreadable += 1
            else:
                number = head.line or (1 if head.journal else expected + unreadable)
                missing = number - expected - unreadable
                if missing > 0:
                    lost = describe_count(missing, "line before it is", "lines before it are")
                    self.damaged.append(DamagedLine(at, f"{lost} missing"))
                if number < expected:
                    self.damaged.append(DamagedLine(at, "it is repeated or out of order"))
                elif head.journal:
                    counted, self.has_header = int(head.lines), len(text) == HEADER_BYTES
                    expected = 2
                else:
                    expected, unreadable = number + 1, 0
                    self._take(head, at, Span(offset, len(text)))
            offset += len(text)
        last = expected - 1 + unreadable
        if not text.endswith(b"\n"):
            if self.has_header and unreadable and last > counted:
                del self.damaged[-1]
                lines.end -= len(text)
                last -= 1
            else:
                lines.append(b"\n")
        if last < counted:
            lost = describe_count(counted - last, "line after it is", "lines after it are")
            self.damaged.append(DamagedLine(at, f"{lost} missing"))
        self.line = max(last, counted)
        # An entry whose line can't be read has a number too.
        self.next += len(self.damaged)

    def _take(self, head: LineHead, at: int, span: Span) -> None:
        """Take a line into the index."""
        self.next = max(self.next, head.entry + 1)
        record = self.index.get(head.entry)
        if head.outcome == "accepted":
            self.damaged.clear()
        elif not head.outcome:
            if record is None:
                self.index.add(_make_record(head, span))
            else:
                # Neither can be told from the other by their number, which outcomes refer to.
                self.index.remove(head.entry)
                reason = f"entry {head.entry} is there twice; neither can be undone"
                self.damaged.append(DamagedLine(at, reason))
        elif record is None:
            pass  # its first line can't be read, which was reported
        elif head.outcome == "failed":
            self.index.remove(head.entry)
        elif head.outcome == "void":
            record.state = "void"
        else:
            self.index.set_done(record, head.version, span)


def _make_record(head: LineHead, span: Span) -> Record:
    assert head.at is not None
    record = Record(
        number=head.entry,
        at=micros_of(head.at if head.at.tzinfo is not None else head.at.replace(tzinfo=UTC)),
        place=sys.intern(head.place),
        store=sys.intern(head.store or head.place),
        op=cast(Op, sys.intern(head.op)),
        id=head.id,
        version_before=None if head.before is None else head.before.version,
        version_after=None if head.after is None else head.after.version,
        undoes=head.undoes,
    )
    record.begin = span
    return record


def _begins_as_one(text: bytes) -> bool:
    """Return whether a line begins as one of a journal, or is cut off before it could differ."""
    return any(
        text.startswith(beginning) or beginning.startswith(text.rstrip(b"\n"))
        for beginning in BEGINNINGS
    )


def _check_is_journal(lines: NamedLines, path: Path) -> None:
    """Raise StorageError if no line near the beginning of a file is one of a journal."""
    start = lines.read(0, min(lines.end, 16_000_000))
    if not any(b"\n" + beginning in start for beginning in BEGINNINGS):
        raise StorageError(f"{path} is not a journal of graphflow_nb: name another file")
