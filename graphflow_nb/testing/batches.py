"""The properties of overwriting, of batches, of restoring and of importing."""

from __future__ import annotations

import asyncio
from copy import copy
from datetime import UTC, datetime
from typing import Any, Final

from ..errors import SessionConflict, StorageError
from ..model import Session, stored_session
from ..storage.protocols import (
    SupportsDeleteMany,
    SupportsDeleteUnchanged,
    SupportsImportMany,
    SupportsRestore,
    SupportsRestoreMany,
    SupportsSaveMany,
    SupportsUpsert,
)
from .kit import Deviation, Kit, add_property, expect_error, expect_same, expect_same_json

_UPSERT: Final = "upsert"
_DELETE: Final = "delete_many"
_DELETE_UNCHANGED: Final = "delete_unchanged"
_RESTORE: Final = "restore"
_RESTORE_MANY: Final = "restore_many"
_SAVE: Final = "save_many"
_IMPORT: Final = "import_many"


@add_property(
    _UPSERT,
    "write over whatever is stored, and increment the version so that others notice",
    SupportsUpsert,
)
async def upsert_overwrites(kit: Kit) -> None:
    """The last write wins, and a writer that read before is refused at its next save."""
    await kit.save_new()
    read = await kit.read()
    await kit.storage.upsert(kit.new(status_message="last write"))
    expect_same((await kit.read()).status_message, "last write", "what is stored")
    await expect_error(kit.storage.save(read), SessionConflict, "a save after someone's upsert")
    fresh = kit.new("b")
    await kit.storage.upsert(fresh)
    expect_same((await kit.read("b")).version, fresh.version, "the version after an upsert")
    await kit.storage.save(fresh)


@add_property(
    _DELETE,
    "delete sessions, and return the ids of the deleted in the order given",
    SupportsDeleteMany,
)
async def deleting_many(kit: Kit) -> None:
    """Sessions are deleted and returned in order; unknown ids and an empty list are no error."""
    for name in ("a", "b", "c", "d"):
        await kit.save_new(name)
    expect_same(list(await kit.storage.delete_many([])), [], "deleting nothing")
    ids = [kit.id(name) for name in ("c", "nobody", "a", "c")]
    gone = list(await kit.storage.delete_many(ids))
    expect_same(gone[:2], [kit.id("c"), kit.id("a")], "what was deleted")
    for name, there in (("a", False), ("b", True), ("c", False), ("d", True)):
        expect_same(
            await kit.storage.get(kit.id(name)) is not None, there, f"whether {name} is there"
        )
    expect_same(list(await kit.storage.delete_many(ids)), [], "deleting them again")


@add_property(_DELETE, "compare each version in the statement that deletes", SupportsDeleteMany)
async def deleting_unchanged(kit: Kit) -> None:
    """With versions, a session that was saved meanwhile stays."""
    sessions = [await kit.save_new(name) for name in ("a", "b", "c")]
    versions = [s.version for s in sessions]
    changed = await kit.read("b")
    changed.status_message = "meanwhile"
    await kit.storage.save(changed)
    gone = list(await kit.storage.delete_many([s.id for s in sessions], versions))
    expect_same(gone, [sessions[0].id, sessions[2].id], "what was deleted")
    expect_same((await kit.read("b")).status_message, "meanwhile", "what was saved meanwhile")


@add_property(
    _DELETE_UNCHANGED,
    "compare the version, the time of creation and what else identifies the state in the store",
    SupportsDeleteUnchanged,
)
async def deleting_what_was_read(kit: Kit) -> None:
    """What was saved, or created again, since it was read stays, and is not returned."""
    expect_same(list(await kit.storage.delete_unchanged([])), [], "deleting nothing")
    sessions = [await kit.save_new(name) for name in ("a", "b", "c", "d")]
    changed = await kit.read("b")
    changed.status_message = "meanwhile"
    await kit.storage.save(changed)
    await kit.storage.delete(sessions[2].id)
    again = kit.new("c", status_message="another")
    await kit.storage.save(again)
    gone = list(await kit.storage.delete_unchanged(sessions))
    expect_same(gone, [sessions[0].id, sessions[3].id], "what was deleted")
    expect_same((await kit.read("b")).status_message, "meanwhile", "what was saved meanwhile")
    expect_same((await kit.read("c")).status_message, "another", "what was created again")
    expect_same(list(await kit.storage.delete_unchanged(sessions)), [], "deleting them again")


