"""The properties of compare-and-swap: of two writers, the later one is told."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from ..errors import SessionConflict
from ..model import Session
from ..storage.creating import get_or_create
from .kit import (
    Deviation,
    Kit,
    add_property,
    expect_error,
    expect_same,
)

_SWAP: Final = "conflicts (compare-and-swap)"

_COMPARE = (
    "under a lock, or in one statement, compare session.version with the stored one; raise "
    "SessionConflict(session, stored) if they differ, and increment the version if not"
)


@add_property(_SWAP, _COMPARE)
async def versions_grow(kit: Kit) -> None:
    """Each save sets the session's version in place to a greater one."""
    session = kit.new()
    versions = [session.version]
    for status in ("one", "two", "three"):
        session.status_message = status
        await kit.storage.save(session)
        versions.append(session.version)
        expect_same((await kit.read()).version, session.version, "the stored version")
    if versions != sorted(set(versions)):
        raise Deviation(f"the versions of four states in a row are {versions}, and should grow")


@add_property(_SWAP, _COMPARE)
async def a_taken_id_conflicts(kit: Kit) -> None:
    """A new session never replaces one that exists; the error has both."""
    await kit.save_new(status_message="first")
    second = kit.new(status_message="second")
    error = await expect_error(kit.storage.save(second), SessionConflict, "saving a new session")
    expect_same(error.session is second, True, "whether .session is what was to be saved")
    expect_same(error.stored and error.stored.status_message, "first", ".stored of the conflict")
    expect_same((second.version, second.is_new), (0, True), "the refused session")
    expect_same((await kit.read()).status_message, "first", "what is stored")


@add_property(_SWAP, _COMPARE)
async def a_lost_race_conflicts(kit: Kit) -> None:
    """Of two writers that read the same session, the second is refused, and can try again."""
    await kit.save_new()
    mine, theirs = await kit.read(), await kit.read()
    theirs.status_message = "theirs"
    await kit.storage.save(theirs)
    mine.status_message = "mine"
    error = await expect_error(kit.storage.save(mine), SessionConflict, "a save that lost the race")
    expect_same(error.stored and error.stored.status_message, "theirs", ".stored of the conflict")
    expect_same((await kit.read()).status_message, "theirs", "what is stored")
    again = error.stored
    again.status_message = "mine"
    await kit.storage.save(again)
    expect_same((await kit.read()).status_message, "mine", "what is stored after trying again")


@add_property(_SWAP, _COMPARE)
async def the_deleted_stays_deleted(kit: Kit) -> None:
    """A stale save does not bring a deleted session back; saving its copy does."""
    session = await kit.save_new()
    await kit.storage.delete(session.id)
    error = await expect_error(
        kit.storage.save(session), SessionConflict, "saving a deleted session"
    )
    expect_same(error.stored, None, ".stored of the conflict")
    expect_same(await kit.storage.get(session.id), None, "what is stored")
    await kit.storage.save(session.copy())
    await kit.read()


@add_property(
    _SWAP,
    "compare created_at too where both know it, or never use a version again: a session that was "
    "deleted and recreated has the version of the old one",
)
async def the_remade_is_another(kit: Kit) -> None:
    """A session that was deleted and recreated is not the one that was read."""
    first = await kit.save_new(context={"who": "first"})
    await kit.storage.delete(first.id)
    await kit.save_new(context={"who": "second"})
    await expect_error(
        kit.storage.save(first), SessionConflict, "saving a session that was deleted and recreated"
    )
    expect_same((await kit.read()).context["who"], "second", "what is stored")
    kept = Session.from_json((await kit.read()).to_json())
    await kit.storage.save(kept)  # JSON has no times, so that the version decides


@add_property(_SWAP, _COMPARE)
async def of_many_writers_none_is_lost(kit: Kit) -> None:
    """Twenty writers on two storages each add one, and repeat on a conflict: none is lost."""
    await kit.save_new(context={"n": 0})
    storages = [kit.storage, await kit.reopen()]

    async def add_one(storage: Any) -> None:
        while True:
            session = await storage.get(kit.id("a"))
            session.context["n"] += 1
            await asyncio.sleep(0)  # so that all have read before one saves
            try:
                await storage.save(session)
                return
            except SessionConflict:
                await asyncio.sleep(0)

    await asyncio.gather(*(add_one(storages[i % 2]) for i in range(20)))
    expect_same((await kit.read()).context["n"], 20, "the count")


@add_property(_SWAP, _COMPARE)
async def one_is_created_in_a_race(kit: Kit) -> None:
    """get_or_create in a race: all of twenty get the one session that was stored."""
    calls = [get_or_create(kit.storage, kit.id("a"), "start", "claims") for _ in range(20)]
    found = await asyncio.gather(*calls)
    stored = await kit.read()
    expect_same(
        {s.version for s in found}, {stored.version}, "the versions that twenty callers got"
    )
    expect_same({s.current_task_id for s in found}, {"start"}, "their task")


@add_property(_SWAP, _COMPARE)
async def deleting_races_saving(kit: Kit) -> None:
    """A session that is deleted while another writer saves it is not stored again."""
    for _ in range(10):
        session = await kit.save_new(context={"n": 0})
        mine = await kit.read()
        mine.context["n"] = 1
        ends = await asyncio.gather(
            kit.storage.save(mine), kit.storage.delete(session.id), return_exceptions=True
        )
        for end in ends:
            if end is not None and not (end is ends[0] and isinstance(end, SessionConflict)):
                raise Deviation(f"a save and a delete at the same time raised {end!r}")
        # Whichever came first: the session was deleted, and a save must not insert it.
        expect_same(await kit.storage.get(session.id), None, "a session deleted during a save")


# Safety
