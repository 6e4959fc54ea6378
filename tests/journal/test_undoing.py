"""Many writes are undone in batches: whole, with Stop, after a failure, and no more than ours."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.journal import Journal, UndoReport, portions

from ..scope import COMPLETE, only_complete, size
from ..storage.postgres.kit import fetch
from ..stores import Store


@pytest.fixture
def wb(store: Store) -> Any:
    workbench = g.open(store.url, writable=True)
    yield workbench
    workbench.close()


def content(wb: g.Workbench) -> dict[str, Any]:
    found = wb.bridge.run(wb.storage.inner.query(g.Query()))
    return {s.id: (s.current_task_id, s.context, s.created_at, s.extra) for s in found}


def test_many_writes_of_every_kind_are_undone(wb, store):
    ids = [store.id(f"s{n}") for n in range(40)]
    for n, id in enumerate(ids[:30]):
        wb.create(id, "t", context={"n": n}, undo=False)
    start = content(wb)
    for turn in range(3):
        for id in ids[:10]:
            session = wb.get(id)
            session.context["turn"] = turn
            wb.save(session)
    wb.delete(ids[5:25])
    for id in ids[28:]:
        wb.upsert(g.Session(id, "u"))
    wb.delete(ids[28:32])
    seen: list[tuple[int, int]] = []
    report = wb.undo_many(progress=lambda done, total: seen.append((done, total)))
    assert (report.undone, report.changed, report.failed) == (66, [], {})
    assert not report.stopped
    assert content(wb) == start
    assert seen[-1] == (66, 66)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert wb.undo_many().undone == 0


def test_a_number_that_the_store_writes_in_another_form_hinders_no_undo(wb, store):
    a = store.id("a")
    wb.create(a, "t", context={"k": 0}, undo=False)
    start = content(wb)
    for n, number in enumerate(["1e21", "2.50", "1E-2", "1e21"]):
        wb.patch(a, f'[{{"op": "add", "path": "/context/data/n{n}", "value": {number}}}]')
    wb.delete(a)
    report = wb.undo_many()
    assert (report.undone, report.changed) == (5, [])
    assert content(wb) == start


def test_a_session_of_which_others_changed_something_is_left_alone(wb, store):
    a, b = store.id("a"), store.id("b")
    for id in (a, b):
        wb.create(id, "t")
        wb.patch(id, [{"op": "replace", "path": "/status_message", "value": "ours"}])
    theirs = wb.bridge.run(wb.storage.inner.get(a))
    theirs.status_message = "theirs"
    wb.bridge.run(wb.storage.inner.save(theirs))
    report = wb.undo_many()
    assert (report.undone, report.changed) == (2, [a])
    assert wb.get(a).status_message == "theirs"
    assert set(content(wb)) == {a}
    numbers = wb.journal.index[wb.journal["session_id"] == a][:2]
    with pytest.raises(g.SessionConflict):
        wb.undo(numbers[-1])
    with pytest.raises(g.PatchError, match="no entry 99"):
        wb.undo_many([*numbers, 99])


def test_stopped_it_goes_on_with_what_is_left(monkeypatch):
    monkeypatch.setattr(portions, "_FIRST", 10)
    monkeypatch.setattr(portions, "_MAX", 10)
    wb = g.open("demo")
    start = content(wb)
    ids = list(start)[:35]
    wb.delete(ids)
    asked: list[bool] = []

    def stop() -> bool:
        asked.append(len(asked) == 2)
        return asked[-1]

    report = wb.undo_many(stop=stop)
    assert (report.undone, report.remaining, report.stopped) == (20, 15, True)
    # The newest are back first.
    assert set(content(wb)) == set(start) - set(ids[:15])
    assert wb.undo_all().left == []
    assert content(wb) == start


class Failing(g.InMemorySessionStorage):
    """Refuses what it is told to, or is lost after some writes."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: str | None = None
        self.left = 10**9

    async def restore_many(self, sessions):
        if any(session.id == self.refused for session in sessions):
            raise g.StorageError("a rule refused it", nothing_written=True)
        if self.left < len(sessions):
            for session in sessions[: self.left]:
                await super().restore(session)
            raise g.StorageUnavailable("out of reach")
        return await super().restore_many(sessions)

    async def restore(self, session):
        if session.id == self.refused:
            raise g.StorageError("a rule refused it", nothing_written=True)
        await super().restore(session)


def test_what_the_store_refuses_is_named_and_hinders_no_other():
    storage = Failing()
    wb = g.wrap(storage)
    ids = [f"s{n}" for n in range(20)]
    for id in ids:
        wb.create(id, "t", undo=False)
    wb.delete(ids)
    storage.refused = "s7"
    report = wb.undo_many()
    assert (report.undone, report.failed) == (19, {"s7": "a rule refused it"})
    with pytest.warns(UserWarning, match="'s7': a rule refused it"):
        assert wb.undo_all().left == ["s7"]
    assert set(wb.journal["state"]) == {"done"}
    storage.refused = None
    assert wb.undo().id == "s7"