@add_property(
    _RESTORE, "insert with created_at as given and the version incremented", SupportsRestore
)
async def restoring(kit: Kit) -> None:
    """A deleted session gets its created_at back and a later version; a taken id conflicts."""
    session = await kit.save_new(context={"k": 1})
    before = copy(session)
    await kit.storage.delete(session.id)
    back = copy(session)
    await kit.storage.restore(back)
    found = await kit.read()
    expect_same(
        (dict(found.context), found.created_at), ({"k": 1}, before.created_at), "what came back"
    )
    expect_same(found.version, back.version, "its version")
    if found.version == before.version:
        raise Deviation("it has its old version, so that an old save would replace it")
    await expect_error(kit.storage.save(before), SessionConflict, "a save of what was read before")
    await expect_error(kit.storage.restore(copy(before)), SessionConflict, "restoring over another")


@add_property(
    _RESTORE_MANY, "restore each as restore does, and return the conflicts", SupportsRestoreMany
)
async def restoring_many(kit: Kit) -> None:
    """Deleted sessions come back in one call; those whose ids are taken are returned."""
    expect_same(list(await kit.storage.restore_many([])), [], "restoring nothing")
    sessions = [await kit.save_new(name, context={"k": name}) for name in ("a", "b", "c")]
    before = [copy(session) for session in sessions]
    await kit.storage.delete(sessions[0].id)
    await kit.storage.delete(sessions[2].id)
    back = [copy(session) for session in sessions]
    conflicts = list(await kit.storage.restore_many(back))
    expect_same([c.session for c in conflicts], [back[1]], "the sessions that conflict")
    expect_same([c.stored is None for c in conflicts], [False], "which are gone")
    for name, mine, old in zip("abc", back, before, strict=True):
        found = await kit.read(name)
        expect_same(
            (dict(found.context), found.created_at, found.version),
            ({"k": name}, old.created_at, mine.version),
            f"what is stored as {name}",
        )
        if name != "b" and found.version == old.version:
            raise Deviation("it has its old version, so that an old save would replace it")


@add_property(_SAVE, "save each as save does, and return the conflicts", SupportsSaveMany)
async def saving_many(kit: Kit) -> None:
    """New and read sessions are saved in one call; those that conflict are returned."""
    expect_same(list(await kit.storage.save_many([])), [], "saving nothing")
    await kit.save_new("read")
    await kit.save_new("stale")
    await kit.save_new("gone")
    await kit.save_new("taken", status_message="first")
    stale, gone, read = await kit.read("stale"), await kit.read("gone"), await kit.read("read")
    await kit.storage.save(await kit.read("stale"))
    await kit.storage.delete(gone.id)
    read.status_message = stale.status_message = "mine"
    batch = [kit.new("new1"), stale, read, kit.new("taken"), gone, kit.new("new2")]
    conflicts = list(await kit.storage.save_many(batch))
    expect_same(
        [c.session for c in conflicts], [stale, batch[3], gone], "the sessions that conflict"
    )
    expect_same([c.stored is None for c in conflicts], [False, False, True], "which are gone")
    expect_same(conflicts[1].stored.status_message, "first", ".stored of a conflict")
    for name in ("new1", "new2", "read"):
        found = await kit.read(name)
        (mine,) = (s for s in batch if s.id == found.id)
        expect_same((found.version, mine.is_new), (mine.version, False), f"version of {name}")
        expect_same(mine.created_at, found.created_at, f"created_at of {name}")
    expect_same((await kit.read("read")).status_message, "mine", "a read session")
    expect_same((await kit.read("stale")).status_message, None, "a session that conflicts")
    expect_same((batch[3].is_new, batch[3].version), (True, 0), "a new session that conflicts")
    expect_same(list(await kit.storage.save_many([batch[0], read])), [], "saving them again")


