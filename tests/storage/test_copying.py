"""Copies between stores: complete, resumable, verified, and never over what is there."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sqlite3
import threading

import pytest
import redis

import graphflow_nb as g
from graphflow_nb import Context, Query, Session
from graphflow_nb.storage.copying import copy
from graphflow_nb.testing.kit import expect_same_json

from ..scope import one_in
from ..stores import create_table
from .postgres.kit import execute

ODD = Context.from_json(
    '{"data":{"big":18446744073709551617,"n":1.10,"e":1e2,"t":"e\\u0301 \\ud83d\\ude42"},"x":[1],'
    '"chat_history":{"messages":[],"max_messages":null}}'
)


def filled(storage, run, n=20, make_id=str):
    sessions = [
        Session(make_id(f"s{i:04}"), f"task{i % 3}", graph_id=f"g{i % 2}", context={"i": i})
        for i in range(n)
    ]
    sessions[0].context = ODD
    run(storage.save_many(sessions))
    return sessions


@pytest.mark.parametrize("other", ["memory", "sqlite", "postgresql"])
def test_from_every_store_into_every_store(store, storage, run, tmp_path, databases, other):
    sessions = filled(storage, run, make_id=store.id)
    if other == "memory":
        target = g.InMemorySessionStorage()
    elif other == "sqlite":
        target = run(g.connect(f"sqlite:{tmp_path / 'copy.db'}"))
    else:
        target = run(g.connect(databases.create()))
    told = []
    report = run(copy(storage, target, Query(), progress=lambda *words: told.append(words)))
    assert report.verified
    assert (report.read, report.copied, report.present) == (20, 20, 0)
    assert told[-1] == (20, 20)
    for session in sessions:
        mine, copied = run(storage.get(session.id)), run(target.get(session.id))
        expect_same_json(copied.context_json(), mine.context_json(), "the context")
        assert copied.version == mine.version
        assert (copied.created_at, copied.updated_at) == (mine.created_at, mine.updated_at)
    again = run(copy(storage, target, Query()))
    assert (again.copied, again.present, again.sha256) == (0, 20, report.sha256)
    # And back into a store that is empty again.
    run(storage.delete_many([s.id for s in sessions]))
    back = run(copy(target, storage, Query(graph="g1")))
    assert back.verified
    assert back.copied == run(storage.count(Query())) == 10
    run(target.close())


def test_what_differs_is_left_alone(run):
    source, target = g.InMemorySessionStorage(), g.InMemorySessionStorage()
    filled(source, run)
    run(target.save(Session("s0003", "elsewhere")))
    report = run(copy(source, target, Query()))
    assert not report.verified
    assert report.different == ("s0003",)
    assert report.copied == 19
    assert "NOT the same" in str(report)
    assert run(target.get("s0003")).current_task_id == "elsewhere"


def test_it_goes_on_after_an_interrupt(run, tmp_path):
    source = g.InMemorySessionStorage()
    filled(source, run, 2000)
    target = run(g.connect(f"sqlite:{tmp_path / 'copy.db'}"))

    def interrupt(done, total):
        if done >= 1000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(copy(source, target, Query(), progress=interrupt))
    before = run(target.count(Query()))
    assert 1000 <= before < 2000
    report = run(copy(source, target, Query()))
    assert (report.copied, report.present) == (2000 - before, before)
    assert report.verified
    run(target.close())


def test_redact(run):
    source, target = g.InMemorySessionStorage(), g.InMemorySessionStorage()
    filled(source, run)

    def redact(session):
        if session.graph_id == "g1":
            return None
        session.context["i"] = "hidden"
        return session

    report = run(copy(source, target, Query(), redact=redact))
    assert report.verified
    assert (report.copied, report.left_out) == (10, 10)
    assert {s.context["i"] for s in run(target.query(Query()))} == {"hidden"}
    assert {s.context.get("i", 0) for s in run(source.query(Query()))} == set(range(20))
    for wrong in (lambda s: s.copy("other"), lambda s: "text"):
        with pytest.raises(g.StorageError, match="redact"):
            run(copy(source, g.InMemorySessionStorage(), Query(), redact=wrong))


class Tampering(g.InMemorySessionStorage):
    """Stores something else than it is given."""

    async def import_many(self, sessions):
        taken = await super().import_many(sessions)
        if "s0008" in self._rows:
            row = self._rows["s0007"]
            self._rows["s0007"] = row._replace(context=row.context.replace(b"7", b"8"))
            del self._rows["s0008"]
        return taken


def test_a_mismatch_on_read_back_is_reported(run):
    source = g.InMemorySessionStorage()
    filled(source, run)
    report = run(copy(source, Tampering(), Query()))
    assert not report.verified
    assert report.wrong == ("s0007", "s0008")
    assert "2 with a mismatch on read-back" in str(report)


class Three:
    """A storage with the three coroutines alone."""

    def __init__(self):
        self.inner = g.InMemorySessionStorage()
        self.save, self.get, self.delete = self.inner.save, self.inner.get, self.inner.delete


def test_into_a_storage_with_three_methods(run):
    source, target = g.InMemorySessionStorage(), Three()
    filled(source, run)
    report = run(copy(source, target, Query()))
    assert report.verified
    assert not report.times_kept
    assert "new versions" in str(report)
    assert run(copy(source, target, Query())).present == 20
    with pytest.raises(g.CapabilityError, match="query"):
        run(copy(target, source, Query()))


class LastWriteWins(Three):
    """Three coroutines, whose save replaces whatever is stored."""

    def __init__(self):
        super().__init__()
        self.save = self.inner.upsert


def test_three_methods_that_overwrite_lose_nothing(run):
    source, target = g.InMemorySessionStorage(), LastWriteWins()
    filled(source, run)
    run(target.save(Session("s0003", "elsewhere")))
    report = run(copy(source, target, Query()))
    assert report.different == ("s0003",)
    assert report.copied == 19
    assert not report.verified
    assert run(target.get("s0003")).current_task_id == "elsewhere"


def test_a_copy_reads_few_sessions_at_a_time_where_they_are_large(run, monkeypatch):
    monkeypatch.setattr("graphflow_nb.storage.copying._PAGE_BYTES", 100_000)
    pages = []

    class Source(g.InMemorySessionStorage):
        suspends = True

        async def query(self, query):
            found = await super().query(query)
            pages.append(len(found))
            return found

        async def count(self, query):
            await asyncio.Event().wait()  # as of a table that takes minutes to count

    monkeypatch.setattr("graphflow_nb.storage.copying._COUNT_SECONDS", 0.01)
    source, counted = Source(), []
    run(
        source.save_many([Session(f"s{n:03}", "t", context={"x": "y" * 9_000}) for n in range(150)])
    )
    report = run(
        copy(source, g.InMemorySessionStorage(), Query(), progress=lambda *n: counted.append(n))
    )
    assert report.verified
    assert report.copied == 150
    assert max(pages[1:]) < 20
    assert counted[-1] == (150, None)


@pytest.mark.parametrize("other", ["postgresql", "memory"])
def test_a_session_that_can_not_be_stored_stops_no_other(run, tmp_path, databases, other):
    source = run(g.connect(f"sqlite:{tmp_path / 'source.db'}"))
    filled(source, run, 1200)
    for id in ("s0007", "s0500", "s1199"):
        session = run(source.get(id))
        session.context = Context.from_json('{"data":{"t":"nul \\u0000"},"chat_history":{}}')
        run(source.save(session))
    target = run(g.connect(databases.create() if other == "postgresql" else "memory:"))
    report = run(copy(source, target, Query()))
    if other == "memory":
        assert report.verified
        assert report.failed.empty
        return
    assert (report.read, report.copied, report.verified) == (1200, 1197, False)
    assert list(report.failed["id"]) == ["s0007", "s0500", "s1199"]
    assert report.failed["reason"].str.contains("0000").all()
    assert "3 could not be copied ('s0007': " in str(report)
    again = run(copy(source, target, Query()))
    assert (again.copied, again.present, len(again.failures)) == (0, 1197, 3)
    with pytest.raises(g.StorageError, match=r"session 's0007' can't be copied.*strict=True"):
        run(copy(source, target, Query(), strict=True))
    run(source.close())
    run(target.close())


def test_ids_that_the_target_can_not_hold_are_reported(run, databases):
    source = g.InMemorySessionStorage()
    filled(source, run, 5)
    run(source.save(Session("a\0b", "t")))
    target = run(g.connect(databases.create()))
    report = run(copy(source, target, Query()))
    assert (report.copied, [f.id for f in report.failures]) == (5, ["a\0b"])
    run(target.close())


def test_a_target_that_takes_nothing_is_an_error_and_not_a_list_of_failures(run):
    class Full(g.InMemorySessionStorage):
        async def import_many(self, sessions):
            raise g.StorageError("the disk is full")

    source = g.InMemorySessionStorage()
    filled(source, run, 600)
    with pytest.raises(g.StorageError, match="the disk is full"):
        run(copy(source, Full(), Query()))
    with pytest.raises(g.ReadOnlyError):
        run(copy(source, g.ReadOnlyStorage(g.InMemorySessionStorage()), Query()))


def test_times_of_what_was_there_are_compared(run):
    source, target = g.InMemorySessionStorage(), g.InMemorySessionStorage()
    filled(source, run)
    run(copy(source, target, Query()))
    run(source.save(run(source.get("s0004"))))  # the same content, saved later
    report = run(copy(source, target, Query()))
    assert report.outdated == ("s0004",)
    assert report.present == 20
    assert not report.verified
    assert "1 are already there with the same content but different times" in str(report)
    assert str(report).endswith("NOT the same times")


def test_a_target_without_versions_is_said(run, databases):
    source = g.InMemorySessionStorage()
    filled(source, run)
    url = databases.create()
    asyncio.run(create_table(url, "documented"))
    target = run(g.connect(url))
    report = run(copy(source, target, Query()))
    assert report.verified
    assert (report.times_kept, report.versions_kept) == (True, False)
    assert "with new versions, since the target can't keep them" in str(report)
    again = run(copy(source, target, Query()))
    assert (again.present, again.verified) == (20, True)
    run(target.close())


def test_a_session_without_a_time_gets_that_of_the_copy_and_it_is_said(run, redis_server, tmp_path):
    redis_server.empty()
    source = run(g.connect(redis_server.url))
    run(source.save(Session("timed", "t")))
    with redis.Redis.from_url(redis_server.url) as worker:
        worker.set("untimed", Session("untimed", "t").to_json())
    target = run(g.connect(f"sqlite:{tmp_path / 'copy.db'}"))
    report = run(copy(source, target, Query()))
    assert (report.copied, report.untimed) == (2, 1)
    assert "1 had no time and have that of the copy" in str(report)
    run(source.close())
    run(target.close())


def test_while_others_write(run, tmp_path):
    path = tmp_path / "source.db"
    source = run(g.connect(f"sqlite:{path}"))
    stay = {s.id for s in filled(source, run, 1500)}
    stop = threading.Event()

    def write():
        async def work():
            storage = await g.connect(f"sqlite:{path}")
            n = 0
            while not stop.is_set():
                n += 1
                session = Session(f"t{n:06}", "t")
                await storage.save(session)
                if n % 2:
                    await storage.delete(session.id)
            await storage.close()

        asyncio.run(work())

    thread = threading.Thread(target=write)
    thread.start()
    target = g.InMemorySessionStorage()
    report = run(copy(source, target, Query(id_prefix="s")))
    whole = run(copy(source, target, Query()))
    stop.set()
    thread.join()
    assert report.verified
    assert whole.present >= 1500
    assert not whole.wrong
    assert {s.id for s in run(target.query(Query(id_prefix="s")))} == stay
    run(source.close())


def test_a_report_names_some_of_many_and_a_function_is_told_of_all(run, monkeypatch):
    monkeypatch.setattr("graphflow_nb.storage.copying.NAMED", 3)
    source, target = g.InMemorySessionStorage(), g.InMemorySessionStorage()
    sessions = [Session(f"s{n}", "t", context={"n": n}) for n in range(9)]
    run(source.save_many([session.copy() for session in sessions]))
    run(target.save_many([Session(f"s{n}", "other") for n in range(5)]))
    told = []
    report = run(copy(source, target, Query(), on_failure=told.append))
    assert (report.copied, report.count("different"), report.more) == (4, 5, {"different": 2})
    assert report.different == ("s0", "s1", "s2")
    assert [failure.id for failure in told] == [f"s{n}" for n in range(5)]
    assert {failure.reason for failure in told} == {"it is there with different content"}
    assert not report.verified
    assert "5 are already there" in str(report)
    assert "on_failure= of the same copy again" in str(report)


def test_pages_of_a_copy_have_few_sessions_where_they_are_large(run):
    source, target = g.InMemorySessionStorage(), g.InMemorySessionStorage()
    run(source.save_many([Session(f"s{n}", "t", context={"x": "y" * 3_000_000}) for n in range(4)]))
    told = []
    assert run(copy(source, target, Query(), progress=lambda done, _: told.append(done))).verified
    assert told == [1, 2, 3, 4]


def test_an_error_of_the_store_says_what_was_copied_before_it(run):
    class Target(g.InMemorySessionStorage):
        async def import_many(self, sessions):
            if any(session.id == "s30" for session in sessions):
                raise g.StorageUnavailable("out of reach")
            return await super().import_many(sessions)

    source, target = g.InMemorySessionStorage(), Target()
    run(source.save_many([Session(f"s{n:02}", "t") for n in range(40)]))
    with pytest.raises(g.StorageUnavailable, match="21 sessions were copied before it"):
        run(copy(source, target, Query()))


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_full_target_ends_a_copy_and_an_undo_and_both_go_on_later(kind, run, tmp_path, request):
    def limit(full: bool) -> None:
        if kind == "sqlite":
            soft = 300_000 if full else resource.RLIM_INFINITY
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))
        else:
            with redis.Redis.from_url(url) as client:
                client.config_set("maxmemory", "1mb" if full else "0")

    url, options = f"sqlite:{tmp_path / 'full.db'}", {"create": True}
    if kind == "redis":
        url, options = request.getfixturevalue("redis_server").url, {"writable": True}
        with redis.Redis.from_url(url) as client:
            client.flushall()
    ids = [f"s{n:04}" for n in range(1000)]
    source = g.InMemorySessionStorage()
    run(source.save_many([Session(id, "t", context={"text": "x" * 500}) for id in ids]))
    with g.open(url, **options) as wb:

        def fill_up(done: int, _: int | None) -> None:
            limit(done > 50)

        try:
            with g.wrap(source) as mine:
                for call, again in (
                    (lambda **k: mine.copy_to(wb, **k), "the same copy again goes on"),
                    (wb.undo_all, "undoing again goes on"),
                ):
                    with pytest.raises(g.StorageFull, match=again) as caught:
                        call(progress=fill_up)
                    assert not caught.value.nothing_written
                    limit(False)
                    call(progress=lambda *_: None)
                    assert wb.bridge.run(wb.storage.count(Query())) == len(ids)
                    wb.delete(ids, progress=lambda *_: None)
        finally:
            limit(False)


@pytest.mark.parametrize(
    "change",
    ["DROP TABLE sessions", "ALTER TABLE sessions DROP COLUMN status_message"],
    ids=["table", "column"],
)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("work", ["copy", "undo"])
@one_in(2)
def test_work_ends_at_once_where_the_table_is_gone(
    kind, change, work, tmp_path, databases, monkeypatch
):
    path, options = tmp_path / "a.db", {"writable": True}
    url = databases.create() if kind == "postgresql" else f"sqlite:{path}"
    storage = g.PostgresSessionStorage if kind == "postgresql" else g.SqliteSessionStorage
    calls: list[str] = []
    for name in ("import_many", "restore_many", "restore"):
        note_calls(storage, name, calls, monkeypatch)

    def lose() -> None:
        calls.clear()
        if kind == "postgresql":
            asyncio.run(execute(url, change))
        else:
            with contextlib.closing(sqlite3.connect(path)) as connection, connection:
                connection.execute(change)

    lost: list[int] = []

    def lose_in_the_middle(done: int, _: int | None) -> None:
        if done > 100 and not lost:
            lost.append(done)
            losing = threading.Thread(target=lose)
            losing.start()
            losing.join()

    ids = [f"s{n:04}" for n in range(1_500)]
    source = g.InMemorySessionStorage.from_sessions(Session(id, "t") for id in ids)
    with g.wrap(source) as mine, g.open(url, **options) as wb:
        if work == "undo":
            assert mine.copy_to(wb).verified
            wb.delete(ids[:200])
            lose()
            with pytest.raises(g.StorageMissing, match=r"renamed meanwhile|is missing"):
                wb.undo_all()
        else:
            with pytest.raises(g.StorageMissing, match=r"(renamed meanwhile|is missing).*copied"):
                mine.copy_to(wb, progress=lose_in_the_middle)
        assert len(calls) <= 2


def note_calls(storage, name, calls, monkeypatch):
    plain = getattr(storage, name)

    async def call(self, *arguments):
        calls.append(name)
        return await plain(self, *arguments)

    monkeypatch.setattr(storage, name, call)
