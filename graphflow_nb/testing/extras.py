"""The properties of what a storage offers to tools: facts, orders, plans, an index, a watch."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from ..errors import ReadOnlyError, StorageError
from ..storage.attributes import attributes_of
from ..storage.capabilities import require
from ..storage.facts import StoreFacts
from ..storage.migration import Migration
from ..storage.overview import OverviewCounts
from ..storage.protocols import (
    SupportsChats,
    SupportsClose,
    SupportsEstimate,
    SupportsFacts,
    SupportsIndex,
    SupportsMigration,
    SupportsOverview,
    SupportsQuery,
    SupportsRaw,
    SupportsSlowOrders,
    SupportsSnapshot,
    SupportsSplit,
    SupportsTable,
    SupportsTrigger,
    SupportsWatch,
)
from ..storage.query import ORDERS, Query
from .kit import Deviation, Kit, add_property, expect_same

_ADVICE: Final = "advice"
_RAW: Final = "raw"
_SNAPSHOT: Final = "snapshot"
_PLANS: Final = "plans and changes of the store"
_WATCH: Final = "watch"

#: The seconds in which a watch must begin, report a change, and end.
SOON: Final = 15.0


async def _contents(kit: Kit) -> list[tuple[str, int, bytes]]:
    sessions = [await kit.read(name) for name in ("a", "b")]
    texts = [session.context_json() for session in sessions]
    return [
        (s.id, s.version, t.encode() if isinstance(t, str) else t)
        for s, t in zip(sessions, texts, strict=True)
    ]


async def _save_two(kit: Kit) -> list[tuple[str, int, bytes]]:
    for name in ("a", "b"):
        await kit.save_new(name, context={"name": name})
    return await _contents(kit)


@add_property(_RAW, "return each stored column with its value, None for an unknown id", SupportsRaw)
async def what_is_stored_is_shown(kit: Kit) -> None:
    """raw() returns what is stored under an id, None for an unknown one, and changes nothing."""
    before = await _save_two(kit)
    session = await kit.read("a")
    stored = await kit.storage.raw(session.id)
    if not isinstance(stored, dict) or not stored:
        raise Deviation(f"raw() returned {stored!r}, and should return the columns")
    shown = "".join(map(str, stored.values()))
    expect_same(session.current_task_id in shown, True, "whether the task is in what is stored")
    expect_same(await kit.storage.raw(kit.id("unknown")), None, "raw() of an unknown id")
    expect_same(await _contents(kit), before, "the sessions after raw()")


@add_property(_ADVICE, "return a StoreFacts with the place, and only read", SupportsFacts)
async def facts_are_those_of_the_store(kit: Kit) -> None:
    """The facts are a StoreFacts that names the same place, and asking changes nothing."""
    before = await _save_two(kit)
    facts = await kit.storage.facts()
    if not isinstance(facts, StoreFacts):
        raise Deviation(f"facts() returned {facts!r}, and should return a StoreFacts")
    expect_same(bool(facts.place), True, "whether the facts name the place")
    place = attributes_of(kit.storage).place
    if place is not None:
        expect_same(facts.place, place, "the place that the facts name")
    expect_same(facts.read_only, attributes_of(kit.storage).read_only, "read_only of the facts")
    expect_same(await _contents(kit), before, "the sessions after facts()")


@add_property(_ADVICE, "return about how many sessions there are, or None", SupportsEstimate)
async def an_estimate_is_a_number(kit: Kit) -> None:
    """The estimate is an integer >= 0, or None, and changes nothing."""
    await _save_two(kit)
    before = await _contents(kit)
    about = await kit.storage.estimate()
    if about is not None and (type(about) is not int or about < 0):
        raise Deviation(f"estimate() returned {about!r}, and should return an integer or None")
    expect_same(await _contents(kit), before, "the sessions after estimate()")


@add_property(_ADVICE, "return ids that divide the sessions, in the order of ids", SupportsSplit)
async def a_split_divides_all(kit: Kit) -> None:
    """The ids are some of the store's, in its order, no range has most sessions, and all stay."""
    before = await _save_two(kit)
    for number in range(6):
        await kit.save_new(f"part-{number}")
    everything = (await require(kit.storage, SupportsTable).table(Query(order="id"))).id
    expect_same(await kit.storage.split(1), [], "the ids between parts of which there is one")
    bounds = await kit.storage.split(4)
    if bounds is not None:
        places = [everything.index(id) for id in bounds]
        expect_same(places, sorted(set(places)), "the places of the ids in the order of all")
        sizes = [end - start for start, end in pairwise([-1, *places, len(everything) - 1])]
        expect_same(
            max(sizes) <= len(everything) // 2,
            True,
            f"whether parts of {sizes} sessions are balanced",
        )
    expect_same(await _contents(kit), before, "the sessions after split()")


