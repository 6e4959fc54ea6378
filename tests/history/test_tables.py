"""The history tables of all stores: the same versions in each, in the transaction of the save."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import graphflow_nb as g
from graphflow_nb import Session, SessionConflict, StorageError
from graphflow_nb.errors import HistoryError, ReadOnlyError
from graphflow_nb.history import HistoryArchive, HistoryStorage, Retention, history_of
from graphflow_nb.storage.history import VersionRow
from graphflow_nb.storage.memory_history import MemoryHistory
from graphflow_nb.storage.postgres.history_sql import HistoryStatements

from ..scope import COMPLETE
from ..stores import Store, empty_store

Run = Callable[[Coroutine[Any, Any, Any]], Any]

KINDS = ("memory", "sqlite", "documented", "crate-0.5", "crate-0.6", "redis")


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with empty_store(request.param, request, tmp_path) as store:
        yield store


@pytest.fixture
def inner(store: Store, run: Run) -> Iterator[Any]:
    storage = run(store.open())
    run(history_of(storage).create())
    yield storage
    run(storage.close())


def kept(run: Run, storage: Any, id: str) -> list[tuple[Any, ...]]:
    versions = run(history_of(storage).versions(id))
    return [(v.number, v.current_task_id, v.deleted) for v in reversed(versions)]


def text_of(session: Session) -> str:
    text = session.context_json()
    return text if isinstance(text, str) else text.decode()


def test_each_way_to_write_is_noted(run: Run, store: Store, inner: Any) -> None:
    storage: Any = HistoryStorage(inner)
    a, b, c = (store.id(name) for name in "abc")
    session = Session(a, "one", context={"n": 1.5})
    run(storage.save(session))
    session.current_task_id = "two"
    session.context["text"] = "x, y: z"
    run(storage.save(session))
    run(storage.delete(a))
    run(storage.restore(session))
    session.current_task_id = "three"
    run(storage.upsert(session))
    assert run(storage.delete_unchanged([session])) == [a]
    run(storage.upsert(Session(a, "four")))
    assert run(storage.delete_many([a, b])) == [a]
    assert kept(run, storage, a) == [
        (1, "one", False),
        (2, "two", False),
        (3, "two", True),
        (4, "two", False),
        (5, "three", False),
        (6, "three", True),
        (7, "four", False),
        (8, "four", True),
    ]
    new, old = Session(b, "one"), Session(c, "one")
    run(storage.save(old))
    old.current_task_id = "two"
    assert run(storage.save_many([new, old])) == []
    run(storage.delete_many([b, c]))
    assert run(storage.restore_many([new, old])) == []
    run(storage.delete_many([b], [run(storage.get(b)).version]))
    assert run(storage.import_many([new, old])) == [c]
    assert kept(run, storage, b)[-3:] == [(3, "one", False), (4, "one", True), (5, "one", False)]
    assert [task for _, task, _ in kept(run, storage, c)] == ["one", "two", "two", "two"]
    first, second = (run(storage.archive.session_at(a, number)) for number in (1, 5))
    assert dict(first.context) == {"n": 1.5}
    assert dict(second.context) == {"n": 1.5, "text": "x, y: z"}
    stored = run(storage.get(c))
    again = run(storage.archive.session_at(c, 4))
    assert again.context_json() == text_of(stored)
    assert again.created_at == stored.created_at
    newest = run(storage.archive.version_at(c, 4))
    assert (newest.source, newest.version) in (
        ("written", stored.version),
        ("written", None),  # where the table counts none
    )
    assert str(newest.writer).startswith("graphflow_nb")
    assert abs(newest.at - datetime.now(UTC)) < timedelta(minutes=5)
    assert newest.bytes == len(text_of(stored).encode())


def test_what_is_not_stored_is_not_noted(run: Run, store: Store, inner: Any) -> None:
    storage: Any = HistoryStorage(inner)
    a, b = store.id("a"), store.id("b")
    run(storage.save(Session(a, "one")))
    stale = run(storage.get(a))
    fresh = run(storage.get(a))
    run(storage.save(fresh))
    for wrong in (stale, Session(a, "new")):
        with pytest.raises(SessionConflict):
            run(storage.save(wrong))
    assert len(run(storage.save_many([stale, Session(b, "one")]))) == 1
    assert run(storage.delete_unchanged([stale])) == []
    assert run(storage.import_many([stale])) == [a]
    assert [len(kept(run, storage, id)) for id in (a, b)] == [2, 1]
    run(storage.delete(store.id("c")))
    assert kept(run, storage, store.id("c")) == []


def test_a_large_batch_is_noted(run: Run, store: Store, inner: Any) -> None:
    storage: Any = HistoryStorage(inner)
    ids = [store.id(f"{number:03}") for number in range(600)]
    assert run(storage.save_many([Session(id, "one") for id in ids])) == []
    steps = run(storage.archive.steps())
    assert sorted(steps.id) == sorted(ids)
    assert set(steps.number.tolist()) == {1}
    assert run(storage.archive.table.ids(None, 1000)) == steps.id
    assert run(storage.archive.table.ids(steps.id[9], 2)) == steps.id[10:12]


def test_texts_of_any_kind_are_told_apart_in_steps(run: Run, store: Store, inner: Any) -> None:
    storage: Any = HistoryStorage(inner)
    texts = [("", None), ("=", ""), ("x\x1fy", "="), ("'é\n", "\x1f")]
    for number, (task, status) in enumerate(texts):
        session = Session(store.id(str(number)), task, graph_id=task, status_message=status)
        run(storage.save(session))
        steps = run(storage.archive.steps())
        known = texts[: number + 1]
        assert steps.current_task_id == steps.graph_id == [task for task, _ in known]
        assert steps.status_message == [status for _, status in known]
        assert not steps.more
    run(storage.delete(store.id("1")))
    assert run(storage.archive.steps()).deleted.tolist() == [False, False, True, False, False]


def test_writers_at_once_are_noted_in_the_order_of_their_commits(
    run: Run, store: Store, inner: Any
) -> None:
    id = store.id("a")

    async def work() -> None:
        storages: list[Any] = [HistoryStorage(inner, retention=None)]
        if store.kind != "memory":
            others = [await store.open() for _ in range(3)]
            storages += [HistoryStorage(other, retention=None) for other in others]

        async def write(storage: Any, number: int) -> None:
            for step in range(25):
                await storage.upsert(Session(id, f"{number}-{step}"))
                if step % 5 == number:
                    # One that meets a new session each time that it tries gives up.
                    with suppress(StorageError):
                        await storage.delete(id)

        await asyncio.gather(*(write(storage, n) for n, storage in enumerate(storages)))
        for storage in storages[1:]:
            await storage.close()

    run(work())
    rows = run(history_of(inner).table.read(id))[::-1]
    assert [row.number for row in rows] == [*range(1, len(rows) + 1)]
    assert sum(not row.deleted for row in rows) == 25 * (1 if store.kind == "memory" else 4)
    at = [row.at for row in rows]
    assert at == sorted(at)
    last = run(inner.get(id))
    assert rows[-1].deleted if last is None else rows[-1].current_task_id == last.current_task_id
    if rows[0].version is not None:
        # Each counts on from the one before, or begins again after a delete.
        for before, row in pairwise(rows):
            expected = before.version if row.deleted else (before.version or 0) + 1
            assert row.version == (1 if before.deleted else expected)


async def _tell(archive: HistoryArchive, ids: list[str]) -> list[Any]:
    told: list[Any] = []
    for id in ids:
        told.append(await archive.versions(id, limit=None))
        told.append([(v.number, s.context_json()) for v, s in await archive.sessions(id, 1, 999)])
        told.append(await archive.versions(id, limit=3, before=7))
    steps = await archive.steps()
    told += [steps.id, steps.number.tolist(), steps.at.tolist(), steps.deleted.tolist()]
    some = await archive.steps(ids[1:], limit=7, since=datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC))
    told += [some.id, some.at.tolist(), some.status_message, some.more]
    moment = datetime(2026, 1, 1, 0, 0, 20, tzinfo=UTC)
    told += [await archive.version_at(id, moment) for id in ids]
    return told


@pytest.mark.parametrize("seed", range(20 if COMPLETE else 1))
def test_every_table_answers_as_memory_does(run: Run, store: Store, inner: Any, seed: int) -> None:
    chance = random.Random(seed)
    ids = [store.id(name) for name in "abc"]
    first = round(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
    archives = [history_of(inner), HistoryArchive(MemoryHistory())]
    spaced = store.about.form is not None  # as JSONB writes it
    comma, colon = (", ", ": ") if spaced else (",", ":")

    def row(number: int) -> VersionRow:
        data = comma.join(f'"k{key}"{colon}{chance.randrange(5)}' for key in range(9))
        context = f'{{"data"{colon}{{{data}}}}}'
        return VersionRow(
            *(chance.choice(ids), 0, number, first + number * 1_000_000, "g", f"t{number % 3}"),
            *(chance.choice([None, "waits"]), first, chance.random() < 0.1, context, None),
            *(len(context), "observed", "somebody"),
        )

    async def work() -> None:
        for number in range(120):
            rows = [row(number)]
            for archive in archives:
                await archive.append(rows)
            if number % 40 == 39:
                retention = Retention(
                    versions=chance.choice([None, 5, 20]),
                    age=chance.choice([None, timedelta(seconds=15)]),
                )
                now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
                counts = []
                for archive in archives:
                    await archive.compact_all()
                    found = await archive.prune(retention, now=now, dry_run=True)
                    done = await archive.prune(retention, now=now, step=4)
                    counts.append((found.sessions, found.versions, done.sessions, done.versions))
                assert counts[0] == counts[1]
                assert await _tell(archives[0], ids) == await _tell(archives[1], ids)
        sizes = [await archive.size() for archive in archives]
        assert sizes[0][:2] == sizes[1][:2]
        assert sizes[0].oldest == sizes[1].oldest
        assert sizes[0].bytes > 0

    run(work())


def test_the_table_is_shown_before_it_is_created_and_goes_with_every_version(
    run: Run, store: Store
) -> None:
    storage = run(store.open())
    archive = history_of(storage)
    if store.kind == "memory":
        run(storage.close())
        return
    plan = run(archive.plan())
    assert ("SET" if store.kind == "redis" else "CREATE TABLE IF NOT EXISTS") in str(plan)
    assert "history" in str(plan)
    assert not run(archive.exists())
    id = store.id("a")
    for read in (archive.versions(id), archive.size(), HistoryStorage(storage).delete(id)):
        with pytest.raises(StorageError, match="no history table"):
            run(read)
    assert run(archive.create()) == plan
    assert run(archive.exists())
    run(archive.create())  # again is not an error
    writing = HistoryStorage(storage)
    run(writing.save(Session(store.id("a"), "one")))
    assert len(run(archive.versions(store.id("a")))) == 1
    run(archive.drop())
    assert not run(archive.exists())
    again = run(storage.get(store.id("a")))
    run(storage.save(again))  # without a history
    run(storage.close())


def test_a_store_opened_for_reading_gives_its_history_for_reading(
    run: Run, store: Store, inner: Any
) -> None:
    if store.kind == "memory":
        return
    run(HistoryStorage(inner).save(Session(store.id("a"), "one")))
    reading = run(g.connect(store.url, read_only=True))
    archive = history_of(reading)
    assert run(archive.session_at(store.id("a"), 1)).current_task_id == "one"
    assert len(run(archive.steps())) == 1
    assert run(archive.prune(dry_run=True)).versions == 0
    for write in (archive.create, archive.drop, lambda: archive.append([]), archive.table.start):
        with pytest.raises(ReadOnlyError):
            run(write())
    run(reading.close())


def test_looking_changes_nothing(run: Run, store: Store, inner: Any, tmp_path: Path) -> None:
    storage = HistoryStorage(inner)
    session = Session(store.id("a"), "one")
    for _ in range(5):
        run(storage.save(session))
    before = run(storage.archive.table.read(session.id))
    files = {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()}
    run(storage.archive.session_at(session.id, 2))
    run(storage.archive.version_at(session.id, datetime.now(UTC)))
    run(storage.archive.sessions(session.id, 1, 5))
    run(storage.archive.steps())
    run(storage.archive.size())
    run(storage.archive.prune(Retention(versions=1), dry_run=True))
    assert run(storage.archive.table.read(session.id)) == before
    assert {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()} == files


@pytest.mark.parametrize("store", ["crate-0.6"], indirect=True)
def test_a_save_that_a_trigger_refuses_leaves_no_version(
    run: Run, store: Store, inner: Any
) -> None:
    storage = HistoryStorage(inner)
    session = Session("a", "one")
    run(storage.save(session))

    async def keep() -> None:
        connection = await asyncpg.connect(store.url)
        await connection.execute(
            "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
            "CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON sessions "
            "FOR EACH ROW EXECUTE FUNCTION keep()"
        )
        await connection.close()

    run(keep())
    for write in (storage.save(session), storage.delete("a")):
        with pytest.raises(StorageError, match="trigger"):
            run(write)
    assert kept(run, storage, "a") == [(1, "one", False)]


@pytest.mark.parametrize("store", ["sqlite", "crate-0.6"], indirect=True)
def test_a_save_without_the_table_is_not_made_and_says_what_to_do(
    run: Run, store: Store, inner: Any
) -> None:
    storage = HistoryStorage(inner)
    session = Session("a", "one")
    run(storage.save(session))
    other = run(store.open())
    run(history_of(other).drop())
    for write in (storage.save(session), storage.delete("a")):
        with pytest.raises(HistoryError, match="is gone"):
            run(write)
    assert run(other.get("a")).version == 1
    run(history_of(other).create())
    run(storage.save(session))
    assert kept(run, storage, "a") == [(1, "one", False)]
    run(other.close())


@pytest.mark.parametrize("store", ["crate-0.6"], indirect=True)
def test_who_may_not_write_the_history_saves_nothing_and_is_told_why(
    run: Run, store: Store, inner: Any
) -> None:
    run(HistoryStorage(inner).save(Session("a", "one")))

    async def grant() -> None:
        connection = await asyncpg.connect(store.url)
        await connection.execute(
            "DROP ROLE IF EXISTS apart; CREATE ROLE apart LOGIN;"
            "GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO apart"
        )
        await connection.close()

    run(grant())
    apart = run(g.connect(store.url.replace("user=postgres", "user=apart")))
    storage = HistoryStorage(apart)
    every = "this user lacks SELECT, INSERT, UPDATE, DELETE on public.sessions_history"
    for call, said in (
        (storage.save(Session("b", "one")), every),
        (storage.delete("a"), every),
        (storage.archive.versions("a"), every),
        (storage.archive.steps(), every),
        (storage.archive.drop(), "nothing was changed.*rights of the owner"),
        (storage.archive.table.create_trigger(1), "nothing was changed.*rights of the owner"),
    ):
        with pytest.raises(StorageError, match=said) as raised:
            run(call)
        assert raised.value.nothing_written
    assert run(apart.get("b")) is None
    assert run(apart.get("a")) is not None
    run(apart.close())
    run(history_of(inner).drop())


@pytest.mark.parametrize("store", ["crate-0.6"], indirect=True)
@pytest.mark.parametrize(
    "change",
    [
        "DROP FUNCTION sessions_history_keep(tid, text, bigint)",  # made by an earlier version
        "CREATE TABLE more () INHERITS (sessions)",  # whose rows are at places of their own
    ],
)
def test_a_row_that_is_not_found_by_its_place_is_kept_too(
    run: Run, store: Store, inner: Any, change: str
) -> None:
    async def alter() -> None:
        connection = await asyncpg.connect(store.url)
        await connection.execute(change)
        if "more" in change:
            await connection.execute(
                "ALTER TABLE more ADD PRIMARY KEY (id); INSERT INTO more (id, graph_id, "
                "current_task_id, context, version) VALUES ('m', 'g', 'one', '{\"data\": {}}', 1)"
            )
        await connection.close()

    run(alter())
    storage = HistoryStorage(inner)
    for id in ("a", "m") if "more" in change else ("a",):
        session = run(inner.get(id)) or Session(id, "one")
        for _ in range(2):
            run(storage.save(session))
    assert [v.number for v in run(storage.archive.versions("a"))] == [2, 1]
    if "more" in change:
        assert [v.number for v in run(storage.archive.versions("m"))] == [2, 1]


@pytest.mark.parametrize("store", ["crate-0.6"], indirect=True)
def test_what_makes_a_history_smaller_waits_for_no_row(run: Run, store: Store, inner: Any) -> None:
    """Or it and a save, whose trigger removes versions, might wait for each other."""
    storage = HistoryStorage(inner, retention=None)
    archive = storage.archive
    session = Session("a", "one")
    for n in range(40):
        session.context["n"] = n
        run(storage.save(session))

    async def hold_and(work: Coroutine[Any, Any, Any]) -> Any:
        connection = await asyncpg.connect(store.url)
        try:
            async with connection.transaction(), asyncio.timeout(20):
                await connection.execute(
                    "SELECT FROM sessions_history WHERE id = 'a' AND number = 6 FOR UPDATE"
                )
                return await work
        finally:
            await connection.close()

    run(hold_and(archive.compact("a")))
    other = Session("b", "one")
    for _ in range(20):
        run(storage.save(other))
    held = run(hold_and(archive.prune(Retention(versions=10), ids=["a", "b"], step=10)))
    assert held.versions == 5, "what is older than the held one, and nothing behind it"
    assert not held.done
    assert run(archive.prune(Retention(versions=10), ids=["b"])).done
    found = list(reversed(run(archive.sessions("a", 1, 10**9))))
    assert [(v.number, s.context["n"]) for v, s in found] == [(n, n - 1) for n in range(6, 41)]
    assert run(archive.prune(Retention(versions=10), ids=["a"])).versions == 25
    assert [v.number for v in run(archive.versions("a"))] == list(range(40, 30, -1))


@pytest.mark.parametrize("store", ["crate-0.6"], indirect=True)
def test_a_step_of_pruning_reads_no_table_as_a_whole(run: Run, store: Store, inner: Any) -> None:
    statements = HistoryStatements(run(inner.history_table.find_form()))
    ids = [f"s{n}" for n in range(1, 11)]

    async def explain() -> str:
        connection = await asyncpg.connect(store.url)
        try:
            await connection.execute(_VERSIONS)
            plans = [
                await connection.fetch(f"EXPLAIN {statements.find_expired}", ids, 10, None),
                await connection.fetch(f"EXPLAIN {statements.remove_expired}", ids, 10, None, 1000),
            ]
        finally:
            await connection.close()
        return "\n".join(line for plan in plans for (line,) in plan)

    plan = run(explain())
    assert "Tid Scan on sessions_history" in plan
    assert "Seq Scan" not in plan


_VERSIONS = """
INSERT INTO sessions_history (id, number, at, graph_id, current_task_id, deleted, context, source)
SELECT 's' || s, n, now(), 'g', 't', false, '{}', 'written'
FROM generate_series(1, 200) AS s, generate_series(1, 50) AS n;
ANALYZE sessions_history
"""


@pytest.mark.parametrize("store", ["crate-0.6"], indirect=True)
def test_a_name_too_long_for_a_history_is_refused(run: Run, store: Store) -> None:
    storage = run(g.connect(store.url, table="s" * 49))
    with pytest.raises(StorageError, match="too long"):
        run(history_of(storage).plan())
    run(storage.close())
