"""A read that takes long is shown in a notebook, with a button that ends it in the store too."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import IPython
import pytest
from ipywidgets import HTML, Button, FloatProgress, Widget

import graphflow_nb as g
from graphflow_nb.notebook import reading
from graphflow_nb.storage import memory
from graphflow_nb.storage.scans import ScanEstimate, current_guard, current_row_note

from ..interrupts import interrupted_when
from ..scope import only_complete
from ..storage.postgres.kit import execute, fetch_value, wait_until
from .test_stopping import part, shown

__all__ = ["shown"]

#: Each row takes a minute.
SLOW = """
INSERT INTO sessions (id, graph_id, current_task_id, context)
    VALUES ('a', 'g', 't', '{"data": {}, "chat_history": {"messages": [], "max_messages": 9}}');
CREATE VIEW slow AS SELECT * FROM sessions WHERE pg_sleep(60) IS NOT NULL
"""
RUNNING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'
    AND pid <> pg_backend_pid()
"""


@pytest.fixture
def wb(database: str, run: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[g.Workbench]:
    """A workbench whose reads take a minute, and are shown at once."""
    monkeypatch.setattr(reading, "SHOW_SECONDS", 0)
    g.open(database, writable=True).close()  # creates the table
    run(execute(database, SLOW))
    with g.open(database, table="slow") as wb:
        yield wb


def press(bars: list[Widget], event: threading.Event) -> None:
    """Press the button of the bar, as soon as it is shown."""

    def click() -> None:
        wait_until(lambda: bool(bars))
        part(bars, Button).click()
        event.set()

    threading.Thread(target=click).start()


@pytest.mark.parametrize(
    "read",
    [
        lambda wb: wb.summary(),
        pytest.param(lambda wb: wb.sessions(limit=None), marks=only_complete),
        pytest.param(lambda wb: wb.overview(), marks=only_complete),
    ],
)
def test_the_button_ends_a_read_in_the_server(wb, shown, database, run, read):
    press(shown, threading.Event())
    with pytest.raises(
        g.ReadStopped, match=r"was stopped after . s, in the store too: nothing was"
    ):
        read(wb)
    assert run(fetch_value(database, RUNNING)) == 0
    assert part(shown, HTML).value.endswith("s, stopped")
    assert part(shown, Button).layout.display == "none"


@only_complete
def test_an_interrupt_is_shown_too(wb, shown):
    seen = threading.Event()
    threading.Thread(target=lambda: (wait_until(lambda: bool(shown)), seen.set())).start()
    with interrupted_when(seen), pytest.raises(KeyboardInterrupt):
        wb.summary()
    assert part(shown, HTML).value.endswith("s, stopped")


def test_the_time_and_the_estimate_are_shown_until_it_ends(wb, shown, monkeypatch):
    scan = ScanEstimate("count", 1_000_000, 1_800_000_000, 8.2)

    async def read() -> str:
        guard = current_guard()
        assert guard is not None
        guard.check(scan)
        await wb.storage.inner.run(lambda connection: connection.fetchval("SELECT pg_sleep(0.6)"))
        assert part(shown, HTML).value == "summary: 0 s, reads about 1.8 GB, some 8 s"
        assert 0 < part(shown, FloatProgress).value < 0.95
        return "read"

    async def guarded() -> str:
        with wb.asking.guard(allow=True, call=str):
            return await read()

    assert reading.run_shown(wb.bridge, "summary", guarded()) == "read"
    assert shown[0].comm is None  # the bar is taken away


def test_what_was_read_is_shown_and_not_kept_after_a_stop(wb, shown):
    async def read() -> None:
        note = current_row_note()
        assert note is not None
        note(120_000, 1_000_000)
        await wb.storage.inner.run(lambda connection: connection.fetchval("SELECT pg_sleep(60)"))

    said = ", 120,000 of about 1.0 million sessions read"
    read_so_far = threading.Event()

    def look() -> None:
        wait_until(lambda: bool(shown) and part(shown, HTML).value.endswith(f"s{said}"))
        read_so_far.set()
        part(shown, Button).click()

    threading.Thread(target=look).start()
    with pytest.raises(g.ReadStopped, match=r"and the 120,000 of about 1.0 million sessions that"):
        reading.run_shown(wb.bridge, "sessions", read())
    assert read_so_far.is_set()
    assert part(shown, FloatProgress).value == pytest.approx(0.12)
    assert part(shown, HTML).value.endswith(f"s, stopped{said}")


@only_complete
def test_a_failure_is_shown_and_raised(wb, shown):
    async def fail() -> None:
        await wb.storage.inner.run(lambda connection: connection.fetchval("SELECT pg_sleep(0.3)"))
        raise g.StorageError("no")

    with pytest.raises(g.StorageError, match="no"):
        reading.run_shown(wb.bridge, "summary", fail())
    assert part(shown, HTML).value.endswith("s, failed")


@pytest.fixture
def in_memory() -> g.Workbench:
    sessions = [g.Session(f"s{n}", "t") for n in range(3_000)]
    return g.wrap(g.InMemorySessionStorage.from_sessions(sessions))


def test_a_search_in_memory_shows_how_far_it_is_and_can_be_stopped(in_memory, shown, monkeypatch):
    monkeypatch.setattr(reading, "SHOW_SECONDS", 0)
    monkeypatch.setattr(memory, "_PORTION", 1_000)
    monkeypatch.setattr(IPython.display, "display", lambda bar: press_now(bar, shown))
    with pytest.raises(g.ReadStopped, match=r"and the 2,000 of about 3,000 sessions that were"):
        in_memory.sessions(task="nobody", limit=9)
    assert part(shown, HTML).value.endswith("s, stopped, 2,000 of about 3,000 sessions read")
    assert len(in_memory.sessions(task="t", limit=9)) == 9


def press_now(bar: Any, shown: list[Widget]) -> None:
    shown.append(bar.box)
    part(shown, Button).click()


@pytest.fixture
def quick(database: str) -> Iterator[g.Workbench]:
    with g.open(database, writable=True) as wb:
        yield wb


def test_nothing_is_shown_of_what_is_quick_or_read_by_another_thread(quick, shown, monkeypatch):
    quick.summary()
    monkeypatch.setattr(reading, "SHOW_SECONDS", 0)
    thread = threading.Thread(target=quick.summary)
    thread.start()
    thread.join()
    assert shown == []
