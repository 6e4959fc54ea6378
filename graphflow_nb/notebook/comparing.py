"""Two runs, or two groups of runs, compared: step by step, or by what is usual in each."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from markupsafe import Markup

from ..cards import card, code
from ..changes import diff, pointer
from ..frames import category_column, frame_html, text_column
from ..model import Session
from ..printable import printable, printable_lines

if TYPE_CHECKING:
    from ..figures.theme import ThemeName

__all__ = ["CohortComparison", "RunComparison", "Visit", "align", "visits_of"]

MAX_PATHS: Final = 5  # of a step's differences that are named


@dataclass(frozen=True)
class Visit:
    """A session's time at one task, from the save that brought it there to the save that left.

    Attributes:
        task: The task.
        number: Which visit of this task it is, from 1.
        start, end: When it began and ended; the end of the last one is the time of the call.
        versions: The first and the last version at the task.
        open: Whether it has no end yet.
    """

    task: str
    number: int
    start: pd.Timestamp
    end: pd.Timestamp
    versions: tuple[int, int]
    open: bool

    @property
    def key(self) -> tuple[str, int]:
        """What aligns it with a visit of another run."""
        return self.task, self.number


def visits_of(stays: pd.DataFrame) -> list[Visit]:
    """Return the visits of one session: stays at the same task, one after the other, are one.

    Args:
        stays: The stays of one session, as ``Timeline.stays`` has them.
    """
    found: list[Visit] = []
    seen: dict[str, int] = {}
    for stay in stays.itertuples(index=False):
        row: Any = stay
        if found and row.waits:
            last = found.pop()
            versions = (last.versions[0], int(row.version))
            found.append(
                Visit(last.task, last.number, last.start, row.end, versions, bool(row.open))
            )
            continue
        seen[row.task] = seen.get(row.task, 0) + 1
        version = int(row.version)
        found.append(
            Visit(row.task, seen[row.task], row.start, row.end, (version, version), bool(row.open))
        )
    return found


def align(one: Sequence[Visit], other: Sequence[Visit]) -> list[tuple[Visit | None, Visit | None]]:
    """Return the visits of two runs side by side, aligned by task and visit, in the order of both.

    Args:
        one, other: The visits of each run.
    """
    theirs = {visit.key: visit for visit in other}
    ours = {visit.key for visit in one}
    left = list(other)
    rows: list[tuple[Visit | None, Visit | None]] = []
    for visit in one:
        match = theirs.get(visit.key)
        if match is not None and match in left:
            # What the other run did alone before this step comes first.
            while left[0] is not match:
                skipped = left.pop(0)
                if skipped.key not in ours:
                    rows.append((None, skipped))
            left.pop(0)
            rows.append((visit, match))
        else:
            rows.append((visit, match))
    return rows + [(None, visit) for visit in left if visit.key not in ours]


class RunComparison:
    """Two runs, step by step; it shows itself.

    Example:
        >>> import graphflow_nb
        >>> from graphflow_nb.history import HistoryStorage
        >>> wb = graphflow_nb.wrap(HistoryStorage(graphflow_nb.InMemorySessionStorage()))
        >>> for id, amount in (("claim-1", 10), ("claim-2", 9000)):
        ...     session = wb.create(id, "intake", context={"amount": amount})
        ...     session.current_task_id = "payout" if amount < 100 else "review"
        ...     wb.save(session)
        >>> found = wb.compare_runs("claim-1", "claim-2")
        >>> found.frame[["task", "differs"]].values.tolist()
        [['intake', 'amount'], ['payout', 'only claim-1'], ['review', 'only claim-2']]
        >>> found.parted
        'after intake: claim-1 went to payout, claim-2 to review'

    Args:
        ids: The ids of the two sessions.
        stays: The stays of both, as ``Timeline.stays`` has them.
        sessions: For each id, the session at each version that ends a visit.

    Attributes:
        frame: One row for each step: ``task`` (category), ``visit`` (int64), ``duration_a``,
            ``duration_b``, ``difference`` (timedelta64[us], b less a; missing where one was not
            there), ``differs`` (text: the places in which the two contexts differ after this step
            and did not before it), ``version_a``, ``version_b`` (Int64, the last at the step).
        parted: Where they first went different ways, in words; empty if they did not.
    """

    def __init__(
        self,
        ids: tuple[str, str],
        stays: pd.DataFrame,
        sessions: tuple[Mapping[int, Session], Mapping[int, Session]],
    ):
        self.ids = ids
        self._stays = stays
        visits = [visits_of(stays[stays["id"] == id]) for id in ids]
        rows = align(*visits)
        self.frame = _steps_frame(ids, rows, sessions)
        self.parted = _describe_parting(ids, visits)

    def plot(self, *, ax: Any = None, theme: ThemeName = "light") -> Any:
        """Draw both runs as if they had begun at the same time.

        Args:
            ax: The axes to draw on; None makes a figure.
            theme: The theme of a new figure, ``light`` or ``dark``.

        Returns:
            The axes; those of a new figure show themselves in a notebook.
        """
        stays = self._stays.copy()
        starts = stays.groupby("id")["start"].transform("min")
        earlier = starts - stays["start"].min()
        stays["start"], stays["end"] = stays["start"] - earlier, stays["end"] - earlier
        from ..figures import plot_stays  # which takes its time: only when it is wanted

        return plot_stays(stays, ax=ax, theme=theme)

    def to_html(self, theme: ThemeName = "light") -> str:
        """Return the comparison as HTML that needs neither a kernel nor a script.

        Args:
            theme: The theme of the picture, ``light`` or ``dark``.
        """
        ax = self.plot(theme=theme)
        body = _render_picture(ax) + _render_table(self.frame)
        if self.parted:
            body = Markup("<p><b>They parted</b> %s</p>") % printable(self.parted) + body
        title = Markup("%s beside %s") % (code(self.ids[0]), code(self.ids[1]))
        return str(card(title, body))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.to_html(), "text/plain": repr(self)}

    def __repr__(self) -> str:
        head = f"{self.ids[0]!r} beside {self.ids[1]!r}"
        parted = f"they parted {self.parted}" if self.parted else "they went the same way"
        return printable_lines("\n".join([head, parted, _worded(self.frame).to_string()]))


def _steps_frame(
    ids: tuple[str, str],
    rows: Sequence[tuple[Visit | None, Visit | None]],
    sessions: tuple[Mapping[int, Session], Mapping[int, Session]],
) -> pd.DataFrame:
    known: set[str] = set()  # places that differed before
    keys = [visit.key for visit in (a or b for a, b in rows) if visit is not None]
    differs = []
    for a, b in rows:
        if a is None or b is None:
            differs.append(f"only {ids[1] if a is None else ids[0]}")
            continue
        one, other = sessions[0][a.versions[1]], sessions[1][b.versions[1]]
        paths = {_shorten(pointer(change.path)) for change in diff(one, other)}
        new = sorted(paths - known - {"/current_task_id"})
        known = paths
        shown = ", ".join(new[:MAX_PATHS])
        differs.append(f"{shown} and {len(new) - MAX_PATHS:,} more" if new[MAX_PATHS:] else shown)
    lasted = [[_last(visit) for visit in side] for side in zip(*rows, strict=True)] or [[], []]
    columns = [pd.Series(side, dtype="timedelta64[us]") for side in lasted]
    return pd.DataFrame(
        {
            "task": category_column([key[0] for key in keys]),
            "visit": np.array([key[1] for key in keys], np.int64),
            "duration_a": columns[0],
            "duration_b": columns[1],
            "difference": columns[1] - columns[0],
            "differs": text_column(differs),
            "version_a": pd.array([_last_version(a) for a, _ in rows], dtype="Int64"),
            "version_b": pd.array([_last_version(b) for _, b in rows], dtype="Int64"),
        }
    )


def _shorten(path: str) -> str:
    """Return a path whose beginning goes without saying; messages are one place."""
    if path.startswith("/context/chat_history"):
        return "chat"
    return path.removeprefix("/context/data/")


def _last_version(visit: Visit | None) -> int | None:
    return None if visit is None else visit.versions[1]


def _last(visit: Visit | None) -> Any:
    return pd.NaT if visit is None else visit.end - visit.start


def _describe_parting(ids: tuple[str, str], visits: Sequence[Sequence[Visit]]) -> str:
    """Return where two runs first went different ways; empty if they did not."""
    visits = _from_where_both_are(*visits)
    for n, (a, b) in enumerate(zip(*visits, strict=False)):
        if a.key != b.key:
            before = f"after {visits[0][n - 1].task}" if n else "from the start"
            return f"{before}: {ids[0]} went to {a.task}, {ids[1]} to {b.task}"
    one, other = (len(side) for side in visits)
    if one == other:
        return ""
    ahead, behind = (0, 1) if one > other else (1, 0)
    place = min(one, other)
    if not place:
        return ""
    at, to = visits[ahead][place - 1].task, visits[ahead][place].task
    return f"after {at}: {ids[ahead]} went on to {to}, {ids[behind]} is there still"


def _from_where_both_are(
    one: Sequence[Visit], other: Sequence[Visit]
) -> tuple[Sequence[Visit], Sequence[Visit]]:
    """Return two runs without what one did before the other began, as the origin of a fork did."""
    starts = [
        next((n for n, visit in enumerate(mine) if theirs and visit.key == theirs[0].key), None)
        for mine, theirs in ((one, other), (other, one))
    ]
    if starts[1] is None:
        return one[starts[0] or 0 :], other
    return (one, other[starts[1] :]) if starts[0] is None else (one, other)


def _render_picture(ax: Any) -> Markup:
    figure = ax.figure
    image = Markup(
        '<img style="display:block;max-width:100%%" alt="%s" src="data:image/png;base64,%s">'
    )
    return image % (figure.said, b64encode(figure._repr_png_()).decode())


def _worded(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame for people: durations with their unit, nothing where something is missing."""
    from ..figures.text import long_text  # which takes its time: only when it is wanted

    def word(value: pd.Timedelta, *, signed: bool) -> str:
        sign = "" if not signed or not value else "+" if value > pd.Timedelta(0) else "−"
        return sign + long_text(abs(value).value)

    shown = frame.astype(object).where(frame.notna(), "")
    for name, column in frame.select_dtypes("timedelta").items():
        signed = name == "difference"
        shown[name] = ["" if pd.isna(v) else word(v, signed=signed) for v in column]
    for name, column in frame.select_dtypes("float").items():
        shown[name] = ["" if pd.isna(v) else f"{v:.3g}" for v in column]
    return shown


