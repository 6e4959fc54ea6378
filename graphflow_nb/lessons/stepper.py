"""A stepper: run a workflow step by step, and see memory beside the store."""

from __future__ import annotations

from collections import deque
from copy import copy
from importlib.util import find_spec
from typing import Final

from markupsafe import Markup

from ..cards import code
from ..errors import (
    BridgeError,
    ContextError,
    GraphError,
    GraphflowError,
    LessonError,
    ReadOnlyError,
    SessionNotFound,
)
from ..model import Session
from ..notebook.panel import Action, Panel
from ..notebook.running import Collector
from ..notebook.workbench import Workbench
from ..printable import printable_lines
from ..workflow import ExecutionResult, Graph
from .shown import ShownAsPanel
from .step import Step
from .watched import WatchedGraph

__all__ = ["Stepper"]

MAX_STEPS: Final = 200  # that are kept to be looked at, the newest
MAX_LISTED: Final = 20  # of them, one a line


class Stepper(ShownAsPanel[Panel]):
    """A session whose workflow is run step by step; it shows itself as a panel.

    After each step the row is read again and shown beside the session that the runner held. Earlier
    steps can be looked at. Looking changes nothing: neither the store nor what the next step does.

    Example:
        >>> import graphflow_nb
        >>> from graphflow_nb.lessons import Stepper
        >>> from graphflow_nb.workflow import GraphBuilder, NextAction, TaskResult, task
        >>> @task("count")
        ... def count(context):
        ...     context["runs"] = context.get("runs", 0) + 1
        ...     return TaskResult("counted", NextAction.WAIT_FOR_INPUT)
        >>> wb = graphflow_nb.open("memory:")
        >>> session = wb.create("s1", "count")
        >>> stepper = Stepper(wb, GraphBuilder("counts").add_task(count).build(), "s1")
        >>> step = stepper.step()
        >>> stepper.step().stored.context["runs"]
        2
        >>> stepper.back().stored.context["runs"]
        1
        >>> wb.get("s1").context["runs"]
        2

    Args:
        wb: The workbench of the store, open for writing.
        graph: The graph.
        id: The id of the session.
        name: How the notebook names the stepper, for the lines of code that it shows.

    Attributes:
        wb, graph, id, name: As passed.

    Raises:
        GraphError: ``graph`` is not a graph.
        ReadOnlyError: The store is open for reading only.
        SessionNotFound: No session has this id.
        StorageError: The store failed.
    """

    def __init__(self, wb: Workbench, graph: Graph, id: str, *, name: str = "stepper"):
        if not isinstance(graph, Graph):
            raise GraphError(
                f"a stepper takes a Graph, which GraphBuilder.build() makes, not {graph!r}"
            )
        if wb.attributes.read_only:
            raise ReadOnlyError(
                "this store is open for reading only, so no step can be run; open it with "
                "writable=True"
            )
        self.wb, self.graph, self.id, self.name = wb, graph, id, name
        stored = self._read_row()
        if stored is None:
            raise SessionNotFound(id)
        start = Step(0, None, None, stored, None, None, (), ())
        self._steps: deque[Step] = deque([start], maxlen=MAX_STEPS)
        self._number = 0  # of the step that is looked at

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that are kept, oldest first: the newest 200, and step 0 if it is among them."""
        return tuple(self._steps)

    @property
    def newest(self) -> int:
        """The number of the newest step."""
        return self._steps[-1].number

    @property
    def shown(self) -> Step:
        """The step that is looked at."""
        return self._steps[self._number - self._steps[0].number]

    def step(self) -> Step:
        """Run one step of the stored session, as ``wb.run`` does, and look at it.

        It goes on from the row, whichever step is looked at. A step that fails is returned, too,
        and not raised: ``error`` says why, and ``saving`` what of it was saved.

        Raises:
            ReadOnlyError: The store is open for reading only; nothing was run.
            BridgeError: It was called from where the store can't be waited for.
        """
        watched, collector = WatchedGraph(self.graph), Collector(self.id)
        result: ExecutionResult | None = None
        failure: GraphflowError | None = None
        self.wb.storage.add_hook(collector)
        try:
            result = self.wb.run(watched, self.id).results[-1]
        except (ReadOnlyError, BridgeError):
            raise  # no step, but a call from the wrong place
        except GraphflowError as error:
            failure = error
        finally:
            self.wb.storage.remove_hook(collector)
        notes = [self._find_other_writer(watched.before)]
        memory, stored = None, None
        try:
            memory = None if watched.session is None else copy(watched.session)
        except ContextError as error:
            notes.append(f"the session in memory can't be written as JSON: {error}")
        try:
            stored = self._read_row()
        except GraphflowError as error:
            notes.append(f"the row could not be read again: {error}")
        step = Step(
            self.newest + 1,
            watched.before,
            memory,
            stored,
            result,
            failure,
            tuple(watched.ran),
            tuple(collector.operations),
            "; ".join(filter(None, notes)),
        )
        self._steps.append(step)
        return self._look_at(step.number)

    def back(self) -> Step:
        """Look at the step before, which changes nothing.

        Raises:
            LessonError: The first step that is kept is looked at already.
        """
        return self.at(self._number - 1)

    def forward(self) -> Step:
        """Look at the step after, which runs nothing.

        Raises:
            LessonError: The newest step is looked at already.
        """
        return self.at(self._number + 1)

    def at(self, number: int) -> Step:
        """Look at a step by its number, which changes nothing.

        Args:
            number: The number; 0 is the row before the first step.

        Raises:
            LessonError: There is no such step, or it is no longer kept.
        """
        first = self._steps[0].number
        if type(number) is not int or not first <= number <= self.newest:
            gone = f"; of all steps the newest {MAX_STEPS} are kept" if first else ""
            raise LessonError(
                f"there is no step {number!r} to look at: there are {first} to {self.newest}{gone}"
            )
        return self._look_at(number)

    def _look_at(self, number: int) -> Step:
        self._number = number
        self._refresh()
        return self.shown

    def _read_row(self) -> Session | None:
        # As background traffic: looking leaves no trace in what operations cost.
        return self.wb.bridge.run(self.wb.storage.background.get(self.id))

    def _find_other_writer(self, before: Session | None) -> str:
        """Return a note if the row that a step read is not the one after the step before."""
        last = self._steps[-1].stored
        if before is None or last is None or before.version == last.version:
            return ""
        return (
            f"someone else saved the session since the step before: it was at version "
            f"{last.version}, and this step read version {before.version}"
        )

    # Showing

    def _make_panel(self) -> Panel:
        return Panel(f"steps of {self.id}", self._draw, self._make_actions)

    def _describe_place(self) -> str:
        if self._number == self.newest:
            return f"step {self._number} of {self.newest}, the newest"
        return (
            f"step {self._number} of {self.newest}. Looking changes nothing: the store is where "
            f"step {self.newest} left it, and the next step goes on from there"
        )

    def _make_actions(self) -> list[list[Action]]:
        first, name = self._steps[0].number, self.name
        older, newer = self._number > first, self._number < self.newest
        newest = f"{name}.at({self.newest})"
        return [
            [Action("Run one step", f"{name}.step()", self._step_and_describe, style="primary")],
            [
                Action("Look back", f"{name}.back()", self.back, enabled=older),
                Action("Look forward", f"{name}.forward()", self.forward, enabled=newer),
                Action("Look at the newest", newest, self._look_at_newest, enabled=newer),
            ],
        ]

    def _step_and_describe(self) -> str:
        step = self.step()
        return f"step {step.number}: {step.outcome}"

    def _look_at_newest(self) -> None:
        self.at(self.newest)

    def _draw(self) -> Markup:
        step = self.shown
        place = Markup('<p role="status"><b>%s</b></p>') % self._describe_place()
        beside = Markup('<div class="gfnb-side">%s<div>%s%s</div></div>')
        return place + beside % (self._draw_graph(step), step.render(), self._draw_steps())

    def _draw_steps(self) -> Markup:
        """Return all steps, one a line, for who looks at them without a kernel."""
        row = Markup("<tr%s><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>")
        rows = Markup("").join(
            row
            % (
                Markup(' class="gfnb-open"') if step is self.shown else "",
                step.number,
                code(" → ".join(step.tasks) or "none"),
                code(step.outcome),
                "unknown" if step.stored is None else step.stored.version,
            )
            for step in list(self._steps)[-MAX_LISTED:]
        )
        cut = f", the newest {MAX_LISTED}" if len(self._steps) > MAX_LISTED else ""
        return Markup(
            "<details><summary><b>all steps</b>%s</summary>"
            '<table class="gfnb-diff"><thead><tr><th>step</th><th>tasks that ran</th>'
            "<th>outcome</th><th>version in the store</th></tr></thead><tbody>%s</tbody></table>"
            "</details>"
        ) % (cut, rows)

    def _draw_graph(self, step: Step) -> Markup:
        current = None if step.stored is None else step.stored.current_task_id
        diagram = self.graph.diagram(current)
        if find_spec("networkx") is None:
            return Markup("<pre>%s</pre>") % diagram.text()
        from ..diagrams.svg import render_svg  # and with it networkx, only when it is wanted

        return Markup('<div class="gfnb-picture">%s</div>') % render_svg(diagram.limit())

    def __repr__(self) -> str:
        return printable_lines(f"{self.id}, {self._describe_place()}\n{self.shown!r}")
