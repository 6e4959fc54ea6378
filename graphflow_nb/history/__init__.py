"""Versions of sessions over time, on stores that keep only the last one.

graph-flow overwrites: a store has one row for each session. Here each version is kept too, bounded
by a ``Retention``. Where a version comes from is said in its ``source``: ``written`` by a
``HistoryStorage``, by a ``trigger`` of the database, or ``observed``.

``storage/history.py`` says what a store's history table keeps, and each database has its own in
its folder; ``archive.py`` reads, compacts and prunes any of them, ``versions.py`` makes versions
and sessions of its rows, ``encoding.py`` makes patches of contexts and contexts of patches,
``compaction.py`` says which contexts become patches, ``changes.py`` where versions differ, and
``storage.py`` is the storage that keeps what it writes. ``upkeep.py`` keeps a history small while
it is written here, ``sweep.py`` one that triggers write.
``recordings.py`` reads what graphflow-stream recorded within the tasks of a run.
"""

from ..storage.history import (
    HistorySize,
    HistoryTable,
    Retention,
    Steps,
    SupportsHistory,
    VersionRow,
)
from .archive import HistoryArchive, PruneReport, history_of
from .storage import HistoryStorage
from .versions import Version

__all__ = [
    "HistoryArchive",
    "HistorySize",
    "HistoryStorage",
    "HistoryTable",
    "PruneReport",
    "Retention",
    "Steps",
    "SupportsHistory",
    "Version",
    "VersionRow",
    "history_of",
]
