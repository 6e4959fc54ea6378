"""Storages around other storages. Each is a storage itself and passes the same conformance suite.

A wrapper has exactly the capabilities of the storage inside it. Every read and write passes
``Wrapper._call``, with the name of the method, which is in ``READS`` or in ``WRITES``. A wrapper of
your own overrides that one method.
"""

from .base import READS, WRITES, Wrapper
from .fallback import FallbackStorage
from .read_only import ReadOnlyStorage
from .retrying import RetryingStorage

__all__ = ["READS", "WRITES", "FallbackStorage", "ReadOnlyStorage", "RetryingStorage", "Wrapper"]
