"""The journal of writes by hand: each with what it replaced, so that it can be undone.

A write takes three steps. The stored session is read; it is noted in the journal together with
what will replace it; only then the new one is written, compare-and-swap. So what is replaced is
exactly what was noted, and a crash between the steps loses nothing. What is written through the
monitored storage itself (``wb.storage``), or with ``undo=False``, is not noted.

What was written can be undone as long as the journal lasts: with the process, or with its file.
What was undone can be redone, by the number of the entry that undid it, until the journal is
compacted.
"""

from .entries import DamagedLine, Entry, UndoReport
from .journal import Journal
from .storage import JournaledStorage

__all__ = ["DamagedLine", "Entry", "Journal", "JournaledStorage", "UndoReport"]
