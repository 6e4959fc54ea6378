"""A recording of graphflow-stream, as DataFrames and a picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..frames import events_frame, task_runs_frame
from ..history.recordings import Event, read_events

if TYPE_CHECKING:
    from ..figures.theme import ThemeName
    from .timelines import Timeline

__all__ = ["Recording", "read_recording"]


def read_recording(path: str | os.PathLike[str]) -> Recording:
    """Read a recording that the crate graphflow-stream saved as JSON.

    Args:
        path: The file.

    Returns:
        The recording, which shows itself.

    Raises:
        RecordingError: The file can't be read, is larger than 500 MB, or is not a recording.
    """
    return Recording(read_events(path))


class Recording:
    """What happened within the tasks of one run, token by token; it shows itself.

    A recording has no clock and no session id: times count from its start. Events that have no
    counterpart, such as a start without an end, are no error.

    Example:
        >>> from graphflow_nb.history.recordings import Event
        >>> from graphflow_nb.notebook.recordings import Recording
        >>> recording = Recording([
        ...     Event(0, "TaskStarted", "greet", ""),
        ...     Event(20_000_000, "Token", "greet", "Hel"),
        ...     Event(50_000_000, "Token", "greet", "lo"),
        ...     Event(60_000_000, "TaskFinished", "greet", ""),
        ... ])
        >>> recording.tasks[["task_id", "outcome", "tokens"]].values.tolist()
        [['greet', 'finished', 2]]
        >>> recording.text("greet")
        'Hello'

    Args:
        events: The events, in the order in which they were saved.

    Attributes:
        events: One row for each event: ``at`` (timedelta64[ns]), ``kind``, ``task_id``
            (category), ``text`` (text of a token, or of an error).
        tasks: One row for each run of a task: ``task_id`` (category), ``start``, ``end`` (missing
            without one), ``last_event`` (timedelta64[ns]), ``outcome`` (category: ``finished``,
            ``failed``, ``no end``), ``started`` (bool: whether its start was recorded), ``tokens``,
            ``characters`` (int64), ``tokens_per_second`` (float64, until the last event),
            ``error`` (text).
    """

    def __init__(self, events: Sequence[Event]):
        self._events = list(events)
        self.events = events_frame(self._events)
        self.tasks = task_runs_frame(self._events)

    def text(self, task_id: str) -> str:
        """Return the tokens of a task as one text.

        Args:
            task_id: The id of the task.
        """
        tokens = (e.text for e in self._events if e.kind == "Token" and e.task == task_id)
        return "".join(tokens)

    def plot(self, *, history: Timeline | None = None, theme: ThemeName = "both") -> Any:
        """Draw the runs of tasks and the rate of tokens; below them a session's history.

        Args:
            history: ``wb.timeline(id)`` of the session that was recorded. Its times are of the
                clock and those of the recording are not, so the two are drawn below each other.
            theme: ``both`` (transparent), ``light`` or ``dark``.

        Returns:
            The figure, which shows itself in a notebook.

        Raises:
            QueryError: The theme is unknown.
        """
        rows = min(len(self.tasks), 40)
        parts = 2 if history is None else 3
        # matplotlib takes its time: only when it is wanted
        from ..figures import LatencyFigure, plot_stays, plot_task_runs, plot_token_rate

        figure = LatencyFigure((9, 5.2 + 0.2 * rows + (2.6 if history else 0)), theme=theme)
        axes = figure.panels(parts, 1)
        plot_task_runs(self.tasks, ax=axes[0])
        plot_token_rate(self.events, ax=axes[1])
        if history is not None:
            plot_stays(history.stays, ax=axes[2])
        return figure

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.plot()._repr_mimebundle_(**options)

    def __repr__(self) -> str:
        return str(self.plot().said)
