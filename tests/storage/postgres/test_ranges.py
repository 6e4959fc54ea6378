"""Ranges of ids: balanced for ids of any kind, in the server's order, and never stale."""

from __future__ import annotations

from itertools import pairwise

import dask
import pytest

import graphflow_nb as g
from graphflow_nb.dask import read_sessions
from graphflow_nb.storage.postgres import ranges

from ...scope import only_complete
from ...stores import create_table
from .kit import connect, execute, fetch_value, until

FILL = """
INSERT INTO sessions (id, graph_id, current_task_id, context)
SELECT {id}, 'g', 't', jsonb_build_object('data', jsonb_build_object('n', n))
FROM generate_series({first}, {last}) AS n
"""
IDS = {
    "sequential": "'s-' || lpad(n::text, 9, '0')",
    "uuid": "gen_random_uuid()",
    "skewed": "CASE WHEN n % 20 > 0 THEN 'claims-' || md5(n::text) ELSE md5(n::text) END",
}


async def fill(url: str, ids: str, first: int, last: int) -> None:
    await execute(url, FILL.format(id=IDS[ids], first=first, last=last))


async def sizes_of(url: str, bounds: list[str]) -> list[int]:
    """Return the number of sessions in each range, as the server orders them."""
    places = [0]
    for id in bounds:
        last = f"(SELECT id FROM sessions WHERE id::text = '{id}')"
        places.append(await fetch_value(url, f"SELECT count(*) FROM sessions WHERE id <= {last}"))
    places.append(await fetch_value(url, "SELECT count(*) FROM sessions"))
    return [end - start for start, end in pairwise(places)]


def test_what_analyze_noted_divides_a_table_until_it_has_grown(database, run, monkeypatch):
    storage = run(connect(database))
    run(fill(database, "sequential", 1, 2_000))
    run(execute(database, "ANALYZE sessions"))
    with monkeypatch.context() as patch:
        patch.setattr(ranges, "_DIVIDE", "no {table}")  # nothing is read
        noted = run(storage.split(5))
        assert max(run(sizes_of(database, noted))) < 2 * 400
        # More ranges than the notes are good for.
        assert run(storage.split(1_000)) is None
    assert run(storage.split(1)) == []
    # Ids that grow with time are all behind the last that was noted.
    run(fill(database, "sequential", 2_001, 6_000))
    assert max(run(sizes_of(database, run(storage.split(5))))) < 2 * 1_200
    assert len(run(storage.split(500))) == 499
    run(storage.close())


@only_complete
@pytest.mark.parametrize("ids", IDS)
def test_a_sample_divides_ids_of_any_kind(ids, databases, run, monkeypatch):
    monkeypatch.setattr(ranges, "_PAGES", 40)
    with databases.empty() as url:
        run(create_table(url, "crate-0.5" if ids == "uuid" else "crate-0.6"))
        run(fill(url, ids, 1, 100_000))
        storage = run(connect(url))
        bounds = run(storage.split(12))
        sizes = run(sizes_of(url, bounds))
        run(storage.close())
    assert len(sizes) == 12
    assert min(sizes) > 0
    assert max(sizes) < 2 * 100_000 / 12
    # Of a sample: as many in each would be that of all ids.
    assert len(set(sizes)) > 2


@pytest.mark.parametrize("store", ["partitioned", "no-xmin"], indirect=True)
def test_a_partitioned_table_is_sampled_and_a_view_is_not(store, run):
    with g.open(store.url, writable=True) as wb:
        wb.bridge.run(wb.storage.save_many([g.Session(f"s-{n:03}", "t") for n in range(100)]))
        bounds = wb.bridge.run(wb.storage.split(4))
    assert bounds == (None if store.kind == "no-xmin" else ["s-024", "s-049", "s-074"])


@only_complete
def test_a_replica_is_divided_and_read(primary, standby, run):
    with g.open(primary.url, writable=True) as wb:
        sessions = [g.Session(f"s-{n:04}", "t", context={"n": n}) for n in range(500)]
        wb.bridge.run(wb.storage.save_many(sessions))

    async def replayed():
        return await fetch_value(standby.url, "SELECT count(*) FROM sessions") == 500

    run(until(replayed))
    servers_of = f"{primary.address},{standby.address}"
    url = f"postgresql://postgres@{servers_of}/postgres?target_session_attrs=prefer-standby"
    with dask.config.set(scheduler="synchronous"), g.open(url) as wb:
        assert wb.storage.inner.standby
        frame = read_sessions(url, context={"n": "int64"}, parts=3)
        assert sorted(frame["n"].compute()) == list(range(500))