@add_property(
    _SNAPSHOT,
    "return a read-only storage of what is stored now, until it is closed",
    SupportsSnapshot,
)
async def a_snapshot_stays_as_it_was(kit: Kit) -> None:
    """Whatever others write, a snapshot has the sessions of its moment; it takes no writes."""
    before = await _save_two(kit)
    snapshot = await kit.storage.snapshot()
    try:
        ids = list((await require(snapshot, SupportsTable).table(Query(order="id"))).id)
        changed = await kit.read("a")
        changed.status_message = "changed"
        await kit.storage.save(changed)
        await kit.storage.delete(kit.id("b"))
        await kit.save_new("c")
        for task in ("nowhere", None):  # an answer without sessions is no end of it
            query = Query(task=task, order="id")
            table = await require(snapshot, SupportsTable).table(query)
            expect_same(list(table.id), [] if task else ids, "the ids in the snapshot")
        found = await require(snapshot, SupportsQuery).query(Query(order="id"))
        texts = [(s, s.context_json()) for s in found]
        expect_same(
            [(s.id, s.version, t.encode() if isinstance(t, str) else t) for s, t in texts],
            before,
            "the sessions in the snapshot",
        )
        try:
            await snapshot.save(kit.new("new"))
        except ReadOnlyError:
            pass
        else:
            raise Deviation("a snapshot took a save, and should raise ReadOnlyError")
    finally:
        for _ in range(2):
            await require(snapshot, SupportsClose).close()
    expect_same(await kit.storage.get(kit.id("b")), None, "what was deleted meanwhile")
    expect_same((await kit.read("a")).status_message, "changed", "what was saved meanwhile")


@add_property(_ADVICE, "return the chats that have messages, and no others", SupportsChats)
async def chats_have_messages(kit: Kit) -> None:
    """The chats are those with messages, newest first, and nothing is changed."""
    before = await _save_two(kit)
    talking = await kit.save_new("chat")
    talking.context.add_user_message("hello")
    await kit.storage.save(talking)
    found = await kit.storage.chats(Query())
    if found is not None:
        expect_same([chat.id for chat in found], [talking.id], "the sessions with messages")
        history = json.loads(found[0].context)["chat_history"]
        expect_same(history["messages"][0]["content"], "hello", "the message")
        expect_same(await kit.storage.chats(Query(limit=0)), [], "the chats of no session")
    expect_same(await _contents(kit), before, "the sessions after chats()")


@add_property(_ADVICE, "count each session at its task, in its hour and its size", SupportsOverview)
async def an_overview_counts_each_session(kit: Kit) -> None:
    """The overview has each session once in each of its counts, and changes nothing."""
    before = await _save_two(kit)
    for exact in (False, True):
        found = await kit.storage.overview(datetime.now(UTC) + timedelta(minutes=1), exact=exact)
        if not isinstance(found, OverviewCounts):
            raise Deviation(f"overview() returned {found!r}, and should return an OverviewCounts")
        expect_same((found.read, found.share), (2, 1.0), "the sessions and the share of them")
        expect_same(sum(place.sessions for place in found.places), 2, "the sessions at the tasks")
        for hours, name in ((found.created, "created"), (found.saved, "saved")):
            expect_same(int(hours.counts[-3:].sum()), 2, f"the sessions {name} just now")
    expect_same(await _contents(kit), before, "the sessions after overview()")


@add_property(_ADVICE, "return a text for each slow order, by its column", SupportsSlowOrders)
async def slow_orders_are_orders(kit: Kit) -> None:
    """The slow orders are known orders, each with a text that says what would help."""
    await _save_two(kit)
    slow = dict(await kit.storage.slow_orders())
    expect_same(set(slow) - set(ORDERS), set(), "slow orders that do not exist")
    expect_same(
        all(isinstance(text, str) and text for text in slow.values()), True, "all are texts"
    )


