"""What a person looks at in a store, as one would do it in a notebook: by the workbench's calls."""

from __future__ import annotations

import contextlib
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import graphflow_nb as g
from graphflow_nb import Cursor
from graphflow_nb.errors import GraphflowError, ScanRefused
from graphflow_nb.notebook.browse import Browser
from graphflow_nb.notebook.browse.waitbox import USUAL
from graphflow_nb.notebook.magics.gf import GfMagic

__all__ = ["FULL_READS", "Figure", "measure_history", "measure_looks"]

CALLS = 5
SECONDS = 1.5  # for the calls of one look, which is called once in any case
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")

#: What reads all sessions by its nature: it shows progress, and can be stopped.
FULL_READS: Final = frozenset({"summary(), exact", "scan()", "to_parquet()", "build_index()"})


class Figure(NamedTuple):
    """What one look took.

    Attributes:
        ms: The median of its calls, in milliseconds.
        mib: By how much the process's memory rose above what it was before; None if unknown.
        failed: The error that it ended with; empty for none.
        asked: What it reads, where it was asked about first; empty where it was not.
    """

    ms: float
    mib: float | None
    failed: str = ""
    asked: str = ""


class _Shell:
    """What ``%gf`` needs of an IPython shell to complete a word."""

    def __init__(self, wb: g.Workbench):
        self.user_ns = {"wb": wb}


class _Event(NamedTuple):
    text_until_cursor: str
    line: str
    symbol: str = ""


def _looks(wb: g.Workbench, url: str, size: int, folder: str) -> Iterator[tuple[str, Any]]:
    """Yield each look: its name, and the function that does it."""
    some = "session-00000007"
    middle = wb.get(f"session-{size // 2 * 7919 % size:08}")

    def page(**named: Any) -> Callable[[], Any]:
        return lambda: wb.sessions(limit=100, **named)

    def after(order: str) -> dict[str, Any]:
        time = {"updated_at": middle.updated_at, "created_at": middle.created_at, "id": None}
        return {"order": order, "after": Cursor(order, middle.id, time[order.lstrip("-")])}

    def tab(line: str) -> Callable[[], Any]:
        def complete() -> None:
            event = _Event(line, line)
            if not GfMagic(_Shell(wb)).complete(None, event):
                raise LookupError("Tab offers nothing")

        return complete

    def open_and_show() -> None:
        with g.open(url) as other:
            other._repr_mimebundle_()

    if url:
        yield "open() and its card", open_and_show
    yield "card again", wb._repr_mimebundle_
    yield "get(id)", lambda: wb.get(some)
    yield "messages(id)", lambda: wb.messages(some)
    for order in ("-updated_at", "updated_at", "-created_at", "id"):
        yield f"page by {order}", page(order=order)
        yield f"page in the middle by {order}", page(**after(order))
    yield "id_prefix=", page(id_prefix="session-0000000")
    yield "task=", page(task="task-7")
    yield "status=, a third", page(status="waiting")
    yield "status=, none", page(status="nobody")
    yield "text=, a third", page(text="waiting")
    yield "text=, none", page(text="nobody")
    yield "where=, a quarter", page(where={"tier": 1})
    yield "where=, one", page(where={"n": 77})
    yield "where=, one, oldest first", page(where={"n": 77}, order="updated_at")
    yield "stuck()", lambda: wb.stuck("5 minutes", limit=100)
    yield "sessions(), with its total", wb.sessions
    yield "messages(task=)", lambda: wb.messages(task="task-7", limit=100)
    yield "Tab: --task", tab("%gf sessions --task task-1")
    yield "Tab: show session-00", tab("%gf show session-0000")
    yield "advise()", wb.advise
    yield "overview()", wb.overview
    yield "overview()", wb.overview
    yield "latency", lambda: repr(wb.latency)
    yield from _browser_looks(wb, some)
    yield "summary(), exact", wb.summary
    yield "scan()", lambda: sum(len(frame) for frame in wb.scan(batch_size=50_000))
    yield "to_parquet()", lambda: wb.to_parquet(f"{folder}/all", context={"tier": "int64"})