@add_property(_SAVE, "check all sessions before anything is sent", SupportsSaveMany)
async def batches_are_checked_first(kit: Kit) -> None:
    """A value that can't be stored, or an id given twice, is refused and nothing is written."""
    wrong = kit.new("wrong")
    wrong.graph_id = "lone \ud800"
    many = [kit.new("a"), *(kit.new(f"s{i:04}") for i in range(1500)), wrong]
    for batch in ([kit.new("a"), wrong], [kit.new("a"), kit.new("b"), kit.new("a")], many):
        await expect_error(
            kit.storage.save_many(batch), StorageError, "a batch with a wrong session"
        )
        expect_same([s.is_new for s in batch], [True] * len(batch), "which are new still")
        expect_same(await kit.storage.get(kit.id("a")), None, "what a refused batch stored")


@add_property(
    _SAVE, "send them in portions, in one transaction or as many pipelines", SupportsSaveMany
)
async def a_large_batch(kit: Kit) -> None:
    """Three thousand sessions in one call, all there, each with its own content."""
    batch = [kit.new(f"s{i:04}", context={"i": i, "text": "x" * (i % 700)}) for i in range(3000)]
    expect_same(list(await kit.storage.save_many(batch)), [], "conflicts of new sessions")
    for i in (0, 1, 999, 1000, 1501, 2999):
        found = await kit.read(f"s{i:04}")
        expect_same_json(found.context_json(), batch[i].context_json(), f"session {i}")
        expect_same(found.version, batch[i].version, f"version of session {i}")


@add_property(_SAVE, "write in one transaction, or say atomic_batches = False", SupportsSaveMany)
async def batches_in_a_race(kit: Kit) -> None:
    """Of many batches on the same ids one wins each id, and the others get a conflict."""
    other = await kit.reopen()

    async def save(storage: Any, writer: int) -> tuple[int, list[SessionConflict]]:
        batch = [kit.new(f"s{i:02}", context={"writer": writer}) for i in range(20)]
        return writer, list(await storage.save_many(batch if writer % 2 else batch[::-1]))

    results = await asyncio.gather(*(save((kit.storage, other)[w % 2], w) for w in range(8)))
    lost = {writer: {c.session.id for c in conflicts} for writer, conflicts in results}
    for i in range(20):
        found = await kit.read(f"s{i:02}")
        winners = [writer for writer, ids in lost.items() if found.id not in ids]
        expect_same(winners, [found.context["writer"]], f"who wrote {found.id}")


@add_property(_IMPORT, "insert each session as it is where its id is free", SupportsImportMany)
async def importing(kit: Kit) -> None:
    """Sessions are stored with their times; those whose ids are taken stay as they are."""
    expect_same(list(await kit.storage.import_many([])), [], "importing nothing")
    await kit.save_new("taken", context={"who": "first"})
    created, updated = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 6, 1, 1, 2, 3, 4, UTC)

    def old(name: str) -> Session:
        text = b'{"data":{"who":"old","n":1.10},"chat_history":{"messages":[],"max_messages":1000}}'
        return stored_session(kit.id(name), "g", "t", "s", text, 7, created, updated)

    taken = await kit.storage.import_many([old("a"), old("taken"), old("b")])
    expect_same(list(taken), [kit.id("taken")], "the ids that were taken")
    expect_same((await kit.read("taken")).context["who"], "first", "what was there")
    found = await kit.read("b")
    expect_same((found.created_at, found.updated_at), (created, updated), "its times")
    expect_same((found.graph_id, found.status_message), ("g", "s"), "its fields")
    expect_same_json(found.context_json(), old("b").context_json(), "its context")
    await kit.storage.save(found)
    expect_same(found.created_at, created, "created_at after a save")
    await expect_error(
        kit.storage.import_many([old("c"), old("c")]), StorageError, "a batch with an id twice"
    )
    expect_same(await kit.storage.get(kit.id("c")), None, "what a refused batch stored")
