"""Storages that describe themselves wrongly fail the properties of attributes."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

import graphflow_nb as g
from graphflow_nb.storage import Address
from graphflow_nb.storage.trace import current
from graphflow_nb.testing import Traits, attributes

from .kit import Broken, find_failing, properties_of


class WaitsQuietly(Broken):
    async def get(self, id):
        await asyncio.sleep(0)
        return await super().get(id)


class ReportsNoPhases(Broken):
    phases = True


class ReportsOddPhases(Broken):
    phases = True

    async def save(self, session):
        await super().save(session)
        current().lap("think")

    async def get(self, id):
        current().lap("execute")
        return await super().get(id)


class HidesPhases(ReportsOddPhases):
    phases = False


class NamesAnotherLoop(Broken):
    loop = asyncio.new_event_loop()
    loop.close()


class CountsPlaces(Broken):
    numbers = count()

    @property
    def place(self):
        return f"shelf {next(self.numbers)}"


class PlaceIsNoText(Broken):
    place = 7


class NumbersItself(Broken):
    numbers = count()

    @property
    def identity(self):
        return f"shelf {next(self.numbers)}"

    @identity.setter
    def identity(self, _):
        """Ignore what memory calls itself."""


class ForgetsOrigins(Broken):
    async def save(self, session):
        session.seen = session.raw_created = None
        await super().save(session)


class AddressIsText(Broken):
    address = "shelf"


class Shouts(Broken):
    address = Address("SHELF")


class SaysNoVersion(Broken):
    server_version = "the newest"


class ListsLimits(Broken):
    limits = ("a statement after 32 s",)


class DeletesForGood(Broken):
    no_restore = "this user lacks INSERT"


class TakesWrites(Broken):
    """Opened for reading only it says so, and takes writes."""


class RefusesAll(Broken):
    """Says that it is read-only, and is used for writing."""

    read_only = True


class ForgetsBatches(Broken):
    """Opened for reading only it refuses saves, but not batches."""


class SaysNothing(Broken):
    """Opened for reading only it refuses writes, but does not say so."""


class WritesOneByOne(Broken):
    suspends = True

    async def save_many(self, sessions):
        for session in sessions:
            await self.save(session)
            await asyncio.sleep(0)
        return []


class Twin(g.InMemorySessionStorage):
    """Another storage on the same data."""

    def __init__(self, storage):
        super().__init__()
        self.__dict__.update(storage.__dict__)


class Reader(Twin):
    read_only = True

    async def refuse(self, *_):
        raise g.ReadOnlyError("opened for reading only: nothing was written")

    save = delete = upsert = save_many = import_many = restore = restore_many = refuse
    delete_many = delete_unchanged = refuse


def open_read_only(storage):
    reader = Reader(storage)
    if isinstance(storage, TakesWrites):
        reader = Twin(storage)
        reader.read_only = True
    elif isinstance(storage, ForgetsBatches):
        reader.save_many = storage.save_many
    elif isinstance(storage, SaysNothing):
        reader.read_only = False
    return reader


TRAITS = Traits(open_read_only=open_read_only)
MUTANTS = {
    WaitsQuietly: {"suspends_is_true"},
    ReportsNoPhases: {"phases_are_reported"},
    ReportsOddPhases: {"phases_are_reported"},
    HidesPhases: {"phases_are_reported"},
    NamesAnotherLoop: {"loop_is_where_it_was_opened"},
    CountsPlaces: {"place_is_that_of_the_data"},
    PlaceIsNoText: {"place_is_that_of_the_data"},
    NumbersItself: {"identity_is_that_of_the_data", "another_store_overwrites_nothing"},
    ForgetsOrigins: {"another_store_overwrites_nothing"},
    AddressIsText: {"address_names_the_database"},
    Shouts: {"address_names_the_database"},
    SaysNoVersion: {"server_version_has_a_number"},
    ListsLimits: {"limits_are_a_line_of_text"},
    DeletesForGood: {"what_is_deleted_can_be_put_back"},
    TakesWrites: {"read_only_refuses_writes"},
    RefusesAll: {"read_only_refuses_writes"},
    ForgetsBatches: {"read_only_refuses_writes"},
    SaysNothing: {"read_only_refuses_writes"},
    WritesOneByOne: {"atomic_batches_are_whole"},
}


class Honest(WritesOneByOne):
    """Says what it does."""

    atomic_batches = False
    phases = True
    loop = None
    server_version = "Shelf 2.1"
    limits = "the shelf ends what runs for an hour"
    no_restore = ""

    async def save(self, session):
        await super().save(session)
        current().lap("execute")

    async def get(self, id):
        await asyncio.sleep(0)
        current().lap("wait")
        return await super().get(id)


GOOD = {Honest: properties_of(attributes)}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_what_is_broken_is_found(mutant):
    assert find_failing(mutant, MUTANTS[mutant], TRAITS) == MUTANTS[mutant]


def test_every_property_can_fail():
    assert properties_of(attributes) == set().union(*MUTANTS.values())


@pytest.mark.parametrize("good", GOOD, ids=lambda good: good.__name__)
def test_what_is_right_passes(good):
    assert not find_failing(good, GOOD[good], TRAITS)
