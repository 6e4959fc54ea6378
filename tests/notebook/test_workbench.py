"""The notebook's door, called from every place from which a notebook calls."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

import graphflow_nb as g
from graphflow_nb import Session
from graphflow_nb.model.times import UNKNOWN_TIME

from ..conftest import need

DEMO_COUNT = 120


class Folder:
    """The least that a custom storage needs: three coroutines."""

    def __init__(self, path: Path):
        self.path = path

    async def save(self, session):
        await asyncio.sleep(0)
        (self.path / session.id).write_text(session.to_json())

    async def get(self, id):
        await asyncio.sleep(0)
        file = self.path / id
        return Session.from_json(file.read_text()) if file.exists() else None

    async def delete(self, id):
        (self.path / id).unlink(missing_ok=True)


@pytest.fixture
def wb(store):
    storage_url = store.url
    wb = g.open(storage_url, writable=None if store.kind in ("memory", "sqlite") else True)
    wb.create(
        store.id("a"), "t1", graph_id="g", context={"customer": {"tier": "gold"}, "n": 1, "f": 1.10}
    )
    second = wb.create(store.id("b"), "t2", status_message="s", context={"n": 2**53 + 1})
    second.context.add_user_message("hi")
    second.context.add_assistant_message("hello")
    wb.save(second)
    yield wb
    wb.close()


def test_crud(store, wb):
    session = wb.get(store.id("a"))
    session.status_message = "changed"
    wb.save(session)
    assert wb.get(store.id("a")).status_message == "changed"
    with pytest.raises(g.SessionConflict):
        wb.create(store.id("a"), "t")
    assert wb.get_or_create(store.id("a"), "zz").current_task_id == "t1"
    wb.upsert(Session(store.id("a"), "t9"))
    assert wb.get(store.id("a")).current_task_id == "t9"
    wb.delete(store.id("a"))
    with pytest.raises(g.SessionNotFound, match=store.id("a")):
        wb.get(store.id("a"))


def test_sessions_are_typed(store, wb):
    frame = wb.sessions(context=["customer.tier", "n", "f", "nothing"])
    assert frame["id"].tolist() == [store.id("b"), store.id("a")]
    kinds = {c: str(t) for c, t in frame.dtypes.items()}
    assert kinds.pop("expires_at", None) == (
        "datetime64[us, UTC]" if store.about.scheme == "redis" else None
    )
    assert kinds == {
        "id": "str",
        "graph_id": "category",
        "current_task_id": "category",
        "status_message": "str",
        "version": "int64",
        "created_at": "datetime64[us, UTC]",
        "updated_at": "datetime64[us, UTC]",
        "context_bytes": "int64",
        "messages": "int64",
        "customer.tier": "str",
        "n": "int64",
        "f": "float64",
        "nothing": "object",
    }
    assert frame["n"].tolist() == [2**53 + 1, 1]
    assert frame["messages"].tolist() == [2, 0]
    assert frame["status_message"].isna().tolist() == [False, True]
    assert wb.sessions(task="t2", where={"n": 2**53 + 1})["id"].tolist() == [store.id("b")]
    assert wb.sessions(has=["customer"])["id"].tolist() == [store.id("a")]
    assert len(wb.sessions(updated_since=datetime.now(UTC) + timedelta(hours=1))) == 0
    first = wb.sessions(limit=1)
    second = wb.sessions(limit=1, after=first.attrs["next"])
    assert [*first["id"], *second["id"]] == frame["id"].tolist()
    assert second.attrs["next"] is None


def test_columns_of_context_values():
    wb = g.open("memory:")
    rows = {
        "ints": [1, None, 2**53 + 1],
        "big": [2**70, 1, 2],
        "bools": [True, False, None],
        "floats": [1, 2.5, None],
        "mixed": [1, "a", [1]],
        "texts": ["a", None, "ü"],
        "huge": [1, 2, 3],
    }
    for i in range(3):
        wb.create(str(i), "t", context={k: v[i] for k, v in rows.items()} | {"id": i})
    strange = wb.get("0")
    strange._context = strange.context_json().replace(b'"huge":1', b'"huge":1e400')
    wb.save(strange)
    frame = wb.sessions(order="id", context=[*rows, "id", ("mixed", "0")])
    kinds = {name: str(frame[name].dtype) for name in rows}
    assert kinds == {
        "ints": "Int64",
        "big": "object",
        "bools": "boolean",
        "floats": "float64",
        "mixed": "object",
        "texts": "str",
        "huge": "object",
    }
    assert frame["ints"].tolist() == [1, pd.NA, 2**53 + 1]
    assert frame["big"][0] == 2**70
    assert frame["mixed"].tolist() == [1, "a", [1]]
    assert frame["context.id"].tolist() == [0, 1, 2]
    assert frame["mixed.0"].iloc[2] == 1


def test_messages(store, wb):
    frame = wb.messages(store.id("b"))
    assert frame["role"].tolist() == ["User", "Assistant"]
    assert frame["content"].tolist() == ["hi", "hello"]
    assert frame["position"].tolist() == [0, 1]
    assert str(frame["timestamp"].dtype) == "datetime64[us, UTC]"
    assert wb.messages()["session_id"].tolist() == [store.id("b")] * 2
    assert len(wb.messages(task="t1")) == 0
    with pytest.raises(g.SessionNotFound):
        wb.messages(store.id("nobody"))


def test_messages_of_contexts_that_no_one_can_read():
    wb = g.open("memory:")
    for i, chat in enumerate(('{"messages":[{"role":"Tool"}, {"content":7}]}', "7")):
        session = Session(str(i), "t")
        session._context = '{"data":{},"chat_history":%s}' % chat
        wb.save(session)
    assert wb.messages("0")["role"].tolist() == ["Tool", "None"]
    with pytest.raises(g.ContextError):
        wb.messages("1")


def test_summary(wb):
    frame = wb.summary()
    assert frame["sessions"].sum() == 2
    assert str(frame["longest_untouched"].dtype) == "timedelta64[us]"
    assert (frame["longest_untouched"] >= pd.Timedelta(0)).all()


def test_bounds_are_said(monkeypatch):
    monkeypatch.setattr("graphflow_nb.notebook.workbench.DEFAULT_LIMIT", 2)
    wb = g.open("memory:")
    for i in range(5):
        wb.create(str(i), "t")
    with pytest.warns(UserWarning, match="showing 2 of 5 sessions"):
        assert len(wb.sessions(limit=2)) == 2
    with pytest.warns(UserWarning, match="newest 3 sessions"):
        wb.messages(limit=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(wb.sessions(limit=None)) == 5


def test_latency(wb, store):
    for _ in range(120):
        wb.get(store.id("a"))
    frame = wb.latency.frame()
    assert str(frame["started_at"].dtype) == "datetime64[ns, UTC]"
    assert frame["op"].tolist()[:4] == ["get", "save", "get", "save"]
    assert frame["origin"].tolist()[:3] == ["journal", "user", "journal"]
    summary = wb.latency.summary()
    assert summary.loc["get", "count"] == 120
    assert summary.loc["get (journal)", "count"] == summary.loc["save", "count"] == 3
    row = summary.loc["get"]
    assert 0 < row["p50_us"] <= row["p90_us"] <= row["p99_us"] <= row["max_us"]
    assert row["mean_us"] <= row["max_us"]
    assert summary["p90_us"].isna()["save"]
    read = (frame["op"] == "get") & (frame["origin"] == "user")
    durations = frame.loc[read, "duration_ns"].sort_values().to_numpy() / 1000
    assert row["p50_us"] == durations[59]
    assert row["p99_us"] == durations[118]
    assert "120" in repr(wb.latency)
    figure = wb.latency.plot()
    assert figure._repr_png_()[:8] == b"\x89PNG\r\n\x1a\n"
    assert "get: n = 120" in repr(figure)
    assert len(figure._repr_png_()) < 300_000
    wb.latency.clear()
    assert wb.latency.summary().empty
    assert wb.latency.plot()._repr_png_()
    assert "no operation" in repr(wb.latency)


def test_a_plot_says_what_it_left_out():
    from graphflow_nb.figures import latency_board

    wb = g.open("memory:")
    for i in range(30_000):
        wb.latency.recorder.on_operation(
            g.Operation(("get", "save")[i % 2], "X", None, i * 1000, 1000 + i, outcome="ok")
        )
    wb.latency.recorder.on_operation(
        g.Operation("get", "X", None, 0, 5, outcome="error", error="E")
    )
    figure = latency_board(wb.latency.frame())
    titles = " ".join(ax.get_title() for ax in figure.axes)
    assert "n = 30,001" in titles
    assert "drawn" in wb.latency.plot("timeline").said
    assert "1 failed" in titles
    assert len(figure._repr_png_()) < 300_000


def test_plots_leave_pyplot_alone():
    code = (
        "import sys, graphflow_nb as g; wb = g.open('demo');"
        "assert 'matplotlib' not in sys.modules;"
        "wb.get('claim-0014'); wb.latency.plot()._repr_png_();"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_demo():
    wb, other = g.open("demo"), g.open("demo")
    assert len(wb.sessions()) == DEMO_COUNT
    session = wb.get("claim-0014")
    assert session.context["policy_number"] > 2**53
    assert session.updated_at.year == 2026
    assert len(session.context.chat_history) == 3
    session.context["documents"] = []
    wb.save(session)
    assert "documents" not in other.get("claim-0014").context
    assert set(wb.summary()["graph_id"]) == {"claims", "support"}


# Cards


def test_cards_show_the_store(wb):
    html, text = wb._repr_html_(), repr(wb)
    assert "2 in 2 graphs" in html
    assert "2 sessions in 2 graphs" in text
    assert len(wb.latency) == 6  # three saves and the journal's reads; a look is no operation


def test_cards_escape_what_comes_from_a_store():
    from graphflow_nb.cards import session_html, session_text

    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
    wb = g.open("memory:")
    session = wb.create(
        evil, evil, graph_id=evil, status_message=evil, context={evil: {evil: [evil]}, "k": evil}
    )
    session.context.add_user_message(evil)
    wb.save(session)
    for html in (session_html(session), wb._repr_html_()):
        assert "<script" not in html
        assert "<img" not in html
    assert evil in session_text(session).replace("\\'", "'").replace('\\"', '"')


def test_cards_are_bounded_and_leave_the_session_alone():
    from graphflow_nb.cards import session_html, session_text

    wide = {f"k{i}": {"x": list(range(200))} for i in range(500)}
    session = Session("a", "t", context=wide | {"long": "x" * 5_000_000})
    for i in range(80):
        session.context.add_user_message(f"m{i}")
    before = session.context_json()
    html = session_html(session)
    assert len(html) < 400_000
    assert "more, not shown" in html
    assert "30 earlier ones not shown" in html
    assert len(session_text(session)) < 40_000
    assert session.context_json() is before
    for broken in ("[", '{"data":{},"chat_history":7}', "7", '{"data":7}'):
        session = Session("a", "t")
        session._context = broken
        assert "session" in session_html(session)
        assert session_text(session)


def test_a_workbench_out_of_reach_still_has_a_card():
    with g.local_postgres() as server:
        wb = g.open(server.url, writable=True)
        server.stop()
        assert "out of reach" in repr(wb)
        assert "out of reach" in wb._repr_html_()
        with pytest.raises(g.StorageError, match="out of reach"):
            wb.get("a")
        wb.close()


# Opening


def test_a_servers_database_is_opened_for_reading_only(database):
    g.open(database, writable=True).close()
    wb = g.open(database)
    with pytest.raises(g.ReadOnlyError):
        wb.create("a", "t")
    assert "reading only" in repr(wb)
    wb.close()


def test_selection_by_url(tmp_path, monkeypatch, caplog):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(g.StorageError, match="DATABASE_URL is not set"):
        asyncio.run(g.connect_from_env(fallback=False))
    assert "InMemory" in repr(g.open())
    assert "DATABASE_URL is not set: using memory" in caplog.text
    path = tmp_path / "s.db"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:{path}")
    g.open().create("a", "t")
    assert g.open(f"sqlite://{path}").get("a").id == "a"
    read_only = g.open(f"sqlite:{path}", writable=False)
    with pytest.raises(g.ReadOnlyError):
        read_only.delete("a")
    for wrong in (
        tmp_path / "s.db",
        7,
        "redis://x",
        "sqlite:",
        "sqlite::memory:",
        "nonsense",
        f"sqlite:{tmp_path}/no/where.db",
    ):
        with pytest.raises(g.StorageError):
            g.open(wrong)
    (tmp_path / "text").write_text("no database at all, but long enough to look at" * 99)
    with pytest.raises(g.StorageError, match="not a database"):
        g.open(f"sqlite:{tmp_path / 'text'}")
    with pytest.raises(g.StorageError, match="memory"):
        g.open("memory:", table="x")


def test_memory_is_not_opened_for_reading_only(monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    for url in ("demo", "memory:", None):
        with pytest.raises(g.StorageError):
            g.open(url, writable=False)


def test_wrong_arguments_raise_our_own_errors():
    wb = g.open("memory:")
    for call in (
        lambda: wb.save(None),
        lambda: wb.upsert("x"),
        lambda: wb.get("\ud800"),
        lambda: wb.create("a", "t", context=[1]),
        lambda: wb.sessions(context=[5]),
        lambda: wb.sessions(context=None),
        lambda: wb.sessions(where="a"),
        lambda: wb.sessions(after="a"),
    ):
        with pytest.raises(g.GraphflowError):
            call()
    assert wb.latency.frame()["session_id"].tolist() == ["?"]
    assert wb.messages(limit=None).empty


def test_closing_while_an_operation_is_under_way(database):
    wb = g.open(database, writable=True)
    inner = wb.storage.inner
    thread = threading.Thread(
        target=lambda: wb.bridge.run(inner.run(lambda c: c.execute("SELECT pg_sleep(0.5)")))
    )
    thread.start()
    time.sleep(0.2)
    began = time.monotonic()
    wb.close()
    assert time.monotonic() - began < 3
    thread.join()


def test_two_threads_on_a_loop_that_rests(database):
    loop = asyncio.new_event_loop()
    wb = g.wrap(loop.run_until_complete(g.connect(database)))
    raised = []

    def work(name: str) -> None:
        try:
            for i in range(10):
                wb.create(f"{name}{i}", "t")
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert raised == []
    assert wb.summary()["sessions"].sum() == 20
    wb.close()
    loop.close()


def test_a_call_while_python_ends_does_not_hang(tmp_path):
    code = (
        "import graphflow_nb as g\n"
        "class Late:\n"
        f"    def __init__(self): self.wb = g.open('sqlite:{tmp_path / 's.db'}'); self.me = self\n"
        "    def __del__(self): self.wb.close()\n"
        "late = Late()"
    )
    subprocess.run([sys.executable, "-c", code], timeout=30, capture_output=True)


def test_an_unknown_option_is_an_error(database):
    for url in (database, "sqlite:x.db"):
        with pytest.raises(g.StorageError, match="no option tabel"):
            g.open(url, tabel="x")


# From everywhere


def test_from_a_script_a_thread_and_a_running_loop(wb, store):
    """A notebook's cell is a running loop, a widget's callback often another thread's."""
    id = store.id("a")
    plain = wb.get(id).to_json()
    results: list[str] = []

    async def in_a_loop() -> None:
        results.append(wb.get(id).to_json())
        results.append((await wb.get.aio(id)).to_json())
        results.extend(
            s.to_json() for s in await asyncio.gather(*(wb.get.aio(id) for _ in range(5)))
        )

    threads = [threading.Thread(target=lambda: asyncio.run(in_a_loop())) for _ in range(3)]
    for thread in threads:
        thread.start()
    asyncio.run(in_a_loop())
    for thread in threads:
        thread.join()
    assert results == [plain] * 28


