"""Operations as metrics of Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple
from weakref import WeakKeyDictionary

from ...errors import GraphflowError
from ...extras import install_command
from ..operation import Operation

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Histogram

__all__ = ["PrometheusHook"]

#: Seconds: from an operation in memory to one that times out.
BUCKETS: Final = (
    *(0.00001, 0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
_PHASES: Final = ("wait", "encode", "execute", "decode")

Add = Callable[[float], None]


class _Metrics(NamedTuple):
    seconds: Histogram
    phases: Counter
    errors: Counter
    bytes: Counter
    sessions: Counter


class _Measured(NamedTuple):
    """The series of what a storage reports; one that reports nothing has none."""

    phases: tuple[Add, Add, Add, Add]
    bytes: Add
    sessions: Add


class _Series(NamedTuple):
    """The series that one kind of operation adds to."""

    seconds: Add
    error: Add | None


_shared: WeakKeyDictionary[CollectorRegistry, _Metrics] = WeakKeyDictionary()
_shared_lock = Lock()


class PrometheusHook:
    """A hook that counts operations in metrics of Prometheus. Thread-safe.

    Hooks of one registry share its metrics:

    - ``graphflow_operation_duration_seconds``: histogram by op, storage and outcome
    - ``graphflow_operation_phase_seconds_total``: by op, storage and phase (wait, encode, execute,
      decode), where a storage reports them
    - ``graphflow_operation_errors_total``: those that raised, by op, storage and error (the class)
    - ``graphflow_operation_context_bytes_total``, ``graphflow_operation_sessions_total``: what was
      carried, by op and storage, where a storage reports it

    The label ``storage`` is the class of the storage. Nothing from a session is a label. The
    journal's reads are counted like those of the user.

    Args:
        registry: The registry of the metrics; Prometheus's global one if left out.
        background: Whether to count also what this package does by itself.

    Raises:
        GraphflowError: The client of Prometheus is not installed.

    Example:
        >>> import graphflow_nb as g
        >>> from prometheus_client import CollectorRegistry
        >>> registry = CollectorRegistry()
        >>> wb = g.open("demo")
        >>> wb.storage.add_hook(g.PrometheusHook(registry))
        >>> session = wb.get("claim-0014")
        >>> labels = {"op": "get", "storage": "InMemorySessionStorage", "outcome": "ok"}
        >>> registry.get_sample_value("graphflow_operation_duration_seconds_count", labels)
        1.0
    """

    def __init__(self, registry: CollectorRegistry | None = None, *, background: bool = False):
        try:
            import prometheus_client
        except ImportError as error:
            raise GraphflowError(
                f"the client of Prometheus is not installed: {install_command('prometheus')}"
            ) from error
        if registry is None:
            registry = prometheus_client.REGISTRY
        with _shared_lock:
            if registry not in _shared:
                _shared[registry] = _make_metrics(registry)
            self._metrics = _shared[registry]
        self._background = background
        self._series: dict[tuple[str, str, str, str | None], _Series] = {}
        self._measured: dict[tuple[str, str], _Measured] = {}

    def on_operation(self, operation: Operation) -> None:
        """Count one operation."""
        if operation.background and not self._background:
            return
        # Found once: the library's way from labels to a series takes longer than counting.
        kind = operation.op, operation.storage, operation.outcome, operation.error
        series = self._series.get(kind)
        if series is None:
            series = self._series[kind] = self._find_series(*kind)
        series.seconds(operation.duration_ns / 1e9)
        if series.error is not None:
            series.error(1)
        if operation.measured:
            self._add_measures(operation)

    def _add_measures(self, operation: Operation) -> None:
        place = operation.op, operation.storage
        measured = self._measured.get(place)
        if measured is None:
            measured = self._measured[place] = self._find_measured(*place)
        wait, encode, execute, decode = measured.phases
        wait(operation.wait_ns / 1e9)
        encode(operation.encode_ns / 1e9)
        execute(operation.execute_ns / 1e9)
        decode(operation.decode_ns / 1e9)
        measured.bytes(operation.bytes)
        measured.sessions(operation.rows)

    def _find_series(self, op: str, storage: str, outcome: str, error: str | None) -> _Series:
        metrics = self._metrics
        return _Series(
            metrics.seconds.labels(op, storage, outcome).observe,
            None if error is None else metrics.errors.labels(op, storage, error).inc,
        )

    def _find_measured(self, op: str, storage: str) -> _Measured:
        metrics = self._metrics
        wait, encode, execute, decode = (
            metrics.phases.labels(op, storage, phase).inc for phase in _PHASES
        )
        return _Measured(
            (wait, encode, execute, decode),
            metrics.bytes.labels(op, storage).inc,
            metrics.sessions.labels(op, storage).inc,
        )


def _make_metrics(registry: CollectorRegistry) -> _Metrics:
    from prometheus_client import Counter, Histogram

    def counter(name: str, about: str, *labels: str) -> Counter:
        return Counter(name, about, ("op", "storage", *labels), registry=registry)

    return _Metrics(
        Histogram(
            "graphflow_operation_duration_seconds",
            "How long operations on session storages took.",
            ("op", "storage", "outcome"),
            registry=registry,
            buckets=BUCKETS,
        ),
        counter("graphflow_operation_phase_seconds", "Time in each phase.", "phase"),
        counter("graphflow_operation_errors", "Operations that raised, by class.", "error"),
        counter("graphflow_operation_context_bytes", "Bytes of contexts carried."),
        counter("graphflow_operation_sessions", "Sessions carried."),
    )
