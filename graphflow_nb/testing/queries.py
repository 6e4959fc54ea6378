"""The properties of ``query``, ``table``, ``count`` and ``counts``, the same in every store."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from ..errors import ContextError, SessionConflict
from ..model import Context, Session, stored_session
from ..printable import describe_count
from ..storage.protocols import (
    SupportsCount,
    SupportsCounts,
    SupportsImportMany,
    SupportsQuery,
    SupportsTable,
)
from ..storage.query import Cursor, Query
from .kit import Deviation, Kit, add_property, expect_all_same, expect_error, expect_same

_QUERY: Final = "query, table, count, counts"
_QUERIES: Final = (SupportsQuery, SupportsTable, SupportsCount, SupportsCounts)
_MEANING: Final = "graphflow_nb.storage.ByScanning answers queries as they should be answered"

_Row = tuple[str, str, str, str | None, dict[str, Any]]
_ROWS: Final[tuple[_Row, ...]] = (
    ("aa1", "claims", "wait", "Waiting for input", {"customer": {"tier": "gold"}, "n": 1}),
    ("aa2", "claims", "pay", None, {"customer": {"tier": "gold", "a.b": [5, {"c": None}]}}),
    ("ab1", "claims", "wait", "waiting", {"n": 1.0, "big": 2**64 + 1}),
    ("b_1", "support", "wait", "100% done_", {"n": True, "customer": None}),
    ("b%1", "support", "closed", "", {"n": "1", "list": [1, 2.50], "obj": {"k": [1]}}),
)
_ALL: Final = tuple(row[0] for row in _ROWS)

#: Conditions, and the names that they select.
CASES: Final[tuple[tuple[Mapping[str, Any], tuple[str, ...]], ...]] = (
    ({}, _ALL),
    ({"graph": "claims"}, ("aa1", "aa2", "ab1")),
    ({"graph": "claim"}, ()),
    ({"task": "wait"}, ("aa1", "ab1", "b_1")),
    ({"graph": "claims", "task": "wait"}, ("aa1", "ab1")),
    ({"status": "ait"}, ("aa1", "ab1")),
    ({"status": "Wait"}, ("aa1",)),
    ({"status": "%"}, ("b_1",)),
    ({"status": "_"}, ("b_1",)),
    ({"status": ""}, ("aa1", "ab1", "b_1", "b%1")),
    ({"text": "aiting"}, ("aa1", "ab1")),
    ({"text": "100%"}, ("b_1",)),
    ({"text": "nothing"}, ()),
    ({"ids": ("aa1", "b%1", "nobody")}, ("aa1", "b%1")),
    ({"ids": ("b_1", "b_1"), "graph": "support"}, ("b_1",)),
    ({"ids": ()}, ()),
    ({"id_prefix": "a"}, ("aa1", "aa2", "ab1")),
    ({"id_prefix": "aa"}, ("aa1", "aa2")),
    ({"id_prefix": ""}, _ALL),
    ({"context": {"customer.tier": "gold"}}, ("aa1", "aa2")),
    ({"context": {("customer", "tier"): "gold"}}, ("aa1", "aa2")),
    ({"context": {"n": 1}}, ("aa1", "ab1")),
    ({"context": {"n": 1.00}}, ("aa1", "ab1")),
    ({"context": {"n": True}}, ("b_1",)),
    ({"context": {"n": "1"}}, ("b%1",)),
    ({"context": {"customer": None}}, ("b_1",)),
    ({"context": {"big": 2**64 + 1}}, ("ab1",)),
    ({"context": {"big": 2**64}}, ()),
    ({"context": {"list": [1.0, 2.5]}}, ("b%1",)),
    ({"context": {"list": [2.5, 1]}}, ()),
    ({"context": {"obj": {"k": [1]}}}, ("b%1",)),
    ({"context": {"list.1": 2.5}}, ("b%1",)),
    ({"context": {"list.-1": 2.5}}, ("b%1",)),
    ({"context": {"list.2": 2.5}}, ()),
    ({"context": {("customer", "a.b", "1", "c"): None}}, ("aa2",)),
    ({"has": ("customer",)}, ("aa1", "aa2", "b_1")),
    ({"has": ("customer.tier",)}, ("aa1", "aa2")),
    ({"has": ("customer", "n")}, ("aa1", "b_1")),
    ({"has": (("customer", "a.b", "0"),)}, ("aa2",)),
    ({"has": ("nothing",)}, ()),
    ({"has": ("customer.a.b",)}, ("aa2",)),
    ({"context": {"customer.a.b.1.c": None}}, ("aa2",)),
    ({"has": (("customer", "a", "b"),)}, ()),
    ({"has": ("list.+1",)}, ("b%1",)),
    ({"has": ("list.00000000001",)}, ("b%1",)),
    ({"has": ("list.1e0",)}, ()),
    ({"has": ("n\0",)}, ()),
    ({"context": {"n": "\0"}}, ()),
    ({"has": ("list.1x",)}, ()),
    ({"has": ("list.9999999999",)}, ()),
    ({"has": ("list.%s" % ("9" * 5000),)}, ()),
    ({"lacks": ("customer",)}, ("ab1", "b%1")),
    ({"lacks": ("customer.tier", "n")}, ()),
    ({"lacks": ("customer.tier", "big")}, ("b_1", "b%1")),
    ({"lacks": ("n\0",)}, _ALL),
    ({"compare": (("n", ">", 0),)}, ("aa1", "ab1")),
    ({"compare": (("n", ">=", 1.00),)}, ("aa1", "ab1")),
    ({"compare": (("n", ">", 1),)}, ()),
    ({"compare": (("n", "<", 1.5), ("n", ">", 0.5))}, ("aa1", "ab1")),
    ({"compare": (("n", ">", "0"),)}, ("b%1",)),
    ({"compare": (("n", "<=", "1"),)}, ("b%1",)),
    ({"compare": (("n", "!=", 1),)}, ("b_1", "b%1")),
    ({"compare": (("n", "!=", "\0"),)}, ("aa1", "ab1", "b_1", "b%1")),
    ({"compare": (("customer.tier", "!=", "gold"),)}, ()),
    ({"compare": (("customer.tier", ">", "go\0"),)}, ("aa1", "aa2")),
    ({"compare": (("customer.tier", "<", "Gold"),)}, ()),
    ({"compare": (("big", ">", 2**64),)}, ("ab1",)),
    ({"compare": (("big", "<=", 2**64),)}, ()),
    ({"compare": (("list.1", "<", 2.51),)}, ("b%1",)),
    ({"compare": (("list", "!=", [1]),)}, ("b%1",)),
    ({"status": "WAIT", "ignore_case": True}, ("aa1", "ab1")),
    ({"text": "AITING FOR", "ignore_case": True}, ("aa1",)),
    ({"text": "DONE_", "ignore_case": True}, ("b_1",)),
    ({"graph": "claims", "context": {"n": 1}, "has": ("big",), "status": "wait"}, ("ab1",)),
)


async def _fill(kit: Kit) -> dict[str, Session]:
    """Save the sessions of ``_ROWS`` in this order, and return them by name."""
    filled = {}
    for name, graph, task, status, context in _ROWS:
        session = kit.new(name, task, graph_id=graph, status_message=status, context=context)
        for i in range(3 * (graph == "claims")):
            session.context.add_user_message(f"message {i}")
        await kit.storage.save(session)
        filled[name] = session
    return filled


@add_property(_QUERY, _MEANING, *_QUERIES)
async def filters(kit: Kit) -> None:
    """Every filter selects the same sessions as in every other store, alone and combined."""
    await _fill(kit)
    checks = []
    for conditions, names in CASES:
        if "ids" in conditions:
            # No store but memory could hold the last two.
            ids = [kit.id(name) for name in conditions["ids"]]
            conditions = {**conditions, "ids": [*ids, "\0", "\ud800"]}
        if conditions.get("id_prefix"):
            # The prefix that the ids of the wanted sessions, and of no others, have.
            conditions = {
                **conditions,
                "id_prefix": _find_common_prefix([kit.id(name) for name in names]),
            }
        query = Query(**conditions)
        wanted = {kit.id(name) for name in names}
        found = await kit.storage.query(query)
        table = await kit.storage.table(query)
        checks += [
            ({s.id for s in found}, wanted, f"query of {conditions}"),
            (set(table.id), wanted, f"table of {conditions}"),
            (await kit.storage.count(query), len(wanted), f"count of {conditions}"),
            (
                sum(c.sessions for c in await kit.storage.counts(query)),
                len(wanted),
                f"counts of {conditions}",
            ),
        ]
    expect_all_same(checks)


def _find_common_prefix(ids: list[str]) -> str:
    first, last = min(ids), max(ids)
    length = next((i for i, c in enumerate(first) if last[i : i + 1] != c), len(first))
    return first[:length]


@add_property(_QUERY, _MEANING, *_QUERIES)
async def times_filter(kit: Kit) -> None:
    """updated_since and created_since include the time, updated_until and created_until do not."""
    await _fill(kit)
    ordered = await kit.storage.query(Query(order="created_at"))
    moment = ordered[2].created_at
    if moment is None:
        raise Deviation("created_at is not known right after a save")
    ids = [s.id for s in ordered]
    for name in ("created", "updated"):
        for edge, wanted in (("since", ids[2:]), ("until", ids[:2])):
            query = Query(**{f"{name}_{edge}": moment})
            found = await kit.storage.query(query)
            expect_same({s.id for s in found}, set(wanted), f"{name}_{edge}")
            expect_same(await kit.storage.count(query), len(wanted), f"the count of {name}_{edge}")


async def _read_pages(storage: Any, query: Mapping[str, Any], size: int, most: int) -> list[str]:
    """Return the ids of all pages, one after the other."""
    paged: list[str] = []
    after: Cursor | None = None
    for _ in range(most):
        await asyncio.sleep(0)  # others take turns also where nothing else suspends
        table = await storage.table(Query(**query, limit=size, after=after))
        if len(table) > size:
            raise Deviation(f"a page of {len(table)} where limit={size}")
        paged += table.id
        after = table.next
        if after is None:
            return paged
    raise Deviation(
        f"more than {most} pages of {size} for {describe_count(len(paged), 'session')}: no end"
    )


@add_property(_QUERY, _MEANING, *_QUERIES)
async def order_and_pages(kit: Kit) -> None:
    """In each order, up and down, pages of any size show each session once."""
    filled = await _fill(kit)
    for order in ("updated_at", "created_at", "id"):
        up = [s.id for s in await kit.storage.query(Query(order=order))]
        down = [s.id for s in await kit.storage.query(Query(order=f"-{order}"))]
        expect_same(up, down[::-1], f"{order} upwards and -{order} turned round")
        if order != "id":
            expect_same(up, [s.id for s in filled.values()], f"the order by {order}")
        for way, whole in ((order, up), (f"-{order}", down)):
            for size in (1, 2, 5, 6):
                paged = await _read_pages(kit.storage, {"order": way}, size, 10)
                expect_same(paged, whole, f"pages of {size} by {way}")
    paged = await _read_pages(kit.storage, {"graph": "claims"}, 2, 10)
    expect_same(len(paged), 3, "sessions on the pages of one graph")


@add_property(
    _QUERY,
    "order by time and then by id, and compare both with the cursor",
    *_QUERIES,
    SupportsImportMany,
)
async def pages_of_equal_times(kit: Kit) -> None:
    """Where many times are equal, pages still show each session once."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    ids = [kit.id(f"s{i:02}") for i in range(25)]
    await kit.storage.import_many(
        [stored_session(i, "g", "t", None, b'{"data":{}}', 1, moment, moment) for i in ids]
    )
    for order in ("updated_at", "-updated_at", "created_at", "-created_at"):
        for filter in ({}, {"graph": "g"}):
            paged = await _read_pages(kit.storage, {"order": order, **filter}, 4, 30)
            expect_same(sorted(paged), sorted(ids), f"all pages by {order}")