def _browser_looks(wb: g.Workbench, some: str) -> Iterator[tuple[str, Any]]:
    """Yield what a person does in the browser; what is counted behind it is measured apart."""
    browser: Any = None

    def show(**named: Any) -> Callable[[], Any]:
        def build() -> None:
            nonlocal browser
            if browser is not None:
                browser.close()
            browser = Browser(wb, **named)

        return build

    def counted(look: Callable[[], Any]) -> Callable[[], Any]:
        def wait() -> None:
            look()
            while browser.stage.counting:
                time.sleep(0.001)

        return wait

    yield "browse()", show()
    yield "browse(), counted", counted(show())
    yield "browse(), a session opened", lambda: browser.open_session(some)
    yield "browse(), paths and values", lambda: browser.listing.read_paths()
    yield "browse(), next page", lambda: browser.listing.next()
    yield "browse(), a poll", lambda: browser.stage.poll_once()
    yield "browse(where=), counted", counted(show(filters={"where": {"n": 77}}))
    yield "browse(task=), counted", counted(show(filters={"task": "task-7"}))
    waiting = browser.actions.waiting.get()

    def wait(than: str) -> Callable[[], Any]:
        def look() -> None:
            with browser.stage.quietly():
                waiting.than.value = than
            waiting.open()

        return look

    yield "Waiting…, a day", wait(waiting.than.options[0])
    yield "Waiting…, usual", wait(USUAL)
    browser.close()


def _peak_mib() -> float | None:
    with contextlib.suppress(OSError, ValueError):
        lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    return None


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        _CLEAR.write_text("5")


def _measure(wb: g.Workbench, look: Callable[[], Any], calls: int) -> Figure:
    times: list[float] = []
    asked = ""
    began = time.perf_counter()
    _reset_peak()
    before = _peak_mib()
    while not times or (len(times) < calls and time.perf_counter() - began < SECONDS):
        started = time.perf_counter()
        try:
            look()
        except ScanRefused as error:
            wb.asking.allow(error.kind)
            asked = f"{error.bytes / 1e9:.1f} GB"
            continue
        except (GraphflowError, LookupError) as error:
            return Figure(1e3 * (time.perf_counter() - started), None, str(error).split(";")[0])
        times.append(time.perf_counter() - started)
    after = _peak_mib()
    mib = None if before is None or after is None else after - before
    return Figure(1e3 * statistics.median(times), mib, asked=asked)


def measure_looks(wb: g.Workbench, url: str, size: int) -> dict[str, Figure]:
    """Return what each look took, on a store of so many sessions.

    Args:
        wb: The workbench.
        url: The URL by which the store is opened again; empty where it can't be.
        size: The number of its sessions.
    """
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            name: _measure(wb, look, 1 if name in FULL_READS else CALLS)
            for name, look in _looks(wb, url, size, folder)
        }


def measure_history(wb: g.Workbench) -> dict[str, Figure]:
    """Return what looks at the history take, of sessions that are saved for it.

    Args:
        wb: The workbench, which can write.
    """
    wb.install_history()
    ids = wb.sessions(order="id", limit=40)["id"].tolist()
    for number in range(5):
        for id in ids:
            session = wb.get(id)
            session.current_task_id = f"step-{number}"
            wb.save(session, undo=False)
    looks: dict[str, Callable[[], Any]] = {
        "history(id)": lambda: wb.history(ids[0]),
        "timeline(ids)": lambda: wb.timeline(ids[:10]),
        "timeline(graph=)": lambda: wb.timeline(graph="graph-1"),
    }
    found = {name: _measure(wb, look, CALLS) for name, look in looks.items()}
    wb.remove_history()
    return found
