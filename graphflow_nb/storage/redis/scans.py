"""What a read of many keys in Redis would take, found out before it begins.

The server counts its keys. A sample of them says how many of these are the store's, and how large
their values are.
"""

from __future__ import annotations

import time
from typing import Final, NamedTuple

from ..scans import ScanEstimate, ScanKind
from .client import RedisClient

__all__ = ["KeySizes", "Scans"]

_KNOWN_SECONDS: Final = 60.0  # for which a size is believed
_MEASURED: Final = 200  # values
# Measured on 2·10^5 sessions of 2 KB each, over loopback.
_KEYS_PER_SECOND: Final = 40_000
_BYTES_PER_SECOND: Final = 200_000_000


class KeySizes(NamedTuple):
    """The keys of a pattern.

    Attributes:
        keys: About how many there are.
        bytes_each: About how many bytes the value of one has.
    """

    keys: int
    bytes_each: float

    def estimate(self, kind: ScanKind, keys: float, helps: str, tried: int) -> ScanEstimate:
        """Return what reading so many of them takes, of which some were tried."""
        keys = min(keys, self.keys)
        read = round(keys * self.bytes_each)
        seconds = keys / _KEYS_PER_SECOND + read / _BYTES_PER_SECOND
        return ScanEstimate(kind, self.keys, read, seconds, helps, "database", tried)


class Scans:
    """Finds out what reads of many keys would take.

    Args:
        client: The client that sends the commands.
    """

    def __init__(self, client: RedisClient):
        self._client = client
        self._known: dict[str | None, tuple[KeySizes, float]] = {}

    async def measure(self, pattern: str | None, total: int) -> KeySizes:
        """Return about how many keys there are, and how large; believed for a minute.

        Args:
            pattern: The pattern that the keys match; None for all.
            total: The number of all keys of the database.
        """
        now = time.monotonic()
        known = self._known.get(pattern)
        if known is not None and now - known[1] < _KNOWN_SECONDS:
            return known[0]
        sample = await self._client.sample(pattern)
        share = min(1.0, len(sample.keys) / sample.looked_at) if sample.looked_at else 1.0
        some = sample.keys[:: max(1, len(sample.keys) // _MEASURED)]
        sizes = await self._client.pipeline_of_allowed([("STRLEN", key) for key in some])
        found = [size for size in sizes if size is not None]
        sizes_known = KeySizes(round(share * total), sum(found) / len(found) if found else 0.0)
        self._known = {pattern: (sizes_known, now)}
        return sizes_known
