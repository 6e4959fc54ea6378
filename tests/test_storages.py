"""One behaviour in every store, that of graph-flow 0.6."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime, timedelta

import pytest

import graphflow_nb as g
from graphflow_nb import Context, Query, Session, SessionConflict
from graphflow_nb.notebook.frames import sessions_frame
from graphflow_nb.session import stored_session

from .conftest import REDIS


def new(store, name="a", task="t", **more):
    return Session(store.id(name), task, **more)


def test_absence(store, storage, run):
    assert run(storage.get(store.id("nobody"))) is None
    run(storage.delete(store.id("nobody")))


def test_round_trip(store, storage, run):
    session = new(
        store, graph_id="grüße", status_message="läuft\n", context={"n": 2**60, "x": [1.5]}
    )
    session.context.add_user_message("hi 🙂")
    run(storage.save(session))
    found = run(storage.get(session.id))
    assert (found.id, found.graph_id, found.current_task_id) == (session.id, "grüße", "t")
    assert found.status_message == "läuft\n"
    assert found.context == session.context
    assert found.version == session.version > 0
    assert found.created_at == session.created_at
    assert found.updated_at == session.updated_at
    assert abs(datetime.now(UTC) - found.updated_at) < timedelta(minutes=1)


def test_a_good_save_moves_the_version_on(store, storage, run):
    session = new(store)
    assert session.version == 0
    versions = []
    for status in ("one", "two", "three"):
        session.status_message = status
        run(storage.save(session))
        versions.append(session.version)
    assert len(set(versions)) == 3
    assert versions == sorted(versions)
    if store.kind in ("memory", "sqlite", "crate-0.6", *REDIS):
        assert versions == [1, 2, 3]
    assert run(storage.get(session.id)).status_message == "three"


def test_saving_keeps_the_time_of_creation(store, storage, run):
    session = new(store)
    run(storage.save(session))
    created = session.created_at
    run(storage.save(session))
    assert session.created_at == created
    assert run(storage.get(session.id)).created_at == created
    assert session.updated_at > created


def test_a_new_session_conflicts_with_one_that_exists(store, storage, run):
    run(storage.save(new(store, status_message="first")))
    second = new(store, status_message="second")
    with pytest.raises(SessionConflict) as caught:
        run(storage.save(second))
    assert caught.value.session is second
    assert caught.value.stored.status_message == "first"
    assert second.version == 0
    assert run(storage.get(second.id)).status_message == "first"


def test_a_lost_race_conflicts_and_can_be_repeated(store, storage, run):
    run(storage.save(new(store)))
    mine, theirs = run(storage.get(store.id("a"))), run(storage.get(store.id("a")))
    theirs.status_message = "theirs"
    run(storage.save(theirs))
    mine.status_message = "mine"
    with pytest.raises(SessionConflict) as caught:
        run(storage.save(mine))
    assert caught.value.stored.status_message == "theirs"
    again = caught.value.stored
    again.status_message = "mine"
    run(storage.save(again))
    assert run(storage.get(mine.id)).status_message == "mine"


def test_a_stale_save_does_not_bring_a_deleted_session_back(store, storage, run):
    session = new(store)
    run(storage.save(session))
    run(storage.delete(session.id))
    with pytest.raises(SessionConflict) as caught:
        run(storage.save(session))
    assert caught.value.stored is None
    assert run(storage.get(session.id)) is None
    run(storage.save(session.copy()))
    assert run(storage.get(session.id)) is not None


def test_a_session_made_anew_is_not_the_one_that_was_read(store, storage, run):
    first = new(store, context={"who": "first"})
    run(storage.save(first))
    run(storage.delete(first.id))
    run(storage.save(new(store, context={"who": "second"})))
    with pytest.raises(SessionConflict):
        run(storage.save(first))
    other = new(store, "b")
    run(storage.save(other))
    other.id = first.id
    with pytest.raises(SessionConflict):
        run(storage.save(other))
    assert run(storage.get(first.id)).context["who"] == "second"
    kept = Session.from_json(run(storage.get(first.id)).to_json())
    run(storage.save(kept))  # JSON knows no times, and is taken at its version


def test_upsert_overwrites_and_is_noticed(store, storage, run):
    run(storage.save(new(store)))
    read = run(storage.get(store.id("a")))
    run(storage.upsert(new(store, status_message="last write")))
    assert run(storage.get(store.id("a"))).status_message == "last write"
    with pytest.raises(SessionConflict):
        run(storage.save(read))
    run(storage.upsert(new(store, name="b")))
    assert run(storage.get(store.id("b"))) is not None


def test_of_many_writers_one_wins_each_round(store, storage, run):
    run(storage.save(new(store, context={"n": 0})))

    async def add_one() -> None:
        while True:
            session = await storage.get(store.id("a"))
            session.context["n"] += 1
            try:
                return await storage.save(session)
            except SessionConflict:
                await asyncio.sleep(0)

    async def all_of_them() -> None:
        await asyncio.gather(*(add_one() for _ in range(20)))

    run(all_of_them())
    assert run(storage.get(store.id("a"))).context["n"] == 20


def test_get_or_create_in_a_race(store, storage, run):
    async def all_of_them():
        calls = (g.get_or_create(storage, store.id("a"), "start", "claims") for _ in range(20))
        return await asyncio.gather(*calls)

    found = run(all_of_them())
    assert {(s.id, s.current_task_id, s.graph_id) for s in found} == {
        (store.id("a"), "start", "claims")
    }
    assert len({s.version for s in found}) == 1
    assert run(storage.count(Query())) == 1


def test_nothing_is_aliased(store, storage, run):
    session = new(store, context={"list": [1]})
    run(storage.save(session))
    session.context["list"].append(2)
    session.context["more"] = 1
    session.context.add_user_message("more")
    session.status_message = "more"
    found = run(storage.get(session.id))
    assert dict(found.context) == {"list": [1]}
    found.context["list"].append(3)
    found.context.chat_history.clear()
    again = run(storage.get(session.id))
    assert dict(again.context) == {"list": [1]}
    assert again.status_message is None


@pytest.mark.parametrize("field", ["id", "graph_id", "current_task_id", "status_message"])
@pytest.mark.parametrize("value", ["lone \ud800", 7])
def test_what_no_store_can_hold_is_refused(store, storage, run, field, value):
    session = new(store)
    setattr(session, field, value)
    with pytest.raises(g.StorageError, match=field):
        run(storage.save(session))
    assert run(storage.count(Query())) == 0


def test_unknown_members_are_never_dropped_silently(store, storage, run):
    text = new(store).to_json()[:-1] + ',"owner":"me"}'
    session = Session.from_json(text)
    if store.kind in ("memory", *REDIS):
        run(storage.save(session))
        assert '"owner":"me"' in run(storage.get(session.id)).to_json()
    else:
        with pytest.raises(g.StorageError, match="owner"):
            run(storage.save(session))


@pytest.mark.parametrize("id", [7, None, ["a"], "lone \ud800"])
def test_ids_that_are_none(store, storage, run, id):
    for call in (storage.get, storage.delete):
        with pytest.raises(g.StorageError, match="id"):
            run(call(id))


def test_a_closed_storage_says_so(store, run):
    storage = run(store.open())
    run(storage.close())
    run(storage.close())
    if store.kind != "memory":
        with pytest.raises(g.StorageError, match="closed"):
            run(storage.get(store.id("a")))


# Queries


@pytest.fixture
def filled(store, storage, run):
    rows = [
        ("aa1", "claims", "wait", "Waiting for input", {"customer": {"tier": "gold"}, "n": 1}),
        ("aa2", "claims", "pay", None, {"customer": {"tier": "gold", "a.b": [5, {"c": None}]}}),
        ("ab1", "claims", "wait", "waiting", {"n": 1.0, "big": 2**64 + 1}),
        ("b_1", "support", "wait", "100% done_", {"n": True, "customer": None}),
        ("b%1", "support", "closed", "", {"n": "1", "list": [1, 2.50], "obj": {"k": [1]}}),
    ]
    for name, graph, task, status, context in rows:
        session = new(store, name, task, graph_id=graph, status_message=status, context=context)
        for i in range(len(name) * (graph == "claims")):
            session.context.add_user_message(f"message {i}")
        run(storage.save(session))
    return storage


CASES = [
    ({}, ["aa1", "aa2", "ab1", "b_1", "b%1"]),
    ({"graph": "claims"}, ["aa1", "aa2", "ab1"]),
    ({"graph": "claim"}, []),
    ({"task": "wait"}, ["aa1", "ab1", "b_1"]),
    ({"graph": "claims", "task": "wait"}, ["aa1", "ab1"]),
    ({"status": "ait"}, ["aa1", "ab1"]),
    ({"status": "Wait"}, ["aa1"]),
    ({"status": "%"}, ["b_1"]),
    ({"status": "_"}, ["b_1"]),
    ({"status": ""}, ["aa1", "ab1", "b_1", "b%1"]),
    ({"text": "aiting"}, ["aa1", "ab1"]),
    ({"text": "100%"}, ["b_1"]),
    ({"text": "nothing"}, []),
    ({"ids": ["aa1", "b%1", "nobody"]}, ["aa1", "b%1"]),
    ({"ids": ["b_1", "b_1"], "graph": "support"}, ["b_1"]),
    ({"ids": []}, []),
    ({"ids": ["\0", "\ud800"]}, []),
    ({"id_prefix": "a"}, ["aa1", "aa2", "ab1"]),
    ({"id_prefix": "aa"}, ["aa1", "aa2"]),
    ({"id_prefix": ""}, ["aa1", "aa2", "ab1", "b_1", "b%1"]),
    ({"context": {"customer.tier": "gold"}}, ["aa1", "aa2"]),
    ({"context": {("customer", "tier"): "gold"}}, ["aa1", "aa2"]),
    ({"context": {"n": 1}}, ["aa1", "ab1"]),
    ({"context": {"n": 1.00}}, ["aa1", "ab1"]),
    ({"context": {"n": True}}, ["b_1"]),
    ({"context": {"n": "1"}}, ["b%1"]),
    ({"context": {"customer": None}}, ["b_1"]),
    ({"context": {"big": 2**64 + 1}}, ["ab1"]),
    ({"context": {"big": 2**64}}, []),
    ({"context": {"list": [1.0, 2.5]}}, ["b%1"]),
    ({"context": {"list": [2.5, 1]}}, []),
    ({"context": {"obj": {"k": [1]}}}, ["b%1"]),
    ({"context": {"list.1": 2.5}}, ["b%1"]),
    ({"context": {"list.-1": 2.5}}, ["b%1"]),
    ({"context": {"list.2": 2.5}}, []),
    ({"context": {("customer", "a.b", "1", "c"): None}}, ["aa2"]),
    ({"has": ["customer"]}, ["aa1", "aa2", "b_1"]),
    ({"has": ["customer.tier"]}, ["aa1", "aa2"]),
    ({"has": ["customer", "n"]}, ["aa1", "b_1"]),
    ({"has": [("customer", "a.b", "0")]}, ["aa2"]),
    ({"has": ["nothing"]}, []),
    ({"has": ["list.+1"]}, ["b%1"]),
    ({"has": ["list.1x"]}, []),
    ({"has": ["list.9999999999"]}, []),
    ({"has": ["list.%s" % ("9" * 5000)]}, []),
    ({"graph": "claims", "context": {"n": 1}, "has": ["big"], "status": "wait"}, ["ab1"]),
]


@pytest.mark.parametrize(("filters", "names"), CASES, ids=lambda v: str(v)[:50])
def test_filters_mean_the_same_in_every_store(store, filled, run, filters, names):
    if store.kind == "crate-0.5" and (prefix := filters.get("id_prefix")):
        filters = filters | {"id_prefix": prefix.encode().hex()}
    if wanted := filters.get("ids"):
        odd = {"\0", "\ud800", "nobody"}  # no store but memory could hold the second
        filters = filters | {"ids": [id if id in odd else store.id(id) for id in wanted]}
    ids = {store.id(name) for name in names}
    found = run(filled.query(Query(**filters)))
    assert {s.id for s in found} == ids
    assert set(run(filled.table(Query(**filters))).id) == ids
    assert run(filled.count(Query(**filters))) == len(names)
    assert sum(c.sessions for c in run(filled.counts(Query(**filters)))) == len(names)


def test_order_and_pages(store, filled, run):
    for order in ("updated_at", "created_at", "id"):
        up = [s.id for s in run(filled.query(Query(order=order)))]
        down = [s.id for s in run(filled.query(Query(order=f"-{order}")))]
        assert up == down[::-1]
        for direction, whole in ((order, up), (f"-{order}", down)):
            for size in (1, 2, 5, 6):
                paged, after = [], None
                while True:
                    table = run(filled.table(Query(order=direction, limit=size, after=after)))
                    assert len(table) <= size
                    paged += list(table.id)
                    after = table.next
                    if after is None:
                        break
                assert paged == whole
    assert [s.id for s in run(filled.query(Query(order="created_at")))] == [
        store.id(n) for n in ("aa1", "aa2", "ab1", "b_1", "b%1")
    ]


def test_pages_are_complete_when_many_times_are_equal(store, run):
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    names = [f"s{i:02}" for i in range(25)]
    storage = run(store.open())
    sessions = [stored_session(n, "g", "t", None, b'{"data":{}}', 1, moment, moment) for n in names]
    if store.kind == "memory":
        storage = g.InMemorySessionStorage.from_sessions(sessions)
    elif store.kind in REDIS:
        run(storage.import_many(sessions))
    else:
        for name in names:
            run(storage.save(new(store, name)))
        if store.kind == "sqlite":
            run(storage._run(lambda db: db.execute("UPDATE sessions SET updated_at = 1000000")))
        else:
            run(storage._run(lambda c: c.execute("UPDATE sessions SET updated_at = $1", moment)))
    for order in ("updated_at", "-updated_at"):
        paged, after = [], None
        while after is not None or not paged:
            table = run(storage.table(Query(order=order, limit=4, after=after)))
            paged += list(table.id)
            after = table.next
            if after is None:
                break
        assert sorted(paged) == [store.id(n) for n in names]
    run(storage.close())


def test_time_filters(store, filled, run):
    sessions = run(filled.query(Query(order="created_at")))
    moment = sessions[2].created_at
    for name in ("created", "updated"):
        since = run(filled.query(Query(**{f"{name}_since": moment})))
        until = run(filled.query(Query(**{f"{name}_until": moment})))
        assert {s.id for s in since} == {s.id for s in sessions[2:]}
        assert {s.id for s in until} == {s.id for s in sessions[:2]}


def test_table_columns(store, filled, run):
    paths = ["customer.tier", "n", ("customer", "a.b"), "big"]
    table = run(filled.table(Query(order="created_at"), paths))
    assert list(table.graph_id) == ["claims"] * 3 + ["support"] * 2
    assert list(table.status_message) == ["Waiting for input", None, "waiting", "100% done_", ""]
    assert table.messages.tolist() == [3, 3, 3, 0, 0]
    assert (table.context_bytes > 0).all()
    tier, n, dotted, big = table.context
    assert list(tier) == ['"gold"', '"gold"', None, None, None]
    assert [None if v is None else v.strip('"') for v in n] == ["1", None, "1.0", "true", "1"]
    assert dotted[1].replace(" ", "") == '[5,{"c":null}]'
    assert big[2] == str(2**64 + 1)


def test_an_empty_store(store, storage, run):
    table = run(storage.table(Query(), ["a"]))
    assert len(table) == 0
    assert table.next is None
    assert len(table.context) == 1
    assert run(storage.query(Query())) == []
    assert run(storage.counts(Query())) == []


def test_counts(store, filled, run):
    counts = {(c.graph_id, c.current_task_id): c for c in run(filled.counts(Query()))}
    assert {k: c.sessions for k, c in counts.items()} == {
        ("claims", "wait"): 2,
        ("claims", "pay"): 1,
        ("support", "wait"): 1,
        ("support", "closed"): 1,
    }
    two = counts["claims", "wait"]
    assert two.oldest < two.newest
    assert two.oldest == run(filled.get(store.id("aa1"))).updated_at


def test_texts_with_the_separator_of_columns(store, storage, run):
    session = new(store, status_message="a\x1fb", graph_id="\x1f", context={"k": "\x1f"})
    run(storage.save(session))
    run(storage.save(new(store, "b")))
    table = run(storage.table(Query(order="created_at"), ["k"]))
    assert list(table.status_message) == ["a\x1fb", None]
    assert list(table.graph_id) == ["\x1f", "default"]


def test_numbers_beyond_measure(store, storage, run):
    session = new(store)
    session._context = '{"data":{"huge":%s,"wide":1e99999}}' % ("9" * 5000)
    run(storage.save(session))
    assert run(storage.count(Query(context={"huge": 1}))) == 0
    assert run(storage.count(Query(context={"wide": 1}))) == 0
    assert run(storage.count(Query(has=["huge", "wide"]))) == 1
    frame = sessions_frame(run(storage.table(Query(), ["huge"])), ["huge"])
    assert frame["huge"].tolist() == ["9" * 5000]


def test_malformed_contexts_are_listed(store, storage, run):
    session = new(store)
    session._context = '{"chat_history": 7, "data": [1]}'
    run(storage.save(session))
    table = run(storage.table(Query(), ["a"]))
    assert table.messages.tolist() == [0]
    assert list(table.context[0]) == [None]
    found = run(storage.get(session.id))
    with pytest.raises(g.ContextError):
        found.context["a"]
    with pytest.raises(g.ContextError):
        found.context.chat_history  # noqa: B018


@pytest.mark.parametrize(
    "wrong",
    [
        {"order": "name"},
        {"limit": -1},
        {"limit": 1.5},
        {"graph": 7},
        {"updated_since": datetime(2026, 1, 1)},
        {"updated_since": "2026"},
        {"context": {"": 1}},
        {"context": {"a": math.nan}},
        {"has": [()]},
        {"has": [("a", 1)]},
        {"has": None},
        {"has": [5]},
        {"context": "a"},
        {"context": {5: 1}},
        {"order": None},
        {"after": "x"},
        {"after": g.Cursor("-updated_at", "a", datetime(2026, 1, 1))},
        {"order": "id", "after": g.Cursor("-id", "a")},
    ],
    ids=str,
)
def test_queries_that_mean_nothing(wrong):
    with pytest.raises((g.QueryError, g.ContextError)):
        Query(**wrong)


def test_cancellation_leaves_the_storage_usable(store, storage, run):
    run(storage.save(new(store)))

    async def cancel_some() -> None:
        for delay in (0, 0.0001, 0.0005, 0.001):
            session = await storage.get(store.id("a"))
            task = asyncio.ensure_future(storage.save(session))
            await asyncio.sleep(delay)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(cancel_some())
    session = run(storage.get(store.id("a")))
    run(storage.save(session))


def test_two_sessions_never_share_a_context(store, storage, run):
    context = Context({"k": 1})
    first, second = new(store, "a", context=context), new(store, "b", context=context)
    third = new(store, "c")
    third.context = context
    first.context["k"] = 2
    context["k"] = 3
    for session in (first, second, third):
        run(storage.save(session))
    stored = [run(storage.get(session.id)).context["k"] for session in (first, second, third)]
    assert stored == [2, 1, 1]
