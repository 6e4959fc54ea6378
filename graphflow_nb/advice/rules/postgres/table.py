"""The rows of a PostgreSQL table: their size, what saves leave behind, and the table's form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ....printable import describe_count, inflect
from ....storage.estimates import Estimate
from ....storage.facts import PostgresFacts
from ...lines import Advice, Figure, InOrder, Line, Unseen, format_bytes
from ...registry import rule
from ...seen import Seen, median_ms
from .statements import alter_table, on_primary

__all__ = [
    "find_cold_updates",
    "find_dead_rows",
    "find_large_contexts",
    "find_missing_version",
    "find_unlogged_table",
]

LARGE: Final = 2_000  # bytes of a context, from which on it is stored outside of its row
LARGE_SHARE: Final = 0.05
DEAD_SHARE: Final = 0.2
DEAD_ROWS: Final = 10_000
LONG_SECONDS: Final = 60.0  # for a transaction
UPDATES: Final = 10_000
HOT_SHARE: Final = 0.5

#: The columns that a save changes.
CHANGED: Final = frozenset(
    ("graph_id", "current_task_id", "status_message", "context", "version", "updated_at")
)


@rule(PostgresFacts)
def find_large_contexts(facts: PostgresFacts, seen: Seen) -> Iterator[Line]:
    """Find contexts that are too large for their rows."""
    subject, sample, table = "size of contexts", facts.contexts, facts.relation
    if sample is None or table is None:
        if subject not in facts.unseen:
            yield Unseen(subject, "a sample of the table held no session")
        return
    share = sample.outside / sample.sampled
    evidence: dict[str, Figure] = {
        "sampled sessions": sample.sampled,
        "outside of their row, %": round(100 * share, 1),
        "mean": format_bytes(sample.bytes / sample.sampled),
        "largest": format_bytes(sample.largest),
        "TOAST": format_bytes(table.toast_bytes),
        "rows": format_bytes(table.heap_bytes),
    }
    if share < LARGE_SHARE:
        yield InOrder(
            subject, f"{100 * (1 - share):.0f} % are stored inside of their rows", evidence
        )
        return
    evidence["mean of those outside"] = format_bytes(sample.outside_bytes / sample.outside)
    evidence |= {f"outside, compression {name}": n for name, n in sample.methods.items()}
    saves = seen.operations.saves
    for name, some in (
        (f"up to {format_bytes(LARGE)}", saves[saves["bytes"] <= LARGE]),
        (f"above {format_bytes(LARGE)}", saves[saves["bytes"] > LARGE]),
    ):
        if len(some):
            evidence[f"save {name}, p50 ms"] = (
                f"{median_ms(some['execute_ns'])} ({describe_count(len(some), 'save')})"
            )
    default = (facts.settings or {}).get("default_toast_compression", "pglz")
    method = table.compression or default
    evidence["compression"] = method
    if method == "lz4":
        text = f"{100 * share:.0f} % are stored outside of their rows, and lz4 is in use"
        yield InOrder(subject, text, evidence)
        return
    shrunk = sample.methods.get("pglz", 0) >= sample.outside / 2
    if facts.lz4 and shrunk:
        change = "ALTER COLUMN context SET COMPRESSION lz4"
        remedy = on_primary(facts, alter_table(facts, change))
        cost = (
            "Locks the table for a moment. Only what is saved afterwards is compressed with lz4: "
            "quicker than with pglz, and often some per cent larger."
        )
    else:
        remedy = 'wb.sessions(limit=1000).nlargest(20, "context_bytes")  # which are they?'
        why = "was built without lz4" if not facts.lz4 else "finds little in them to compress"
        cost = (
            f"This server {why}, so there is nothing to set. Smaller contexts help: cap the chat "
            "history, keep documents elsewhere."
        )
    yield Advice(
        subject=subject,
        finding=f"{100 * share:.0f} % of the contexts are too large for their rows. Each save "
        "writes such a context again as a whole and leaves the old one to vacuum; each read "
        "fetches it from the TOAST table.",
        evidence=evidence,
        remedy=remedy,
        cost=cost,
        severity="slow",
    )


@rule(PostgresFacts)
def find_dead_rows(facts: PostgresFacts, seen: Seen) -> Iterator[Line]:
    """Find rows that vacuum has not removed."""
    subject, usage, table = "dead rows", facts.usage, facts.relation
    if usage is None or table is None:
        return
    evidence: dict[str, Figure] = {
        "live rows": usage.live,
        "dead rows": usage.dead,
        "autovacuum begins at": table.vacuum_due,
        "last vacuum": "none" if usage.vacuumed is None else f"{usage.vacuumed:%Y-%m-%d %H:%M} UTC",
        "table": format_bytes(table.heap_bytes + table.toast_bytes),
    }
    on = table.autovacuum and (facts.settings or {}).get("autovacuum") != "off"
    held = facts.backends.oldest_seconds if facts.backends is not None else None
    oldest = ""
    if held is not None and held >= LONG_SECONDS and facts.backends is not None:
        oldest = facts.backends.oldest
        evidence |= {"oldest transaction, s": round(held), "its process": oldest}
    else:
        held = None
    share = usage.dead / max(1, usage.live + usage.dead)
    if usage.dead < DEAD_ROWS or share < DEAD_SHARE:
        if on:
            yield InOrder(subject, f"{usage.dead:,} of {usage.live + usage.dead:,} rows", evidence)
            return
        finding = "Autovacuum is off for this table: nothing removes the rows that saves replace."
    else:
        finding = (
            f"{100 * share:.0f} % of the rows are dead, and pages and scans read them in vain."
        )
        if not on:
            finding += " Autovacuum is off for this table."
        elif usage.dead > table.vacuum_due:
            finding += " Autovacuum is behind."
    remedy, cost = f"VACUUM (ANALYZE) {facts.table};", "Reads the table; reads and writes continue."
    if held is not None:
        finding += f" A transaction open for {held:,.0f} s prevents vacuum from removing them."
        remedy = f"-- end it first: {oldest}\n{remedy}"
    if not on:
        remedy += f"\n{alter_table(facts, 'SET (autovacuum_enabled = true)')}"
    elif usage.dead > table.vacuum_due:
        remedy += f"\n{alter_table(facts, 'SET (autovacuum_vacuum_scale_factor = 0.05)')}"
        cost += " With the lower threshold autovacuum runs sooner, and has less to do each time."
    yield Advice(
        subject=subject,
        finding=finding,
        evidence=evidence,
        remedy=on_primary(facts, remedy),
        cost=cost + " The file keeps its size; its free space is used again.",
        severity="slow",
    )


@rule(PostgresFacts)
def find_cold_updates(facts: PostgresFacts, seen: Seen) -> Iterator[Line]:
    """Find updates that every index has to follow, although they change no indexed column."""
    subject, usage = "updates that indexes follow", facts.usage
    if usage is None or facts.indexes is None:
        return
    if usage.updates < UPDATES:
        why = f"the server counted {usage.updates:,} updates; {UPDATES:,} are enough"
        yield Unseen(subject, why)
        return
    share = usage.hot_updates / usage.updates
    evidence = {"updates": usage.updates, "HOT, %": round(100 * share, 1)}
    following = [i.name for i in facts.indexes if not CHANGED.isdisjoint(i.columns)]
    if following:
        names = ", ".join(following)
        text = (
            f"{100 * share:.0f} % are HOT, since {names} contains a column that each save changes"
        )
        yield InOrder(subject, text, evidence)
    elif share >= HOT_SHARE:
        yield InOrder(subject, f"{100 * share:.0f} % are HOT", evidence)
    else:
        yield Advice(
            subject=subject,
            finding="No index contains a column that a save changes, and yet only "
            f"{100 * share:.0f} % of the updates are HOT: their pages are too full for the new "
            "row.",
            evidence=evidence,
            remedy=on_primary(facts, alter_table(facts, "SET (fillfactor = 80)")),
            cost="A quarter more pages, as new ones are filled; existing pages stay as they are.",
            severity="slow",
        )


@rule(PostgresFacts)
def find_unlogged_table(facts: PostgresFacts, seen: Seen) -> Iterator[Line]:
    """Find a table that the server empties after a crash."""
    if facts.relation is None or facts.relation.logged:
        return
    yield Advice(
        subject="unlogged table",
        finding="The table is UNLOGGED: the server empties it after a crash.",
        evidence={"sessions, about": facts.relation.rows},
        remedy=on_primary(facts, alter_table(facts, "SET LOGGED")),
        cost="Writes the table once, and locks it meanwhile; saves take longer afterwards.",
        severity="risk",
    )


@rule(PostgresFacts)
def find_missing_version(facts: PostgresFacts, seen: Seen) -> Iterator[Line]:
    """Find a table in a form before graph-flow 0.6, where conflicts can stay unnoticed."""
    subject = "column version"
    if facts.versioned:
        if facts.xmin:
            also = "the row's xmin, so that writers who do not count it are noticed too"
        else:
            also = (
                "updated_at, since xmin is not reliable here: a change by hand that leaves both as "
                "they were is overwritten unnoticed"
            )
        yield InOrder(subject, f"it exists, and a save compares it and {also}")
        return
    if facts.xmin:
        # Each save asks the catalog for the column, which takes a microsecond or two.
        text = "it is missing; the row's xmin does as well, so wb.migrate() would save nothing"
        yield InOrder(subject, text)
        return
    cost = "Locks the table for a moment; the rows stay as they are."
    if facts.uuid:
        rows = (
            ""
            if facts.relation is None
            else f", of {Estimate(facts.relation.rows, 'about')} "
            f"{inflect(facts.relation.rows, 'session')},"
        )
        cost = (
            f"Ids become text, for which the table{rows} is rewritten and locked meanwhile; "
            "workers on graph-flow before 0.6 can't use it afterwards."
        )
    migrate = "graphflow_nb.open(url, writable=True).migrate()" if facts.read_only else None
    yield Advice(
        subject=subject,
        finding="The table has neither this column nor a reliable xmin, so a save compares "
        "updated_at. A change by hand that leaves updated_at as it was is overwritten unnoticed.",
        evidence={"precision of the comparison, µs": 1},
        remedy=f"print(wb.plan_migration())\n{migrate or 'wb.migrate()'}",
        cost=cost,
        severity="risk",
    )
