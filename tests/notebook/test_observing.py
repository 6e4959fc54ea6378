"""What polling and a store's own reports let one see of its sessions' versions."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import graphflow_nb as g
from graphflow_nb import Session
from graphflow_nb.history import HistoryArchive

from ..stores import create_table
from .browse.kit import Plain, wait_until


def test_what_changed_between_two_looks_is_a_sample(tmp_path: Path):
    wb = g.open("demo")
    with wb.observe() as observation:
        session = wb.get("claim-0014")
        for task in ("checks", "decide"):
            session.current_task_id = task
            wb.save(session)
        observation.look()
        session.context["amount"] = 7
        wb.save(session)
        observation.look()
        assert observation.look() == 0
        frame = wb.history("claim-0014")
        # The follower may have looked in between; the newest two are there in any case.
        assert frame["current_task_id"].tolist()[:2] == ["decide", "decide"]
        assert frame["changes"].iloc[0] == "amount"
        assert frame["changes"].iloc[-1] == "first kept"
        assert set(frame["source"]) == {"observed"}
        assert "samples" in frame.attrs["note"]
        assert wb.at("claim-0014", int(frame.index[1])).context["amount"] == 2360.7
        assert "others in between are unknown" in wb.timeline("claim-0014").note
        for shown in (repr(observation), observation._repr_html_()):
            assert "versions noted" in shown
    assert observation.state == "stopped"
    assert len(wb.history("claim-0014")) == len(frame)
    wb.stop_observing()
    with pytest.raises(g.HistoryError):
        wb.history("claim-0014")


def test_it_is_no_operation_of_the_users_and_writes_nothing():
    wb = g.open("demo")
    before = wb.sessions()
    with wb.observe() as observation:
        wb.latency.clear()
        observation.look()
        assert len(wb.latency) == 0
    assert wb.sessions().equals(before)


def test_many_changes_at_once_are_all_noted_in_the_end():
    wb = g.open("memory:")
    with wb.observe() as observation:
        wb.bridge.run(wb.storage.inner.save_many([Session(f"s{n}", "t") for n in range(1_700)]))
        while observation.look():
            pass
        steps = wb.timeline().stays
        assert len(steps) == observation.noted == 1_700
        assert not observation.cut


def test_a_file_keeps_what_was_seen(tmp_path: Path):
    wb = g.open(f"sqlite:{tmp_path}/s.db", create=True)
    place = f"sqlite:{tmp_path}/seen.db"
    with wb.observe(place) as observation:
        wb.create("a", "one")
        observation.look()
    kept = g.open(place)
    assert kept.history("a")["current_task_id"].tolist() == ["one"]
    assert len(kept.sessions()) == 0
    assert (tmp_path / "seen.db").stat().st_mode & 0o077 == 0
    kept.close()
    wb.close()
    with pytest.raises(g.QueryError, match="leave into= out"):
        g.open("demo").observe(place)


def test_a_file_with_a_history_of_its_own_is_refused(tmp_path: Path):
    wb = g.open(f"sqlite:{tmp_path}/s.db", create=True)
    other = g.open(f"sqlite:{tmp_path}/other.db", create=True)
    other.install_history()
    with pytest.raises(g.QueryError, match="triggers that keep its history"):
        wb.observe(f"sqlite:{tmp_path}/other.db")
    other.remove_history()
    other.create("a", "one")
    with pytest.raises(g.QueryError, match="it has sessions"):
        wb.observe(f"sqlite:{tmp_path}/other.db")
    with (
        wb.observe(f"sqlite:{tmp_path}/seen.db"),
        pytest.raises(g.QueryError, match="stop_observing"),
    ):
        wb.install_history()
    for opened in (wb, other):
        opened.close()


def test_what_was_seen_is_bounded():
    wb = g.open("memory:")
    with wb.observe(versions=5) as observation:
        session = wb.create("a", "one")
        for n in range(60):
            session.context["n"] = n
            wb.save(session)
            observation.look()
        assert observation.noted >= 60
        observation.stop()
        assert len(wb.history("a")) < 5 + 32


def test_a_deletion_that_the_store_reports_is_noted(database: str, run):
    run(create_table(database, "crate-0.6"))
    storage = run(g.connect(database))
    run(storage.install_trigger())
    wb = g.open(database)
    with wb.observe() as observation:
        wait_until(lambda: "reported by the store" in observation.state)
        run(storage.save(Session("a", "one")))
        wait_until(lambda: observation.noted == 1)
        run(storage.delete("a"))
        wait_until(lambda: observation.noted == 2)
        assert wb.history("a")["deleted"].tolist() == [True, False]
    wb.close()
    run(storage.close())


@pytest.mark.parametrize("into", ["postgresql://u:s3cret@host/db", "memory:", "seen.db"])
def test_only_a_file_keeps_what_is_seen(tmp_path: Path, into: str):
    with g.open(f"sqlite:{tmp_path / 's.db'}", create=True) as wb:
        with pytest.raises(g.QueryError, match="into= must be the URL of a SQLite file") as refused:
            wb.observe(into)
        assert "s3cret" not in str(refused.value)


def test_it_ends_with_the_workbench(tmp_path: Path):
    wb = g.open(f"sqlite:{tmp_path / 's.db'}", create=True)
    before = set(threading.enumerate())
    observation = wb.observe()
    (follower,) = {t for t in threading.enumerate() if t.name == "graphflow_nb-live"} - before
    wb.close()
    assert observation.state == "stopped"
    follower.join(20)
    assert not follower.is_alive()


def test_a_file_for_what_is_seen_is_closed_where_it_can_not_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    closed: list[object] = []
    close = g.SqliteSessionStorage.close

    async def noting(storage: g.SqliteSessionStorage) -> None:
        await close(storage)
        closed.append(storage.path)

    async def refuse(_: object) -> None:
        raise g.StorageError("no table can be made")

    monkeypatch.setattr(g.SqliteSessionStorage, "close", noting)
    monkeypatch.setattr(HistoryArchive, "create", refuse)
    with g.open(f"sqlite:{tmp_path / 's.db'}", create=True) as wb:
        with pytest.raises(g.StorageError, match="no table"):
            wb.observe(f"sqlite:{tmp_path / 'seen.db'}")
        assert closed == [str(tmp_path / "seen.db")]


def test_a_storage_that_can_not_find_by_time_is_told():
    wb = g.wrap(Plain())
    with pytest.raises(g.CapabilityError):
        wb.observe()


def test_looks_side_by_side_note_each_version_once():
    wb = g.open("memory:")
    with wb.observe() as observation:
        wb.bridge.run(wb.storage.inner.save_many([Session(f"s{n}", "t") for n in range(400)]))
        threads = [threading.Thread(target=observation.look) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        observation.look()
        assert observation.noted == len(wb.timeline().stays) == 400


def test_what_could_not_be_kept_is_looked_for_again(monkeypatch: pytest.MonkeyPatch):
    wb = g.open("memory:")
    with wb.observe() as observation:
        keep = observation.archive.append

        async def fail(_: object) -> None:
            raise g.StorageError("the disk is full")

        monkeypatch.setattr(observation.archive, "append", fail)
        wb.create("a", "one")
        with pytest.raises(g.StorageError, match="disk is full"):
            observation.look()
        monkeypatch.setattr(observation.archive, "append", keep)
        observation.look()
        assert wb.history("a")["current_task_id"].tolist() == ["one"]


def test_an_observation_goes_on_where_the_next_can_not_begin(tmp_path: Path):
    with g.open(f"sqlite:{tmp_path / 's.db'}", create=True) as wb:
        first = wb.observe()
        with pytest.raises(g.QueryError, match="SQLite file"):
            wb.observe("memory:")
        assert wb.is_observing
        assert first.state != "stopped"
        place = f"sqlite:{tmp_path / 'seen.db'}"
        second = wb.observe(place)
        assert first.state == "stopped"
        third = wb.observe(place)  # the same file goes on
        wb.create("b", "one")
        third.look()
        assert second.state == "stopped"
        assert len(wb.history("b")) == 1