def _render_table(frame: pd.DataFrame) -> Markup:
    table = frame_html(_worded(frame))
    return Markup('<div class="whole" style="overflow-x:auto">%s</div>') % table


class CohortComparison:
    """Two groups of runs, such as those before and after a release; it shows itself.

    Args:
        names: The names of the groups.
        stays: The stays of each group, as ``Timeline.stays`` has them.
        failed: The text of a status that counts as failed.

    Attributes:
        tasks: One row for each task: ``task`` (category), ``n_a``, ``n_b`` (int64, visits that
            ended), ``p50_a``, ``p50_b``, ``p99_a``, ``p99_b`` (timedelta64[us]), ``ratio``
            (float64, p50 of b by that of a).
        ends: One row for each task where sessions are now: ``task`` (category), ``sessions_a``,
            ``sessions_b`` (int64), ``share_a``, ``share_b`` (float64).
        failures: For each group, the number of sessions, and of those whose last status says that
            they failed.
    """

    def __init__(
        self,
        names: tuple[str, str],
        stays: tuple[pd.DataFrame, pd.DataFrame],
        *,
        failed: str = "failed",
    ):
        self.names = names
        self._failed = failed
        visits = [
            [
                (id, visit)
                for id, rows in side.groupby("id", sort=False)
                for visit in visits_of(rows)
            ]
            for side in stays
        ]
        self.tasks = _tasks_frame([[visit for _, visit in side] for side in visits])
        last = [side.groupby("id", sort=False).tail(1) for side in stays]
        self.ends = _ends_frame(last)
        self.failures = tuple(
            (len(side), int(side["status_message"].str.contains(failed, regex=False).sum()))
            for side in last
        )

    def _describe_failures(self) -> Iterator[str]:
        for name, (sessions, failed) in zip(self.names, self.failures, strict=True):
            share = f"{failed / sessions:.1%}" if sessions else "none"
            yield f"{name}: {failed:,} of {sessions:,} with {self._failed!r} in status ({share})"

    def _repr_html_(self) -> str:
        lines = Markup("").join(
            Markup("<p>%s</p>") % printable(line) for line in self._describe_failures()
        )
        title = Markup("%s beside %s") % self.names
        tasks, ends = _render_table(self.tasks), _render_table(self.ends)
        body = lines + Markup("<b>time at each task</b>%s<b>where they are</b>%s") % (tasks, ends)
        return str(card(title, body))

    def __repr__(self) -> str:
        lines = [
            *self._describe_failures(),
            _worded(self.tasks).to_string(),
            _worded(self.ends).to_string(),
        ]
        return printable_lines("\n".join(lines))