@add_property(
    _PLANS,
    "let plan_migration() only read, and migrate() leave every session as it is",
    SupportsMigration,
)
async def migrating_loses_nothing(kit: Kit) -> None:
    """A plan runs nothing; after migrate nothing is left to do, and every session is there."""
    before = await _save_two(kit)
    plan = await kit.storage.plan_migration()
    if not isinstance(plan, Migration):
        raise Deviation(f"plan_migration() returned {plan!r}, and should return a Migration")
    expect_same((await kit.storage.plan_migration()).statements, plan.statements, "a second plan")
    expect_same(await _contents(kit), before, "the sessions after plan_migration()")
    try:
        done = await kit.storage.migrate()
    except StorageError:  # e.g. a view can't be altered
        expect_same(await _contents(kit), before, "the sessions after a migration that failed")
        return
    expect_same(done.statements, plan.statements, "the statements that migrate() ran")
    expect_same((await kit.storage.plan_migration()).statements, (), "what is left to migrate")
    after = await _contents(kit)
    expect_same([(id, text) for id, _, text in after], [(id, text) for id, _, text in before],
                "the sessions after migrate()")  # fmt: skip
    await kit.storage.save(await kit.read())


@add_property(
    _PLANS, "keep the index beside the sessions, and drop all of it", SupportsIndex, SupportsTable
)
async def an_index_changes_no_answer(kit: Kit) -> None:
    """Built, built again or dropped, an index changes no session and no page."""
    before = await _save_two(kit)
    pages = []
    for step in (None, "build_index", "build_index", "drop_index", "drop_index"):
        if step == "build_index":
            expect_same(await kit.storage.build_index(), 2, "the sessions that the index knows")
        elif step == "drop_index":
            await kit.storage.drop_index()
        pages.append(list((await kit.storage.table(Query())).id))
        expect_same(await _contents(kit), before, f"the sessions after {step}")
    expect_same([page == pages[0] for page in pages], [True] * 5, "which pages are the same")


@add_property(_WATCH, "call on_change for each change, and end when cancelled", SupportsWatch)
async def watching_reports_changes(kit: Kit) -> None:
    """While it says that it watches, a change is reported; it ends when it is cancelled."""
    remove = await _install_trigger(kit.storage)
    other = await kit.reopen()
    changed: asyncio.Queue[str] = asyncio.Queue()
    states: asyncio.Queue[bool] = asyncio.Queue()
    watching = asyncio.ensure_future(kit.storage.watch(changed.put_nowait, states.put_nowait))
    try:
        started = asyncio.ensure_future(states.get())
        await asyncio.wait({watching, started}, timeout=SOON, return_when="FIRST_COMPLETED")
        if started.done():
            expect_same(started.result(), True, "the first state")
            await other.save(kit.new())
            async with asyncio.timeout(SOON):
                while await changed.get() not in (kit.id("a"), ""):
                    pass
        elif watching.done():
            watching.result()  # it says that nothing is announced here, by returning
        else:
            raise Deviation(f"watch neither watches nor returns within {SOON:.0f} s")
        started.cancel()
    finally:
        watching.cancel()
        await asyncio.wait({watching}, timeout=SOON)
        if remove is not None:
            await remove()
    expect_same(watching.done(), True, "whether watch ended when it was cancelled")
    with suppress(asyncio.CancelledError):
        await watching


async def _install_trigger(storage: Any) -> Any:
    """Make the store announce changes, if it can; return the function that undoes that."""
    if not isinstance(storage, SupportsTrigger):
        return None
    with suppress(StorageError):  # e.g. a view has no triggers for rows
        await storage.install_trigger()
        return storage.remove_trigger
    return None


@add_property(
    _PLANS, "let plan_trigger() only read, and remove_trigger() take away all", SupportsTrigger
)
async def a_trigger_changes_no_session(kit: Kit) -> None:
    """Planning, installing and removing the trigger changes no session, and saves go on."""
    before = await _save_two(kit)
    plan = await kit.storage.plan_trigger()
    if not isinstance(plan, Migration) or not plan.statements:
        raise Deviation(f"plan_trigger() returned {plan!r}, and should return statements")
    remove = await _install_trigger(kit.storage)
    expect_same(await _contents(kit), before, "the sessions after install_trigger()")
    await kit.storage.save(await kit.read())
    if remove is not None:
        await remove()
        await remove()
    await kit.storage.save(await kit.read())