def test_methods_keep_their_documentation(wb):
    assert "Return the session with this id." in wb.get.__doc__
    assert "SessionNotFound" in g.Workbench.get.__doc__
    assert str(inspect.signature(wb.get)) == "(id: 'str') -> 'Session'"


def test_wrap_on_a_loop_that_runs_the_call(database):
    """The one place where nest-asyncio is used: re-entering the loop on which the call stands."""
    code = f"""
import asyncio, graphflow_nb as g
async def cell():
    storage = await g.connect({database!r})
    wb = g.wrap(storage)
    wb.create("a", "t")
    assert wb.get("a").id == "a"
    assert (await wb.get.aio("a")).id == "a"
    found = []
    import threading
    thread = threading.Thread(target=lambda: found.append(wb.get("a").id))
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.01)
    assert found == ["a"]
    with g.open("memory:") as other:
        other.create("b", "t")
    await storage.close()
    return wb
wb = asyncio.run(cell())
try:
    wb.get("a")
except g.BridgeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "no longer runs" in done.stdout


def test_wrap_of_what_you_wrote_yourself(tmp_path):
    wb = g.wrap(Folder(tmp_path))
    session = wb.create("a", "t", context={"n": 1})
    session.context["n"] = 2
    wb.save(session)
    assert wb.get("a").context["n"] == 2
    assert wb.get_or_create("b", "t").id == "b"
    with pytest.raises(g.CapabilityError, match="Folder has no method 'table'") as raised:
        wb.sessions()
    assert "ByScanning gives it" in str(raised.value)
    remedy = str(raised.value).partition("; ")[2]
    assert "Folder" in repr(wb)
    assert remedy in repr(wb)
    assert remedy in wb._repr_html_()
    assert len(wb.latency.frame()) >= 5
    wb.delete("a")
    with pytest.raises(g.CapabilityError, match="object has no method 'save'"):
        g.wrap(object())  # type: ignore[arg-type]
    mine = g.MonitoredStorage(Folder(tmp_path))
    g.wrap(mine).get_or_create("c", "t")


def test_a_loop_that_cannot_be_reentered(tmp_path):
    class Uvloop(asyncio.AbstractEventLoop):
        def is_running(self):
            return True

    from graphflow_nb.bridge import ForeignLoop

    bridge = ForeignLoop(Uvloop())

    async def main():
        asyncio._set_running_loop(bridge.loop)
        try:
            with pytest.raises(g.BridgeError, match="re-entered"):
                bridge.run(Folder(tmp_path).get("a"))
        finally:
            asyncio._set_running_loop(asyncio.get_event_loop_policy().get_event_loop())

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(main())
    loop.close()


def test_waiting_for_itself_raises_at_once(database):
    wb = g.open(database, writable=True)
    raised = []

    class Hook:
        def on_operation(self, operation):
            try:
                wb.get("a")
            except g.BridgeError as error:
                raised.append(str(error))

    wb.storage.add_hook(Hook())
    wb.create("a", "t")
    assert "wait for itself" in raised[0]
    wb.close()


def test_a_storage_that_lies_about_suspending():
    class Liar:
        suspends = False

        async def get(self, id):
            await asyncio.sleep(0)

        save = delete = get

    with pytest.raises(g.BridgeError, match="suspends"):
        g.wrap(Liar()).storage and g.wrap(Liar()).delete("a")


def test_a_forked_process_is_told_to_open_again(database):
    need("fork", hasattr(os, "fork"))
    wb = g.open(database, writable=True)
    wb.create("a", "t")

    def child(pipe):
        try:
            wb.get("a")
        except g.BridgeError as error:
            pipe.send(str(error))
        fresh = g.open(database)
        pipe.send(fresh.get("a").id)

    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        process = context.Process(target=child, args=(there,))
        process.start()
    assert here.poll(20)
    assert "forked" in here.recv()
    assert here.poll(20)
    assert here.recv() == "a"
    process.join(20)
    assert wb.get("a").id == "a"
    wb.close()


def interrupt_after(seconds: float) -> None:
    """As Jupyter's stop button does it."""
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()


