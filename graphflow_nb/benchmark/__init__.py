"""Workloads that load a store: what is asked of it, how often, and what that took."""

from .load import Turn, measure
from .sessions import OwnSessions, StoredSessions
from .workload import WORKLOADS, Workload

__all__ = ["OwnSessions", "StoredSessions", "Turn", "WORKLOADS", "Workload", "measure"]
