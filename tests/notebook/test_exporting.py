"""Chosen sessions are written to one file, to the letter, and what it can't hold is said."""

from __future__ import annotations

import csv
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import IPython
import IPython.display
import pyarrow.parquet as pq
import pytest

import graphflow_nb as g
from graphflow_nb.files import open_privately
from graphflow_nb.notebook import exporting
from graphflow_nb.notebook.progress import Bar
from graphflow_nb.storage import offloop

CONTEXT = """{"data": {"n": 1.10, "big": 9007199254740993,
"t": "a\\nb, \\"c\\""}, "chat_history": {"messages": [], "max_messages": 9}}"""


@pytest.fixture
def wb() -> g.Workbench:
    wb = g.open("memory:")
    for id, status in (("a", None), ("b", ""), ("=c", "x")):
        session = g.Session(id, "t", status_message=status)
        session.context = g.Context.from_json(CONTEXT)
        wb.save(session)
    return wb


def test_json_lines_keep_every_digit_and_are_read_back(wb: g.Workbench, tmp_path: Path):
    file = tmp_path / "s.jsonl"
    report = wb.export(file, ["a", "b", "gone"])
    assert (report.rows, report.missing, report.bytes) == (2, ["gone"], file.stat().st_size)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = file.read_text().splitlines()
    assert '"n":1.10' in lines[0]
    assert [
        len(g.diff(g.Session.from_json(line), wb.get(id)))
        for line, id in zip(lines, "ab", strict=True)
    ] == [0, 0]
    assert "not in the store: 'gone'" in str(report)


def test_csv_says_what_it_cannot_hold(wb: g.Workbench, tmp_path: Path):
    report = wb.export(tmp_path / "s.csv")
    with (tmp_path / "s.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["=c", "a", "b"]
    assert {row["context"] for row in rows} == {wb.get("a").context_json()}
    assert report.notes == [
        "CSV has no types: the context is a column of JSON text",
        "no status and an empty one are the same in CSV (1 empty)",
        "a spreadsheet takes a text of 1 session for a formula",
    ]


def test_parquet_has_the_context_as_it_is_stored(wb: g.Workbench, tmp_path: Path):
    assert wb.export(tmp_path / "s.parquet", ["a"]).notes == []
    table = pq.read_table(tmp_path / "s.parquet")
    assert table["context"].to_pylist() == [wb.get("a").context_json()]


@pytest.mark.parametrize("kind", [".jsonl", ".csv", ".parquet"])
def test_a_file_is_whole_or_not_there_and_never_replaced(
    wb: g.Workbench, tmp_path: Path, kind: str
):
    file = tmp_path / f"s{kind}"
    file.write_text("precious")
    with pytest.raises(g.StorageError, match="exists and is not replaced"):
        wb.export(file)
    assert file.read_text() == "precious"

    async def query(_: object) -> None:
        raise g.StorageError("the line was cut")

    wb.storage.inner.query = query  # type: ignore[method-assign]
    with pytest.raises(g.StorageError, match="the line was cut"):
        wb.export(tmp_path / f"t{kind}")
    assert [path.name for path in tmp_path.iterdir()] == [f"s{kind}"]


def test_wrong_arguments(wb: g.Workbench, tmp_path: Path):
    with pytest.raises(g.QueryError, match=r"must end in \.jsonl, \.csv, \.parquet, not 's\.xls'"):
        wb.export(tmp_path / "s.xls")
    with pytest.raises(g.QueryError):
        wb.export(tmp_path / "s.csv", graphs="x")


@pytest.mark.parametrize("end", ["jsonl", "csv", "parquet"])
def test_a_file_is_without_secrets_where_that_is_asked(tmp_path: Path, end: str):
    wb = g.open("memory:", mask=["case number"])
    data = {"password": "Zq7", "case_number": "Zq7", "n": 1}
    wb.create("a", "t", context=data, status_message="case_number: Zq7")
    wb.create("b", "t")
    real, without = tmp_path / f"real.{end}", tmp_path / f"without.{end}"
    wb.export(real)
    assert b"Zq7" in real.read_bytes()
    report = wb.export(without, redact=lambda s: g.mask_secrets(s) if s.id == "a" else None)
    assert (report.rows, report.left_out) == (1, 1)
    assert "1 left out by redact" in str(report)
    assert b"Zq7" not in without.read_bytes()
    assert wb.get("a").context["password"] == "Zq7"


@pytest.mark.parametrize("end", ["jsonl", "csv", "parquet"])
def test_many_sessions_are_written_beside_the_loop(tmp_path: Path, end: str, monkeypatch):
    monkeypatch.setattr(offloop, "MANY_ROWS", -1)
    threads = []

    def redact(session: g.Session) -> g.Session:
        threads.append(threading.current_thread().name)
        return session

    @contextmanager
    def noting(*given: object, **named: object) -> Iterator[object]:
        with open_privately(*given, **named) as file:
            yield file
            threads.append(threading.current_thread().name)

    monkeypatch.setattr(exporting, "open_privately", noting)
    with g.open(f"sqlite:{tmp_path / 's.db'}", create=True) as wb:
        for id in "ab":
            wb.create(id, "t")
        assert wb.export(tmp_path / f"s.{end}", redact=redact).rows == 2
    assert len(threads) == 3
    assert "graphflow_nb-loop" not in threads


def test_the_bar_of_an_export_ends_with_it(wb: g.Workbench, tmp_path: Path, monkeypatch):
    bars: list[Bar] = []
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setattr(IPython.display, "display", bars.append)
    wb.export(tmp_path / "s.csv")
    with pytest.raises(g.StorageError, match="exists"):
        wb.export(tmp_path / "s.csv")
    with pytest.raises(g.QueryError):
        wb.export(tmp_path / "s.xls")  # no bar for what was never begun
    said = [bar._repr_mimebundle_()["text/plain"] for bar in bars]
    assert said == ["3 sessions: done", "writing …: failed"]
