"""Broken storages, each of which fails the properties of safety that it breaks."""

from __future__ import annotations

import asyncio
from copy import copy
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.storage import mark_saved
from graphflow_nb.testing import PROPERTIES, Deviation, Traits, safety

from .kit import Broken, find_failing, properties_of


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
    assert properties_of(safety) == set().union(*MUTANTS.values()) | {"outages_pass"}


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


def test_what_does_not_recover_is_found(monkeypatch):
    monkeypatch.setattr(safety, "RECOVERY", 0.1)

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
