"""What was written can be taken back, on every store, after a restart and after a crash."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.journal import Journal

from ..stores import Store


@pytest.fixture
def wb(store: Store) -> Any:
    workbench = g.open(store.url, writable=True)
    yield workbench
    workbench.close()


def content(wb: g.Workbench) -> dict[str, Any]:
    found = wb.bridge.run(wb.storage.inner.query(g.Query()))
    return {
        s.id: (s.graph_id, s.current_task_id, s.status_message, s.context, s.created_at)
        for s in found
    }


def test_every_write_can_be_taken_back(wb, store):
    a, b, c = (store.id(name) for name in "abc")
    wb.create(a, "t", graph_id="g", status_message="s", context={"n": 12345678901234567890})
    wb.create(b, "t")
    start = content(wb)
    wb = g.wrap(wb.storage)  # with a journal of its own, in which these two are not

    session = wb.get(a)
    session.context["n"] = 2
    session.context.add_user_message("hello")
    wb.save(session)
    wb.patch(a, [{"op": "replace", "path": "/current_task_id", "value": "u"}])
    wb.create(c, "t")
    wb.upsert(g.Session(b, "w", context={"k": [1]}))
    assert wb.delete([a, c]) == [a, c]
    assert wb.delete(a) == []
    journal = wb.journal
    assert journal["op"].tolist() == ["save", "save", "save", "upsert", "delete", "delete"]
    assert journal["changes"].tolist()[1:3] == ["/current_task_id", "created"]
    assert journal["changes"].tolist()[4] == "deleted"
    assert (journal["state"] == "done").all()
    assert str(journal["at"].dtype) == "datetime64[us, UTC]"
    assert str(journal["version_before"].dtype) == "Int64"
    assert journal.index.name == "entry"
    assert wb.undo_all().left == []
    assert content(wb) == start
    with pytest.raises(g.PatchError, match="nothing to undo"):
        wb.undo()
    assert wb.journal["undone_by"].notna().sum() == 6

    # An undo can be undone by its number.
    last = int(wb.journal.index[wb.journal["undoes"].notna()][-1])
    wb.undo(last)
    assert wb.get(a).context["n"] == 2
    with pytest.raises(g.PatchError, match="undone already"):
        wb.undo(last)
    with pytest.raises(g.PatchError, match="no entry"):
        wb.undo(10_000)


def test_what_others_changed_since_is_left_alone(wb, store, run):
    a, b = store.id("a"), store.id("b")
    wb.create(a, "t")
    wb.create(b, "t")
    inner = wb.storage.inner
    session = wb.bridge.run(inner.get(a))
    session.status_message = "theirs"
    wb.bridge.run(inner.save(session))
    with pytest.raises(g.SessionConflict) as caught:
        wb.undo(1)
    assert caught.value.stored.status_message == "theirs"
    assert wb.undo_all().left == [a]
    assert set(content(wb)) == {a}
    # Once the other side has gone, there is nothing left to undo.
    wb.bridge.run(inner.delete(a))
    assert wb.undo() is None
    assert wb.journal["state"].tolist()[0] == "void"


def test_delete_with_versions_leaves_what_was_saved_meanwhile(wb, store):
    a, b, c = (store.id(name) for name in "abc")
    versions = {id: wb.create(id, "t").version for id in (a, b, c)}
    session = wb.get(b)
    session.status_message = "alive"
    wb.save(session)
    assert wb.delete(versions | {store.id("d"): 1}) == [a, c]
    assert set(content(wb)) == {b}
    other = b.upper() if store.kind == "crate-0.5" else b
    assert wb.delete([other, other, store.id("nobody")]) == [other]
    assert wb.undo().status_message == "alive"


def test_a_restored_session_stops_those_who_read_it_before(wb, store):
    a = store.id("a")
    wb.create(a, "t")
    before, created = wb.get(a), wb.get(a).created_at
    wb.delete(a)
    assert wb.undo().created_at == created
    before.status_message = "late"
    with pytest.raises(g.SessionConflict):
        wb.save(before)


def test_patch(wb, store):
    a = store.id("a")
    version = wb.create(a, "t", context={"n": 1}).version
    change = [{"op": "replace", "path": "/context/data/n", "value": 2}]
    with pytest.raises(g.SessionConflict) as caught:
        wb.patch(a, change, version=version + 1)
    assert caught.value.stored.context["n"] == 1
    assert caught.value.session.context["n"] == 2
    assert wb.get(a).version == version
    made = wb.patch(a, '[{"op": "replace", "path": "/context/data/n", "value": 1.10}]')
    assert '"n": 1.10' in str(wb.get(a).context_json()).replace('":1', '": 1')
    assert made.version != version
    with pytest.raises(g.SessionNotFound):
        wb.patch(store.id("nobody"), change)
    with pytest.raises(g.PatchError):
        wb.patch(a, [{"op": "replace", "path": "/nothing", "value": 1}])
    assert len(wb.journal) == 2


def test_wrong_arguments_are_told():
    wb = g.open("demo")
    for wrong in (7, None, [7], {"a": "1"}, {7: 1}):
        with pytest.raises(g.QueryError):
            wb.delete(wrong)
    for odd in ("x", 1.5, []):
        with pytest.raises(g.PatchError):
            wb.undo(odd)
    with pytest.raises(g.PatchError):
        wb.patch("claim-0014", 7)
    with pytest.raises(g.StorageError):
        wb.patch(7, [])
    assert wb.delete(wb.sessions(limit=3)["id"]) != []
    assert len(wb.sessions()) == 117


# The file


def test_a_file_outlives_the_process(tmp_path):
    """Killed at once after the write: what it replaced is in the file."""
    file, data = tmp_path / "journal.jsonl", tmp_path / "s.db"
    code = f"""
