"""Every store counts for an overview what a plain model counts; a part stands for the whole."""

from __future__ import annotations

import random
import sqlite3
from bisect import bisect_right
from collections import Counter
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

import graphflow_nb as g
from graphflow_nb import Session
from graphflow_nb.frames import sessions_frame
from graphflow_nb.frames.overview import overview_frames
from graphflow_nb.model import stored_session
from graphflow_nb.model.times import UNKNOWN_TIME
from graphflow_nb.storage import Query
from graphflow_nb.storage import memory as memory_module
from graphflow_nb.storage.estimates import read_counts
from graphflow_nb.storage.overview import AGES, FUTURE, SIZES, UNKNOWN, hour_edges
from graphflow_nb.storage.postgres import overview as in_postgres
from graphflow_nb.storage.redis import overview as in_redis
from graphflow_nb.storage.sqlite import overview as in_sqlite

from ..scope import only_complete
from ..stores import KINDS, empty_store
from .postgres.kit import connect, execute, fetch

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
SHORT = ("memory", "sqlite", "documented")


def some_sessions(make_id, count: int = 120) -> list[Session]:
    chance = random.Random(7)
    ages = [
        *(timedelta(seconds=seconds, microseconds=n) for seconds in AGES for n in (-1, 0, 1)),
        *(timedelta(0), timedelta(microseconds=-1), -timedelta(days=3), timedelta(days=9_000)),
        *(timedelta(seconds=10 ** chance.uniform(0, 8)) for _ in range(40)),
    ]
    return [
        stored_session(
            make_id(f"s{n:03}"),
            chance.choice(["claims", "é", "$x_1$"]),
            chance.choice(["intake", "decide", "<b>"]),
            None,
            b'{"data": {"a": "%s"}, "chat_history": {"messages": [], "max_messages": 1}}'
            % (b"x" * chance.choice([1, 50, 500, 5_000])),
            1,
            NOW - chance.choice(ages),
            NOW - ages[n % len(ages)],
        )
        for n in range(count)
    ]


def find_class(moment: pd.Timestamp) -> int:
    if moment > NOW:
        return FUTURE
    return bisect_right([timedelta(seconds=s) for s in AGES], NOW - moment.to_pydatetime())


@pytest.mark.parametrize(
    "kind",
    [kind if kind in SHORT else pytest.param(kind, marks=only_complete) for kind in KINDS],
)
def test_every_store_counts_as_a_plain_model_does(kind, request, tmp_path, run):
    with empty_store(kind, request, tmp_path) as store:
        storage = run(store.open())
        run(storage.import_many(some_sessions(store.id)))
        frame = sessions_frame(run(storage.table(Query(limit=None))), ())
        found = run(read_counts(storage, NOW))
        run(storage.close())
    assert (found.read, found.share) == (len(frame), 1.0)
    wanted = Counter(
        (row.graph_id, row.current_task_id, find_class(row.updated_at))
        for row in frame.itertuples()
    )
    assert {place[:3]: place.sessions for place in found.places} == wanted
    assert [place.sessions for place in found.places] == sorted(wanted.values(), reverse=True)
    edges = [pd.Timestamp(edge) for edge in hour_edges(NOW)]
    for hours, times in ((found.created, frame["created_at"]), (found.saved, frame["updated_at"])):
        past = times[times <= NOW]
        places = Counter(bisect_right(edges, time) - 1 for time in past)
        assert hours.earlier == places.pop(-1, 0)
        assert hours.counts.tolist() == [places[n] for n in range(len(edges))]
        assert (hours.future, hours.unknown) == (len(times) - len(past), 0)
    sizes = frame["context_bytes"].groupby([bisect_right(SIZES, n) for n in frame["context_bytes"]])
    assert [tuple(size) for size in found.sizes] == [
        (size, len(these), these.sum()) for size, these in sizes
    ]
    check_frames(overview_frames(found), frame)


