"""Random queries select in every store what a plain model of them selects."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import cycle
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from graphflow_nb import Query
from graphflow_nb.model import stored_session
from graphflow_nb.storage.postgres import pages
from graphflow_nb.storage.query import FILTERS, ORDERS

from ..scope import COMPLETE, FULL, only_complete, size
from ..stores import KINDS, TABLES, empty_store
from . import kit

EXAMPLES, QUERIES = size(100, 3), 20 if COMPLETE else 8

OWN = ["memory", "sqlite", "redis", "valkey"]
OTHERS = [kind for kind in KINDS if kind not in {*OWN, *TABLES}]

DAY = datetime(2026, 1, 1, tzinfo=UTC)
keys = st.sampled_from(
    ["a", "b", "a.b", "b.c", "a.b.c", "c", "0", "1", "-1", "", "é", " 1", '"', "("]
)
scalars = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        1,
        -1,
        1.0,
        -0.0,
        0.1,
        1e20,
        10**20,
        2**53 + 1,
        10**40,
        "",
        "a",
        "ab",
        "1",
        "é",
        "\uffff",
        "🙂",
    ]
)
#: What others are greater or less than.
ordered = st.sampled_from(
    [
        *(0, 1, -1, 0.1, 1e20, 2**53, 2**53 + 1, 10**40 - 1, 10**300, 1e300, -0.0),
        *("", "a", "1", "é", "\uffff", "🙂", "a\0", "\0", "\0a"),
    ]
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
times = st.sampled_from([0, 1, 2, 86_400_000_000]).map(lambda n: DAY + timedelta(microseconds=n))
bounds = st.one_of(
    st.builds(
        lambda time, n, zone: (time + timedelta(microseconds=n)).astimezone(zone),
        times,
        st.integers(-1, 1),
        st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-11))]),
    ),
    st.sampled_from(
        [
            datetime.min.replace(tzinfo=UTC),
            datetime.max.replace(tzinfo=UTC),
            datetime.max.replace(tzinfo=timezone(timedelta(hours=14))),
        ]
    ),
)
pieces = st.sampled_from(
    [
        "",
        "a",
        "A",
        "é",
        "É",
        "ß",
        "İ",
        "Σ",
        "ς",
        "%",
        "_",
        "*",
        "[",
        "\\",
        "'",
        '"',
        "?",
        " ",
        "\n",
        "🙂",
    ]
)
texts = st.lists(pieces, max_size=4).map("".join)
names = st.lists(st.sampled_from("ab%_*[é-\\"), min_size=1, max_size=4).map("".join)
places = st.sampled_from(["a", "A", "a%", "é", ""])
rows = st.builds(
    kit.Row,
    names,
    places,
    places,
    st.none() | texts,
    st.dictionaries(keys, values, max_size=4),
    times,
    times,
)
indexes = st.sampled_from(["0", "-1", "00000000001", "1e0", "+1", "2147483648", "9" * 30, "x"])
steps = st.one_of(keys, indexes, st.just("\0"))


@st.composite
def paths(draw: Any, found: list[kit.Row]) -> str | tuple[str, ...]:
    """A path of which often something is there, as a text or exact."""
    path: list[str] = []
    inside: Any = draw(st.sampled_from(found)).data if found else {}
    while isinstance(inside, dict | list) and inside and draw(st.integers(0, 4)):
        if isinstance(inside, list):
            path.append(draw(st.sampled_from(["0", "-1", "00000000001", "+0"])))
            inside = inside[0]
        else:
            path.append(draw(st.sampled_from(sorted(inside))))
            inside = inside[path[-1]]
    if not path or draw(st.integers(0, 4)) == 0:
        path += draw(st.lists(steps, min_size=1, max_size=2))
    text = ".".join(path)
    return text if text and draw(st.booleans()) else tuple(path)


@st.composite
def conditions(draw: Any, found: list[kit.Row]) -> dict[str, Any]:
    """Filters of ``wb.sessions``, of which each may be there."""
    path = paths(found)
    wanted: dict[str, Any] = {}
    for path_ in draw(st.lists(path, max_size=2)):
        there = [v for row in found if (v := kit.find(row.data, path_)) is not kit.MISSING]
        odd = st.sampled_from(["\0", 10**300, 1e300, {"a": "\0"}])
        wanted[path_] = draw(st.one_of(*[st.sampled_from(there)] * bool(there), values, odd))
    compared = []
    for path_ in draw(st.lists(path, max_size=2)):
        there = [v for row in found if (v := kit.find(row.data, path_)) is not kit.MISSING]
        near = [v for v in there if isinstance(v, int | float | str) and not isinstance(v, bool)]
        value = draw(st.one_of(*[st.sampled_from(near)] * bool(near), ordered))
        compared.append((path_, draw(st.sampled_from([">", ">=", "<", "<="])), value))
        compared.append((path_, "!=", draw(values)))
    some = [row.id for row in found]
    ids = st.lists(st.sampled_from([*some, "nobody", "\0", "\ud800", "x" * 10_000]), max_size=4)
    prefixes = st.sampled_from([*(id[:n] for id in some for n in (1, 2, 9)), "", "*"])
    choices = {
        "graph": places,
        "task": places,
        "status": texts,
        "text": pieces | prefixes,
        "id_prefix": prefixes,
        "ids": ids,
        **{
            f"{name}_{end}": bounds for name in ("updated", "created") for end in ("since", "until")
        },
        "where": st.just(wanted),
        "has": st.lists(path, max_size=2),
        "lacks": st.lists(path, max_size=2),
        "compare": st.lists(st.sampled_from(compared), max_size=2) if compared else st.just(()),
        "ignore_case": st.booleans(),
    }
    assert tuple(choices) == FILTERS
    chosen = draw(st.lists(st.sampled_from(FILTERS), max_size=3, unique=True))
    return {name: draw(choices[name]) for name in chosen}


limits = st.sampled_from([None, 0, 1, 2, 3, 7, 2**31, 2**63 - 1, 2**63, 10**30])
orders = st.sampled_from([*ORDERS, *(f"-{name}" for name in ORDERS)])


@pytest.mark.parametrize(
    "kinds", [OWN, [*TABLES], pytest.param(OTHERS, marks=only_complete)], ids=" ".join
)
@pytest.mark.timeout(1500)
def test_every_store_answers_as_the_model(kinds, request, tmp_path, run):
    # The others are many, and send the same statements and commands from another place.
    examples = EXAMPLES if FULL or kinds is not OTHERS else EXAMPLES // 2
    _check_kinds(kinds, request, tmp_path, run, examples)


def test_a_walk_and_a_sort_of_ids_find_what_the_model_does(request, tmp_path, run, monkeypatch):
    efforts = cycle(["walk", "sort"])

    async def judge_order(*_: Any) -> str:
        return next(efforts)

    monkeypatch.setattr(pages, "judge_order", judge_order)
    monkeypatch.setattr(pages, "KNOWN_SECONDS", -1)
    monkeypatch.setattr(pages, "PROBED", 2)
    monkeypatch.setattr(pages, "WALKED", 4)
    monkeypatch.setattr(pages, "SORTED_FIRST", 4)
    _check_kinds(["documented", "crate-0.5"], request, tmp_path, run, EXAMPLES // 2)


def _check_kinds(kinds: Any, request: Any, tmp_path: Any, run: Any, examples: int) -> None:
    with ExitStack() as stack:
        stores = []
        for kind in kinds:
            folder = tmp_path / kind
            folder.mkdir()
            store = stack.enter_context(empty_store(kind, request, folder))
            storage = run(store.open())
            stack.callback(lambda storage=storage: run(storage.close()))
            stores.append((store, storage))

        # Shrinking would take minutes, and the assertion names the query.
        @settings(max_examples=examples, derandomize=True, phases=[Phase.generate])
        @given(st.data())
        def check(data):
            found = data.draw(st.lists(rows, min_size=1, max_size=7, unique_by=lambda r: r.id))
            for store, storage in stores:
                run(_replace_all(store, storage, found))
            for _ in range(QUERIES):
                filters = data.draw(conditions(found))
                by, limit = data.draw(orders), data.draw(limits)
                shown = data.draw(st.lists(paths(found), max_size=2))
                for store, storage in stores:
                    run(_check(store, storage, found, filters, by, limit, shown))

        check()


async def _replace_all(store: Any, storage: Any, found: list[kit.Row]) -> None:
    await storage.delete_many([s.id for s in await storage.query(Query())])
    sessions = [
        stored_session(
            store.id(r.id), r.graph, r.task, r.status, r.context_json(), 1, r.created, r.updated
        )
        for r in found
    ]
    await storage.import_many(sessions)


async def _check(
    store: Any,
    storage: Any,
    found: list[kit.Row],
    filters: dict[str, Any],
    by: str,
    limit: int | None,
    shown: list[Any],
) -> None:
    known = {row.id: store.id(row.id) for row in found}
    here = [replace(row, id=known[row.id]) for row in found]
    if "ids" in filters:
        filters = filters | {"ids": [known.get(id, id) for id in filters["ids"]]}
    selected = kit.select(here, filters)
    wanted = kit.order(selected, by)
    query = Query.from_filters(filters, order=by, limit=limit)
    page = wanted if limit is None else wanted[:limit]
    about = f"{store.kind}: {query}"

    assert [s.id for s in await storage.query(query)] == [r.id for r in page], about
    assert await storage.count(query) == len(wanted), about
    counts = await storage.counts(query)
    groups = {(c.graph_id, c.current_task_id): (c.sessions, c.oldest, c.newest) for c in counts}
    assert groups == kit.count_groups(selected), about
    table = await storage.table(query, shown)
    assert list(table.id) == [r.id for r in page], about
    for path, column in zip(shown, table.context, strict=True):
        for row, text in zip(page, column, strict=True):
            there = kit.find(row.data, path)
            assert (text is None) == (there is kit.MISSING), (about, path)
            if text is not None:
                assert kit.are_equal(json.loads(text, parse_float=Decimal), there), (about, path)
    ids = list(table.id)
    while table.next is not None and limit:
        plain = json.loads(json.dumps(table.next.to_plain()))
        table = await storage.table(Query.from_filters(filters, order=by, limit=limit, after=plain))
        assert len(table), about
        ids += table.id
    assert limit == 0 or ids == [r.id for r in wanted], about