def _tasks_frame(sides: Sequence[Sequence[Visit]]) -> pd.DataFrame:
    tasks = list(dict.fromkeys(visit.task for side in sides for visit in side))
    columns: dict[str, Any] = {"task": category_column(tasks)}
    middles = []
    for letter, side in zip("ab", sides, strict=True):
        lasted: dict[str, list[int]] = {task: [] for task in tasks}
        for visit in side:
            if not visit.open:
                lasted[visit.task].append((visit.end - visit.start) // pd.Timedelta(1, "us"))
        columns[f"n_{letter}"] = np.array([len(lasted[task]) for task in tasks], np.int64)
        for tail in (50, 99):
            values = [
                int(np.percentile(lasted[task], tail, method="inverted_cdf"))
                if lasted[task]
                else np.iinfo(np.int64).min  # NaT
                for task in tasks
            ]
            times = pd.Series(np.array(values, np.int64).view("m8[us]"))
            columns[f"p{tail}_{letter}"] = times
            if tail == 50:
                middles.append(times)
    columns["ratio"] = middles[1] / middles[0]
    order = ["task", "n_a", "n_b", "p50_a", "p50_b", "p99_a", "p99_b", "ratio"]
    return pd.DataFrame(columns)[order]


def _ends_frame(last: Sequence[pd.DataFrame]) -> pd.DataFrame:
    counts = [side["task"].astype(object).value_counts() for side in last]
    tasks = list(dict.fromkeys([*counts[0].index, *counts[1].index]))
    columns: dict[str, Any] = {"task": category_column(tasks)}
    for letter, side in zip("ab", counts, strict=True):
        columns[f"sessions_{letter}"] = np.array([int(side.get(t, 0)) for t in tasks], np.int64)
    for letter in "ab":
        found = columns[f"sessions_{letter}"]
        columns[f"share_{letter}"] = found / max(1, found.sum())
    return pd.DataFrame(columns)
