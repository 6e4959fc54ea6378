"""Hooks that carry operations to the user's own tools.

Their libraries are imported when a hook is made, and not before.
"""

from .logs import LoggingHook
from .opentelemetry import OpenTelemetryHook
from .prometheus import PrometheusHook

__all__ = ["LoggingHook", "OpenTelemetryHook", "PrometheusHook"]