@add_property(_QUERY, "continue from the cursor's key, and never skip a number of rows", *_QUERIES)
async def pages_while_others_write(kit: Kit) -> None:
    """While others create, save and delete, pages show each session that stays, once."""
    stay = {kit.id(f"stay{i:02}") for i in range(40)}
    for i in range(40):
        await kit.save_new(f"stay{i:02}")
        await kit.save_new(f"go{i:02}")
    other = await kit.reopen()

    async def write() -> None:
        for i in range(40):
            await other.delete(kit.id(f"go{i:02}"))
            await other.save(Session(kit.id(f"z{i:02}"), "t"))
            await asyncio.sleep(0)
            session = await other.get(kit.id(f"stay{(7 * i) % 40:02}"))
            try:
                await other.save(session)
            except SessionConflict:
                raise Deviation("a save of the only writer conflicts") from None

    for order in ("id", "-id"):
        writing = asyncio.ensure_future(write()) if order == "id" else None
        paged = await _read_pages(kit.storage, {"order": order}, 7, 60)
        expect_same(len(paged), len(set(paged)), "sessions that came on pages twice")
        expect_same(stay - set(paged), set(), "sessions that stayed and came on no page")
        if writing is not None:
            await writing


@add_property(_QUERY, _MEANING, *_QUERIES)
async def columns_of_a_table(kit: Kit) -> None:
    """A table has all columns, and the JSON text of each context value."""
    filled = await _fill(kit)
    paths = ["customer.tier", "n", "customer.a.b", "big"]
    table = await kit.storage.table(Query(order="created_at"), paths)
    tier, n, dotted, big = ([None if v is None else v for v in c] for c in table.context)
    expect_all_same(
        [
            (list(table.id), [s.id for s in filled.values()], "id"),
            (list(table.graph_id), ["claims"] * 3 + ["support"] * 2, "graph_id"),
            (list(table.current_task_id), [row[2] for row in _ROWS], "current_task_id"),
            (list(table.status_message), [row[3] for row in _ROWS], "status_message"),
            (table.version.tolist(), [s.version for s in filled.values()], "version"),
            (table.messages.tolist(), [3, 3, 3, 0, 0], "messages"),
            (bool((table.context_bytes > 0).all()), True, "whether context_bytes is positive"),
            (tier, ['"gold"', '"gold"', None, None, None], "a path of two keys"),
            ([v and v.strip('"') for v in n], ["1", None, "1.0", "true", "1"], "a path"),
            ((dotted[1] or "").replace(" ", ""), '[5,{"c":null}]', "a key with a dot"),
            (big[2], str(2**64 + 1), "a large integer"),
        ]
    )


