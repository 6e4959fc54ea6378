"""Operations as spans and a histogram of OpenTelemetry."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from ..._version import __version__
from ...errors import GraphflowError
from ...extras import install_command
from ...storage.address import Address, address_of
from ..operation import Operation, wall_start

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

__all__ = ["OpenTelemetryHook"]

#: The version of the semantic conventions for database clients that the hook follows.
SCHEMA: Final = "https://opentelemetry.io/schemas/1.44.0"
#: Seconds, as the conventions advise.
BUCKETS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
# In these a namespace is a number, which does not help in a name.
_NUMBERED: Final = ("redis", "valkey")


class OpenTelemetryHook:
    """A hook that makes a span of each operation, and counts it in a histogram of durations.

    The histogram is ``db.client.operation.duration``.

    Names and attributes are those of OpenTelemetry's stable semantic conventions for database
    clients. An operation that raised, a conflict too, has the class of the exception as
    ``error.type``, and the status Error; a ``get`` of an unknown id has not. Where the store names
    its error by a code (PostgreSQL's SQLSTATE, SQLite's name of it, the prefix of Redis), that is
    ``db.response.status_code``. A span also has
    ``graphflow.session_id``, ``graphflow.outcome``, ``graphflow.origin``, ``graphflow.bytes``,
    ``graphflow.rows`` and the phases, ``graphflow.wait_ns`` and so on, where they are known. The
    histogram has none of these. ``db.namespace`` is that of the first connection.

    The parent is the span that is current where the operation was called. A span is made when its
    operation is over, with the times that it had, so spans of a driver's own instrumentation are
    beside it and not inside it.

    Args:
        storage: The storage that is monitored. A storage of your own describes itself by
            an attribute ``address``, a ``graphflow_nb.storage.Address``.
        background: Whether to report also what this package does by itself.
        tracer_provider: The provider of tracers; OpenTelemetry's global one if left out.
        meter_provider: The provider of meters; OpenTelemetry's global one if left out.

    Raises:
        GraphflowError: OpenTelemetry is not installed.

    Example:
        >>> import graphflow_nb as g
        >>> wb = g.open("demo")
        >>> wb.storage.add_hook(g.OpenTelemetryHook(wb.storage))
    """

    def __init__(
        self,
        storage: object,
        *,
        background: bool = False,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ):
        try:
            from opentelemetry import metrics, trace
        except ImportError as error:
            raise GraphflowError(
                f"OpenTelemetry is not installed: {install_command('opentelemetry')}"
            ) from error

        self._storage = storage
        self._background = background
        self._tracer = trace.get_tracer("graphflow_nb", __version__, tracer_provider, SCHEMA)
        meter = metrics.get_meter("graphflow_nb", __version__, meter_provider, SCHEMA)
        self._seconds = meter.create_histogram(
            "db.client.operation.duration",
            "s",
            "Duration of database client operations.",
            explicit_bucket_boundaries_advisory=BUCKETS,
        )
        self._client = trace.SpanKind.CLIENT
        self._error = trace.StatusCode.ERROR
        self._within = trace.set_span_in_context

    def on_operation(self, operation: Operation) -> None:
        """Report one operation."""
        if operation.background and not self._background:
            return
        name, attributes = _describe(address_of(self._storage), operation.op)
        if operation.error is not None:
            attributes = attributes | {"error.type": operation.error}
        if operation.code is not None:
            attributes = attributes | {"db.response.status_code": operation.code}
        start = wall_start(operation)
        span = self._tracer.start_span(
            name,
            kind=self._client,
            attributes=attributes | _details_of(operation),
            start_time=start,
        )
        if operation.error is not None:
            span.set_status(self._error)
        # The span is the context, so that an exemplar leads to it.
        self._seconds.record(operation.duration_ns / 1e9, attributes, self._within(span))
        span.end(start + operation.duration_ns)


@lru_cache(1024)
def _describe(address: Address, op: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the attributes that the conventions give an operation."""
    attributes = {
        "db.system.name": address.system,
        "db.operation.name": op,
        "db.namespace": address.namespace,
        "db.collection.name": address.collection,
        "server.address": address.server,
        "server.port": address.port,
    }
    namespace = None if address.system in _NUMBERED else address.namespace
    server = address.server
    if server is not None and address.port is not None:
        server = f"{server}:{address.port}"
    target = address.collection or namespace or server
    name = op if target is None else f"{op} {target}"
    return name, {key: value for key, value in attributes.items() if value is not None}


def _details_of(operation: Operation) -> dict[str, Any]:
    details: dict[str, Any] = {
        "graphflow.outcome": operation.outcome,
        "graphflow.origin": operation.origin,
    }
    if operation.session_id is not None:
        details["graphflow.session_id"] = operation.session_id
    for name in ("wait_ns", "encode_ns", "execute_ns", "decode_ns", "bytes", "rows"):
        if value := getattr(operation, name):
            details[f"graphflow.{name}"] = value
    return details
