"""What every storage operation cost: the record, the hooks, the recorder."""

from .exporters import LoggingHook, OpenTelemetryHook, PrometheusHook
from .operation import Hook, Operation
from .recorder import Recorder
from .storage import MonitoredStorage

__all__ = [
    "Hook",
    "LoggingHook",
    "MonitoredStorage",
    "OpenTelemetryHook",
    "Operation",
    "PrometheusHook",
    "Recorder",
]
