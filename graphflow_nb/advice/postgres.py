"""What would help a PostgreSQL table and its server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import pandas as pd

from ..storage.facts import Index, PostgresFacts
from ..storage.limits import QUICK_ROWS
from .lines import Advice, InOrder, Line, Unseen, amount
from .records import FEW, PAGES, SAVES, median_ms, of

__all__ = ["look"]

MANY_SCANS: Final = 1000  # of a table, of which one index served none
LARGE: Final = 2_000  # bytes of a context that no longer stands in its row
LARGE_SHARE: Final = 0.05
DEAD_SHARE: Final = 0.2
DEAD_ROWS: Final = 10_000
UPDATES: Final = 10_000
HOT_SHARE: Final = 0.5
LONG_SECONDS: Final = 60.0  # for a transaction
COMMIT_MS: Final = 1.0

_CHANGED = {"graph_id", "current_task_id", "status_message", "context", "version", "updated_at"}


def look(facts: PostgresFacts, operations: pd.DataFrame, orders: Sequence[str]) -> Iterator[Line]:
    """All that the facts show, with what was recorded as further evidence.

    Args:
        orders: columns by which pages are asked for.
    """
    for line in _statements(facts, operations, orders):
        if isinstance(line, Advice) and facts.standby:
            yield replace(line, remedy=f"-- on the primary\n{line.remedy}")
        else:
            yield line
    yield from resets(facts)
    yield from pooler(facts, operations)
    yield from version(facts)


def _statements(
    facts: PostgresFacts, operations: pd.DataFrame, orders: Sequence[str]
) -> Iterator[Line]:
    """What statements in the database would help."""
    for order in orders:
        yield from page_order(facts, operations, order)
    yield from redundant_indexes(facts)
    yield from unused_indexes(facts, orders)
    yield from large_contexts(facts, operations)
    yield from dead_rows(facts)
    yield from updates(facts)
    yield from durability(facts, operations)


def _on_each(facts: PostgresFacts, change: str) -> str:
    """``ALTER TABLE`` of the table, or of each of its partitions, which are set one by one."""
    parts = () if facts.relation is None else facts.relation.partitions
    names = [f"{schema}.{name}" for schema, name in parts] or [facts.table]
    return "\n".join(f"ALTER TABLE {name} {change};" for name in names)


def page_order(facts: PostgresFacts, operations: pd.DataFrame, order: str) -> Iterator[Line]:
    """An index for the order in which pages are asked for."""
    subject, plan, table = f"order by {order}", facts.plans.get(order), facts.relation
    if plan is None:
        return
    rows = max(plan.rows, 0 if table is None else table.rows)
    evidence: dict[str, Any] = {
        "sessions, about": rows,
        "plan of a page": " ← ".join(plan.steps),
        "planned cost": plan.cost,
    }
    if table is not None and table.heap_bytes:
        evidence["table"] = amount(table.heap_bytes + table.toast_bytes)
    pages = of(operations, PAGES)
    if len(pages):
        evidence |= {
            "pages recorded": len(pages),
            "p50 of a page, ms": median_ms(pages["duration_ns"]),
        }
    if not plan.sorts:
        yield InOrder(subject, "served by an index", evidence)
        return
    if rows <= QUICK_ROWS:
        yield InOrder(subject, f"about {rows:,} sessions are sorted quickly enough", evidence)
        return
    broken = [i for i in facts.indexes or () if i.columns[:1] == (order,) and not i.valid]
    if broken:
        return  # told of with the invalid indexes
    if facts.usage is not None and facts.usage.updates:
        hot = facts.usage.hot_updates / facts.usage.updates
        evidence["HOT share of updates, %"] = round(100 * hot, 1)
    yield Advice(
        subject=subject,
        finding=f"No index serves this order: about {rows:,} sessions are sorted for each page.",
        evidence=evidence,
        remedy=_index_statements(facts, order),
        cost=_index_cost(facts, order, rows),
        severity="slow",
    )


def _index_statements(facts: PostgresFacts, order: str) -> str:
    table = facts.relation
    if table is not None and table.nested:
        return f"CREATE INDEX ON {facts.table} ({order}, id);  -- holds up writes meanwhile"
    if table is not None and table.partitions:
        # A partitioned table takes no CONCURRENTLY: part by part, then joined.
        name = f"sessions_by_{order}"
        lines = [f"CREATE INDEX {name} ON ONLY {facts.table} ({order}, id);"]
        for number, (schema, part) in enumerate(table.partitions):
            lines += [
                f"CREATE INDEX CONCURRENTLY {name}_{number} ON {schema}.{part} ({order}, id);",
                f"ALTER INDEX {table.schema}.{name} ATTACH PARTITION {schema}.{name}_{number};",
            ]
        return "\n".join(lines)
    names = table.behind if table is not None and table.kind == "view" else (facts.table,)
    return "\n".join(f"CREATE INDEX CONCURRENTLY ON {name} ({order}, id);" for name in names)


def _index_cost(facts: PostgresFacts, order: str, rows: int) -> str:
    keys = next((i for i in facts.indexes or () if i.columns == ("id",) and i.unique), None)
    size = rows * 40 if keys is None else keys.bytes + 8 * rows
    text = (
        f"About {amount(size)} on disk; building it reads the table once, while writes go on. "
        "It can't run inside a transaction."
    )
    if order == "updated_at":
        text += (
            " Every save changes updated_at, so no save can be a HOT update any more: each adds an "
            "entry to every index of the table"
        )
        if facts.usage is not None and facts.usage.updates:
            hot = facts.usage.hot_updates / facts.usage.updates
            text += f", where {hot:.0%} of {facts.usage.updates:,} updates needed none"
        text += "."
    return text


def redundant_indexes(facts: PostgresFacts) -> Iterator[Line]:
    """Indexes that failed, or do nothing that another one does not."""
    if facts.indexes is None:
        return
    found = False
    for index in facts.indexes:
        if not index.valid:
            found = True
            yield Advice(
                subject=f"index {index.name}",
                finding="The index is invalid: it serves nothing, and each write still pays for "
                "it. Unless it is being built at this moment, its building failed.",
                evidence={"columns": ", ".join(index.columns), "size": amount(index.bytes)},
                remedy="SELECT * FROM pg_stat_progress_create_index;  -- none under way? then\n"
                f"REINDEX INDEX CONCURRENTLY {index.name};",
                cost="Reads the table once, while writes go on.",
                severity="waste",
            )
        elif (other := _instead(index, facts.indexes)) is not None:
            found = True
            yield Advice(
                subject=f"index {index.name}",
                finding=f"The index does nothing that {other.name} does not: it has the same "
                f"columns in front ({', '.join(index.columns)}).",
                evidence={
                    "size": amount(index.bytes),
                    **(
                        {}
                        if facts.standby
                        else {"used, times": index.scans, "the other, times": other.scans}
                    ),
                },
                remedy=_drop(facts, index),
                cost="Each new session, and each update that is not HOT, writes one index less. "
                "Scans that used it use the other one. A worker that creates its own tables may "
                "make it anew when it starts.",
                severity="waste",
            )
    if not found:
        names = ", ".join(index.name for index in facts.indexes)
        yield InOrder("redundant indexes", f"none of {len(facts.indexes)}: {names}")


def _instead(index: Index, others: Sequence[Index]) -> Index | None:
    """A usable index that begins with the same columns."""
    if index.kept or not index.plain:
        return None
    for other in others:
        if other is index or not (other.plain and other.valid):
            continue
        alike = other.keys[: len(index.keys)] == index.keys
        # Of two that are the same, the second by name goes.
        twins = other.keys == index.keys and not other.kept and other.name > index.name
        if alike and not twins:
            return other
    return None


def _drop(facts: PostgresFacts, index: Index) -> str:
    parted = facts.relation is not None and facts.relation.partitions
    return f"DROP INDEX {'' if parted else 'CONCURRENTLY '}{index.name};"


def unused_indexes(facts: PostgresFacts, orders: Sequence[str]) -> Iterator[Line]:
    """Indexes that served no scan for as long as the server counts."""
    subject, usage = "unused indexes", facts.usage
    if facts.indexes is None or usage is None or facts.standby:
        return
    if usage.scans < MANY_SCANS:
        why = f"the server counted {usage.scans:,} scans of the table, {MANY_SCANS:,} would tell"
        yield Unseen(subject, why)
        return
    unused = [
        index
        for index in facts.indexes
        if not index.scans
        and not index.kept
        and index.valid
        and index.columns[0] not in orders
        and _instead(index, facts.indexes) is None
    ]
    for index in unused:
        yield Advice(
            subject=f"index {index.name}",
            finding=f"None of {usage.scans:,} scans of the table used this index.",
            evidence={
                "columns": ", ".join(column or "an expression" for column in index.columns),
                "size": amount(index.bytes),
                "counted since": _day(usage.since),
            },
            remedy=_drop(facts, index),
            cost="A query that needs it once a month would read the whole table, and what replicas "
            "use is counted there and not here: ask who made it first.",
            severity="waste",
        )
    if not unused:
        yield InOrder(subject, "none", {"scans counted": usage.scans})


def _day(time: datetime | None) -> str:
    return "its first start" if time is None else f"{time:%Y-%m-%d %H:%M} UTC"


def large_contexts(facts: PostgresFacts, operations: pd.DataFrame) -> Iterator[Line]:
    """Contexts that no longer stand in their rows."""
    subject, seen, table = "size of contexts", facts.contexts, facts.relation
    if seen is None or table is None:
        if subject not in facts.unseen:
            yield Unseen(subject, "no session was met in a sample of the table")
        return
    share = seen.outside / seen.sampled
    evidence: dict[str, Any] = {
        "sampled sessions": seen.sampled,
        "outside of their row, %": round(100 * share, 1),
        "mean": amount(seen.bytes / seen.sampled),
        "largest": amount(seen.largest),
        "TOAST": amount(table.toast_bytes),
        "rows": amount(table.heap_bytes),
    }
    if share < LARGE_SHARE:
        yield InOrder(subject, f"{1 - share:.0%} stand in their rows", evidence)
        return
    evidence["mean of those outside"] = amount(seen.outside_bytes / seen.outside)
    evidence |= {f"outside, compression {name}": n for name, n in seen.methods.items()}
    saves = of(operations, SAVES)
    for name, some in (
        (f"up to {amount(LARGE)}", saves[saves["bytes"] <= LARGE]),
        (f"above {amount(LARGE)}", saves[saves["bytes"] > LARGE]),
    ):
        if len(some):
            evidence[f"save {name}, p50 ms"] = (
                f"{median_ms(some['execute_ns'])} ({len(some):,} saves)"
            )
    default = (facts.settings or {}).get("default_toast_compression", "pglz")
    method = table.compression or default
    evidence["compression"] = method
    if method == "lz4":
        yield InOrder(subject, f"{share:.0%} stand outside of their rows; lz4 is in use", evidence)
        return
    finding = (
        f"{share:.0%} of the contexts are too large for their rows: each save writes such a one "
        "anew as a whole and leaves the old one to vacuum, each read fetches it from elsewhere."
    )
    shrunk = seen.methods.get("pglz", 0) >= seen.outside / 2
    if facts.lz4 and shrunk:
        remedy = _on_each(facts, "ALTER COLUMN context SET COMPRESSION lz4")
        cost = (
            "Takes the table's lock for a moment. Only what is saved from then on is compressed "
            "so: quicker than with pglz, and often some per cent larger."
        )
    else:
        remedy = 'wb.sessions(limit=1000).nlargest(20, "context_bytes")  # which are they?'
        why = "was built without lz4" if not facts.lz4 else "finds little in them to compress"
        cost = (
            f"This server {why}, so there is nothing to set. What helps is less in a context: cap "
            "the chat history, keep documents elsewhere."
        )
    yield Advice(
        subject=subject,
        finding=finding,
        evidence=evidence,
        remedy=remedy,
        cost=cost,
        severity="slow",
    )


def dead_rows(facts: PostgresFacts) -> Iterator[Line]:
    """Rows that vacuum has not taken away."""
    subject, usage, table = "dead rows", facts.usage, facts.relation
    if usage is None or table is None:
        return
    evidence: dict[str, Any] = {
        "live rows": usage.live,
        "dead rows": usage.dead,
        "autovacuum begins at": table.vacuum_due,
        "last vacuum": "none" if usage.vacuumed is None else _day(usage.vacuumed),
        "table": amount(table.heap_bytes + table.toast_bytes),
    }
    on = table.autovacuum and (facts.settings or {}).get("autovacuum") != "off"
    held = facts.backends.oldest_seconds if facts.backends is not None else None
    if held is not None and held >= LONG_SECONDS and facts.backends is not None:
        evidence["oldest transaction, s"] = round(held)
        evidence["whose"] = facts.backends.oldest
    else:
        held = None
    share = usage.dead / max(1, usage.live + usage.dead)
    if usage.dead < DEAD_ROWS or share < DEAD_SHARE:
        if on:
            yield InOrder(subject, f"{usage.dead:,} of {usage.live + usage.dead:,} rows", evidence)
            return
        finding = "Autovacuum is off for this table: nothing takes away what saves leave behind."
    else:
        finding = f"{share:.0%} of the rows are dead: pages and scans read them in vain."
        if not on:
            finding += " Autovacuum is off for this table."
        elif usage.dead > table.vacuum_due:
            finding += " Autovacuum is behind."
    remedy, cost = f"VACUUM (ANALYZE) {facts.table};", "Reads the table; reads and writes go on."
    if held is not None:
        finding += f" A transaction open for {held:,.0f} s keeps vacuum from taking them away."
        remedy = f"-- end it first: {evidence['whose']}\n{remedy}"
    if not on:
        remedy += f"\n{_on_each(facts, 'SET (autovacuum_enabled = true)')}"
    elif usage.dead > table.vacuum_due:
        remedy += f"\n{_on_each(facts, 'SET (autovacuum_vacuum_scale_factor = 0.05)')}"
        cost += " With the lower share autovacuum comes sooner and each time has less to do."
    yield Advice(
        subject=subject,
        finding=finding,
        evidence=evidence,
        remedy=remedy,
        cost=cost + " The file keeps its size; the space is used again.",
        severity="slow",
    )


def updates(facts: PostgresFacts) -> Iterator[Line]:
    """Updates that every index has to follow."""
    subject, usage = "updates that indexes follow", facts.usage
    if usage is None or facts.indexes is None:
        return
    if usage.updates < UPDATES:
        yield Unseen(subject, f"the server counted {usage.updates:,} updates, {UPDATES:,} tell")
        return
    share = usage.hot_updates / usage.updates
    evidence = {"updates": usage.updates, "HOT, %": round(100 * share, 1)}
    following = [i.name for i in facts.indexes if _CHANGED & set(i.columns)]
    if following:
        names = ", ".join(following)
        text = f"{share:.0%} are HOT, since {names} holds what a save changes: the price of it"
        yield InOrder(subject, text, evidence)
    elif share >= HOT_SHARE:
        yield InOrder(subject, f"{share:.0%} are HOT", evidence)
    else:
        yield Advice(
            subject=subject,
            finding=f"No index holds what a save changes, and yet only {share:.0%} of the updates "
            "are HOT: their pages are too full for the new row.",
            evidence=evidence,
            remedy=_on_each(facts, "SET (fillfactor = 80)"),
            cost="A quarter more pages, as they are filled from now on; old ones stay as they are.",
            severity="slow",
        )


def durability(facts: PostgresFacts, operations: pd.DataFrame) -> Iterator[Line]:
    """What a crash of the server would lose, and what it costs that it does not."""
    if facts.settings is None:
        return
    off = [name for name in ("fsync", "full_page_writes") if facts.settings.get(name) == "off"]
    if off:
        yield Advice(
            subject=" and ".join(off),
            finding=f"{' and '.join(off)} {'is' if len(off) == 1 else 'are'} off: after a crash of "
            "the machine the database may be beyond repair.",
            evidence={name: f"off, by {facts.sources.get(name, 'the server')}" for name in off},
            remedy="\n".join(f"ALTER SYSTEM SET {name} = on;" for name in off)
            + "\nSELECT pg_reload_conf();",
            cost="Each save waits for the disk. What the command line says stands above this: a "
            "private server without a folder, as local_postgres() makes it, is so on purpose.",
            severity="risk",
        )
    if facts.relation is not None and not facts.relation.logged:
        yield Advice(
            subject="unlogged table",
            finding="The table is UNLOGGED: the server empties it after a crash.",
            evidence={"sessions, about": facts.relation.rows},
            remedy=_on_each(facts, "SET LOGGED"),
            cost="Writes the table once, while nobody can use it; saves take longer afterwards.",
            severity="risk",
        )
    yield from _commit(facts, operations, facts.settings)


def _commit(facts: PostgresFacts, operations: pd.DataFrame, settings: Any) -> Iterator[Line]:
    subject, setting = "synchronous_commit", settings.get("synchronous_commit", "on")
    window = 3 * int(settings.get("wal_writer_delay", 200)) / 1000
    saves, gets = (of(operations, ops)["execute_ns"] for ops in (SAVES, ("get",)))
    evidence: dict[str, Any] = {subject: f"{setting}, by {facts.sources.get(subject, 'default')}"}
    more = 0.0
    if len(saves) >= FEW and len(gets) >= FEW:
        more = round(median_ms(saves) - median_ms(gets), 3)
        evidence |= {
            "saves recorded": len(saves),
            "p50 of a save in the server, ms": median_ms(saves),
            "p50 of a get, ms": median_ms(gets),
            "a save takes more, ms": more,
        }
    if setting == "off":
        yield Advice(
            subject=subject,
            finding="It is off: a crash of the server may lose the saves of the last "
            f"{window:g} s, although they were acknowledged.",
            evidence=evidence,
            remedy="ALTER ROLE CURRENT_USER SET synchronous_commit = on;  -- each worker's role",
            cost="Each save then waits for the disk.",
            severity="risk",
        )
    elif more < COMMIT_MS:
        said = f"{setting}: an acknowledged save survives a crash of the server"
        if more:
            said += f", for at most {more:g} ms each"
        yield InOrder(subject, said, evidence)
    else:
        yield Advice(
            subject=subject,
            finding=f"It is {setting}: each save waits until it is on disk. Against a get, a save "
            f"takes {more:g} ms more, most of it that wait. This is what keeps saves: a choice, no "
            "recommendation.",
            evidence=evidence,
            remedy="ALTER ROLE CURRENT_USER SET synchronous_commit = off;  -- a worker's role, "
            "where its last saves may be lost",
            cost=f"A crash of the server may lose the saves of the last {window:g} s, although "
            "they were acknowledged: a workflow would run those steps again. The database stays "
            "whole.",
            severity="choice",
        )


def resets(facts: PostgresFacts) -> Iterator[Line]:
    """Pools that reset each connection that is given back."""
    subject, who = "resets of connections", facts.backends
    if who is None:
        return
    if who.hidden:
        why = f"of {who.hidden} of {who.connected} connections this user may not see what they do"
        yield Unseen(f"{subject} of others", f"{why}; a member of pg_read_all_stats may")
    evidence: dict[str, Any] = {"a round trip, µs": round(facts.round_trip_us, 1)}
    if not who.resetting:
        text = "this storage keeps its connections and pays none; no other was seen doing so"
        yield InOrder(subject, text, evidence)
        return
    evidence |= {f"connections of {name or 'no name'}": n for name, n in who.resetting.items()}
    yield Advice(
        subject=subject,
        finding=f"The last statement of {sum(who.resetting.values())} idle connections was the "
        "reset that a pool sends when one is given back: one more round trip for each operation.",
        evidence=evidence,
        remedy="async def nothing(connection): ...\n"
        "pool = await asyncpg.create_pool(url, reset=nothing)",
        cost="What an operation leaves in its session (settings, LISTEN, advisory locks) meets the "
        "next one: only for pools whose users leave nothing.",
        severity="slow",
    )


def pooler(facts: PostgresFacts, operations: pd.DataFrame) -> Iterator[Line]:
    """A pooler that shares its connections."""
    subject = "pooler"
    if not facts.pooled:
        yield InOrder(subject, "none: statements are prepared once and kept")
        return
    evidence: dict[str, Any] = {"a round trip, µs": round(facts.round_trip_us, 1)}
    gets = of(operations, ("get",))
    if len(gets):
        evidence["p50 of a get in the server, ms"] = median_ms(gets["execute_ns"])
    yield Advice(
        subject=subject,
        finding="A pooler shares its connections, so no statement is kept prepared: each is sent, "
        "parsed and planned anew"
        + (", and each read is a transaction of its own." if facts.read_only else "."),
        evidence=evidence,
        remedy="wb = graphflow_nb.open(url)  # with the server's own address",
        cost="Connections of your own count against the server's max_connections. A pooler in "
        "session mode can't be told from others: there statement_cache_size=100 keeps statements.",
        severity="choice",
    )


def version(facts: PostgresFacts) -> Iterator[Line]:
    """A table of a form before graph-flow 0.6."""
    subject = "column version"
    if facts.versioned:
        yield InOrder(subject, "there: a save compares one number")
        return
    if facts.xmin:
        # Each save asks the catalog for the column, which takes a microsecond or two.
        text = (
            "missing, and xmin of the row stands in for it as well: wb.migrate() would save nothing"
        )
        yield InOrder(subject, text)
        return
    cost = "Takes the table's lock for a moment; the rows stay as they are."
    if facts.uuid:
        rows = "" if facts.relation is None else f", of about {facts.relation.rows:,} sessions,"
        cost = (
            f"Ids become text, for which the table{rows} is written anew while nobody can use it; "
            "workers on graph-flow before 0.6 can't use it afterwards."
        )
    yield Advice(
        subject=subject,
        finding="Without it, and without an xmin to rely on, updated_at tells whether someone "
        "saved meanwhile: a change by hand that leaves it as it was is overwritten unnoticed.",
        evidence={"a save is compared by": "updated_at, in µs"},
        remedy="print(wb.plan_migration())\n"
        + (
            "graphflow_nb.open(url, writable=True).migrate()" if facts.read_only else "wb.migrate()"
        ),
        cost=cost,
        severity="risk",
    )
