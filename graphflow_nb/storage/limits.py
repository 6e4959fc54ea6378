"""Limits that the storages, the browser and the advice share."""

from __future__ import annotations

from typing import Final

__all__ = ["QUICK_ROWS", "SNAPSHOT_PAUSE", "SNAPSHOT_SECONDS"]

#: Up to this number of sessions (in Redis: of keys), a page without an index is quick enough:
#: PostgreSQL sorts them in about 10 ms.
QUICK_ROWS: Final = 50_000

#: Seconds without a read after which a snapshot ends.
SNAPSHOT_PAUSE: Final = 600.0
#: Seconds after which a snapshot ends: what it needs, no server or file can remove meanwhile.
SNAPSHOT_SECONDS: Final = 3600.0
