"""What every storage operation cost: the record, the hooks, the recorder."""

from .operation import Hook, Operation
from .recorder import Recorder
from .storage import MonitoredStorage

__all__ = ["Hook", "MonitoredStorage", "Operation", "Recorder"]