class Partial(Failing):
    """Writes the sessions of a batch until it refuses one."""

    atomic_batches = False

    async def restore_many(self, sessions):
        for session in sessions:
            await self.restore(session)
        return []


def test_a_batch_that_was_refused_in_its_middle_is_noted_as_it_was_made():
    storage = Partial()
    wb = g.wrap(storage)
    ids = [f"s{n}" for n in range(20)]
    for id in ids:
        wb.create(id, "t", undo=False)
    wb.delete(ids)
    storage.refused = "s7"
    report = wb.undo_many()
    assert (report.undone, report.failed) == (19, {"s7": "a rule refused it"})
    assert sorted(content(wb)) == sorted(set(ids) - {"s7"})
    assert set(wb.journal["state"]) == {"done"}
    storage.refused = None
    assert wb.undo_all().left == []
    assert wb.undo_many().undone == 0
    assert sorted(content(wb)) == sorted(ids)


def test_what_is_not_a_session_is_deleted_only_without_undo(tmp_path):
    """It can't be noted, so it could not be put back."""
    wb = g.open(f"sqlite:{tmp_path / 's.db'}", create=True)
    for id in "abc":
        wb.create(id, "t")
    db = sqlite3.connect(tmp_path / "s.db")
    db.execute("UPDATE sessions SET context = x'00ff' WHERE id = 'b'")
    db.commit()
    db.close()
    with pytest.raises(g.JournalError, match=r"wb.delete\('b', undo=False\)"):
        wb.delete("b")
    with pytest.raises(g.JournalError, match="the other 2 were deleted, which can be undone"):
        wb.delete(["a", "b", "c"])
    with pytest.warns(UserWarning, match="1 session was not undone, the first is 'b'"):
        assert wb.undo_all().left == ["b"]
    assert wb.delete(["b", "nobody"], undo=False) == ["b"]
    assert wb.sessions()["id"].tolist() == []
    wb.close()


def test_after_an_outage_in_the_middle_it_goes_on():
    storage = Failing()
    wb = g.wrap(storage)
    ids = [f"s{n}" for n in range(20)]
    for id in ids:
        wb.create(id, "t", undo=False)
    wb.delete(ids)
    storage.left = 7
    with pytest.raises(g.StorageUnavailable):
        wb.undo_many()
    storage.left = 10**9
    assert wb.undo_many().changed == []
    assert sorted(content(wb)) == sorted(ids)
    assert wb.journaled.undoable() == []


def test_interrupted_at_any_point_the_journal_is_consistent(tmp_path):
    """What is interrupted is a store in this thread, and so is the journal."""
    for pause in range(1, 60, 4):
        file = tmp_path / f"journal{pause}"
        wb = g.open("demo", journal=file)
        start = content(wb)
        wb.delete(list(start)[:40])
        before = signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, pause / 5000)
        try:
            wb.undo_all()
            while True:
                pass
        except KeyboardInterrupt:
            pass
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert wb.undo_all().left == []
        assert content(wb) == start
        wb.journaled.journal.close()
        with Journal.at(file) as journal:
            assert journal.damaged == []


def test_what_others_changed_without_counting_is_not_overwritten(tmp_path):
    """Neither version nor time moved: the content tells."""
    wb = g.open(f"sqlite:{tmp_path / 's.db'}", create=True)
    wb.create("a", "t")
    wb.patch("a", [{"op": "replace", "path": "/status_message", "value": "ours"}])
    db = sqlite3.connect(tmp_path / "s.db")
    db.execute("UPDATE sessions SET status_message = 'theirs'")
    db.commit()
    db.close()
    with pytest.raises(g.SessionConflict):
        wb.undo()
    assert wb.undo_all().left == ["a"]
    assert wb.get("a").status_message == "theirs"
    wb.close()


def test_a_file_is_compacted_when_most_of_it_was_undone(tmp_path):
    file = tmp_path / "journal"
    url = f"sqlite:{tmp_path / 's.db'}"
    with g.open(url, create=True, journal=file) as wb:
        for n in range(100):
            wb.create(f"s{n}", "t", context={"text": "x" * 2000}, undo=False)
        wb.delete([f"s{n}" for n in range(100)])
        wb.undo_all()
        wb.delete("s5")
        wb.patch("s6", [{"op": "replace", "path": "/current_task_id", "value": "u"}])
        size = file.stat().st_size
        wb.journaled.journal.close()
    with g.open(url, journal=file) as wb:
        assert file.stat().st_size < size / 10
        assert wb.journaled.journal.dropped == 200
        assert "without 200 that were undone" in repr(wb.journaled.journal)
        assert wb.journal.index.tolist() == [201, 202]
        assert wb.undo_all().left == []
        assert len(wb.sessions()) == 100
        assert wb.get("s5").context["text"] == "x" * 2000
        wb.create("new", "t")
        assert wb.journal.index[-1] == 205
        wb.journaled.journal.close()


