"""The manifest of Parquet files: each line whole or not there."""

from __future__ import annotations

import errno
import os

import pytest

import graphflow_nb as g
from graphflow_nb.notebook.manifest import append_line, create_manifest, read_manifest

RECORDS = [{"form": 1}, {"file": "é\ud800"}, {"file": "b"}]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "_manifest.jsonl"
    create_manifest(path, RECORDS[0])
    for record in RECORDS[1:]:
        append_line(path, record)
    return path


def test_it_returns_what_was_written_and_only_its_owner_reads_it(path):
    assert read_manifest(path) == RECORDS
    assert path.stat().st_mode & 0o077 == 0


def test_a_last_line_that_was_cut_at_any_byte_does_not_count(path):
    whole = path.read_bytes()
    start = len(b"".join(whole.splitlines(keepends=True)[:2]))
    for end in range(start, len(whole)):
        # As a killed process leaves it, and as a power cut does.
        for left in (whole[:end], whole[:end] + b"\0" * (len(whole) - end)):
            path.write_bytes(left)
            assert read_manifest(path) == RECORDS[:2]
            append_line(path, RECORDS[2])
            assert path.read_bytes() == whole


def test_a_damaged_line_before_the_last_is_an_error_and_stays(path):
    damaged = path.read_bytes().replace(b'{"form":1}', b'{"form":2}')
    for content in (damaged, b"", b"\n", b"{}\n"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="line 1 is damaged"):
            read_manifest(path)
        assert path.read_bytes() == content


def test_a_full_disk_leaves_the_lines_before(path, monkeypatch):
    before = path.read_bytes()

    def full(fd):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(g.StorageError, match=r"No space left.*the same call writes it again"):
            append_line(path, {"file": "c"})
    assert path.read_bytes() == before
