"""Hooks that report operations to the user's own tools: logging, OpenTelemetry, Prometheus.

The library of a tool is imported when its hook is made, not before. No hook reports what a context
holds.
"""

from .logs import LoggingHook
from .opentelemetry import OpenTelemetryHook
from .prometheus import PrometheusHook

__all__ = ["LoggingHook", "OpenTelemetryHook", "PrometheusHook"]
