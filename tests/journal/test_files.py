"""Where a journal's lines are: a full disk, a file that was moved, a bound, a forked process."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import graphflow_nb as g
from graphflow_nb.journal import Journal
from graphflow_nb.journal.files import NamedLines, PrivateLines

from ..scope import need


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0, 1, 50, 300])
def test_a_write_for_which_the_disk_had_no_room_leaves_nothing(tmp_path, room):
    """Part of a line was written; with room again the next entry is whole."""
    file = tmp_path / "journal"
    wb = g.open("memory:", journal=file)
    wb.create("a", "t")
    with (
        files_end_at(file.stat().st_size + room),
        pytest.raises(g.JournalError, match="nothing is changed without it") as caught,
    ):
        wb.create("b", "t", context={"text": "x" * 500})
    assert caught.value.nothing_written
    assert caught.value.__cause__ is not None
    assert wb.sessions()["id"].tolist() == ["a"]
    with files_end_at(file.stat().st_size + room):
        wb.create("unnoted", "t", context={"text": "x" * 500}, undo=False)
        wb.delete("unnoted", undo=False)
    wb.create("c", "t")
    assert wb.journal["session_id"].tolist() == ["a", "c"]
    store = wb.attributes.identity
    wb.journaled.journal.close()
    with Journal.at(file) as journal:
        assert journal.damaged == []
        assert [entry.id for entry in journal.entries("memory", store=store)] == ["a", "c"]
        assert {entry.state for entry in journal.entries("memory", store=store)} == {"done"}


def test_an_outcome_that_could_not_be_noted_is_noted_with_the_next(tmp_path, caplog):
    file = tmp_path / "journal"
    with Journal.at(file) as journal:
        with journal.writing("here", "save", [(None, g.Session("a", "t"))]):
            size = file.stat().st_size
            limit = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, limit[1]))
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        assert "the write itself was made" in caplog.text
        assert [entry.state for entry in journal.entries("here")] == ["done"]
        with journal.writing("here", "save", [(None, g.Session("b", "t"))]):
            pass
    with Journal.at(file) as journal:
        assert [entry.state for entry in journal.entries("here")] == ["done", "done"]


def test_a_file_that_was_removed_or_cut_takes_no_more(tmp_path):
    for harm in (lambda file: file.unlink(), lambda file: os.truncate(file, 60)):
        file = tmp_path / "journal"
        wb = g.open("memory:", journal=file)
        wb.create("a", "t")
        harm(file)
        with pytest.raises(g.JournalError, match=r"removed|cut or replaced"):
            wb.create("b", "t")
        assert len(wb.sessions()) == 1
        wb.journaled.journal.close()
        file.unlink(missing_ok=True)


def test_a_journal_that_was_closed_takes_no_more(tmp_path):
    wb = g.open("memory:", journal=tmp_path / "journal")
    wb.create("a", "t")
    wb.journaled.journal.close()
    with pytest.raises(g.JournalError, match="is closed"):
        wb.create("b", "t")
    with pytest.raises(g.JournalError, match="is closed"):
        wb.undo()
    assert len(wb.sessions()) == 1


def test_a_symbolic_link_is_not_followed(tmp_path):
    target = tmp_path / "target"
    target.write_text("")
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(g.StorageError, match="symbolic link"):
        Journal.at(tmp_path / "link")
    assert target.read_text() == ""


def test_one_file_by_two_paths_is_one_journal(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    with Journal.at(tmp_path / "folder" / "j") as journal:
        assert Journal.at(tmp_path / "link" / "j") is journal


def test_a_file_is_replaced_at_once_privately_and_stays_locked(tmp_path):
    file = tmp_path / "lines"
    lines = NamedLines(file)
    lines.append(b"one\n" * 10)
    lines.replace([b"two\n", b"three\n"])
    assert file.read_bytes() == b"two\nthree\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(g.StorageError, match="another process has"):
        NamedLines(file)
    lines.append(b"four\n")
    assert lines.read(4, 6) == b"three\n"

    def fail() -> Iterator[bytes]:
        yield b"five\n"
        raise OSError(28, "No space left on device")

    with pytest.raises(g.JournalError, match="No space left"):
        lines.replace(fail())
    assert file.read_bytes() == b"two\nthree\nfour\n"
    assert os.listdir(tmp_path) == ["lines"]
    lines.close()
    with pytest.raises(g.JournalError, match="is closed"):
        lines.replace([b""])
    # What a process left that was killed in the middle goes; what is not of this file stays.
    (tmp_path / ".lines.graphflow_nb-x.tmp").write_text("left")
    (tmp_path / ".lines2.graphflow_nb-x.tmp").write_text("of another")
    NamedLines(file).close()
    assert sorted(os.listdir(tmp_path)) == [".lines2.graphflow_nb-x.tmp", "lines"]


def test_lines_in_memory_go_to_a_private_file(monkeypatch):
    monkeypatch.setattr("graphflow_nb.journal.files.MAX_MEMORY", 1000)
    lines = PrivateLines()
    texts = [b"%03d" % n * 50 for n in range(100)]
    places = [lines.append(text) for text in texts]
    assert [lines.read(place, 150) for place in places] == texts
    lines.replace(texts[:50])
    assert lines.end == 7500
    assert lines.read(places[49], 150) == texts[49]
    lines.close()


def test_a_journal_in_memory_that_is_full_is_said_before_the_write(monkeypatch):
    monkeypatch.setattr("graphflow_nb.journal.files.MAX_MEMORY", 10_000)
    monkeypatch.setattr("graphflow_nb.journal.files.MAX_PRIVATE", 100_000)
    wb = g.open("memory:")
    ids = [f"s{n:03}" for n in range(150)]
    for id in ids:
        wb.create(id, "t", context={"text": "x" * 1000}, undo=False)
    assert len(wb.journal) == 0
    with pytest.raises(g.JournalError, match=r"journal= .*undo=False.* 50 of 150 sessions"):
        wb.delete(ids)
    assert len(wb.sessions()) == 100
    assert wb.delete(ids, undo=False) == ids[50:]
    # There is always room to undo, and then for more.
    assert wb.undo_all().left == []
    assert wb.sessions(order="id")["id"].tolist() == ids[:50]
    assert wb.delete(ids) == ids[:50]
    assert wb.undo_all().left == []


FORKED = """
import os, sys
import graphflow_nb as g
from graphflow_nb.journal import Journal

