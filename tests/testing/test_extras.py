"""Storages that break what they offer to tools fail the properties of it."""

from __future__ import annotations

import asyncio

import pytest

import graphflow_nb as g
from graphflow_nb.storage import Migration, StoreFacts
from graphflow_nb.storage.chats import Chat
from graphflow_nb.testing import Traits, extras

from .kit import Broken, find_failing, properties_of


class Offers(Broken):
    """All that a storage may offer to tools, without a fault."""

    def __init__(self):
        super().__init__()
        self.left = ("ALTER",)
        self.triggered = False
        self.watchers = []

    async def estimate(self):
        return 1_000

    async def chats(self, query):
        talking = [s for s in await self.query(query) if len(s.context.chat_history)]
        return [Chat(s.id, s.context_json()) for s in talking]

    async def split(self, parts):
        ids = (await self.table(g.Query(order="id"))).id
        return [ids[len(ids) * n // parts] for n in range(1, parts)]

    async def slow_orders(self):
        return {"created_at": "an index on created_at makes it quick"}

    async def plan_migration(self):
        return Migration("shelf", self.left)

    async def migrate(self):
        plan, self.left = await self.plan_migration(), ()
        return plan

    async def plan_trigger(self):
        return Migration("shelf", ("CREATE TRIGGER",))

    async def install_trigger(self):
        self.triggered = True
        return await self.plan_trigger()

    async def remove_trigger(self):
        self.triggered = False
        return await self.plan_trigger()

    async def build_index(self):
        return await self.count(g.Query())

    async def drop_index(self):
        pass

    async def save(self, session):
        await super().save(session)
        for report in self.watchers:
            report(session.id)

    async def watch(self, on_change, on_state):
        self.watchers.append(on_change)
        on_state(True)
        try:
            await asyncio.Event().wait()
        finally:
            self.watchers.remove(on_change)


class ShowsNothing(Broken):
    async def raw(self, id):
        return {}


class ShowsTheUnknown(Broken):
    async def raw(self, id):
        return await super().raw(id) or {"id": id}


class FactsAreText(Broken):
    async def facts(self):
        return "all is well"


class FactsOfAnother(Broken):
    async def facts(self):
        return StoreFacts(place="elsewhere")


class FactsWrite(Broken):
    async def facts(self):
        for session in await self.query(g.Query()):
            await self.save(session)
        return StoreFacts(place=self.place)


class EstimatesInWords(Offers):
    async def estimate(self):
        return "many"


class SilentChats(Offers):
    async def chats(self, query):
        return [Chat(s.id, s.context_json()) for s in await self.query(query)]


class SnapshotsThatMove(Broken):
    async def snapshot(self):
        return g.ReadOnlyStorage(self)


class SnapshotsThatTakeWrites(Broken):
    async def snapshot(self):
        return (await super().snapshot()).inner


class SplitsUnevenly(Offers):
    async def split(self, parts):
        return (await self.table(g.Query(order="id", limit=parts - 1))).id


class OverviewOfOne(Broken):
    async def overview(self, now, *, exact=False):
        first = (await self.query(g.Query()))[:1]
        return await g.InMemorySessionStorage.from_sessions(first).overview(now, exact=exact)


class SlowByColour(Offers):
    async def slow_orders(self):
        return {"colour": "paint it"}


class SlowForNoReason(Offers):
    async def slow_orders(self):
        return {"created_at": ""}


class PlansByDoing(Offers):
    async def plan_migration(self):
        plan, self.left = Migration("shelf", self.left), ()
        return plan


class MigratesAgain(Offers):
    async def migrate(self):
        return await self.plan_migration()


class MigratesAway(Offers):
    async def migrate(self):
        for session in await self.query(g.Query()):
            session.context.clear()
            await self.save(session)
        return await super().migrate()


class TriggersNothing(Offers):
    async def plan_trigger(self):
        return Migration("shelf", ())


class TriggersAtOnce(Offers):
    async def install_trigger(self):
        for session in await self.query(g.Query()):
            await self.save(session)
        return await super().install_trigger()


class IndexesOne(Offers):
    async def build_index(self):
        return 1


class DropsSessions(Offers):
    async def drop_index(self):
        await self.delete("b")


class WatchesTheWall(Offers):
    async def watch(self, on_change, on_state):
        on_state(True)
        await asyncio.Event().wait()


class SaysNotThatItWatches(Offers):
    async def watch(self, on_change, on_state):
        await asyncio.Event().wait()


class Announces(Offers):
    """Returns at once, since nothing is announced here."""

    async def watch(self, on_change, on_state):
        return


TRAITS = Traits()
MUTANTS = {
    ShowsNothing: {"what_is_stored_is_shown"},
    ShowsTheUnknown: {"what_is_stored_is_shown"},
    FactsAreText: {"facts_are_those_of_the_store"},
    FactsOfAnother: {"facts_are_those_of_the_store"},
    FactsWrite: {"facts_are_those_of_the_store"},
    EstimatesInWords: {"an_estimate_is_a_number"},
    SilentChats: {"chats_have_messages"},
    SnapshotsThatMove: {"a_snapshot_stays_as_it_was"},
    SnapshotsThatTakeWrites: {"a_snapshot_stays_as_it_was"},
    SplitsUnevenly: {"a_split_divides_all"},
    OverviewOfOne: {"an_overview_counts_each_session"},
    SlowByColour: {"slow_orders_are_orders"},
    SlowForNoReason: {"slow_orders_are_orders"},
    PlansByDoing: {"migrating_loses_nothing"},
    MigratesAgain: {"migrating_loses_nothing"},
    MigratesAway: {"migrating_loses_nothing"},
    TriggersNothing: {"a_trigger_changes_no_session"},
    TriggersAtOnce: {"a_trigger_changes_no_session"},
    IndexesOne: {"an_index_changes_no_answer"},
    DropsSessions: {"an_index_changes_no_answer"},
    WatchesTheWall: {"watching_reports_changes"},
    SaysNotThatItWatches: {"watching_reports_changes"},
}
GOOD = {Offers: properties_of(extras), Announces: {"watching_reports_changes"}}


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Changes are reported at once here, so what is not reported is known soon."""
    monkeypatch.setattr(extras, "SOON", 0.2)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_what_is_broken_is_found(mutant):
    assert find_failing(mutant, MUTANTS[mutant], TRAITS) == MUTANTS[mutant]


def test_every_property_can_fail():
    assert properties_of(extras) == set().union(*MUTANTS.values())


@pytest.mark.parametrize("good", GOOD, ids=lambda good: good.__name__)
def test_what_is_right_passes(good):
    assert not find_failing(good, GOOD[good], TRAITS)