def test_everything_about_a_session_comes_back_from_the_file(tmp_path):
    """Digits, members that graph-flow does not define, and times, after a restart."""
    file = tmp_path / "journal"
    text = (
        '{"id":"a","graph_id":"g","current_task_id":"t","status_message":null,"version":4,'
        '"context":{"data":{"n":1.10,"big":12345678901234567890,"e":1e+21},'
        '"chat_history":{"messages":[],"max_messages":1000}},"theirs":[1.0,{"x":null}]}'
    )
    storage = g.InMemorySessionStorage.from_sessions([g.Session.from_json(text)])
    before = g.wrap(storage).get("a")
    with Journal.at(file) as journal:
        wb = g.wrap(storage, journal=file)
        assert wb.journaled.journal is journal
        wb.delete("a")
    wb = g.wrap(storage, journal=file)
    after = wb.undo()
    assert after.to_json(version=False) == before.to_json(version=False)
    assert (after.created_at, after.extra) == (before.created_at, before.extra)
    assert wb.get("a").extra == before.extra
    wb.journaled.journal.close()


def test_a_store_is_known_however_its_url_is_spelled(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    file = tmp_path / "journal"
    with g.open(f"sqlite:{tmp_path / 'folder' / 's.db'}", create=True, journal=file) as wb:
        wb.create("a", "t")
        wb.journaled.journal.close()
    with g.open(f"sqlite:{tmp_path / 'link' / 's.db'}", journal=file) as wb:
        assert wb.journal["session_id"].tolist() == ["a"]
        assert wb.undo() is None
        wb.journaled.journal.close()


@only_complete
def test_a_private_server_that_was_restarted_is_the_same_store(tmp_path, server):
    """Its socket is another one, and so is its URL."""
    file, urls = tmp_path / "journal", set()
    # Not below tmp_path, which the user that the server runs as may not enter.
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="graphflow_nb-test-") as folder:
        os.chmod(folder, 0o755)
        for turn in range(2):
            with (
                g.local_postgres(folder) as private,
                g.open(private.url, writable=True, journal=file) as wb,
            ):
                urls.add(private.url)
                if turn == 0:
                    wb.create("a", "t")
                assert wb.journal["session_id"].tolist() == ["a"]
                wb.journaled.journal.close()
    assert len(urls) == 2
    # Another server has other sessions, at whatever place.
    with g.open(server.url, writable=True, journal=file) as wb:
        assert len(wb.journal) == 0
        wb.journaled.journal.close()


def test_entries_of_the_first_form_are_found_by_their_place(tmp_path):
    """They have no identity of the store."""
    file = tmp_path / "journal"
    wb = g.open(f"sqlite:{tmp_path / 's.db'}", create=True)
    wb.create("a", "t", undo=False)
    wb.delete("a", undo=False)
    place = str(wb.attributes.place)
    wb.close()
    stored = (
        '{"id":"a","graph_id":"default","current_task_id":"t","status_message":null,'
        '"context":"{}","version":1,"created":1767225600000000}'
    )
    file.write_text(
        '{"entry":1,"at":"2026-01-01T00:00:00Z","place":"%s","op":"delete","id":"a","before":%s}\n'
        '{"entry":1,"outcome":"done"}\n' % (place, stored)
    )
    with g.open(f"sqlite:{tmp_path / 's.db'}", create=True, journal=file) as wb:
        assert wb.undo().created_at.year == 2026
        wb.journaled.journal.close()


def test_what_a_rule_of_the_database_refuses_leaves_nothing_in_the_journal(database, run, tmp_path):
    """A trigger that returns NULL: the server reports success, and changes nothing."""
    with g.open(database, writable=True) as wb:
        for id in "abc":
            wb.create(id, "t", undo=False)
        wb.delete("c")
        run(
            fetch(
                database,
                "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RETURN NULL; END $$",
            )
        )
        run(
            fetch(
                database,
                "CREATE TRIGGER keep BEFORE INSERT OR UPDATE OR DELETE ON sessions "
                "FOR EACH ROW EXECUTE FUNCTION keep()",
            )
        )
        session = wb.get("a")
        session.status_message = "ours"
        change = [{"op": "replace", "path": "/status_message", "value": "ours"}]
        calls = [
            lambda: wb.save(session),
            lambda: wb.patch("a", change),
            lambda: wb.create("d", "t"),
            lambda: wb.delete("a"),
            lambda: wb.delete(["a", "b"]),
            wb.undo,
        ]
        for call in calls:
            with pytest.raises(g.StorageError) as caught:
                call()
            assert caught.value.nothing_written
        assert list(wb.undo_many().failed) == ["c"]
        assert wb.journal["state"].tolist() == ["done"]
        assert wb.journal["session_id"].tolist() == ["c"]


