"""A number of sessions takes little time, and says how it is known."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

import graphflow_nb as g
from graphflow_nb import Query, Session
from graphflow_nb.storage import estimates
from graphflow_nb.storage.estimates import (
    Estimate,
    count_by_task,
    count_groups_briefly,
    estimate_count,
    sample_groups,
)

from .postgres.kit import connect, execute


class Slow(g.InMemorySessionStorage):
    """Counts until it is cancelled."""

    suspends = True

    async def count(self, query):
        await asyncio.Event().wait()

    counts = count
    overview = None


class Estimating(Slow):
    about = 1_234_567

    async def estimate(self):
        return self.about


@pytest.fixture
def brief(monkeypatch):
    monkeypatch.setattr(estimates, "COUNT_SECONDS", 0.01)


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(1_234_567), "1,234,567"),
        (Estimate(999_999, "about"), "about 1,000,000"),
        (Estimate(412_345, "about"), "about 410,000"),
        (Estimate(12_345_678, "about"), "about 12.3 million"),
        (Estimate(10_000, "more than"), "more than 10,000"),
        (Estimate(0, "more than"), "an unknown number of"),
    ],
)
def test_how_a_number_is_known_is_said(estimate, text):
    assert str(estimate) == text


def test_what_is_cheap_is_counted(run):
    storage = g.InMemorySessionStorage.from_sessions([Session("a", "t")])
    assert run(estimate_count(storage, Query())) == (1, "exactly")
    assert run(count_groups_briefly(storage))[0].sessions == 1


def test_what_takes_long_is_estimated(brief, run):
    assert run(estimate_count(Slow(), Query(), seen=7)) == (7, "more than")
    assert run(estimate_count(Estimating(), Query())) == (1_234_567, "about")
    # The estimate is of all sessions, not of those that a filter selects.
    assert run(estimate_count(Estimating(), Query(task="t"), seen=7)) == (7, "more than")
    assert run(count_groups_briefly(Estimating())) == (1_234_567, "about")


@pytest.mark.parametrize(("about", "times"), [(1_234_567, 0), (150_000, 1)])
def test_the_card_of_a_large_store_says_about_how_many_and_counts_once(brief, about, times):
    counted = []

    class Counting(Estimating):
        async def counts(self, query):
            counted.append(query)
            await super().counts(query)

    storage = Counting()
    storage.about = about
    wb = g.wrap(storage)
    shown = wb._repr_mimebundle_()
    assert len(counted) == times
    if not times:
        check_card(wb, shown)


def test_what_a_file_would_take_to_count_by_task_is_known_before_it_is_read(tmp_path, monkeypatch):
    done = []

    class Noting:
        def on_operation(self, operation):
            done.append((operation.op, operation.outcome))

    with g.open(f"sqlite:{tmp_path}/sessions.db", create=True) as wb:
        for number in range(3):
            wb.create(f"claim-{number}", "t", context={"text": "x" * 10_000})
        wb.storage.add_hook(Noting())
        assert "'t': 3" in repr(wb)
        assert done == [("counts", "ok")]
        monkeypatch.setattr(estimates, "CHEAP_BYTES", 1_000)
        assert "3 sessions; wb.summary()" in repr(wb)
        assert done[1:] == [("counts", "error"), ("count", "ok")]


def check_card(wb, shown):
    assert "about 1.2 million sessions; wb.summary() counts them" in shown["text/plain"]
    assert "about 1.2 million" in shown["text/html"]
    assert shown == {"text/plain": repr(wb), "text/html": wb._repr_html_()}


def test_one_read_counts_the_total_and_the_tasks(run):
    asked = []

    class Asked(g.InMemorySessionStorage):
        async def counts(self, query):
            asked.append(query)
            return await super().counts(query)

        async def count(self, query):
            raise AssertionError("counted twice")

    sessions = [Session(f"s{n}", f"t{n % 3}", graph_id=f"g{n % 2}") for n in range(12)]
    storage = Asked.from_sessions(sessions)
    found = run(count_by_task(storage, Query(task="t1", text="s"), seconds=1))
    assert (found.total, len(found.groups)) == (4, 6)
    assert run(count_by_task(storage, Query(task="t1", graph="g0"), seconds=None)).total == 2
    assert asked == [Query(text="s"), Query()]


def test_a_count_that_takes_long_ends_in_time(brief, run):
    found = run(count_by_task(Slow(), Query(), seconds=0.01, seen=7))
    assert found == (None, (7, "more than"), False)
    found = run(count_by_task(Estimating(), Query(), seconds=0.01))
    assert found == (None, (1_234_567, "about"), False)


def test_tasks_of_a_large_store_are_named_by_some_of_its_sessions(run):
    sessions = [Session(f"s{n}", f"t{n % 3}") for n in range(9)]
    named = run(sample_groups(g.InMemorySessionStorage.from_sessions(sessions)))
    assert [(group.current_task_id, group.sessions) for group in named] == [
        ("t0", 0),
        ("t1", 0),
        ("t2", 0),
    ]


def test_a_table_estimates_by_its_statistics(database, run):
    storage = run(connect(database))
    run(storage.save(Session("a", "t")))
    assert run(estimate_count(storage, Query())) == (1, "exactly")
    run(execute(database, "UPDATE pg_class SET reltuples = 2e6 WHERE relname = 'sessions'"))
    assert run(estimate_count(storage, Query())) == (2_000_000, "about")
    assert run(estimate_count(storage, Query(task="t"))) == (1, "exactly")
    run(storage.close())


class Sampling(g.InMemorySessionStorage):
    """A large storage that reads a tenth of its sessions for an overview."""

    async def estimate(self):
        return 1_234_567

    async def overview(self, now, *, exact=False):
        return replace(await super().overview(now), share=0.1)

    async def counts(self, query):
        raise AssertionError("counted all")


def test_a_part_of_a_large_store_says_how_many_are_at_each_task(run, monkeypatch):
    sessions = [Session(f"s{n}", f"t{n % 3}") for n in range(600)]
    storage = Sampling.from_sessions([*sessions, Session("rare", "rare")])
    found = run(count_by_task(storage, Query(), seconds=2))
    assert found.total == (1_234_567, "about")
    numbers = {group.current_task_id: group.sessions for group in found.groups}
    assert numbers == {"rare": 10, "t0": 2_000, "t1": 2_000, "t2": 2_000}
    assert found.about
    assert run(count_by_task(storage, Query(task="t1"), seconds=2)).total == (2_000, "about")
    # Of few in the part nothing can be said of the whole: they are counted.
    assert run(count_by_task(storage, Query(task="rare"), seconds=2)).total == 1
    for query, seconds in ((Query(text="s"), 2), (Query(), None)):
        with pytest.raises(AssertionError, match="counted all"):
            run(count_by_task(storage, query, seconds=seconds))


def test_a_count_in_memory_ends_in_time_and_is_reported_as_cancelled(run, monkeypatch):
    monkeypatch.setattr("graphflow_nb.storage.memory._PORTION", 10)
    recorder = g.Recorder()
    memory = g.InMemorySessionStorage.from_sessions(Session(f"s{n}", "t") for n in range(50))
    storage = g.MonitoredStorage(memory, [recorder])
    query = Query(text="s")
    assert run(estimate_count(storage, query)) == Estimate(50)
    monkeypatch.setattr(estimates, "COUNT_SECONDS", -1.0)
    assert run(estimate_count(storage, query, seen=7, asked=True)) == Estimate(7, "more than")
    counted = run(count_by_task(storage, query, seconds=-1.0, seen=7))
    assert counted == (None, 50, False)
    assert [operation.outcome for operation in recorder.operations()] == [
        "ok",
        "cancelled",
        "cancelled",
        "ok",
    ]
    assert run(storage.count(query)) == 50
