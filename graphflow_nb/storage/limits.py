"""Limits that the storages, the browser and the advice share."""

from __future__ import annotations

from typing import Final

__all__ = ["QUICK_ROWS"]

#: Up to this many sessions (in Redis: keys), a page that no index serves is quick enough: sorting
#: them takes PostgreSQL about 10 ms.
QUICK_ROWS: Final = 50_000
