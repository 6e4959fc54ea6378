"""The properties of the attributes by which a storage describes itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Final

from ..errors import ReadOnlyError, SessionConflict
from ..model import Session
from ..storage.address import Address
from ..storage.attributes import attributes_of
from ..storage.capabilities import CAPABILITIES
from ..storage.memory import InMemorySessionStorage
from ..storage.protocols import (
    SupportsCount,
    SupportsDeleteMany,
    SupportsDeleteUnchanged,
    SupportsImportMany,
    SupportsRestore,
    SupportsRestoreMany,
    SupportsSaveMany,
    SupportsTable,
    SupportsUpsert,
)
from ..storage.query import Query
from ..storage.trace import LISTENER, Phase
from .kit import Deviation, Kit, add_property, expect_error, expect_same

_ATTRIBUTES: Final = "attributes"
Call = Callable[[], Coroutine[Any, Any, Any]]
_PLACE: Final = "make it of what names the data, without user and password"


@add_property(
    _ATTRIBUTES,
    "set suspends = False only if no coroutine ever waits for the event loop",
    attribute="suspends",
)
async def suspends_is_true(kit: Kit) -> None:
    """A storage that says suspends = False never waits: each coroutine ends in one step."""
    if attributes_of(kit.storage).suspends:
        return
    storage, session = kit.storage, kit.new(context={"k": 1})
    calls: dict[str, Call] = {
        "save": lambda: storage.save(session),
        "get": lambda: storage.get(session.id),
        "get of an unknown id": lambda: storage.get(kit.id("nobody")),
    }
    if isinstance(storage, SupportsTable):
        calls["table"] = lambda: storage.table(Query())
    if isinstance(storage, SupportsSaveMany):
        calls["save_many"] = lambda: storage.save_many([kit.new("b"), kit.new("c")])
    calls["delete"] = lambda: storage.delete(session.id)
    for name, call in calls.items():
        coroutine = call()
        try:
            coroutine.send(None)
        except StopIteration:
            continue
        finally:
            coroutine.close()
        raise Deviation(f"{name} waits, although suspends is False")


class _Laps:
    """A listener that keeps the phases that are reported."""

    def __init__(self) -> None:
        self.phases: set[Phase] = set()

    def lap(self, phase: Phase, until: int | None = None) -> None:
        self.phases.add(phase)

    def size(self, bytes: int, rows: int) -> None:
        pass


@add_property(
    _ATTRIBUTES,
    "call graphflow_nb.storage.trace.current().lap(…) at the end of each phase, or set "
    "phases = False",
    attribute="phases",
)
async def phases_are_reported(kit: Kit) -> None:
    """A storage that says phases = True reports phases of a save and of a get, and no others."""
    wanted = attributes_of(kit.storage).phases
    session = kit.new(context={"k": 1})
    calls: dict[str, Call] = {
        "save": lambda: kit.storage.save(session),
        "get": lambda: kit.storage.get(session.id),
    }
    for name, call in calls.items():
        laps = _Laps()
        token = LISTENER.set(laps)
        try:
            await call()
        finally:
            LISTENER.reset(token)
        expect_same(bool(laps.phases), wanted, f"whether {name} reports phases")
        odd = laps.phases - {"wait", "encode", "execute", "decode"}
        expect_same(odd, set(), f"phases of {name} that do not exist")


@add_property(
    _ATTRIBUTES,
    "set it to the loop on which the storage was opened, or to None if any will do",
    attribute="loop",
)
async def loop_is_where_it_was_opened(kit: Kit) -> None:
    """The attribute loop is the event loop on which it was opened, or None."""
    loop = attributes_of(kit.storage).loop
    if loop not in (None, asyncio.get_running_loop()):
        raise Deviation(f"loop is {loop!r}, and not the loop on which the storage was opened")


@add_property(_ATTRIBUTES, _PLACE, attribute="place")
async def place_is_that_of_the_data(kit: Kit) -> None:
    """The attribute place is a text, and equal for two storages on the same data."""
    place = attributes_of(kit.storage).place
    expect_same(bool(place) and isinstance(kit.storage.place, str), True, "whether place is a text")
    other = await kit.reopen()
    expect_same(attributes_of(other).place, place, "place of another storage on the same data")
    await kit.save_new()
    expect_same(attributes_of(kit.storage).place, place, "place after a save")


@add_property(
    _ATTRIBUTES,
    "make it of what the store says of itself, and not of its URL",
    attribute="identity",
)
async def identity_is_that_of_the_data(kit: Kit) -> None:
    """The attribute identity is a text, and equal for two storages on the same data."""
    identity = kit.storage.identity
    expect_same(bool(identity) and isinstance(identity, str), True, "whether identity is a text")
    expect_same(attributes_of(await kit.reopen()).identity, identity, "identity on the same data")
    await kit.save_new()
    expect_same(kit.storage.identity, identity, "identity after a save")


@add_property(
    _ATTRIBUTES,
    "set session.seen in get and save, and compare it as storage.origin.is_as_read does",
    attribute="identity",
)
async def another_store_overwrites_nothing(kit: Kit) -> None:
    """A session of another store is saved only over one with its version and time of creation."""
    stored = await kit.save_new(status_message="stored")
    elsewhere = InMemorySessionStorage()
    other = kit.new(status_message="of another store")
    await elsewhere.save(other)
    other.version = stored.version
    assert other.seen is not None
    other.seen = other.seen._replace(version=stored.version)
    await expect_error(kit.storage.save(other), SessionConflict, "a save from another store")
    expect_same((await kit.read()).status_message, "stored", "what is stored")
    for session in (stored, await kit.read()):
        seen = None if session.seen is None else session.seen[:2]
        expect_same(seen, (kit.storage.identity, session.version), "what it remembers of its store")
    if stored.raw_created is not None:
        other.raw_created = stored.raw_created
        await kit.storage.save(other)


@add_property(_ATTRIBUTES, "return a graphflow_nb.storage.Address", attribute="address")
async def address_names_the_database(kit: Kit) -> None:
    """The attribute address is an Address, whose system is in lower case."""
    address = kit.storage.address
    if not isinstance(address, Address):
        raise Deviation(f"address is {address!r}, and should be a graphflow_nb.storage.Address")
    expect_same(address.system, address.system.lower(), "system")
    expect_same(attributes_of(await kit.reopen()).address, address, "address on the same data")


@add_property(
    _ATTRIBUTES,
    "set it to the product and version that the server reports, e.g. 'Redis 7.2.4'",
    attribute="server_version",
)
async def server_version_has_a_number(kit: Kit) -> None:
    """The attribute server_version names a version, as soon as the store was asked something."""
    await kit.save_new()
    version = attributes_of(kit.storage).server_version
    if version and not any(letter.isdigit() for letter in version):
        raise Deviation(f"server_version is {version!r}, without a number")


@add_property(
    _ATTRIBUTES,
    "set it to a text such as 'the server ends a statement after 32 s'",
    attribute="limits",
)
async def limits_are_a_line_of_text(kit: Kit) -> None:
    """The attribute limits is one line of text, as the card of the store shows it."""
    limits = getattr(kit.storage, "limits", "")
    if not isinstance(limits, str) or "\n" in limits:
        raise Deviation(f"limits is {limits!r}, not one line of text")


@add_property(
    _ATTRIBUTES,
    "leave it empty where the user may save new sessions",
    attribute="no_restore",
)
async def what_is_deleted_can_be_put_back(kit: Kit) -> None:
    """The attribute no_restore is empty where a new session can be saved."""
    await kit.save_new()
    if why := attributes_of(kit.storage).no_restore:
        raise Deviation(f"no_restore is {why!r}, and yet a new session was saved")


# Reading only


def _writes(kit: Kit, storage: Any, stored: Session) -> Iterator[tuple[str, Awaitable[Any]]]:
    yield "save of a new session", storage.save(kit.new("new"))
    yield "save", storage.save(stored)
    yield "delete", storage.delete(stored.id)
    if isinstance(storage, SupportsUpsert):
        yield "upsert", storage.upsert(kit.new("new"))
    if isinstance(storage, SupportsSaveMany):
        yield "save_many", storage.save_many([kit.new("new")])
    if isinstance(storage, SupportsImportMany):
        yield "import_many", storage.import_many([kit.new("new")])
    if isinstance(storage, SupportsDeleteMany):
        yield "delete_many", storage.delete_many([stored.id])
    if isinstance(storage, SupportsDeleteUnchanged):
        yield "delete_unchanged", storage.delete_unchanged([stored])
    if isinstance(storage, SupportsRestore):
        yield "restore", storage.restore(kit.new("new"))
    if isinstance(storage, SupportsRestoreMany):
        yield "restore_many", storage.restore_many([kit.new("new")])
    for capability in CAPABILITIES:
        if isinstance(storage, capability.protocol):
            # Those that take no session, on the store itself.
            for name in set(capability.writes) & _STORE_WRITES:
                yield name, getattr(storage, name)()


_STORE_WRITES: Final = {
    "migrate",
    "install_trigger",
    "remove_trigger",
    "build_index",
    "drop_index",
}


@add_property(
    _ATTRIBUTES,
    "raise ReadOnlyError before anything is sent, and set read_only = True",
    trait="open_read_only",
)
async def read_only_refuses_writes(kit: Kit) -> None:
    """Opened for reading only it says so, refuses every write with ReadOnlyError, and reads."""
    assert kit.traits.open_read_only is not None
    expect_same(attributes_of(kit.storage).read_only, False, "read_only of one that takes writes")
    session = await kit.save_new(context={"k": 1})
    reader = await kit.keep(kit.traits.open_read_only(kit.storage))
    expect_same(attributes_of(reader).read_only, True, "read_only of one opened for reading only")
    found = await reader.get(session.id)
    expect_same(found and dict(found.context), {"k": 1}, "what it reads")
    for name, call in _writes(kit, reader, found):
        await expect_error(call, ReadOnlyError, name)
    expect_same((await kit.read()).version, session.version, "the version of the stored session")
    expect_same(await kit.storage.get(kit.id("new")), None, "what a refused write stored")


# Batches


@add_property(
    _ATTRIBUTES,
    "write a batch in one transaction, or set atomic_batches = False",
    SupportsSaveMany,
    attribute="atomic_batches",
)
async def atomic_batches_are_whole(kit: Kit) -> None:
    """With atomic_batches = True, a batch that is cancelled is stored as a whole or not at all."""
    if not attributes_of(kit.storage).atomic_batches:
        return
    for turn in range(8):
        batch = [kit.new(f"{turn}s{i:03}", context={"text": "x" * 2000}) for i in range(200)]
        saving = asyncio.ensure_future(kit.storage.save_many(batch))
        await asyncio.sleep(turn * 0.002)
        saving.cancel()
        with suppress(asyncio.CancelledError):
            await saving
        there = await _count_when_settled(partial(_count, kit, batch))
        if there not in (0, len(batch)):
            raise Deviation(
                f"of a batch of {len(batch)} sessions that was cancelled {there} are stored, and "
                "should be all or none"
            )


async def _count(kit: Kit, batch: list[Session]) -> int:
    if isinstance(kit.storage, SupportsCount):
        return await kit.storage.count(Query(ids=[session.id for session in batch]))
    return sum([await kit.storage.get(session.id) is not None for session in batch])


async def _count_when_settled(count: Callable[[], Awaitable[int]]) -> int:
    """Return a count that stays the same: a server may still be at what was cancelled."""
    before = await count()
    while True:
        await asyncio.sleep(0.05)
        after = await count()
        if after == before:
            return after
        before = after
