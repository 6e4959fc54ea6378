"""Pools of asyncpg inside a custom storage."""

from __future__ import annotations

import asyncpg

from ..wrappers.base import find_innermost

__all__ = ["find_resetting_pools"]


def find_resetting_pools(storage: object) -> list[str]:
    """Return the names of a storage's attributes that are pools which reset their connections.

    Such a pool sends a reset to each connection that is returned to it, which takes one more round
    trip.

    Args:
        storage: Any storage; of a wrapper, the storage inside is examined.
    """
    return [
        name
        for name, value in getattr(find_innermost(storage), "__dict__", {}).items()
        # asyncpg has no public way to ask whether create_pool was called with reset=.
        if isinstance(value, asyncpg.Pool) and getattr(value, "_reset", None) is None
    ]
