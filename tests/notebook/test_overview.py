"""``wb.overview``: the answers in words, as a picture, and as DataFrames."""

from __future__ import annotations

import pytest

import graphflow_nb as g
from graphflow_nb import Session
from graphflow_nb.storage import ByScanning
from graphflow_nb.storage import estimates as module


class Shelf(ByScanning):
    """A storage that can't count for an overview."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}

    async def save(self, session: Session) -> None:
        self.sessions[session.id] = session

    async def get(self, id: str) -> Session | None:
        return self.sessions.get(id)

    async def delete(self, id: str) -> None:
        self.sessions.pop(id, None)

    async def list_ids(self) -> list[str]:
        return list(self.sessions)


def test_what_is_stuck_is_listed_by_wb_stuck():
    with g.open("demo") as wb:
        overview = wb.overview()
        assert overview.sessions == 120
        row = overview.tasks.iloc[1]
        assert row["stuck"] == 6
        found = wb.stuck(row["stuck_after"], graph=row["graph_id"], task=row["current_task_id"])
        assert len(found) == 6
        assert wb.latency.frame()["op"].tolist() == ["overview", "table"]


def test_it_answers_in_words_first():
    with g.open("demo") as wb:
        overview = wb.overview()
    where, stuck, growth = overview.answers
    assert where == "120 sessions at 7 tasks of 2 graphs, most at payout (claims): 57"
    assert stuck.startswith("15 at 5 tasks, most at await_customer (support): 6 for 6 h or more")
    assert growth.startswith("created in the 7 days before today: ")
    for text in (repr(overview), overview.to_html("dark")):
        assert where in text
        assert stuck in text
    assert "Where sessions are, n = 120." in overview.plot(large=True).said


def test_an_empty_store_says_so():
    with g.open("memory:") as wb:
        overview = wb.overview()
    assert overview.answers[0] == "there is no session"
    assert "There is no session." in overview.plot().said
    assert (len(overview.tasks), len(overview.days), overview.note) == (0, 60, "")


def test_a_storage_that_cant_count_reads_its_newest_sessions(monkeypatch):
    monkeypatch.setattr(module, "READ_ROWS", 2)
    with g.wrap(Shelf()) as wb:
        for n in range(3):
            wb.create(f"s{n}", "t")
        overview = wb.overview()
        assert overview.sessions == 2
        assert overview.note == "the newest 2 of 3 sessions; older ones are not counted"
        assert overview.note in repr(overview)
        assert wb.overview(exact=True).sessions == 3


def test_a_storage_without_a_table_is_refused():
    class Bare:
        save, get, delete = Shelf.save, Shelf.get, Shelf.delete

    with g.wrap(Bare()) as wb, pytest.raises(g.CapabilityError, match="table"):
        wb.overview()
