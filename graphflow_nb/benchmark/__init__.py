"""Workloads that load a store: which operations, how often, and how long they took.

What makes a figure honest:

- A turn runs on the storage's own loop, so no thread hop is measured.
- In an open loop each request is timed from when it was meant to start, so a stall is not hidden.
  One worker at a time waits for the next start, the last 1.5 ms actively, because timers are a
  millisecond late.
- A request that was due and never made is counted with the time that it has waited.
- Stores take turns, and confidence intervals are Student's over the turns, on logarithms.

A benchmark works on sessions of its own and deletes them at the end.
"""

from .load import Turn, measure
from .sessions import OwnSessions, StoredSessions
from .workload import WORKLOADS, Workload

__all__ = ["OwnSessions", "StoredSessions", "Turn", "WORKLOADS", "Workload", "measure"]
