"""Broken storages that lose an update only where writers really run at the same time."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.testing import Traits, check, races
from graphflow_nb.testing.kit import NotTested

from ..scope import only_complete
from .kit import Broken, find_failing, properties_of


class ComparesWithoutALock(Broken):
    """Reads, compares and replaces, and never waits in between: on one loop it is right."""

    async def save(self, session: g.Session) -> None:
        stored = await self.get(session.id)
        version = 0 if stored is None else stored.version
        if version != session.version:
            raise g.SessionConflict(session, stored)
        await self.upsert(session)


class Shelf:
    """A session in a file each; what keeps two saves apart is told by its subclass."""

    def __init__(self, folder: Path):
        self.folder = folder

    def path(self, id: str) -> Path:
        return self.folder / f"{id}.json"

    async def get(self, id: str) -> g.Session | None:
        path = self.path(id)
        return g.Session.from_json(path.read_text()) if path.exists() else None

    async def delete(self, id: str) -> None:
        self.path(id).unlink(missing_ok=True)

    async def replace(self, session: g.Session) -> None:
        stored = await self.get(session.id)
        if (0 if stored is None else stored.version) != session.version:
            raise g.SessionConflict(session, stored)
        session.version += 1
        part = self.path(f"{session.id}-{threading.get_ident()}")
        part.write_text(session.to_json())
        part.replace(self.path(session.id))


class LocksThreads(Shelf):
    lock = threading.Lock()

    async def save(self, session: g.Session) -> None:
        with self.lock:
            await self.replace(session)


class LocksProcesses(Shelf):
    async def save(self, session: g.Session) -> None:
        import fcntl

        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            await self.replace(session)


class BelongsToOneThread(Broken):
    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.get_ident()

    async def get(self, id: str) -> g.Session | None:
        if threading.get_ident() != self.thread:
            raise g.BridgeError("this storage is for the thread that made it")
        return await super().get(id)


def elsewhere(storage: Any) -> Any:
    return partial(type(storage), storage.folder)


def test_threads_that_race_are_found():
    assert find_failing(ComparesWithoutALock, ["two_threads_race"]) == {"two_threads_race"}
    assert not find_failing(g.InMemorySessionStorage, ["two_threads_race"])


def test_the_writers_of_one_loop_do_not_find_it():
    assert not find_failing(ComparesWithoutALock, ["of_many_writers_none_is_lost"])


@only_complete
@pytest.mark.parametrize(
    ("kind", "failing"),
    [(LocksThreads, {"two_processes_race"}), (LocksProcesses, set())],
    ids=["of threads", "of processes"],
)
def test_processes_that_race_are_found(tmp_path, kind, failing):
    def make() -> Any:
        return kind(Path(mkdtemp(dir=tmp_path)))

    traits = Traits(open_elsewhere=elsewhere)
    assert find_failing(make, properties_of(races), traits) == failing


def test_every_property_can_fail():
    assert properties_of(races) == {"two_threads_race", "two_processes_race"}


def test_what_could_not_be_tested_is_said():
    report = check(g.InMemorySessionStorage)
    (finding,) = (f for f in report.findings if f.prop.name == "two_processes_race")
    assert finding.outcome == "untested"
    assert finding.detail.startswith("not tested: give traits=Traits(open_elsewhere=")
    assert report.ok
    assert "were not tested" in str(report).splitlines()[0]


def test_a_storage_of_one_thread_is_not_tested_for_a_race_of_threads():
    with pytest.raises(NotTested, match=r"does not serve two threads .*for the thread"):
        find_failing(BelongsToOneThread, ["two_threads_race"])


def test_what_can_not_be_sent_to_a_process_is_said(tmp_path):
    traits = Traits(open_elsewhere=lambda storage: lambda: storage)
    with pytest.raises(NotTested, match=r"functools\.partial"):
        find_failing(lambda: LocksProcesses(tmp_path), ["two_processes_race"], traits)
