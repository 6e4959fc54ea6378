"""All sessions by COPY: the same as by the statement of a page, whatever is stored."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import datetime
from uuid import UUID

import asyncpg
import pandas as pd
import pytest

from graphflow_nb import Cursor, Query, Session
from graphflow_nb.frames import columns, paths_beside, sessions_frame
from graphflow_nb.model.masks import DEFAULT_MASK
from graphflow_nb.storage import gathering
from graphflow_nb.storage.postgres import sorting, streaming
from graphflow_nb.storage.scans import noting_rows
from graphflow_nb.storage.texts import Texts

from ...scope import only_complete
from ...stores import create_table
from .kit import connect, execute, fetch_value, until

TEXTS = [
    *("", "a", "\\N", "\\.", "\\", "\\\\t", 'say "so"', "it's", "\ufeffbom", "é\U0001f600\u2028"),
    *("a\tb", "a\nb", "a\r\nb", "\b\f\v", "\x1b[31m", "\x01\x02\x7f", "$1 %s {}", "x" * 3000),
]
TIMES = [
    *("2026-01-02 03:04:05.678901+00", "infinity", "-infinity", "0044-03-15 BC", None),
    *("9999-12-31 23:59:59.999999+00", "12000-01-01", "290000-01-01", "1969-12-31", "0001-01-01"),
]
CONTEXTS = ["[1]", '"text"', "null", "7", "{}", '{"data": [3]}', '{"chat_history": 3}']
#: The values of each column: of one kind, or of several.
VALUES: dict[str, list[object]] = {
    "int": [0, -1, 2**63 - 1, -(2**63)],
    "int or null": [1, None, 3],
    "float": [0.5, -1e-7, 1.7976931348623157e308, 3.0],
    "number": [1, 2.5, -(2**53), None],
    "inexact": [2**53 + 1, 0.5],
    "big": [2**63, 2**64, 1],
    "huge": [10**400, 1],
    "bool": [True, False],
    "bool or null": [True, None],
    "text": ["a", "", "null", "7"],
    "escaped": TEXTS,
    "list": [[1, "\\"], [], [None]],
    "object": [{"a": 1.5}, {}],
    "several": [1, "1", True, None, [1], {"a": "b"}, 1.5],
    "dotted": [{"a.b": 1}, {"a": {"b": "nested"}}, {"a": 3}],
}
#: What other portions have than the first ones.
LATE: dict[str, object] = {
    "late text": "a",
    "late null": None,
    "late fraction": 0.5,
    "late big": 2**63,
}
PATHS = [*VALUES, *LATE, "dotted.a.b", ("dotted", "a.b"), "list.0", 'it\'s \\ "quoted"', "nowhere"]


async def fill(url: str, form: str, count: int) -> None:
    """Store sessions, and rows that are none."""
    some = random.Random(17)
    await create_table(url, form)
    table = "sessions_behind" if form == "no-xmin" else "sessions"
    await execute(
        url,
        f"ALTER TABLE {table} ALTER graph_id DROP NOT NULL, ALTER current_task_id DROP NOT NULL, "
        "ALTER context DROP NOT NULL",
    )
    connection = await asyncpg.connect(url)
    uuid = form == "crate-0.5"
    for n in range(count):
        data = {name: some.choice(values) for name, values in VALUES.items() if some.random() < 0.8}
        data['it\'s \\ "quoted"'] = n
        data |= {name: n if n < 2 * count // 3 else value for name, value in LATE.items()}
        context = json.dumps({"data": data, "chat_history": {"messages": [1] * (n % 3)}})
        await connection.execute(
            f"INSERT INTO {table} (id, graph_id, current_task_id, status_message, context, "
            "created_at, updated_at) VALUES ($1::text::uuid, $2, $3, $4, $5::text::jsonb, "
            "$6::text::timestamptz, $7::text::timestamptz)".replace("::uuid", "::uuid" * uuid),
            str(UUID(int=some.getrandbits(128))) if uuid else f"{some.choice(TEXTS)}{n}",
            None if some.random() < 0.03 else some.choice(TEXTS),
            None if some.random() < 0.03 else f"task {n % 4}",
            some.choice([None, *TEXTS]),
            None if some.random() < 0.03 else some.choice([context] * 30 + CONTEXTS),
            some.choice(TIMES),
            some.choice([*TIMES, *TIMES[:1] * 9]),
        )
    await connection.close()


def check(run, storage, query: Query, paths: list) -> pd.DataFrame:
    """Return the frame of a query without a limit, which is that of a page with all."""
    read = [*paths, *paths_beside(paths, DEFAULT_MASK)]
    whole = run(storage.table(query, read))
    page = run(storage.table(query.following(query.after, 1_000_000), read))
    assert isinstance(whole.id, Texts)
    assert not isinstance(page.id, Texts)
    found, expected = sessions_frame(whole, paths), sessions_frame(page, paths)
    assert found.attrs == expected.attrs
    assert found.dtypes.to_dict() == expected.dtypes.to_dict()
    for name in expected:
        one, other = found[name], expected[name]
        assert (one.isna() == other.isna()).all(), name
        values, others = (each.dropna().tolist() for each in (one, other))
        assert values == others, name
        assert list(map(type, values)) == list(map(type, others)), name
    return found


@pytest.mark.parametrize(
    ("form", "arrow"),
    [
        ("crate-0.5", True),
        ("crate-0.6", False),
        *(
            pytest.param(form, arrow, marks=only_complete)
            for form in ("crate-0.5", "crate-0.6", "documented", "no-xmin")
            for arrow in (True, False)
        ),
    ],
)
def test_a_frame_of_all_is_that_of_a_page(database, run, monkeypatch, form, arrow):
    if not arrow:
        monkeypatch.setattr(streaming, "pyarrow", None)
    monkeypatch.setattr(streaming, "_PORTION", 9_000)
    monkeypatch.setattr(streaming, "_ODD", 3)
    monkeypatch.setattr(gathering, "_FEW", 3)
    run(fill(database, form, 90))
    storage = run(connect(database, read_only=form == "no-xmin"))
    for order in ("-updated_at", "created_at", "id"):
        frame = check(run, storage, Query(order=order, limit=None), PATHS)
        assert len(frame) == 90
        assert frame.attrs["problems"]
    task = Query(task="task 1", status="a", has=["int"], limit=None)
    assert 0 < len(check(run, storage, task, ["int", "float"])) < 40
    assert len(check(run, storage, Query(task="nowhere", limit=None), PATHS)) == 0
    for name, values in VALUES.items():  # one portion has one kind
        if values is not TEXTS:
            query = Query(has=[name], id_prefix="", limit=None)
            check(run, storage, query, [name])
    run(storage.close())


@pytest.mark.parametrize("arrow", [True, False])
def test_rows_that_come_in_any_order_are_sorted_as_the_server_sorts(
    database, run, monkeypatch, arrow
):
    if not arrow:
        monkeypatch.setattr(streaming, "pyarrow", None)
    monkeypatch.setattr(streaming, "_PORTION", 9_000)
    monkeypatch.setattr(gathering, "_FEW", 3)
    monkeypatch.setattr(sorting, "_SORTABLE", "SELECT $1::text <> $2::text")
    sort, sorted_here = sorting.sort_rows, []

    async def note(*args, **options):
        sorted_here.append(False)
        order = await sort(*args, **options)
        sorted_here[-1] = True
        return order

    monkeypatch.setattr(streaming, "sort_rows", note)
    run(fill(database, "crate-0.5" if arrow else "crate-0.6", 90))
    storage = run(connect(database))
    orders = ("-updated_at", "updated_at", "-created_at", "created_at")
    for order in orders:
        frame = check(run, storage, Query(order=order, limit=None), PATHS)
        assert len(frame) == 90
    assert len(check(run, storage, Query(task="nowhere", limit=None), PATHS)) == 0
    assert sorted_here == [True] * 5
    # In PostgreSQL's last years, which a column of int64 does not tell apart.
    last = "timestamptz '294260-01-01' - interval '1 day' * ascii(right(id::text, 1))"
    run(execute(database, f"UPDATE sessions SET updated_at = {last} WHERE updated_at IS NULL"))
    check(run, storage, Query(limit=None), PATHS)
    assert sorted_here == [True] * 5 + [False]
    run(storage.close())


def test_the_server_sorts_where_many_sessions_have_one_time(database, run, monkeypatch):
    can_sort, told = sorting.can_sort, []

    async def note(*args):
        told.append(await can_sort(*args))
        return told[-1]

    async def read(times: str, also: str = "SELECT 1") -> None:
        await create_table(database, "crate-0.6")
        await execute(
            database,
            "INSERT INTO sessions (id, graph_id, current_task_id, context, updated_at) "
            f"SELECT n::text, 'g', 't', '{{}}', {times} FROM generate_series(1, 300) AS n",
        )
        await execute(database, also)
        storage = await connect(database)
        for order in ("-updated_at", "id"):
            assert len(await storage.table(Query(order=order, limit=None))) == 300
        await storage.close()
        await execute(database, "DROP TABLE sessions")

    monkeypatch.setattr(streaming, "can_sort", note)
    distinct, analyze = "now() - n * interval '1 second'", "ANALYZE sessions"
    run(read(distinct, analyze))
    run(read(distinct))  # nothing is known
    run(read("now()", analyze))
    run(read(distinct, f'ALTER TABLE sessions ALTER id TYPE text COLLATE "POSIX"; {analyze}'))
    assert told == [True, *[False] * 7]


def test_contexts_outside_of_their_rows_are_read_once(database, run, monkeypatch):
    run(fill(database, "crate-0.6", 40))
    monkeypatch.setattr(streaming, "_LARGE", "SELECT $1::text <> ''")
    storage = run(connect(database))
    assert len(check(run, storage, Query(limit=None), PATHS)) == 40
    run(storage.close())


def test_nothing_of_a_frame_of_all_is_in_memory_that_arrow_keeps(database, run):
    import pyarrow

    run(create_table(database, "crate-0.6"))
    data = "jsonb_build_object('n', n, 'amount', n + 0.5, 'who', 'name ' || n, 'tier', n % 3)"
    run(
        execute(
            database,
            "INSERT INTO sessions (id, graph_id, current_task_id, status_message, context) "
            "SELECT 'session-' || n, 'g', 't' || n % 9, 'waits ' || n, jsonb_build_object('data', "
            f"{data}) FROM generate_series(1, 3000) AS n",
        )
    )
    storage, paths = run(connect(database)), ["n", "amount", "who", "tier"]
    before = pyarrow.total_allocated_bytes()
    frame = sessions_frame(run(storage.table(Query(limit=None), paths)), paths)
    assert frame[["id", "status_message", "who"]].memory_usage(deep=True).sum() > 100_000
    assert pyarrow.total_allocated_bytes() - before < 10_000
    run(storage.close())


@only_complete
def test_a_frame_of_all_through_a_pooler(pooler, database, run):
    run(fill(database, "crate-0.6", 60))
    for read_only in (True, False):
        storage = run(connect(pooler.url(database), read_only=read_only))
        assert len(check(run, storage, Query(limit=None), PATHS)) == 60
        run(storage.close())


@pytest.mark.parametrize("take_arrow", [True, False])
def test_values_of_several_portions_are_one_column(monkeypatch, take_arrow):
    import pyarrow

    if not take_arrow:
        monkeypatch.setattr(columns, "_TAKES_ARROW", False)
    for first in VALUES.values():
        for second in [*VALUES.values(), [None], []]:
            texts = [
                [
                    None if value is None and n % 2 else json.dumps(value)
                    for n, value in enumerate(v)
                ]
                for v in (first, second)
            ]
            expected = columns.value_column([texts[0] + texts[1]])
            for portions in (texts, [pyarrow.array(each, pyarrow.string()) for each in texts]):
                found = columns.value_column(portions)
                one, other = pd.Series(found), pd.Series(expected)
                assert one.dtype == other.dtype
                assert one.dropna().tolist() == other.dropna().tolist()
                assert list(map(type, one.tolist())) == list(map(type, other.tolist()))


def test_texts_in_portions_are_a_sequence():
    texts = Texts([["a", None], [], ["b", "c"]])
    plain = ["a", None, "b", "c"]
    assert texts == plain
    assert texts != ["a"]
    assert [texts[n] for n in range(-4, 4)] == plain + plain
    assert [texts[a:b] for a in range(-5, 5) for b in range(-5, 5)] == [
        plain[a:b] for a in range(-5, 5) for b in range(-5, 5)
    ]
    assert texts[::-2] == plain[::-2]
    assert list(Texts([])) == []
    with pytest.raises(IndexError, match="4 texts"):
        texts[4]


def test_what_can_not_be_written_into_a_statement_is_read_as_a_page_is(database, run):
    storage = run(connect(database))
    run(storage.save(Session("a", "t")))
    last = Cursor("-updated_at", "b", datetime.max)  # an infinity
    table = run(storage.table(Query(after=last, limit=None), ["a\0b"]))
    assert (table.id, table.context) == (["a"], [[None]])
    run(storage.close())


def slow_view(seconds: float, rows: int) -> str:
    """Return the SQL of a table whose every row takes that long."""
    return (
        "CREATE FUNCTION slow(text) RETURNS text LANGUAGE sql VOLATILE AS "
        f"$$ SELECT $1 FROM pg_sleep({seconds}) $$; CREATE VIEW sessions AS "
        "SELECT slow(n::text) AS id, 'g' AS graph_id, 't' AS current_task_id, "
        "NULL AS status_message, '{}'::jsonb AS context, 1::bigint AS version, "
        f"now() AS created_at, now() AS updated_at FROM generate_series(1, {rows}) AS n; "
    )


RUNNING = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query ~ '^COPY'"


def test_nothing_is_left_of_a_read_that_is_cancelled(database, run):
    async def cancel() -> None:
        await execute(database, slow_view(100, 2))
        storage = await connect(database, max_connections=1, read_only=True)
        reading = asyncio.ensure_future(storage.table(Query(limit=None)))
        await until(lambda: fetch_value(database, RUNNING))
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert await fetch_value(database, RUNNING) == 0
        assert await storage.run(lambda connection: connection.fetchval("SELECT 7")) == 7
        await storage.close()

    run(cancel())


def test_who_waits_is_told_how_many_rows_came(database, run, monkeypatch):
    monkeypatch.setattr(streaming, "_PORTION", 9_000)
    told: list[tuple[int, int | None]] = []

    async def read() -> None:
        await execute(database, slow_view(0, 10_000))
        storage = await connect(database, read_only=True)
        with noting_rows(lambda done, about: told.append((done, about))):
            assert len(await storage.table(Query(limit=None))) == 10_000
        await storage.close()

    run(read())
    done = [rows for rows, _ in told]
    assert done == sorted(done)
    assert 5_000 < done[-1] <= 10_000
    assert {about for _, about in told} == {10_000}


@only_complete
def test_the_whole_may_take_longer_than_one_statement(database, run):
    run(execute(database, slow_view(0.7, 4)))
    storage = run(connect(database, timeout=0.3, read_only=True))
    assert len(run(storage.table(Query(limit=None)))) == 4
    run(storage.close())
