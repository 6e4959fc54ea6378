"""Broken storages, each of which fails the properties of compare-and-swap that it breaks."""

from __future__ import annotations

import asyncio
from copy import copy

import pytest

import graphflow_nb as g
from graphflow_nb.storage import mark_saved
from graphflow_nb.testing import conflicts

from .kit import Broken, find_failing, properties_of


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


MUTANTS = {
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
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_what_is_broken_is_found(mutant):
    assert find_failing(mutant, MUTANTS[mutant]) == MUTANTS[mutant]


def test_every_property_can_fail():
    assert properties_of(conflicts) == set().union(*MUTANTS.values())
