"""Two runs compared step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from markupsafe import Markup

from ..cards import card, code
from ..errors import GraphflowError, HistoryError, QueryError
from ..frames import category_column, text_column
from ..history import HistoryArchive
from ..model import Session
from ..printable import describe_count, printable, printable_lines
from .finding import describe_unknown
from .forking import find_origin
from .pictures import THEMES, render_picture, render_themes
from .places import find_places
from .visits import MAX_STEPS, Visit, align, read_stays, visits_of
from .words import print_frame, render_frame, short_id

if TYPE_CHECKING:
    from ..figures.theme import ThemeName

__all__ = ["RunComparison", "compare_two"]

MAX_PATHS: Final = 5  # of a step's differences that are named
MAX_BYTES: Final = 32_000_000  # of the contexts of one run that are compared
PORTION: Final = 10  # versions that are read at once, more where they are small
MAX_PORTION: Final = 4_000_000  # bytes of these
#: What they are called in the table for people, the most wanted first.
COLUMNS: Final = {
    "task": "task",
    "visit": "visit",
    "differs": "differs from here on",
    "duration_a": "time in a",
    "duration_b": "time in b",
    "difference": "b less a",
    "version_a": "version a",
    "version_b": "version b",
}
NOT_COMPARED: Final = "not compared"


async def compare_two(
    archive: HistoryArchive, a: str, b: str, *, limit: int = MAX_STEPS
) -> RunComparison:
    """Return two runs compared step by step.

    Args:
        archive: The history that both are in.
        a, b: The ids of the sessions.
        limit: The most versions.

    Raises:
        QueryError: Both are the same session.
        HistoryError: A session has no history, or a version can't be rebuilt.
        StorageError: The store failed.
    """
    if a == b:
        raise QueryError(f"{a!r} is one run: compare it with another")
    stays, notes = await read_stays(archive, [a, b], limit=limit)
    sessions: list[dict[int, Session]] = []
    for id in (a, b):
        visits = visits_of(stays[stays["id"] == id])
        if not visits:
            raise HistoryError(describe_unknown(id))
        ends = [visit.versions[1] for visit in visits]
        sessions.append(await _read_ends(archive, id, ends))
        if len(sessions[-1]) < len(ends):
            notes.append(
                f"of {short_id(id)} the contexts of the first {len(sessions[-1]):,} of "
                f"{describe_count(len(ends), 'step')} are compared: "
                f"they have {MAX_BYTES // 1_000_000} MB"
            )
    return RunComparison((a, b), stays, (sessions[0], sessions[1]), "; ".join(notes))


async def _read_ends(
    archive: HistoryArchive, id: str, numbers: Sequence[int]
) -> dict[int, Session]:
    """Return a session at some of its versions, the oldest first, up to ``MAX_BYTES``."""
    found: dict[int, Session] = {}
    size, span, left = 0, PORTION, sorted(set(numbers))
    while left and size < MAX_BYTES:
        portion = [number for number in left if number < left[0] + span]
        read = await archive.sessions(id, portion[0], portion[-1])
        size += sum(version.bytes for version, _ in read)
        found |= {version.number: session for version, session in read if version.number in portion}
        left = left[len(portion) :]
        # The versions after a portion are read with it, to rebuild it: large portions are cheaper.
        span = min(10 * PORTION, max(PORTION, MAX_PORTION * len(found) // max(1, size)))
    return found


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
        sessions: For each id, the session at each version that ends a visit; those that are
            missing are not compared.
        note: What a bound left out; empty for nothing.

    Attributes:
        frame: One row for each step: ``task`` (category), ``visit`` (int64), ``duration_a``,
            ``duration_b``, ``difference`` (timedelta64[us], b less a; missing where one was not
            there), ``differs`` (text: the places in which the two contexts differ after this step
            and did not before it), ``version_a``, ``version_b`` (Int64, the last at the step).
        parted: Where they first went different ways, in words; empty if they did not.
        note: As passed.
    """

    def __init__(
        self,
        ids: tuple[str, str],
        stays: pd.DataFrame,
        sessions: tuple[Mapping[int, Session], Mapping[int, Session]],
        note: str = "",
    ):
        self.ids = ids
        self.note = note
        self._stays = stays
        visits = [visits_of(stays[stays["id"] == id]) for id in ids]
        rows = align(*visits)
        self.frame = _steps_frame(ids, rows, sessions)
        self.parted = _describe_parting(ids, visits, sessions)

    def plot(self, *, ax: Any = None, theme: ThemeName = "both") -> Any:
        """Draw both runs as if they had begun at the same time.

        Args:
            ax: The axes to draw on; None makes a figure.
            theme: The theme of a new figure: ``both`` (transparent), ``light`` or ``dark``.

        Returns:
            The axes; those of a new figure show themselves in a notebook.
        """
        stays = self._stays.copy()
        starts = stays.groupby("id")["start"].transform("min")
        earlier = starts - stays["start"].min()
        stays["start"], stays["end"] = stays["start"] - earlier, stays["end"] - earlier
        from ..figures import plot_stays  # which takes its time: only when it is wanted

        axes = plot_stays(stays, ax=ax, theme=theme)
        if earlier.any():  # the times of the axis are those of one of both
            axes.set_xlabel(f"{axes.get_xlabel()}, as if both had begun then")
        return axes

    def to_html(self, theme: ThemeName = "both") -> str:
        """Return the comparison as HTML that needs neither a kernel nor a script.

        Args:
            theme: The theme of the picture: ``both`` (transparent), ``light`` or ``dark``.
        """
        return str(self.to_card(theme))

    def to_body(self, *themes: ThemeName) -> Markup:
        """Return what ``to_html`` has in its box.

        Args:
            themes: The themes of the picture; of both, a page shows the one that it has itself.
        """
        picture = render_themes(lambda theme: render_picture(self.plot(theme=theme)), themes)
        body = picture + render_frame(self.frame[list(COLUMNS)], COLUMNS)
        if self.note:
            body += Markup("<p>%s</p>") % printable(self.note)
        if self.parted:
            body = Markup("<p><b>They parted</b> %s</p>") % printable(self.parted) + body
        return body

    @property
    def title(self) -> Markup:
        """Which of both is a, and which is b."""
        return Markup("a: %s, b: %s") % (code(self.ids[0]), code(self.ids[1]))

    def to_card(self, *themes: ThemeName) -> Markup:
        """Return what ``to_html`` returns, with the picture in one theme or both."""
        return card(self.title, self.to_body(*themes))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": str(self.to_card(*THEMES)), "text/plain": repr(self)}

    def __repr__(self) -> str:
        head = f"a: {self.ids[0]!r}, b: {self.ids[1]!r}"
        parted = f"they parted {self.parted}" if self.parted else "they went the same way"
        lines = [head, parted, *filter(None, [self.note]), print_frame(self.frame)]
        return printable_lines("\n".join(lines))


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
            differs.append(f"only {short_id(ids[1] if a is None else ids[0])}")
            continue
        one, other = sessions[0].get(a.versions[1]), sessions[1].get(b.versions[1])
        if one is None or other is None:
            differs.append(NOT_COMPARED)
            continue
        try:
            places = find_places(one, other)
        except GraphflowError as error:  # a context that is not JSON hides no other step
            differs.append(f"{NOT_COMPARED}: {error}")
            continue
        new = sorted(places - known)
        known = places
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


