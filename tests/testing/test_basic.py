"""Broken storages, each of which fails the properties of save, get and delete that it breaks."""

from __future__ import annotations

import json

import pytest

import graphflow_nb as g
from graphflow_nb.storage import mark_saved
from graphflow_nb.testing import basic, check

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


MUTANTS = {
    RaisesForAbsence: {"absence"},
    RaisesKeyError: {"absence"},
    LosesTheStatus: {"round_trip"},
    PlainJson: {"numbers", "unknown_members", "members_of_the_session"},
    CutsLongTexts: {"sizes"},
    Merges: {"overwriting_replaces_all"},
    Aliases: {"nothing_is_aliased"},
    MixesCases: {"ids_are_apart"},
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_what_is_broken_is_found(mutant):
    assert find_failing(mutant, MUTANTS[mutant]) == MUTANTS[mutant]


def test_every_property_can_fail():
    assert properties_of(basic) == set().union(*MUTANTS.values()) | {"others_see_it"}


def test_data_of_its_own_are_found():
    report = check(g.InMemorySessionStorage, reopen=lambda _: g.InMemorySessionStorage())
    failed = {f.prop.name for f in report.findings if f.outcome == "fails"}
    assert "others_see_it" in failed
