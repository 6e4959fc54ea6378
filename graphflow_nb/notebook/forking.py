"""A fork: a new session that begins as another one was, and its run from there on."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from ..cards import card, code, fact_table
from ..changes import Patch, apply
from ..client import Client
from ..dual import CalledAsMethod
from ..errors import ContextError, GraphflowError, HistoryError, PatchError
from ..history import HistoryArchive, Version
from ..model import Session
from ..printable import printable_lines
from ..workflow import Graph
from .running import MAX_STEPS, FlowRun, RunFlow

__all__ = ["Fork", "ORIGIN", "Replay", "find_origin", "make_fork"]

MAX_TASKS: Final = 20  # that are named
MAX_NAME: Final = 200  # characters of a task's name

#: The key of the context under which a fork names its origin.
ORIGIN: Final = "forked_from"


@dataclass(frozen=True)
class Fork:
    """What ``wb.fork`` saved; it shows itself.

    Example:
        >>> import graphflow_nb
        >>> from graphflow_nb.history import HistoryStorage
        >>> wb = graphflow_nb.wrap(HistoryStorage(graphflow_nb.InMemorySessionStorage()))
        >>> session = wb.create("claim-1", "intake")
        >>> wb.fork("claim-1", 1, as_id="claim-2").tasks
        ('intake',)

    Attributes:
        session: The new session, as it was saved.
        origin: The version where it begins.
        tasks: The tasks that the origin was at from that version on, in order, each once. They may
            run again, with all that they do outside of the store.
    """

    session: Session
    origin: Version
    tasks: tuple[str, ...]

    def describe_tasks(self) -> str:
        """Return the tasks that may run again, in one line."""
        shown = ", ".join(task[:MAX_NAME] for task in self.tasks[:MAX_TASKS])
        more = len(self.tasks) - MAX_TASKS
        return f"{shown} and {more:,} more" if more > 0 else shown

    def _collect_facts(self) -> Iterator[tuple[str, str]]:
        yield "goes on at task", self.session.current_task_id
        again = f"tasks that {self.origin.id!r} was at from there on, and may run again"
        yield again, self.describe_tasks()

    def __repr__(self) -> str:
        head = (
            f"fork of session {self.origin.id!r} at version {self.origin.number}, saved as "
            f"{self.session.id!r}"
        )
        lines = [head, *(f"  {name}: {value}" for name, value in self._collect_facts())]
        return printable_lines("\n".join(lines))

    def _repr_html_(self) -> str:
        title = Markup("fork of %s at version %s, saved as %s") % (
            code(self.origin.id),
            self.origin.number,
            code(self.session.id),
        )
        return str(
            card(title, fact_table([(n, code(v, name=True)) for n, v in self._collect_facts()]))
        )


async def make_fork(
    archive: HistoryArchive,
    origin: Version,
    session: Session,
    as_id: str,
    changes: Patch | None = None,
) -> Fork:
    """Return a fork that is not saved yet.

    Args:
        archive: The history that the origin is in.
        origin: The version where the new session begins.
        session: The session as it was then.
        as_id: The id of the new session.
        changes: What is changed first.

    Raises:
        HistoryError: The context is not JSON that can be changed.
        PatchError: A path does not exist, or the context has another value where the origin is
            noted.
        StorageError: The store failed.
    """
    forked = session.copy(as_id)
    if changes:
        forked = apply(forked, changes)
    try:
        _check_origin(forked)
        forked.context[ORIGIN] = {"id": origin.id, "version": origin.number}
    except ContextError as error:
        raise HistoryError(
            f"version {origin.number} of session {origin.id!r} can't be forked, since its context "
            "is not JSON in which the origin could be noted; nothing was written. "
            f"wb.save(wb.at({origin.id!r}, {origin.number}).copy({as_id!r})) saves it as it is"
        ) from error
    versions = await archive.versions(origin.id, limit=None)
    following = [v for v in reversed(versions) if v.number >= origin.number]
    ended = next((n for n, version in enumerate(following) if version.deleted), len(following))
    tasks = dict.fromkeys(version.current_task_id for version in following[:ended])
    return Fork(forked, origin, tuple(tasks))


def find_origin(session: Session) -> tuple[str, int] | None:
    """Return the id and the version that a session is a fork of; None if it is none."""
    try:
        origin = session.context.get(ORIGIN)
    except GraphflowError:  # a context that is not JSON
        return None
    if not isinstance(origin, dict):
        return None
    id, version = origin.get("id"), origin.get("version")
    return (id, version) if isinstance(id, str) and type(version) is int else None


def _check_origin(session: Session) -> None:
    """Check that the place of the origin is free, or has an earlier origin.

    Raises:
        PatchError: One is.
    """
    value = session.context.get(ORIGIN)
    if value is None or (isinstance(value, dict) and value.keys() == {"id", "version"}):
        return
    raise PatchError(
        f"the context has a value of its own under {ORIGIN!r}, where a fork names its origin; "
        'nothing was written. changes=[{"op": "remove", "path": "/context/data/'
        f'{ORIGIN}"}}] leaves it out of the fork'
    )


class Replay(CalledAsMethod):
    """A run of a graph on a fork, until input is needed; see ``__call__``.

    Args:
        client: The open store.
    """

    def __init__(self, client: Client):
        super().__init__("replay")
        self._run = RunFlow(client)

    def __call__(self, fork: Fork | str, graph: Graph, *, max_steps: int = MAX_STEPS) -> FlowRun:
        """Run a fork on with a graph, until it waits for input, is complete or has nowhere to go.

        The tasks run, with all that they do outside of the store. ``wb.compare_runs(origin, fork)``
        then shows what came of the change.

        Args:
            fork: What ``wb.fork`` returned, or the id of the new session.
            graph: The graph.
            max_steps: The number of steps after which it stops, and the answer says so.

        Returns:
            The run, as ``wb.run`` returns it.

        Raises:
            GraphError, QueryError, SessionNotFound, TaskNotFound, TaskExecutionFailed,
            SessionConflict, ReadOnlyError, StorageError: See ``wb.run``.
        """
        return self._run(graph, _id_of(fork), until="input", max_steps=max_steps)

    def aio(
        self, fork: Fork | str, graph: Graph, *, max_steps: int = MAX_STEPS
    ) -> Awaitable[FlowRun]:
        """Return the same run to be awaited."""
        return self._run.aio(graph, _id_of(fork), until="input", max_steps=max_steps)


def _id_of(fork: Fork | str) -> str:
    return fork.session.id if isinstance(fork, Fork) else fork