def _last_version(visit: Visit | None) -> int | None:
    return None if visit is None else visit.versions[1]


def _last(visit: Visit | None) -> Any:
    return pd.NaT if visit is None else visit.end - visit.start


def _describe_parting(
    ids: tuple[str, str],
    visits: Sequence[Sequence[Visit]],
    sessions: tuple[Mapping[int, Session], Mapping[int, Session]],
) -> str:
    """Return where two runs first went different ways; empty if they did not."""
    names = [short_id(id) for id in ids]
    forked = _from_the_fork(ids, visits, sessions)
    visits = _from_where_both_are(*visits) if forked is None else forked
    for n, (a, b) in enumerate(zip(*visits, strict=False)):
        # From a fork on both have the same tasks so far, so the numbers of visits say no more.
        if (a.task != b.task) if forked is not None else (a.key != b.key):
            before = f"after {short_id(visits[0][n - 1].task)}" if n else "from the start"
            if forked is not None and not n:
                before = "at the fork"
            return (
                f"{before}: {names[0]} went to {short_id(a.task)}, {names[1]} to {short_id(b.task)}"
            )
    one, other = (len(side) for side in visits)
    if one == other:
        return ""
    ahead, behind = (0, 1) if one > other else (1, 0)
    place = min(one, other)
    if not place:
        return ""
    at, to = (short_id(visit.task) for visit in visits[ahead][place - 1 : place + 1])
    return f"after {at}: {names[ahead]} went on to {to}, {names[behind]} is there still"


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


def _from_the_fork(
    ids: tuple[str, str],
    visits: Sequence[Sequence[Visit]],
    sessions: tuple[Mapping[int, Session], Mapping[int, Session]],
) -> tuple[Sequence[Visit], Sequence[Visit]] | None:
    """Return two runs from where one was forked from the other; None where none was."""
    for fork, origin in ((1, 0), (0, 1)):
        first = min(sessions[fork], default=None)
        found = None if first is None else find_origin(sessions[fork][first])
        if found is None or found[0] != ids[origin]:
            continue
        begun = [n for n, visit in enumerate(visits[origin]) if visit.versions[0] <= found[1]]
        if begun:  # else what it was forked from is not kept any more
            since = visits[origin][begun[-1] :]
            return (since, visits[fork]) if fork else (visits[fork], since)
    return None
