"""Limits that the storages, the browser and the advice share."""

from __future__ import annotations

from typing import Final

__all__ = ["QUICK_ROWS"]

#: Up to this number of sessions (in Redis: of keys), a page without an index is quick enough:
#: PostgreSQL sorts them in about 10 ms.
QUICK_ROWS: Final = 50_000
