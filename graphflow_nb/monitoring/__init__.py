"""What every storage operation cost: the record, the hooks, the recorder."""

from .exporters import LoggingHook, OpenTelemetryHook, PrometheusHook
from .histogram import Histogram
from .operation import Hook, Operation
from .recorder import Recorder
from .records import Records
from .storage import MonitoredStorage

__all__ = [
    "Histogram",
    "Hook",
    "LoggingHook",
    "MonitoredStorage",
    "OpenTelemetryHook",
    "Operation",
    "PrometheusHook",
    "Recorder",
    "Records",
]
