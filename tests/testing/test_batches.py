"""Broken storages, each of which fails the properties of batches that it breaks."""

from __future__ import annotations

import asyncio

import pytest

import graphflow_nb as g
from graphflow_nb.testing import batches

from .kit import Broken, find_failing, properties_of


class UpsertsQuietly(Broken):
    async def upsert(self, session):
        old = self._rows.get(session.id)
        await super().upsert(session)
        if old is not None:
            self._rows[session.id] = self._rows[session.id]._replace(
                version=old.version, seen=old.seen
            )


class SaysAllWereDeleted(Broken):
    async def delete_many(self, ids, versions=None):
        await super().delete_many(ids, versions)
        return list(ids)


class DeletesAnyVersion(Broken):
    async def delete_many(self, ids, versions=None):
        return await super().delete_many(ids)


class DeletesWhatWasRecreated(Broken):
    async def delete_unchanged(self, sessions):
        return await self.delete_many([s.id for s in sessions], [s.version for s in sessions])


class RestoresTheVersion(Broken):
    async def restore(self, session):
        await super().restore(session)
        row = self._rows[session.id]
        self._rows[session.id] = row._replace(version=row.version - 1)
        session.version -= 1


class RestoresOverOthers(Broken):
    async def restore_many(self, sessions):
        for session in sessions:
            await self.upsert(session)
        return []


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


MUTANTS = {
    UpsertsQuietly: {"upsert_overwrites"},
    SaysAllWereDeleted: {"deleting_many"},
    DeletesAnyVersion: {"deleting_unchanged"},
    DeletesWhatWasRecreated: {"deleting_what_was_read"},
    RestoresTheVersion: {"restoring", "restoring_many"},
    RestoresOverOthers: {"restoring_many"},
    StopsAtAConflict: {"saving_many", "batches_are_checked_first"},
    UpsertsMany: {"batches_in_a_race"},
    CutsBatches: {"a_large_batch"},
    ImportsAnew: {"importing"},
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_what_is_broken_is_found(mutant):
    assert find_failing(mutant, MUTANTS[mutant]) == MUTANTS[mutant]


def test_every_property_can_fail():
    assert properties_of(batches) == set().union(*MUTANTS.values())