import graphflow_nb as g, os, signal
wb = g.open("sqlite:{data}", create=True, journal={str(file)!r})
wb.create("a", "t", context={{"n": 1}})
wb.patch("a", [{{"op": "replace", "path": "/context/data/n", "value": 2}}])
wb.delete("a")
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    wb = g.open(f"sqlite:{data}", journal=file)
    assert wb.journal["op"].tolist() == ["save", "save", "delete"]
    wb.undo()
    assert wb.get("a").context["n"] == 2
    wb.undo()
    assert wb.get("a").context["n"] == 1
    other = g.open("memory:", journal=file)
    assert len(other.journal) == 0, "it is of another store"
    assert other.journaled.journal is wb.journaled.journal
    other.create("a", "t")
    assert other.journal.index.tolist() == [6]
    wb.journaled.journal.close()


def write_three(file: Path) -> bytes:
    """Return the text of a journal with three writes."""
    with Journal.at(file) as journal:
        for n in range(3):
            session = g.Session(f"s{n}", "t", context={"text": "é\n" * 5})
            with journal.writing("here", "save", [(None, session)]):
                pass
    return file.read_bytes()


@pytest.mark.filterwarnings("ignore:the journal")
def test_cut_off_anywhere_it_can_be_read(tmp_path):
    file = tmp_path / "journal.jsonl"
    whole = write_three(file)
    # A line is whole without its end too.
    ends = [i for i, byte in enumerate(whole) if byte == ord("\n")]
    for length in range(1, len(whole), 7):
        file.write_bytes(whole[:length])
        with Journal.at(file) as journal:
            known = journal.entries("here")
            lines = max(0, sum(length >= end for end in ends) - 1)
            assert len(known) == (lines + 1) // 2
            assert [e.state for e in known] == ["done"] * (lines // 2) + ["unknown"] * (lines % 2)
            assert journal.damaged or length >= ends[-1]
            with journal.writing("here", "save", [(None, g.Session("next", "t"))]):
                pass
        with Journal.at(file) as journal:
            assert journal.entries("here")[-1].id == "next"
            assert len(journal.entries("here")) == len(known) + 1


def test_a_line_that_was_cut_off_as_its_write_had_not_begun_is_not_damage(tmp_path):
    """The process ended while it appended: the first line of the file does not count that line."""
    file = tmp_path / "journal.jsonl"
    whole = write_three(file)
    file.write_bytes(whole + whole.splitlines()[1][:100])
    with Journal.at(file) as journal:
        assert journal.damaged == []
        assert len(journal) == 3
        with journal.writing("here", "delete", [(g.Session("next", "t"), None)]):
            pass
    with Journal.at(file) as journal:
        assert journal.damaged == []
        assert [entry.id for entry in journal.entries("here")] == ["s0", "s1", "s2", "next"]


def test_a_file_that_is_none_or_that_another_process_has(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("dear diary\n")
    with pytest.raises(g.StorageError, match="is not a journal"):
        g.open("memory:", journal=file)
    assert file.read_text() == "dear diary\n"
    with pytest.raises(g.StorageError, match="can't be opened"):
        g.open("memory:", journal=tmp_path / "nowhere" / "j")
    with pytest.raises(g.StorageError, match="can't be opened"):
        g.open("memory:", journal=tmp_path)
    taken = tmp_path / "j"
    with Journal.at(taken):
        code = f"import graphflow_nb as g; g.open('memory:', journal={str(taken)!r})"
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "another process has the journal" in result.stderr


def test_without_a_journal_nothing_is_written(tmp_path):
    """A full disk is met before the store is touched."""
    file = tmp_path / "j"
    wb = g.open("memory:", journal=file)
    (kept,) = [
        fd for fd in os.listdir("/proc/self/fd") if (Path("/proc/self/fd") / fd).resolve() == file
    ]
    descriptor = os.open("/dev/full", os.O_WRONLY)
    os.dup2(descriptor, int(kept))
    with pytest.raises(g.StorageError, match="nothing is changed without it"):
        wb.create("a", "t")
    with pytest.raises(g.SessionNotFound):
        wb.get("a")
    assert len(wb.journal) == 0
    os.close(descriptor)


class Lost(g.InMemorySessionStorage):
    """Writes, and then loses the line before it can say so; or before it writes."""

    def __init__(self, first: bool, error: g.StorageError) -> None:
        super().__init__()
        self.first, self.error, self.broken = first, error, False

    async def save(self, session: g.Session) -> None:
        if self.broken and not self.first:
            raise self.error
        await super().save(session)
        if self.broken:
            raise self.error


@pytest.mark.parametrize("error", [g.StorageTimeout, g.StorageUnavailable])
@pytest.mark.parametrize("written", [True, False])
def test_an_outcome_that_nobody_heard_of(written, error):
    storage = Lost(first=written, error=error("no answer"))
    wb = g.wrap(storage)
    session = wb.create("a", "t")
    storage.broken = True
    session.status_message = "perhaps"
    with pytest.raises(error):
        wb.save(session)
    storage.broken = False
    assert wb.journal["state"].tolist() == ["done", "unknown"]
    stored = wb.undo()
    assert stored.status_message is None
    assert wb.get("a").status_message is None
    assert (wb.journal["state"].tolist()[1] == "void") is not written


def test_what_was_refused_is_not_in_the_journal():
    wb = g.open("memory:")
    wb.create("a", "t")
    with pytest.raises(g.SessionConflict):
        wb.create("a", "t")
    with pytest.raises(g.StorageError):
        wb.create("b", 7)
    session = wb.get("a")
    session.context["k"] = []
    session.context["k"].append({1})
    with pytest.raises(g.ContextError):
        wb.save(session)
    assert len(wb.journal) == 1


def test_a_storage_of_three_methods_can_be_undone_too():
    class Three:
        suspends = False

        def __init__(self) -> None:
            self.inside = g.InMemorySessionStorage()
            self.save, self.get = self.inside.save, self.inside.get
            self.delete = self.inside.delete

    wb = g.wrap(Three())
    wb.create("a", "t", context={"n": 1})
    wb.patch("a", [{"op": "replace", "path": "/context/data/n", "value": 2}])
    assert wb.delete(["a", "nobody"]) == ["a"]
    assert wb.delete({"a": 1}) == []
    assert wb.undo_all().left == []
    with pytest.raises(g.SessionNotFound):
        wb.get("a")


def test_a_storage_that_overwrites_loses_nothing():
    """As the documentation's Redis example does: no comparison, and no version that moves on."""

    class Overwriting:
        suspends = False

        def __init__(self) -> None:
            self.texts: dict[str, str] = {}

        async def save(self, session: g.Session) -> None:
            self.texts[session.id] = session.to_json()

        async def get(self, id: str) -> g.Session | None:
            text = self.texts.get(id)
            return None if text is None else g.Session.from_json(text)

        async def delete(self, id: str) -> None:
            self.texts.pop(id, None)

    wb = g.wrap(Overwriting())
    wb.create("a", "t", context={"n": 1})
    wb.create("a", "u", context={"n": 2})
    assert wb.journal["changes"].tolist() == ["created", "/current_task_id, /context/data/n"]
    wb.delete("a")
    wb.undo()
    wb.undo()
    assert (wb.get("a").current_task_id, wb.get("a").context["n"]) == ("t", 1)


def test_two_threads_write_one_journal(tmp_path):
    wb = g.open(f"sqlite:{tmp_path / 's.db'}", create=True, journal=tmp_path / "j")

    async def main() -> None:
        await asyncio.gather(*(wb.create.aio(f"s{n}", "t") for n in range(50)))

    asyncio.run(main())
    assert wb.journal["session_id"].nunique() == 50
    assert (wb.journal["state"] == "done").all()
    wb.journaled.journal.close()
    again = g.open(f"sqlite:{tmp_path / 's.db'}", journal=Path(tmp_path / "j"))
    assert again.undo_all().left == []
    assert len(again.sessions()) == 0
    again.close()
    wb.close()