@add_property(_QUERY, _MEANING, *_QUERIES)
async def an_empty_store(kit: Kit) -> None:
    """An empty store has an empty table with all columns, and counts nothing."""
    table = await kit.storage.table(Query(), ["a"])
    expect_same((len(table), table.next, len(table.context)), (0, None, 1), "the table")
    expect_same(list(await kit.storage.query(Query())), [], "query")
    expect_same(list(await kit.storage.counts(Query())), [], "counts")
    expect_same(await kit.storage.count(Query()), 0, "count")


@add_property(_QUERY, _MEANING, *_QUERIES)
async def counts_by_task(kit: Kit) -> None:
    """counts returns the sessions at each task, in order, with the oldest and newest save."""
    filled = await _fill(kit)
    counts = await kit.storage.counts(Query())
    found = [(c.graph_id, c.current_task_id, c.sessions) for c in counts]
    wanted = [
        ("claims", "pay", 1),
        ("claims", "wait", 2),
        ("support", "closed", 1),
        ("support", "wait", 1),
    ]
    expect_same(found, wanted, "graph, task and number")
    times = (counts[1].oldest, counts[1].newest)
    expect_same(times, (filled["aa1"].updated_at, filled["ab1"].updated_at), "oldest and newest")


@add_property(_QUERY, _MEANING, *_QUERIES)
async def odd_values_are_listed(kit: Kit) -> None:
    """Sessions with control characters, huge numbers or malformed contexts are listed too."""
    await kit.save_new("odd", status_message="a\x1fb", graph_id="\x1f", context={"k": "\x1f"})
    huge = Context.from_json('{"data":{"huge":%s,"wide":1e9999}}' % ("9" * 5000))
    await kit.save_new("huge", context=huge)
    await kit.save_new("malformed", context=Context.from_json('{"chat_history":7,"data":[1]}'))
    table = await kit.storage.table(Query(order="created_at"), ["k", "huge"])
    expect_all_same(
        [
            (list(table.status_message), ["a\x1fb", None, None], "status_message"),
            (list(table.graph_id), ["\x1f", "default", "default"], "graph_id"),
            (list(table.context[1]), [None, "9" * 5000, None], "a number of 5,000 digits"),
            (table.messages.tolist(), [0, 0, 0], "messages"),
            (await kit.storage.count(Query(context={"huge": 1})), 0, "count of another number"),
            (await kit.storage.count(Query(has=["huge", "wide"])), 1, "count of both"),
        ]
    )
    found = await kit.read("malformed")

    async def touch() -> Any:
        return found.context["a"]

    await expect_error(touch(), ContextError, "reading a malformed context")