def check_frames(frames, sessions: pd.DataFrame) -> None:
    """The frames say of each task what its sorted ages say."""
    edges = [timedelta(seconds=seconds) for seconds in AGES]
    for row in frames.tasks.itertuples():
        here = sessions[
            (sessions["graph_id"] == row.graph_id)
            & (sessions["current_task_id"] == row.current_task_id)
        ]
        assert row.sessions == len(here)
        ages = sorted(NOW - time for time in here["updated_at"] if time <= NOW)
        if len(ages) < 5:
            assert pd.isna(row.usual_age)
            assert row.stuck == 0
            continue
        middle = ages[(len(ages) - 1) // 2]
        usual = edges[bisect_right(edges, middle)]
        assert row.usual_age == usual
        limit = max(10 * usual, timedelta(minutes=1))
        after = next((edge for edge in edges if edge >= limit), None)
        if after is None:
            assert pd.isna(row.stuck_after)
            assert row.stuck == 0
        else:
            assert row.stuck_after == after
            assert row.stuck == sum(age >= after for age in ages)
    for row in frames.graphs.itertuples():
        ages = NOW - sessions[sessions["graph_id"] == row.graph_id]["updated_at"]
        past = ages[ages >= timedelta(0)]
        assert row.sessions == len(ages)
        assert row.saved_last_hour == (past < timedelta(hours=1)).sum()
        assert row.saved_last_day == (past < timedelta(days=1)).sum()
    assert frames.ages["sessions"].sum() == len(sessions)
    today = sessions["created_at"].between(pd.Timestamp(NOW).floor("D"), NOW)
    assert frames.days["created"].iloc[-1] == today.sum()
    assert (len(frames.days), len(frames.hours)) == (60, 48)


def test_times_that_are_none_are_counted_as_unknown_in_postgresql(database, run):
    storage = run(connect(database))
    run(
        execute(
            database,
            "ALTER TABLE sessions ALTER graph_id DROP NOT NULL, ALTER context DROP NOT NULL;"
            "INSERT INTO sessions (id, graph_id, current_task_id, context, created_at, updated_at)"
            "SELECT t, 'g', 't', '{}', t::timestamptz, t::timestamptz FROM unnest(ARRAY["
            "'infinity', '-infinity', '0044-03-15 BC', '20000-01-01', '9999-12-31', NULL,"
            "'2026-11-24 12:30:00+00', '2026-11-24 12:30:00.000001+00']) AS t WHERE t <> '';"
            "INSERT INTO sessions (id, graph_id, current_task_id, context, created_at, updated_at)"
            "VALUES ('x', NULL, 't', NULL, NULL, NULL)",
        )
    )
    found = run(storage.overview(NOW))
    ages = {(place.graph_id, place.age): place.sessions for place in found.places}
    assert ages == {("g", UNKNOWN): 4, ("g", FUTURE): 2, ("g", 0): 1, ("", UNKNOWN): 1}
    assert (found.saved.unknown, found.saved.future, found.saved.counts[-1]) == (5, 2, 1)
    assert found.sizes[0][:2] == (0, 8)
    run(storage.close())


def test_odd_rows_of_sqlite_are_counted(tmp_path, run):
    path = tmp_path / "odd.db"
    storage = run(g.SqliteSessionStorage.connect(path))
    db = sqlite3.connect(path)
    for values in (
        "'a', CAST(x'ff' AS TEXT), 't', '{}', 0, 'soon'",
        f"'b', 7, 't', x'00', 1.5, {UNKNOWN_TIME}",
        "'c', 'g', 't', '{}', 1e300, 9e18",
    ):
        db.execute(
            "INSERT INTO sessions (id, graph_id, current_task_id, context, created_at, updated_at)"
            f" VALUES ({values})"
        )
    db.commit()
    db.close()
    found = run(storage.overview(NOW))
    names = {(place.graph_id, place.age) for place in found.places}
    assert names == {("\\xff", UNKNOWN), ("7", UNKNOWN), ("g", UNKNOWN)}
    assert found.created.earlier == 2
    run(storage.close())


def test_a_part_of_a_large_table_stands_for_the_whole(database, tmp_path, run, monkeypatch):
    monkeypatch.setattr(in_postgres, "READ_BYTES", 2**17)
    monkeypatch.setattr(in_sqlite, "READ_ROWS", 1_000)
    monkeypatch.setattr(memory_module, "READ_ROWS", 1_000)
    sessions = [Session(f"s{n:05}", f"t{n % 4}", context={"text": "x" * 400}) for n in range(5_000)]
    postgres = run(connect(database))
    file = run(g.SqliteSessionStorage.connect(tmp_path / "a.db"))
    for storage in (postgres, file, g.InMemorySessionStorage()):
        run(storage.import_many(sessions))
        found = run(storage.overview(datetime.now(UTC)))
        assert found.share < 0.5
        assert found.read / found.share == pytest.approx(5_000, rel=0.35)
        frames = overview_frames(found)
        assert frames.tasks["sessions"].sum() == pytest.approx(5_000, rel=0.35)
        assert len(frames.tasks) == 4
        assert "estimated from" in frames.tasks.attrs["note"]
        exact = run(storage.overview(datetime.now(UTC), exact=True))
        assert (exact.read, exact.share) == (5_000, 1.0)
        again = run(storage.overview(found.now))
        assert [*again.places] == [*found.places], "a second look shows the same"
        if storage is postgres:
            monkeypatch.setattr(in_postgres, "FIRST_WITH_RANGES", 10**9)
            by_chance = run(storage.overview(found.now))
            assert by_chance.share < 0.5
            assert by_chance.read / by_chance.share == pytest.approx(5_000, rel=0.35)
        run(storage.close())


@pytest.mark.parametrize("period", [8, 20, 25])
def test_tasks_that_repeat_after_as_many_rows_are_seen_alike(tmp_path, run, monkeypatch, period):
    monkeypatch.setattr(in_sqlite, "READ_ROWS", 1_000)
    monkeypatch.setattr(memory_module, "READ_ROWS", 1_000)
    sessions = [Session(f"s{n:05}", f"t{n % period}") for n in range(8_000)]
    file = run(g.SqliteSessionStorage.connect(tmp_path / "a.db"))
    for storage in (file, g.InMemorySessionStorage()):
        run(storage.import_many(sessions))
        found = run(storage.overview(datetime.now(UTC)))
        assert found.share == 1 / 8
        counts = overview_frames(found).tasks["sessions"]
        assert len(counts) == period
        assert counts.tolist() == pytest.approx(period * [8_000 / period], rel=0.5)
        run(storage.close())


def test_a_part_is_found_by_ranges_of_places(database, run):
    run(fill(database))
    part = in_postgres.EVERY.format(last=5, step=2, table="sessions")
    assert "Tid Range Scan" in str(run(fetch(database, f"EXPLAIN SELECT * FROM {part}")))


async def fill(database):
    storage = await connect(database)
    await storage.import_many([Session(f"s{n}", "t") for n in range(100)])
    await storage.close()


def test_a_part_shows_an_even_growth_as_even(database, run, monkeypatch):
    monkeypatch.setattr(in_postgres, "READ_BYTES", 2**19)
    sessions = [
        stored_session(
            f"s{n:05}",
            "g",
            "t",
            None,
            b'{"data": {"a": "%s"}}' % (b"x" * 400),
            1,
            NOW - n * timedelta(minutes=5),
            NOW,
        )
        for n in range(5_000)
    ]
    storage = run(connect(database))
    run(storage.import_many(sessions))
    found = run(storage.overview(NOW))
    assert found.share < 0.3
    weeks = found.created.counts[-2 * 168 :].reshape(2, 168).sum(axis=1) / found.share
    assert weeks == pytest.approx([2_016, 2_016], rel=0.15)
    run(storage.close())


def test_of_many_keys_of_redis_the_values_of_some_are_read(request, tmp_path, run, monkeypatch):
    monkeypatch.setattr(in_redis, "_VALUES", 50)
    sessions = [Session(f"s{n}", f"t{n % 4}") for n in range(200)]
    with empty_store("redis", request, tmp_path) as store:
        storage = run(store.open())
        run(storage.import_many(sessions))
        found = run(storage.overview(datetime.now(UTC)))
        # The server lists at least so many, and whole buckets of its table.
        assert 50 <= found.read < 60
        assert (found.share, found.note) == (0.25, None)
        assert overview_frames(found).tasks["sessions"].sum() == 4 * found.read
        assert run(storage.overview(found.now, exact=True)).read == 200
        run(storage.close())


def test_of_a_cluster_of_redis_every_so_many_keys_are_read(request, tmp_path, run, monkeypatch):
    monkeypatch.setattr(in_redis, "_VALUES", 50)
    sessions = [Session(f"s{n}", f"t{n % 4}") for n in range(200)]
    with empty_store("redis-cluster", request, tmp_path) as store:
        storage = run(store.open())
        run(storage.import_many(sessions))
        found = run(storage.overview(datetime.now(UTC)))
        assert found.read in (50, 51)  # one of the keys is the index's
        assert found.note is None
        assert found.share == pytest.approx(0.25, abs=0.01)
        monkeypatch.setattr(in_redis, "_LISTED", 1)
        assert "keys alone that the server lists first" in run(storage.overview(found.now)).note
        run(storage.close())


def test_more_places_than_are_told_apart_are_said(monkeypatch, run):
    monkeypatch.setattr("graphflow_nb.storage.overview.MAX_PLACES", 3)
    sessions = [Session(f"s{n}", f"t{n}") for n in range(5)]
    storage = g.InMemorySessionStorage.from_sessions([*sessions, Session("s", "t4")])
    found = run(storage.overview(datetime.now(UTC)))
    assert [place.current_task_id for place in found.places] == ["t4", "t0", "t1"]
    assert "2 sessions at further tasks" in overview_frames(found).tasks.attrs["note"]
