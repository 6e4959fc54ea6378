"""The suite itself: each property can fail, and the report says what fails and what it takes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.model import mark_saved
from graphflow_nb.testing import PROPERTIES, Deviation, Traits, check

OPTIONAL = {"outages_pass"}


class Broken(g.InMemorySessionStorage):
    """Shares its data with those opened later; what is wrong with it is told by its subclass."""

    def __init__(self) -> None:
        super().__init__()
        self.open = True


def failing(storage: type, only: Sequence[str] = (), **traits: Any) -> set[str]:
    """The properties that fail."""
    report = check(storage, traits=Traits(**traits))
    failed = {f.prop.name for f in report.findings if f.outcome == "fails"}
    assert report.ok is not bool(failed)
    return failed


def test_nothing_fails_in_memory():
    report = check(g.InMemorySessionStorage)
    assert report.ok
    missing = {f.prop.name for f in report.findings if f.outcome == "missing"}
    assert missing == OPTIONAL


class RaisesForAbsence(Broken):
    async def get(self, id):
        found = await super().get(id)
        if found is None:
            raise g.SessionNotFound(id)
        return found


class RaisesKeyError(Broken):
    async def delete(self, id):
        if id not in self._rows:
            raise KeyError(id)
        await super().delete(id)


class LosesTheStatus(Broken):
    async def save(self, session):
        status, session.status_message = session.status_message, None
        try:
            await super().save(session)
        finally:
            session.status_message = status


class PlainJson(Broken):
    """json.loads and json.dumps on the way: digits and unknown members are lost."""

    async def save(self, session):
        whole = json.loads(session.context_json())
        data = {"data": whole.get("data", {}), "chat_history": whole.get("chat_history", {})}
        twin = copy(session)
        twin._context = json.dumps(data)
        twin.extra = None
        await super().save(twin)
        mark_saved(session, twin.version, twin.raw_created, twin.raw_updated)


class CutsLongTexts(Broken):
    async def save(self, session):
        if len(session.context_json()) > 60_000:
            raise g.StorageError("too long")
        await super().save(session)


class Merges(Broken):
    async def save(self, session):
        old = await self.get(session.id)
        if old is not None:
            for key in old.context:
                session.context.setdefault(key, old.context[key])
        await super().save(session)


class Aliases(Broken):
    def __init__(self):
        super().__init__()
        self.objects = {}

    async def save(self, session):
        await super().save(session)
        self.objects[session.id] = session

    async def get(self, id):
        found = await super().get(id)
        return self.objects.get(id, found) if found is not None else None


class MixesCases(Broken):
    async def save(self, session):
        id, session.id = session.id, session.id.lower()
        try:
            await super().save(session)
        finally:
            session.id = id

    async def get(self, id):
        return await super().get(id.lower() if isinstance(id, str) else id)

    async def delete(self, id):
        await super().delete(id.lower() if isinstance(id, str) else id)


class LastWriteWins(Broken):
    async def save(self, session):
        await self.upsert(session)


class ComparesTooEarly(Broken):
    """Looks, waits, and writes whatever was saved in between."""

    suspends = True

    async def save(self, session):
        row = self._rows.get(session.id)
        if (row is None) is not session.is_new or (row and row.version != session.version):
            raise g.SessionConflict(session, await self.get(session.id))
        await asyncio.sleep(0.001)
        await self.upsert(session)


class NeverCounts(Broken):
    async def save(self, session):
        version = session.version
        await super().save(session)
        session.version = version
        row = self._rows[session.id]
        self._rows[session.id] = row._replace(version=version)


class ComparesVersionsAlone(Broken):
    async def save(self, session):
        twin = copy(session)
        twin.raw_created = None
        await super().save(twin)
        mark_saved(session, twin.version, twin.raw_created, twin.raw_updated)


class ChecksNothing(Broken):
    async def get(self, id):
        return await super().get(id) if isinstance(id, str) and id.isascii() else None

    async def delete(self, id):
        if isinstance(id, str) and id.isascii():
            await super().delete(id)


class ReplacesOddTexts(Broken):
    async def save(self, session):
        if session.status_message:
            session.status_message = session.status_message.replace("\0", "")
        await super().save(session)


class WritesInTwoSteps(Broken):
    suspends = True

    async def save(self, session):
        twin = copy(session)
        text = twin.context.get("text")
        if text is not None and not twin.is_new:
            half = copy(session)
            half.context["text"] = text[:10]
            await super().save(half)
            await asyncio.sleep(0.001)
            twin.version, twin.raw_created = half.version, half.raw_created
        await super().save(twin)
        mark_saved(session, twin.version, twin.raw_created, twin.raw_updated)


class BelongsToOneLoop(Broken):
    suspends = True

    def __init__(self):
        super().__init__()
        self.loop = asyncio.get_running_loop() if asyncio._get_running_loop() else None

    async def get(self, id):
        if asyncio.get_running_loop() is not self.loop:
            raise RuntimeError("got Future attached to a different loop")
        return await super().get(id)


class ClosesOnce(Broken):
    async def close(self):
        if not self.open:
            raise g.StorageError("closed already")
        self.open = False


class TellsNoTimes(Broken):
    async def save(self, session):
        await super().save(session)
        session.raw_created = session.raw_updated = None

    async def get(self, id):
        found = await super().get(id)
        if found is not None:
            found.raw_created = found.raw_updated = None
        return found


class IgnoresTheTask(Broken):
    def _matching(self, query):
        return super()._matching(replace(query, task=None))


class IncludesUntil(Broken):
    def _matching(self, query):
        from datetime import timedelta

        for name in ("updated_until", "created_until"):
            if (until := getattr(query, name)) is not None:
                query = replace(query, **{name: until + timedelta(microseconds=1)})
        return super()._matching(query)


class PagesByNumber(Broken):
    """OFFSET: what is deleted in front makes it skip."""

    def __init__(self):
        super().__init__()
        self.shown = 0

    async def table(self, query, context=()):
        whole = await super().table(replace(query, limit=None, after=None), context)
        start = 0 if query.after is None else self.shown
        ids = list(whole.id)[start : start + (query.limit or len(whole))]
        self.shown = start + len(ids)
        part = await super().table(replace(query, ids=ids, limit=None, after=None), context)
        more = self.shown < len(whole)
        part.next = g.Cursor(query.order, ids[-1] if ids else "") if more and ids else None
        return part


class PagesByTimeAlone(Broken):
    async def table(self, query, context=()):
        if query.after is None or query.after.time is None:
            return await super().table(query, context)
        edge = {"updated_at": "updated", "created_at": "created"}[query.order_by]
        name = f"{edge}_until" if query.descending else f"{edge}_since"
        return await super().table(replace(query, after=None, **{name: query.after.time}), context)


class NoContextColumns(Broken):
    async def table(self, query, context=()):
        table = await super().table(query, context)
        table.context = [[None] * len(table) for _ in context]
        return table


class NeverEmpty(Broken):
    async def count(self, query):
        return max(1, await super().count(query))


class CountsByGraph(Broken):
    async def counts(self, query):
        return (await super().counts(query))[:1]


class ListsWellFormed(Broken):
    async def table(self, query, context=()):
        table = await super().table(query, context)
        keep = [id for id in table.id if "malformed" not in id]
        return await super().table(replace(query, ids=keep), context)


class UpsertsQuietly(Broken):
    async def upsert(self, session):
        old = self._rows.get(session.id)
        await super().upsert(session)
        if old is not None:
            self._rows[session.id] = self._rows[session.id]._replace(version=old.version)


class SaysAllWereDeleted(Broken):
    async def delete_many(self, ids, versions=None):
        await super().delete_many(ids, versions)
        return list(ids)


class DeletesAnyVersion(Broken):
    async def delete_many(self, ids, versions=None):
        return await super().delete_many(ids)


class RestoresTheVersion(Broken):
    async def restore(self, session):
        await super().restore(session)
        row = self._rows[session.id]
        self._rows[session.id] = row._replace(version=row.version - 1)
        session.version -= 1


class StopsAtAConflict(Broken):
    async def save_many(self, sessions):
        conflicts = []
        for session in sessions:
            try:
                await self.save(session)
            except g.SessionConflict as conflict:
                return [*conflicts, conflict]
        return conflicts


class UpsertsMany(Broken):
    async def save_many(self, sessions):
        for session in sessions:
            await self.upsert(session)
            await asyncio.sleep(0)
        return []


class CutsBatches(Broken):
    async def save_many(self, sessions):
        return await super().save_many(sessions[:1000])


class ImportsAnew(Broken):
    async def import_many(self, sessions):
        taken = []
        for session in sessions:
            try:
                await self.save(session.copy())
            except g.SessionConflict:
                taken.append(session.id)
        return taken


def outage_of(storage: Any) -> Any:
    class Outage:
        async def __aenter__(self) -> None:
            storage.down = True

        async def __aexit__(self, *_: object) -> None:
            storage.down = storage.dead

    return Outage


class Mortal(Broken):
    """Out of reach while it is down, and for ever if it is dead."""

    down = dead = False

    async def get(self, id):
        if type(self).down:
            raise g.StorageError("out of reach")
        return await super().get(id)

    async def save(self, session):
        if type(self).down:
            raise g.StorageError("out of reach")
        await super().save(session)

    async def delete(self, id):
        if type(self).down:
            raise g.StorageError("out of reach")
        await super().delete(id)


MUTANTS = {
    RaisesForAbsence: {"absence"},
    RaisesKeyError: {"absence"},
    LosesTheStatus: {"round_trip"},
    PlainJson: {"numbers", "unknown_members", "members_of_the_session"},
    CutsLongTexts: {"sizes"},
    Merges: {"overwriting_replaces_all"},
    Aliases: {"nothing_is_aliased"},
    MixesCases: {"ids_are_apart"},
    LastWriteWins: {
        "a_taken_id_conflicts",
        "a_lost_race_conflicts",
        "the_deleted_stays_deleted",
    },
    ComparesTooEarly: {
        "of_many_writers_none_is_lost",
        "one_is_created_in_a_race",
        "deleting_races_saving",
    },
    NeverCounts: {"versions_grow"},
    ComparesVersionsAlone: {"the_remade_is_another"},
    ChecksNothing: {"what_no_store_can_hold_is_refused"},
    ReplacesOddTexts: {"odd_texts_come_back_or_are_refused"},
    WritesInTwoSteps: {"cancellation_leaves_all_or_nothing"},
    BelongsToOneLoop: {"two_threads_and_two_loops"},
    ClosesOnce: {"closing"},
    TellsNoTimes: {"times_are_told"},
    IgnoresTheTask: {"filters"},
    IncludesUntil: {"times_filter"},
    PagesByNumber: {"pages_while_others_write"},
    PagesByTimeAlone: {"order_and_pages", "pages_of_equal_times"},
    NoContextColumns: {"columns_of_a_table"},
    NeverEmpty: {"an_empty_store"},
    CountsByGraph: {"counts_by_task"},
    ListsWellFormed: {"odd_values_are_listed"},
    UpsertsQuietly: {"upsert_overwrites"},
    SaysAllWereDeleted: {"deleting_many"},
    DeletesAnyVersion: {"deleting_unchanged"},
    RestoresTheVersion: {"restoring"},
    StopsAtAConflict: {"saving_many", "batches_are_checked_first"},
    UpsertsMany: {"batches_in_a_race"},
    CutsBatches: {"a_large_batch"},
    ImportsAnew: {"importing"},
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_what_is_broken_is_found(mutant):
    assert failing(mutant) >= MUTANTS[mutant]


def test_data_of_its_own_are_found():
    report = check(g.InMemorySessionStorage, reopen=lambda _: g.InMemorySessionStorage())
    failed = {f.prop.name for f in report.findings if f.outcome == "fails"}
    assert "others_see_it" in failed


def test_what_does_not_recover_is_found():
    class Dead(Mortal):
        dead = True

    class Foreign(Mortal):
        async def delete(self, id):
            if type(self).down:
                raise OSError("connection refused")
            await super().delete(id)

    (prop,) = (prop for prop in PROPERTIES if prop.name == "outages_pass")
    for kind, told in ((Dead, "does not work again"), (Foreign, "OSError")):
        storage = kind()
        with pytest.raises(Deviation, match=told):
            asyncio.run(prop.hold(lambda s=storage: s, Traits(outage=outage_of(kind))))
    good = Mortal()
    asyncio.run(prop.hold(lambda: good, Traits(outage=outage_of(Mortal))))


def test_every_property_can_fail():
    can = set().union(*MUTANTS.values()) | {"others_see_it", "outages_pass"}
    assert {prop.name for prop in PROPERTIES} == can


def test_the_report():
    class Folder(LastWriteWins):
        table = None

    report = check(Folder)
    text = str(report)
    assert text.startswith("Folder: ")
    assert "✗ A new session never replaces one that exists" in text
    assert "what it takes: under a lock" in text
    assert "add async def table(…)" in text
    html = report._repr_html_()
    assert "<table>" in html
    assert report.by_capability()["save, get, delete"][0].outcome == "holds"


def test_the_report_escapes():
    class Evil(Broken):
        async def get(self, id):
            raise g.StorageError("<script>alert(1)</script>")

    assert "<script>" not in check(Evil)._repr_html_()


def test_a_factory_that_fails():
    def factory():
        raise OSError("no such folder")

    with pytest.raises(OSError, match="no such folder"):
        check(factory)


def test_a_coroutine_function_as_factory():
    async def factory():
        return g.InMemorySessionStorage()

    assert check(factory).ok


def test_what_was_announced_fails_still():
    report = check(LastWriteWins, traits=Traits(cannot={"a_lost_race_conflicts": "by design"}))
    (finding,) = (f for f in report.findings if f.prop.name == "a_lost_race_conflicts")
    assert finding.outcome == "fails"
    assert "as was said: by design" in finding.detail