def test_an_interrupt_returns_at_once_and_leaves_the_connection_usable(database):
    wb = g.open(database, writable=True, max_connections=1)
    wb.create("a", "t")
    inner = wb.storage.inner

    async def slow():
        return await inner.run(lambda c: c.execute("SELECT pg_sleep(20)"))

    interrupt_after(0.3)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        wb.bridge.run(slow())
    assert time.monotonic() - began < 1
    assert wb.get("a").id == "a"
    assert time.monotonic() - began < 3
    active = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> "
    active += "pg_backend_pid() AND state = 'active'"
    assert wb.bridge.run(inner.run(lambda c: c.fetchval(active))) == 0
    wb.close()


class Late:
    """Writes half a second after it was asked to."""

    def __init__(self, loop):
        self.loop = loop
        self.saved = []

    async def save(self, session):
        await asyncio.sleep(0.5)
        self.saved.append(session.id)

    async def get(self, id):
        await asyncio.sleep(0.8)

    async def delete(self, id):
        pass


def test_an_interrupted_save_is_not_made_up_for_later():
    loop = asyncio.new_event_loop()
    storage = Late(loop)
    wb = g.wrap(storage)
    interrupt_after(0.2)
    with pytest.raises(KeyboardInterrupt):
        wb.create("a", "t")
    with pytest.raises(g.SessionNotFound):
        wb.get("other")
    assert storage.saved == []
    loop.close()


def test_a_loop_that_ends_under_a_call():
    raised = []

    async def main():
        wb = g.wrap(Late(asyncio.get_running_loop()))

        def call():
            try:
                wb.create("a", "t")
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        await asyncio.sleep(0.2)
        return thread

    asyncio.run(main()).join()
    assert isinstance(raised[0], g.BridgeError)


def test_public_names_are_documented_and_typed():
    assert len(set(g.__all__)) == len(g.__all__)
    for name in g.__all__:
        assert getattr(g, name).__doc__, name
    assert (Path(g.__file__).parent / "py.typed").exists()
    assert json.dumps(g.__version__)
    assert UNKNOWN_TIME < 0
    assert logging.getLogger("graphflow_nb").level == logging.NOTSET
