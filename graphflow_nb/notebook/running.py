"""``wb.run``: steps of a workflow on a stored session, and what they changed and cost."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any, Final, Literal

from markupsafe import Markup

from ..bridge import Bridge, meeting_point
from ..cards import card, code, fact_table, patch_html
from ..changes import Patch, diff
from ..client import Client
from ..dual import CalledAsMethod
from ..errors import GraphError, GraphflowError, QueryError, ReadOnlyError
from ..model import Session
from ..monitoring import Operation
from ..printable import describe_count, inflect, printable_lines
from ..storage.wrappers import Wrapper
from ..tracebacks import scrub_by
from ..workflow import ExecutionResult, ExecutionStatus, FlowRunner, Graph
from ..workflow.execution import NO_EDGE

__all__ = ["MAX_STEPS", "Collector", "FlowRun", "RunFlow"]

MAX_STEPS: Final = 1000
MAX_CHANGES: Final = 20  # of a text


@dataclass(frozen=True)
class FlowRun:
    """What ``wb.run`` did; it shows itself.

    Example:
        >>> import graphflow_nb
        >>> from graphflow_nb.workflow import GraphBuilder, NextAction, TaskResult, task
        >>> @task("close")
        ... def close(context):
        ...     return TaskResult("bye", NextAction.END, "closed")
        >>> wb = graphflow_nb.open("memory:")
        >>> session = wb.create("ticket-1", "close")
        >>> run = wb.run(GraphBuilder("support").add_task(close).build(), "ticket-1")
        >>> run.changes
        replace /status_message: null → "closed"
        >>> [operation.op for operation in run.operations]
        ['get', 'save']

    Attributes:
        id: The id of the session.
        results: What each step came to.
        before: The session as it was read first.
        after: The session as it was saved last.
        operations: The calls on the storage, in order.
        note: A remark, such as that a bound was reached; empty for none.
    """

    id: str
    results: tuple[ExecutionResult, ...]
    before: Session
    after: Session
    operations: tuple[Operation, ...]
    note: str = ""

    @property
    def response(self) -> str | None:
        """The response of the last step."""
        return self.results[-1].response

    @property
    def status(self) -> ExecutionStatus:
        """Where the last step left the session."""
        return self.results[-1].status

    @property
    def changes(self) -> Patch:
        """The changes from the session before to the session after."""
        return diff(self.before, self.after)

    def _collect_facts(self) -> Iterator[tuple[str, str]]:
        yield (
            "response",
            self.after.mask.hide_in("none" if self.response is None else self.response),
        )
        kind, target, reason = self.status
        yield "status", kind if target is None else f"{kind} at {target}: {reason}"
        yield "steps", f"{len(self.results):,}"
        yield "version", f"{self.before.version} → {self.after.version}"
        for op, (count, nanos) in self._sum_operations().items():
            yield op, f"{count:,} × in {nanos / 1000:,.1f} µs"
        if self.note:
            yield "note", self.note

    def _sum_operations(self) -> dict[str, tuple[int, int]]:
        """Return the number of operations of each kind, and their nanoseconds."""
        sums: dict[str, tuple[int, int]] = {}
        for operation in self.operations:
            ok = operation.outcome == "ok"
            name = operation.op if ok else f"{operation.op}: {operation.outcome}"
            count, nanos = sums.get(name, (0, 0))
            sums[name] = (count + 1, nanos + operation.duration_ns)
        return sums

    def __repr__(self) -> str:
        lines = [f"run of session {self.id!r}"]
        lines += [f"  {name}: {value}" for name, value in self._collect_facts()]
        changes = self.changes
        lines += [f"  {change.describe(changes.mask)}" for change in changes[:MAX_CHANGES]]
        if len(changes) > MAX_CHANGES:
            lines.append(
                f"  {describe_count(len(changes) - MAX_CHANGES, 'more change')}, not shown"
            )
        return printable_lines("\n".join(lines))

    def _repr_html_(self) -> str:
        facts = fact_table([(name, code(value)) for name, value in self._collect_facts()])
        return str(card(Markup("run of %s") % code(self.id), facts + patch_html(self.changes)))


class RunFlow(CalledAsMethod):
    """A run of a graph on one session of a client's store; see ``__call__``."""

    def __init__(self, client: Client):
        super().__init__("run")
        self._client = client

    def __call__(
        self,
        graph: Graph,
        id: str,
        *,
        until: Literal["input"] | None = None,
        max_steps: int = MAX_STEPS,
    ) -> FlowRun:
        """Run a step of a graph on a session, as ``graphflow_nb.workflow.FlowRunner`` does.

        The session is loaded, its current task and those chained to it run, and it is saved once,
        if they succeeded. A run is a worker's write, not one by hand: it is in ``wb.latency``, and
        not in ``wb.journal``, since ``wb.undo`` could not take back what the tasks did elsewhere.

        The tasks run on the loop of the storage, which a plain function keeps busy. There they may
        ``await wb.get.aio(id)``, but not call ``wb.get(id)``.

        Args:
            graph: The graph. As in the crate, the session's ``graph_id`` is not compared with it.
            id: The id of the session.
            until: ``"input"`` runs step after step, each saved, until the session waits for input,
                is complete or has no edge to go on. Default: one step.
            max_steps: The number of steps after which ``until`` stops, and the answer says so.

        Returns:
            The run: response, status, the session before and after, and the operations.

        Raises:
            SessionNotFound: No session has this id.
            TaskNotFound: The graph lacks a task. This step was not saved, those before it were.
            TaskExecutionFailed: A task failed; as above.
            SessionConflict: Someone else saved the session meanwhile; as above.
            ReadOnlyError: The store is open for reading only; no task ran.
            GraphError: ``graph`` is not a graph.
            QueryError: Another argument is invalid.
            StorageError: The store failed, or can't hold a value.
        """
        bridge, coroutine = self._start(graph, id, until, max_steps)
        return bridge.run(coroutine)

    def aio(
        self,
        graph: Graph,
        id: str,
        *,
        until: Literal["input"] | None = None,
        max_steps: int = MAX_STEPS,
    ) -> Awaitable[FlowRun]:
        """Return the same run to be awaited."""
        bridge, coroutine = self._start(graph, id, until, max_steps)
        return bridge.wait(coroutine)

    def _start(
        self, graph: Graph, id: str, until: str | None, max_steps: int
    ) -> tuple[Bridge, Coroutine[Any, Any, FlowRun]]:
        if not isinstance(graph, Graph):
            raise GraphError(
                f"wb.run takes a Graph, which GraphBuilder.build() makes, not {graph!r}"
            )
        if until not in (None, "input"):
            raise QueryError(f'until= is "input" or None, not {until!r}')
        if type(max_steps) is not int or max_steps < 1:
            raise QueryError(f"max_steps must be an integer >= 1, not {max_steps!r}")
        if self._client.attributes.read_only:
            raise ReadOnlyError(
                "this store is open for reading only, so no task was run; "
                "open it with writable=True"
            )
        # Tasks may suspend, so a storage that never does is not driven in place here.
        bridge = meeting_point([self._client.bridge])
        steps = max_steps if until else 1
        return bridge, scrub_by(self._client.scrubber, self._run, graph, id, steps, bool(until))

    async def _run(self, graph: Graph, id: str, limit: int, repeat: bool) -> FlowRun:
        storage = self._client.storage
        watched, collector = _Watched(self._client), Collector(id)
        runner = FlowRunner(graph, watched)
        results: list[ExecutionResult] = []
        storage.add_hook(collector)
        try:
            while len(results) < limit:
                results.append(await runner.run(id))
                status = results[-1].status
                if status.kind != "paused" or status.reason == NO_EDGE:
                    break
        except GraphflowError as error:
            if results:
                steps = describe_count(len(results), "step")
                were = inflect(len(results), "was", "were")
                error.add_note(f"{steps} before this one succeeded and {were} saved")
            raise
        finally:
            storage.remove_hook(collector)
        assert watched.before is not None
        assert watched.after is not None
        last = results[-1].status
        reached = repeat and last.kind == "paused" and last.reason != NO_EDGE
        return FlowRun(
            id,
            tuple(results),
            watched.before,
            watched.after,
            tuple(collector.operations),
            f"stopped after max_steps={limit:,}; the session can go on" if reached else "",
        )


class _Watched(Wrapper):
    """A client's storage that keeps the session as it was read first and saved last."""

    def __init__(self, client: Client):
        super().__init__(client.storage)
        self._client = client
        self.before: Session | None = None
        self.after: Session | None = None

    async def _call(self, method: str, /, *arguments: Any, **named: Any) -> Any:
        result = await super()._call(method, *arguments, **named)
        if method == "get" and result is not None:
            self._client.note_shown(result)
            self.before = self.before or copy(result)
        elif method == "save":
            self.after = copy(arguments[0])
            self._client.note_shown(self.after, "run")
        return result


class Collector:
    """A hook that keeps the operations on one session, those of the package itself left out.

    Args:
        id: The id of the session.

    Attributes:
        operations: The operations, in order.
    """

    def __init__(self, id: str):
        self._id = id
        self.operations: list[Operation] = []

    def on_operation(self, operation: Operation) -> None:
        """Keep an operation, if it is on the session."""
        if operation.session_id == self._id and not operation.background:
            self.operations.append(operation)
