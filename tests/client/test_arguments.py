"""What is no argument of a call is refused before anything is changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import graphflow_nb as g

#: Calls with one argument that can't be meant; each changes or writes something otherwise.
WRONG: dict[str, Callable[[Any], object]] = {
    "delete, progress": lambda wb: wb.delete(["a"], progress=5),
    "delete, stop": lambda wb: wb.delete(["a"], stop="no"),
    # Iterating a DataFrame gives the names of its columns, which would be taken for ids.
    "delete, a DataFrame": lambda wb: wb.delete(wb.sessions()),
    "sessions, a DataFrame": lambda wb: wb.sessions(ids=wb.sessions()),
    "export, a DataFrame": lambda wb: wb.export("a.csv", ids=wb.sessions()),
    "timeline, a DataFrame": lambda wb: wb.timeline(wb.sessions()),
    "compare_runs, a DataFrame": lambda wb: wb.compare_runs(wb.sessions(), ["a"]),
    "delete_unchanged, sessions": lambda wb: wb.delete_unchanged(5),
    "delete_unchanged, stop": lambda wb: wb.delete_unchanged([wb.get("a")], stop=5),
    "undo_all, progress": lambda wb: wb.undo_all(progress=5),
    "undo_many, entries": lambda wb: wb.undo_many(5),
    "undo_many, stop": lambda wb: wb.undo_many(stop=5),
    "copy_to, redact": lambda wb: wb.copy_to("memory:", redact="all", writable=True),
    "copy_to, progress": lambda wb: wb.copy_to("memory:", progress=5, writable=True),
    "to_parquet, folder": lambda wb: wb.to_parquet(5),
    "to_parquet, redact": lambda wb: wb.to_parquet("folder", redact="all"),
    "export, path": lambda wb: wb.export(["a.csv"]),
    "export, bytes": lambda wb: wb.export(b"a.csv"),
    "export, progress": lambda wb: wb.export("a.csv", progress=5),
    "latency.save, path": lambda wb: wb.latency.save(5),
    "latency.load, path": lambda wb: type(wb.latency).load(5),
    "raw, id": lambda wb: wb.raw(["a"]),
    "journal, path": lambda wb: g.open("memory:", journal=5),  # type: ignore[arg-type]
    "read_recording, path": lambda wb: g.read_recording(5),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", WRONG)
def test_it_is_named_and_nothing_changes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with g.open("memory:", writable=True) as wb:
        wb.create("a", "t")
        before, noted = wb.raw("a"), len(wb.journal)
        with pytest.raises((g.QueryError, g.StorageError), match=r"must|takes|not"):
            WRONG[name](wb)
        assert wb.raw("a") == before
        assert len(wb.journal) == noted
    assert not list(tmp_path.iterdir())


def test_what_is_meant_is_shown():
    """What a person is likely to try first is answered with how it is written."""
    with g.open("demo") as wb:
        with pytest.raises(g.PatchError, match=r'a list of such, as \[\{"op": "replace"'):
            wb.patch("claim-0014", {"status_message": "x"})  # type: ignore[arg-type]
        with pytest.raises(g.QueryError, match="types are given to to_parquet and dask"):
            wb.sessions(context={"amount": "int64"})  # type: ignore[arg-type]
        with pytest.raises(g.CapabilityError, match=r"wb\.advise\(\) names the statements"):
            wb.build_index()
