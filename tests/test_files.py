"""Files are private, complete or not there, and never written by a symbolic link."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

import graphflow_nb as g
from graphflow_nb.files import create_privately, read_file, write_privately


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def save_records(path: Path) -> None:
    with g.open("memory:") as wb:
        wb.create("a", "t")
        wb.latency.save(path)


def save_run(path: Path) -> None:
    with g.open("memory:") as wb:
        run = wb.benchmark("C", duration=0.05, repeats=1, warmup=0, sessions=2)
    run.save(path)


def keep_journal(path: Path) -> None:
    with g.open("memory:", journal=path) as wb:
        wb.create("a", "t")
        wb.delete("a")


WRITERS = [
    lambda path: write_privately(path, b"new"),
    create_privately,
    save_records,
    save_run,
    keep_journal,
]


@pytest.fixture(autouse=True)
def open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.parametrize("write", WRITERS)
def test_a_new_file_is_its_owners_alone(write, tmp_path):
    path = tmp_path / "new"
    write(path)
    assert mode_of(path) == 0o600
    assert os.listdir(tmp_path) == ["new"]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
def test_the_mode_of_a_file_that_was_there_stays(write, mode, tmp_path):
    path = tmp_path / "old"
    path.touch()
    path.chmod(mode)
    write(path)
    assert mode_of(path) == mode
    assert os.listdir(tmp_path) == ["old"]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("dangling", [False, True])
def test_a_symbolic_link_is_not_followed(write, dangling, tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    if not dangling:
        target.write_bytes(b"")
    link.symlink_to(target)
    with pytest.raises(g.StorageError, match="symbolic link"):
        write(link)
    assert target.exists() != dangling
    assert dangling or target.read_bytes() == b""
    assert link.is_symlink()
    assert sorted(os.listdir(tmp_path)) == (["link"] if dangling else ["link", "target"])


@pytest.mark.parametrize("write", WRITERS)
def test_what_is_no_file_is_refused(write, tmp_path):
    folder, pipe = tmp_path / "folder", tmp_path / "pipe"
    folder.mkdir()
    os.mkfifo(pipe)
    for path in (folder, pipe, tmp_path / "missing" / "f", tmp_path / ("n" * 300)):
        with pytest.raises(g.StorageError):
            write(path)
    assert sorted(os.listdir(tmp_path)) == ["folder", "pipe"]
    assert os.listdir(folder) == []


def test_a_file_that_exists_is_replaced_only_if_that_is_meant(tmp_path):
    path = tmp_path / ("n" * 255)
    write_privately(path, b"one")
    with pytest.raises(g.StorageError, match="exists"):
        write_privately(path, b"two", replace=False)
    assert read_file(path) == b"one"
    write_privately(path, b"two")
    assert read_file(path) == b"two"
    assert not create_privately(path)


def test_what_fails_in_between_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "f"
    path.write_bytes(b"old")
    for name in ("fsync", "replace"):
        for error in (OSError(28, "No space left on device"), KeyboardInterrupt()):

            def fail(*_, error=error):
                raise error

            with monkeypatch.context() as patch:
                patch.setattr(os, name, fail)
                with pytest.raises((g.StorageError, KeyboardInterrupt)):
                    write_privately(path, b"new")
            assert path.read_bytes() == b"old"
            assert os.listdir(tmp_path) == ["f"]


def test_reading_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "missing"):
        with pytest.raises(g.StorageError, match="can't be read"):
            read_file(path)


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"])
def test_names_that_no_file_can_have(name, tmp_path):
    path, wb = str(tmp_path / name), g.open("memory:")
    for call in (
        lambda: read_file(path),
        lambda: write_privately(path, b""),
        lambda: wb.export(f"{path}.jsonl"),
        lambda: wb.to_parquet(path),
        lambda: g.read_recording(path),
        lambda: g.open("memory:", journal=path),
    ):
        with pytest.raises(g.QueryError, match="no file can have in its name"):
            call()
    with pytest.raises(g.StorageError, match="needs the path of a file"):
        g.open(f"sqlite:{path}", create=True)
    assert os.listdir(tmp_path) == []