def test_an_undo_of_many_needs_few_calls_of_the_store():
    wb = g.open("memory:")
    ids = [f"s{n}" for n in range(2000)]
    for id in ids:
        wb.create(id, "t", undo=False)
    wb.delete(ids)
    for id in ids[:300]:
        wb.create(id, "again")
    before = len(wb.latency.frame(background=True))
    assert wb.undo_all().left == []
    assert len(wb.latency.frame(background=True)) - before < 30


def fill(wb: g.Workbench, count: int) -> None:
    """Store sessions of 2 kB past the journal."""
    for start in range(0, count, 5000):
        part = [
            g.Session(f"s{n:06}", "t", context={"text": "x" * 2000})
            for n in range(start, min(start + 5000, count))
        ]
        wb.bridge.run(wb.storage.inner.save_many(part))


def delete_and_undo(wb: g.Workbench, count: int) -> None:
    """Delete them all, and undo that."""
    wb.delete(f"s{n:06}" for n in range(count))
    assert len(wb.sessions()) == 0
    assert wb.undo_many().undone == count
    assert wb.summary()["sessions"].sum() == count


@only_complete
@pytest.mark.parametrize("count", [10_000 if COMPLETE else 2_000])
def test_memory_is_bounded_and_all_deletes_are_undone(tmp_path: Path, count: int):
    wb = g.open(f"sqlite:{tmp_path / 's.db'}", create=True, journal=tmp_path / "journal")
    fill(wb, count)
    tracemalloc.start()
    delete_and_undo(wb, count)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 20e6 + 2000 * count
    assert peak - held < 60e6 + 500 * count
    assert os.path.getsize(tmp_path / "journal") > 2000 * count
    wb.journaled.journal.close()
    wb.close()


@only_complete
def test_deletes_of_all_of_a_large_store_are_undone_in_bounded_memory(tmp_path: Path):
    """In a process of its own, whose largest size the system knows; tracing takes minutes."""
    count = size(100_000, 25_000)
    code = f"""
import resource
import graphflow_nb as g
from tests.journal.test_undoing import delete_and_undo, fill
wb = g.open("sqlite:s.db", create=True, journal="journal")
fill(wb, {count})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
delete_and_undo(wb, {count})
print(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
wb.close()
"""
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr
    before, after = (1024 * int(kilobytes) for kilobytes in done.stdout.split())
    # The texts of the sessions alone are 2,000 bytes for each, and are written three times.
    assert after - before < 100e6 + 2000 * count
    assert os.path.getsize(tmp_path / "journal") > 2000 * count


def test_a_redo_makes_the_write_again_and_is_undone_again(wb, store):
    id = store.id("s")
    wb.create(id, "t")
    with pytest.raises(g.PatchError, match="nothing to redo"):
        wb.redo()
    wb.patch(id, [{"op": "replace", "path": "/status_message", "value": "by hand"}])
    wb.undo()
    assert wb.redo().status_message == "by hand"
    assert wb.get(id).status_message == "by hand"
    with pytest.raises(g.PatchError, match="entry 4 is not an undo"):
        wb.redo(4)
    with pytest.raises(g.PatchError, match="nothing to redo"):
        wb.redo()
    assert wb.undo().status_message is None
    assert wb.undo() is None
    assert wb.redo().status_message is None
    # Others changed it since: nothing is written over that.
    wb.undo()
    wb.bridge.run(wb.storage.inner.save(g.Session(id, "theirs")))
    with pytest.raises(g.SessionConflict):
        wb.redo()
    assert wb.get(id).current_task_id == "theirs"


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (UndoReport(0, [], {}), "There was nothing to undo"),
        (UndoReport(2, [], {}), "2 writes were undone"),
        (
            UndoReport(1, ["a"], {}),
            "1 write was undone; 1 session was left alone, since others changed them ('a')",
        ),
        (UndoReport(0, [], {"a": "no\nroom"}), r"1 session was not undone ('a': no\nroom)"),
        (
            UndoReport(5, [], {}, 7),
            "5 writes were undone; stopped with 7 writes to go: the same call goes on",
        ),
    ],
)
def test_a_report_says_what_became_of_the_writes(report: UndoReport, said: str) -> None:
    assert str(report) == said


def test_undoing_all_says_what_it_did() -> None:
    wb = g.open("demo")
    assert str(wb.undo_all()) == "There was nothing to undo"
    wb.delete("claim-0014")
    assert str(wb.undo_all()) == "1 write was undone"
