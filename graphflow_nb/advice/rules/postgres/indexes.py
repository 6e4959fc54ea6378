"""Indexes of a PostgreSQL table: one that is missing, and those that are not needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ....printable import inflect
from ....storage.estimates import Estimate
from ....storage.facts import Index, PostgresFacts
from ....storage.limits import QUICK_ROWS
from ...lines import Advice, Figure, InOrder, Line, Unseen, format_bytes
from ...registry import rule
from ...seen import Seen, median_ms
from .statements import on_primary

__all__ = [
    "find_missing_filter_indexes",
    "find_missing_indexes",
    "find_redundant_indexes",
    "find_unused_indexes",
]

MANY_SCANS: Final = 1000  # of a table; an index that served none of them is unused


@rule(PostgresFacts)
def find_missing_indexes(facts: PostgresFacts, seen: Seen) -> Iterator[Line]:
    """Find orders of pages that no index serves."""
    for order in seen.orders:
        yield from _judge_order(facts, seen, order)


def _judge_order(facts: PostgresFacts, seen: Seen, order: str) -> Iterator[Line]:
    subject, plan, table = f"order by {order}", facts.plans.get(order), facts.relation
    if plan is None:
        return
    rows = max(plan.rows, 0 if table is None else table.rows)
    evidence: dict[str, Figure] = {
        "sessions, about": rows,
        "plan of a page": " ← ".join(plan.steps),
        "planned cost": plan.cost,
    }
    if table is not None and table.heap_bytes:
        evidence["table"] = format_bytes(table.heap_bytes + table.toast_bytes)
    pages = seen.operations.pages
    if len(pages):
        evidence |= {
            "pages recorded": len(pages),
            "p50 of a page, ms": median_ms(pages["duration_ns"]),
        }
    if not plan.sorts:
        yield InOrder(subject, "an index serves it", evidence)
        return
    if rows <= QUICK_ROWS:
        yield InOrder(
            subject,
            f"{_describe_rows(rows)} sorted quickly enough",
            evidence,
        )
        return
    if any(index.columns[:1] == (order,) and not index.valid for index in facts.indexes or ()):
        return  # find_redundant_indexes reports the invalid index
    if facts.usage is not None and facts.usage.updates:
        hot = facts.usage.hot_updates / facts.usage.updates
        evidence["HOT share of updates, %"] = round(100 * hot, 1)
    yield Advice(
        subject=subject,
        finding=f"No index serves this order: {_describe_rows(rows)} sorted for each page.",
        evidence=evidence,
        remedy=on_primary(facts, _create_index(facts, f"sessions_by_{order}", f"({order}, id)")),
        cost=_describe_cost(facts, order, rows),
        severity="slow",
    )


def _describe_rows(rows: int) -> str:
    """Return about how many sessions are, as the start of what is done with them."""
    return f"{Estimate(rows, 'about')} {inflect(rows, 'session is', 'sessions are')}"


def _create_index(facts: PostgresFacts, name: str, keys: str) -> str:
    """Return the statements that create an index.

    Args:
        facts: The facts of the table.
        name: The name of its parts on a partitioned table.
        keys: The key columns in parentheses, with the method of another index than a B-tree.
    """
    table = facts.relation
    if table is not None and table.nested:
        return f"CREATE INDEX ON {facts.table} {keys};  -- blocks writes meanwhile"
    if table is not None and table.partitions:
        # A partitioned table takes no CONCURRENTLY: part by part, then joined.
        lines = [f"CREATE INDEX {name} ON ONLY {facts.table} {keys};"]
        for number, (schema, part) in enumerate(table.partitions):
            lines += [
                f"CREATE INDEX CONCURRENTLY {name}_{number} ON {schema}.{part} {keys};",
                f"ALTER INDEX {table.schema}.{name} ATTACH PARTITION {schema}.{name}_{number};",
            ]
        return "\n".join(lines)
    names = table.behind if table is not None and table.kind == "view" else (facts.table,)
    return "\n".join(f"CREATE INDEX CONCURRENTLY ON {each} {keys};" for each in names)


@rule(PostgresFacts)
def find_missing_filter_indexes(facts: PostgresFacts, seen: Seen) -> Iterator[Line]:
    """Find filters in use that no index serves, so that rare sessions take a read of the table."""
    table, indexes = facts.relation, [index for index in facts.indexes or () if not index.plain]
    if table is None or facts.indexes is None:
        return
    held = {column for index in indexes if index.valid for column in index.columns}
    id = "(id::text)" if facts.uuid else "id"
    for subject, used, column, keys, name in (
        ("filters on the context", {"where"}, "context", "(context jsonb_path_ops)", "context"),
        (
            "filters on texts",
            {"text", "status"},
            "status_message",
            f"({id} gin_trgm_ops, status_message gin_trgm_ops)",
            "text",
        ),
    ):
        given = sorted(used.intersection(seen.filters))
        if not given:
            continue
        evidence: dict[str, Figure] = {
            "filters used": ", ".join(f"{each}=" for each in given),
            "sessions, about": table.rows,
            "table": format_bytes(table.heap_bytes + table.toast_bytes),
        }
        if column in held:
            yield InOrder(subject, "an index can serve them", evidence)
        elif table.rows <= QUICK_ROWS:
            told = f"{_describe_rows(table.rows)} read quickly enough"
            yield InOrder(subject, told, evidence)
        else:
            create = _create_index(facts, f"sessions_by_{name}", f"USING gin {keys}")
            if name == "text":
                create = f"CREATE EXTENSION IF NOT EXISTS pg_trgm;\n{create}"
            yield Advice(
                subject=subject,
                finding=f"No index serves {' and '.join(f'{each}=' for each in given)}: where few "
                f"sessions are found, all of {Estimate(table.rows, 'about')} are read.",
                evidence=evidence,
                remedy=on_primary(facts, create),
                # 400,000 sessions of 2 kB: 77 MB and 20 MB beside 790 MB.
                cost="About a tenth of the table's size on disk. Building it reads the table once, "
                "while writes continue. It can't run inside a transaction. Each save adds entries "
                "for what it writes, and no save that changes an indexed column can be a HOT "
                "update.",
                severity="slow",
            )


def _describe_cost(facts: PostgresFacts, order: str, rows: int) -> str:
    keys = next((i for i in facts.indexes or () if i.columns == ("id",) and i.unique), None)
    size = rows * 40 if keys is None else keys.bytes + 8 * rows
    text = (
        f"About {format_bytes(size)} on disk. Building it reads the table once, while writes "
        "continue. It can't run inside a transaction."
    )
    if order == "updated_at":
        text += (
            " Every save changes updated_at, so no save can be a HOT update any more: each adds an "
            "entry to every index of the table"
        )
        if facts.usage is not None and facts.usage.updates:
            hot = facts.usage.hot_updates / facts.usage.updates
            text += f", where {100 * hot:.0f} % of {facts.usage.updates:,} updates needed none"
        text += "."
    return text


@rule(PostgresFacts)
def find_redundant_indexes(facts: PostgresFacts, seen: Seen) -> Iterator[Line]:
    """Find indexes whose building failed, and those that another index makes unnecessary."""
    if facts.indexes is None:
        return
    found = False
    for index in facts.indexes:
        if not index.valid:
            found = True
            yield Advice(
                subject=f"index {index.name}",
                finding="The index is invalid: no query uses it, and every write still updates it. "
                "Unless it is being built right now, building it has failed.",
                evidence={"columns": ", ".join(index.columns), "size": format_bytes(index.bytes)},
                remedy=on_primary(
                    facts,
                    "SELECT * FROM pg_stat_progress_create_index;  -- no row? then\n"
                    f"REINDEX INDEX CONCURRENTLY {index.name};",
                ),
                cost="Reads the table once, while writes continue.",
                severity="waste",
            )
        elif (other := _find_substitute(index, facts.indexes)) is not None:
            found = True
            evidence: dict[str, Figure] = {"size": format_bytes(index.bytes)}
            if not facts.standby:
                evidence |= {"used, times": index.scans, "the other, times": other.scans}
            yield Advice(
                subject=f"index {index.name}",
                finding=f"The index {other.name} can do all that this one does: it begins with the "
                f"same columns ({', '.join(index.columns)}).",
                evidence=evidence,
                remedy=on_primary(facts, _drop_index(facts, index)),
                cost="Each new session, and each update that is not HOT, writes one index less. "
                "Scans that used it use the other one. A worker that creates its own tables may "
                "create it again when it starts.",
                severity="waste",
            )
    if not found:
        names = ", ".join(index.name for index in facts.indexes)
        yield InOrder("redundant indexes", f"none of {len(facts.indexes)}: {names}")


def _find_substitute(index: Index, others: Sequence[Index]) -> Index | None:
    """Return a usable index that begins with the same columns, or None."""
    if index.kept or not index.plain:
        return None
    for other in others:
        if other is index or not (other.plain and other.valid):
            continue
        alike = other.keys[: len(index.keys)] == index.keys
        # Of two equal ones, the second by name is the redundant one.
        twins = other.keys == index.keys and not other.kept and other.name > index.name
        if alike and not twins:
            return other
    return None


def _drop_index(facts: PostgresFacts, index: Index) -> str:
    parted = facts.relation is not None and facts.relation.partitions
    return f"DROP INDEX {'' if parted else 'CONCURRENTLY '}{index.name};"


@rule(PostgresFacts)
def find_unused_indexes(facts: PostgresFacts, seen: Seen) -> Iterator[Line]:
    """Find indexes that served no scan since the server began to count."""
    subject, usage = "unused indexes", facts.usage
    if facts.indexes is None or usage is None or facts.standby:
        return
    if usage.scans < MANY_SCANS:
        why = f"the server counted {usage.scans:,} scans of the table; {MANY_SCANS:,} are enough"
        yield Unseen(subject, why)
        return
    unused = [
        index
        for index in facts.indexes
        if not index.scans
        and not index.kept
        and index.valid
        and index.columns[0] not in seen.orders
        and _find_substitute(index, facts.indexes) is None
    ]
    since = usage.since
    for index in unused:
        yield Advice(
            subject=f"index {index.name}",
            finding=f"None of {usage.scans:,} scans of the table used this index.",
            evidence={
                "columns": ", ".join(column or "an expression" for column in index.columns),
                "size": format_bytes(index.bytes),
                "counted since": "the server's first start"
                if since is None
                else f"{since:%Y-%m-%d %H:%M} UTC",
            },
            remedy=_drop_index(facts, index),
            cost="A query that needs it once a month would read the whole table. Replicas count "
            "their own scans, which are not included here: ask the person who created it first.",
            severity="waste",
        )
    if not unused:
        yield InOrder(subject, "none", {"scans counted": usage.scans})