named = g.open("memory:", journal=sys.argv[1])
named.create("a", "t")
private = g.open("memory:")
private.create("a", "t", context={"text": "x" * 20_000_000})
child = os.fork()
if child == 0:
    for call in (lambda: named.create("b", "t"), named.undo):
        try:
            call()
        except g.JournalError as error:
            assert "forked" in str(error) and "another file" in str(error), error
        else:
            os._exit(1)
    try:
        Journal.at(sys.argv[1])
    except g.StorageError as error:
        assert "another process has" in str(error), error
    else:
        os._exit(2)
    private.create("child", "t")
    assert private.journal["session_id"].tolist() == ["a", "child"]
    private.undo_all()
    assert len(private.sessions()) == 0
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
named.create("c", "t")
private.create("parent", "t")
assert named.journal["session_id"].tolist() == ["a", "c"]
assert private.journal["session_id"].tolist() == ["a", "parent"]
assert len(private.journaled.entries()[0].after.context["text"]) == 20_000_000
named.journaled.journal.close()
with Journal.at(sys.argv[1]) as journal:
    assert not journal.damaged and len(journal) == 2
"""


def test_a_forked_process_shares_neither_file_nor_numbers(tmp_path):
    need("os.fork", hasattr(os, "fork"))
    done = subprocess.run(
        [sys.executable, "-c", FORKED, str(tmp_path / "journal")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o660])
def test_a_journal_that_is_replaced_keeps_the_mode_that_its_owner_gave_it(tmp_path, mode):
    file = tmp_path / "journal"
    lines = NamedLines(file)
    lines.append(b"one\n")
    file.chmod(mode)
    lines.replace([b"two\n"])
    lines.close()
    assert stat.S_IMODE(file.stat().st_mode) == mode
    assert file.read_bytes() == b"two\n"
    assert os.listdir(tmp_path) == ["journal"]
