"""What is made of many rows is made beside the loop, on which others wait for their answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

import graphflow_nb as g
from graphflow_nb.frames import arrow
from graphflow_nb.notebook import parquet, scanning, tables
from graphflow_nb.storage import offloop
from graphflow_nb.storage.redis import queries, records
from graphflow_nb.storage.sqlite import storage as sqlite

#: What takes long on many rows, each where it is called.
WORK = [
    (tables, "sessions_frame"),
    (tables, "messages_frame"),
    (scanning, "sessions_frame"),
    (scanning, "messages_frame"),
    (parquet, "redacted"),
    (arrow.SessionArrow, "batch"),
    (queries, "build_table"),
    (queries, "take_page"),
    (records, "decode_stored"),
    (sqlite, "read_session"),
]


@pytest.fixture
def threads(monkeypatch) -> Iterator[dict[str, set[str]]]:
    """The names of the threads on which each of it was done."""
    found: dict[str, set[str]] = {}
    for place, name in WORK:
        work = getattr(place, name)

        def noting(*words, _work=work, _name=f"{place.__name__}.{name}", **named):
            found.setdefault(_name, set()).add(threading.current_thread().name)
            return _work(*words, **named)

        monkeypatch.setattr(place, name, noting)
    return found


@pytest.fixture(params=["sqlite", "database", "redis_server"])
def wb(request, tmp_path) -> Iterator[g.Workbench]:
    if request.param == "sqlite":
        wb = g.open(f"sqlite:{tmp_path / 'sessions.db'}", create=True)
    elif request.param == "database":
        wb = g.open(request.getfixturevalue("database"), writable=True)
    else:
        server = request.getfixturevalue("redis_server")
        wb = g.open(server.url, writable=True, prefix="off-loop:")
    yield wb
    wb.close()


def test_the_loop_is_free_while_many_rows_are_read(wb, threads, tmp_path, monkeypatch):
    monkeypatch.setattr(offloop, "MANY_ROWS", 4)
    sessions = [g.Session(f"s{n}", "t") for n in range(20)]
    for session in sessions:
        session.context.add_user_message("hello")
    assert not wb.bridge.run(wb.storage.save_many(sessions))
    assert len(wb.sessions(limit=None)) == 20
    assert len(wb.sessions(limit=None, order="id")) == 20
    assert len(wb.messages(limit=None)) == 20
    assert [len(frame) for frame in wb.scan()] == [20]
    assert wb.to_parquet(tmp_path / "all").rows == 20
    assert len(threads) >= 5
    assert [name for name, seen in threads.items() if "graphflow_nb-loop" in seen] == []
    # A few rows are quicker where they are than on a thread of their own.
    threads.clear()
    assert len(wb.sessions(limit=3)) == 3
    assert threads["graphflow_nb.notebook.tables.sessions_frame"] == {"graphflow_nb-loop"}


def test_few_large_contexts_are_many_rows(threads, tmp_path):
    wb = g.open(f"sqlite:{tmp_path / 'sessions.db'}", create=True)
    session = wb.create("a", "t", context={"large": "x" * 2_000_000})
    session.context.add_user_message("y" * 2_000_000)
    wb.save(session)
    assert [len(frame) for frame in wb.scan(context=["large"])] == [1]
    assert [len(frame) for frame in wb.scan_messages()] == [1]
    assert wb.to_parquet(tmp_path / "all").rows == 1
    for name in ("sessions_frame", "messages_frame"):
        assert "graphflow_nb-loop" not in threads[f"graphflow_nb.notebook.scanning.{name}"]
    assert "graphflow_nb-loop" not in threads["SessionArrow.batch"]
    wb.close()
