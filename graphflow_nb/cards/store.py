"""The card of a store: HTML, and plain text for terminals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from markupsafe import Markup

from ..printable import describe_count, printable
from ..storage.table import GroupCount
from .parts import age, card, code, fact_table

__all__ = ["StoreCard", "store_html", "store_text"]

MAX_TASKS: Final = 20
_UNCOUNTED: Final = "wb.summary() counts them at each task"


class StoreCard(NamedTuple):
    """The contents of the card of a store.

    Attributes:
        store: The name of the store, without secrets.
        counts: The sessions by graph and task; None if the store can't count or is out of reach.
        note: A remark, such as that the store is read-only or out of reach.
        operations: The number of recorded operations.
        kept: How many of them are kept one by one; empty if all are.
        limits: After which times the server ends what was left running; empty if it does not.
        total: How many sessions there are, in words, where counting them by task takes long.
    """

    store: str
    counts: Sequence[GroupCount] | None
    note: str
    operations: int
    kept: str = ""
    limits: str = ""
    total: str = ""


def _sort_counts(counts: Sequence[GroupCount]) -> list[GroupCount]:
    return sorted(counts, key=lambda c: (c.graph_id, -c.sessions, c.current_task_id))


def _describe_newest(counts: Sequence[GroupCount]) -> str:
    """Return how long ago the newest session was saved."""
    times = (c.newest for c in counts if c.newest is not None and c.newest.tzinfo is not None)
    return age(max(times, default=None)) if counts else "none"


def _sum_counts(counts: Sequence[GroupCount]) -> tuple[int, int]:
    return sum(c.sessions for c in counts), len({c.graph_id for c in counts})


def store_html(facts: StoreCard) -> Markup:
    """Return the card as HTML: the store, and the number of sessions at each task."""
    counts = facts.counts
    rows: list[tuple[str, str]] = [("store", code(facts.store))]
    if facts.note:
        rows.append(("note", code(facts.note)))
    if counts is not None:
        total, graphs = _sum_counts(counts)
        rows.append(("sessions", f"{total:,} in {describe_count(graphs, 'graph')}"))
        rows.append(("newest", _describe_newest(counts)))
    if facts.total:
        rows.append(("sessions", f"{facts.total}; {_UNCOUNTED}"))
    if facts.limits:
        rows.append(("limits", facts.limits))
    rows.append(
        ("recorded", f"{describe_count(facts.operations, 'operation')}{_describe_kept(facts)}")
    )
    body = fact_table(rows)
    if counts:
        row = Markup('<tr><td>%s</td><td>%s</td><td class="n">%s</td><td>%s</td></tr>')
        rows_of_tasks = Markup("").join(
            row % (code(c.graph_id), code(c.current_task_id), f"{c.sessions:,}", age(c.oldest))
            for c in _sort_counts(counts)[:MAX_TASKS]
        )
        body += (
            Markup(
                '<table><tr><th>graph</th><th>task</th><th class="n">sessions</th>'
                "<th>oldest update</th></tr>%s</table>"
            )
            % rows_of_tasks
        )
        if len(counts) > MAX_TASKS:
            body += Markup('<div class="q">%s</div>') % _describe_bound(counts)
    return card("graphflow_nb workbench", body)


def store_text(facts: StoreCard) -> str:
    """Return the card as plain text."""
    counts = facts.counts
    lines = [f"graphflow_nb workbench on {facts.store}"]
    if facts.note:
        lines.append(f"  {facts.note}")
    if counts is not None:
        total, graphs = _sum_counts(counts)
        of = f"{describe_count(total, 'session')} in {describe_count(graphs, 'graph')}"
        lines.append(f"  {of}, newest {_describe_newest(counts)}")
        for c in _sort_counts(counts)[:MAX_TASKS]:
            name = f"{c.graph_id!r} {c.current_task_id!r}"
            lines.append(f"    {name}: {c.sessions:,}, oldest update {age(c.oldest)}")
        if len(counts) > MAX_TASKS:
            lines.append(f"    {_describe_bound(counts)}")
    if facts.total:
        lines.append(f"  {facts.total} sessions; {_UNCOUNTED}")
    if facts.limits:
        lines.append(f"  {facts.limits}")
    lines.append(
        f"  {describe_count(facts.operations, 'operation')} recorded{_describe_kept(facts)}"
    )
    return "\n".join(map(printable, lines))


def _describe_kept(facts: StoreCard) -> str:
    return f", {facts.kept}" if facts.kept else ""


def _describe_bound(counts: Sequence[GroupCount]) -> str:
    return f"showing {MAX_TASKS} of {len(counts):,}; wb.summary() has all"
