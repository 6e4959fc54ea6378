"""The cost of every storage operation: its record, the hooks that receive it, the recorder.

The recorder keeps operations by column. A thread takes the next place in each column's list and
writes there (0.2 µs). Each 8,192 operations are packed into numpy columns that are as narrow as
their values: each session id is kept once, a UUID as 16 bytes. Operations that are beyond the
bound are counted in buckets, like those of HdrHistogram. A storage reports its phases through a
context variable, so no method has an argument for them.
"""

from .exporters import LoggingHook, OpenTelemetryHook, PrometheusHook
from .histogram import Histogram
from .operation import Hook, Operation, Origin
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
    "Origin",
    "PrometheusHook",
    "Recorder",
    "Records",
]
