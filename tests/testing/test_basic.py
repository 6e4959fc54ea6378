"""Broken storages, each of which fails the properties of save, get and delete that it breaks."""

from __future__ import annotations

import asyncio
import json
from copy import copy
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.storage import mark_saved
from graphflow_nb.testing import PROPERTIES, Deviation, Traits, basic, check

from .kit import Broken, find_failing, properties_of


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
        twin = session.with_context_json(json.dumps(data))
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

    loop = None

    async def save(self, session):
        self.loop = asyncio.get_running_loop()
        await super().save(session)

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
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_what_is_broken_is_found(mutant):
    assert find_failing(mutant, MUTANTS[mutant]) == MUTANTS[mutant]


def test_every_property_can_fail():
    assert properties_of(basic) == set().union(*MUTANTS.values()) | {
        "others_see_it",
        "outages_pass",
    }


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


def test_data_of_its_own_are_found():
    report = check(g.InMemorySessionStorage, reopen=lambda _: g.InMemorySessionStorage())
    failed = {f.prop.name for f in report.findings if f.outcome == "fails"}
    assert "others_see_it" in failed


def test_what_does_not_recover_is_found(monkeypatch):
    monkeypatch.setattr(basic, "RECOVERY", 0.1)

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
