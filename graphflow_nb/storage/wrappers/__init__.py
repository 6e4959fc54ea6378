"""Storages around other storages; each is a storage itself."""

from .base import READS, WRITES, Wrapper
from .fallback import FallbackStorage
from .read_only import ReadOnlyStorage
from .retrying import RetryingStorage

__all__ = ["READS", "WRITES", "FallbackStorage", "ReadOnlyStorage", "RetryingStorage", "Wrapper"]
