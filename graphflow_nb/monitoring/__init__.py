"""What every storage operation cost: the record, the hooks, the recorder."""

from .histogram import Histogram
from .operation import Hook, Operation
from .recorder import Recorder
from .records import Records
from .storage import MonitoredStorage

__all__ = ["Histogram", "Hook", "MonitoredStorage", "Operation", "Recorder", "Records"]
