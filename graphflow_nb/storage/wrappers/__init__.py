"""Storages around other storages. Each is a storage itself and passes the same conformance suite.

A wrapper has exactly the capabilities of the storage inside it: what that one can't do, the
wrapper does not offer.
"""

from .base import READS, WRITES, Wrapper
from .fallback import FallbackStorage
from .read_only import ReadOnlyStorage
from .retrying import RetryingStorage

__all__ = ["READS", "WRITES", "FallbackStorage", "ReadOnlyStorage", "RetryingStorage", "Wrapper"]
