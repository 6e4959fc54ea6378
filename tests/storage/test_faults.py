"""Faults of network and server under several writers, against a ledger of acknowledged writes.

Each session has one writer, so the ledger knows what may be stored: after an answer one state,
after an error the previous state or the one that was to be written. What is read later must be one
of these, and never a mixture. A write that was given up may still arrive a moment later: a save
only if nothing was written meanwhile, a delete in any case.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis

import graphflow_nb as g
from graphflow_nb import Query, Session, SessionConflict, StorageError
from graphflow_nb.storage.copying import copy

from ..scope import need, size
from ..servers import redis as redis_servers
from ..servers.postgres import folder_of
from ..servers.postgres import kill as kill_postgres
from ..servers.proxy import Proxy
from ..servers.redis import RedisServer

FAULTS = size(500, 40)  # for each of two stores
WRITERS = 4
TIMEOUT = 0.4  # seconds for one exchange with the server
# Waiting for a connection, making one and using it may each take that long; the rest is a machine
# that is busy starting servers.
LIMIT = 5.0
LATE = 1.0  # seconds for a write that was given up to arrive; the proxy holds nothing longer

State = str | None  # the mark of a content; None for no session


# The proxy itself


def start_echo_server() -> Any:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    return asyncio.start_server(echo, "127.0.0.1", 0)


def test_the_proxy_causes_each_fault_and_heals(run):
    async def work():
        server = await start_echo_server()
        with Proxy(server.sockets[0].getsockname()) as proxy:

            async def send(text: bytes, seconds: float = 5.0) -> bytes:
                reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
                try:
                    writer.write(text)
                    async with asyncio.timeout(seconds):
                        return await reader.readexactly(len(text))
                finally:
                    writer.transport.abort()

            assert await send(b"hello") == b"hello"
            proxy.stall()
            with pytest.raises(TimeoutError):
                await send(b"hello", 0.2)
            proxy.heal()
            assert await send(b"hello") == b"hello"
            proxy.refuse()
            with pytest.raises((OSError, asyncio.IncompleteReadError)):
                await send(b"hello")
            proxy.heal()
            proxy.cut_after(7)
            with pytest.raises((OSError, asyncio.IncompleteReadError)):
                await send(b"hello")
            proxy.heal()
            proxy.drip(1)
            assert await send(b"hello") == b"hello"
            proxy.heal()
            proxy.delay(0.2)
            with pytest.raises(TimeoutError):
                await send(b"hello", 0.1)
            proxy.heal()
            sending = asyncio.ensure_future(send(b"x" * 1_000_000))
            await asyncio.sleep(0.001)
            proxy.cut()
            await asyncio.gather(sending, return_exceptions=True)
            assert await send(b"hello") == b"hello"
        server.close()

    run(work())


# The campaign


@dataclass
class Target:
    """A server under test: how to reach it through a proxy and past it, and how it dies."""

    proxy: Proxy
    through: str
    direct: str
    kill: Callable[[], None]
    start: Callable[[], None]


@pytest.fixture
def postgres():
    with g.local_postgres() as server, Proxy(f"{folder_of(server.url)}/.s.PGSQL.5432") as proxy:

        def kill() -> None:
            kill_postgres(server, signal.SIGKILL)

        through = f"postgresql://postgres@127.0.0.1:{proxy.port}/postgres"
        yield Target(proxy, through, server.url, kill, server.start)


@pytest.fixture
def redis_target():
    program = redis_servers.find_server()
    need("redis-server", program is not None)
    with RedisServer(program) as server, Proxy(("127.0.0.1", server.port)) as proxy:
        yield Target(
            proxy, f"redis://127.0.0.1:{proxy.port}", server.url, server.kill, server.start
        )


@dataclass
class Ledger:
    """What each id may hold, and what happened so far."""

    possible: dict[str, set[State]] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    successes: int = 0
    late: dict[str, dict[State, float]] = field(default_factory=dict)
    batches: list[list[str]] = field(default_factory=list)

    def allowed(self, id: str) -> set[State]:
        """Return the states that may be stored under an id."""
        now = time.monotonic()
        late = {state for state, until in self.late.get(id, {}).items() if now < until}
        return self.possible.get(id, {None}) | late

    def check_read(self, id: str, session: Session | None) -> None:
        """Check a session that was read, after which no other state is allowed."""
        state = state_of(session)
        allowed = self.allowed(id)
        assert state in allowed, f"{id} is {state!r}, and could only be {allowed}"
        self.possible[id] = {state}

    def note_answer(self, id: str, state: State) -> None:
        """Note that a write was acknowledged."""
        self.possible[id] = {state}
        late = self.late.get(id, {})
        self.late[id] = {None: late[None]} if None in late else {}

    def note_error(self, id: str, state: State) -> None:
        """Note that a write raised, and may have been made."""
        self.possible[id] = self.possible.get(id, {None}) | {state}
        self.late.setdefault(id, {})[state] = time.monotonic() + LATE

    def check_batches(self) -> int:
        """Check that each batch is stored as a whole or not at all.

        Returns:
            The smaller of the numbers of whole batches and of absent ones.
        """
        kinds: Counter[bool] = Counter()
        for ids in self.batches:
            there = {self.possible[id] != {None} for id in ids}
            assert len(there) == 1, f"half a batch: { {id: self.possible[id] for id in ids} }"
            kinds[there.pop()] += 1
        return min(kinds[True], kinds[False])


def state_of(session: Session | None) -> State:
    """Return the state of a session, which each of its parts must have."""
    if session is None:
        return None
    parts = {session.status_message, session.current_task_id, session.context["state"]}
    parts.add(session.context["filler"][-12:].lstrip("."))
    assert len(parts) == 1, f"a mixture: {parts}"
    return session.status_message


def mark(session: Session, state: str, size: int = 20) -> None:
    """Put a state into each part of a session.

    Args:
        session: The session to change.
        state: The state.
        size: The length of a text in its context.
    """
    session.status_message = session.current_task_id = state
    session.context["state"] = state
    session.context["filler"] = state.rjust(size, ".")


class Writer:
    """A writer that works on ids of its own, and notes each call in the ledger."""

    def __init__(self, name: str, storage: Any, ledger: Ledger, rng: random.Random):
        self.name, self.storage, self.ledger, self.rng = name, storage, ledger, rng
        self.held: dict[str, Session] = {}
        self.n = 0
        # New sessions are written in one batch, whose ids are never used again.
        self.actions = [self.save, self.save, self.get, self.delete, self.delete_many]
        self.actions += [self.save_many, self.save_new, self.copy]

    async def write_until(self, stop: asyncio.Event) -> None:
        """Make one call after the other."""
        while not stop.is_set():
            action = self.rng.choice(self.actions)
            began = time.monotonic()
            try:
                async with asyncio.timeout(LIMIT):
                    await action()
            except StorageError as error:
                self.ledger.outcomes[type(error).__name__] += 1
            else:
                self.ledger.outcomes[action.__name__] += 1
                self.ledger.successes += 1
            self.ledger.longest = max(self.ledger.longest, time.monotonic() - began)
            await asyncio.sleep(0)

    def any_id(self) -> str:
        return f"{self.name}-{self.rng.randrange(8)}"

    def change(self, id: str) -> tuple[Session, str]:
        """Return a changed session with this id, and its state."""
        self.n += 1
        state = f"s{self.n}"
        session = self.held.pop(id, None) or Session(id, "new")
        mark(session, state, self.size())
        return session, state

    def size(self) -> int:
        return self.rng.choice((20, 2000, 60_000))

    async def save(self) -> None:
        id = self.any_id()
        session, state = self.change(id)
        try:
            await self.storage.save(session)
        except SessionConflict as conflict:
            self.take_stored(id, conflict)
        except StorageError:
            self.ledger.note_error(id, state)
            raise
        else:
            self.ledger.note_answer(id, state)
            self.held[id] = session

    def take_stored(self, id: str, conflict: SessionConflict) -> None:
        """Go on with the stored session of a conflict."""
        self.ledger.check_read(id, conflict.stored)
        if conflict.stored is not None:
            self.held[id] = conflict.stored

    async def get(self) -> None:
        id = self.any_id()
        found = await self.storage.get(id)
        self.ledger.check_read(id, found)
        self.held.pop(id, None)
        if found is not None:
            self.held[id] = found

    async def delete(self) -> None:
        id = self.any_id()
        self.held.pop(id, None)
        try:
            await self.storage.delete(id)
        except StorageError:
            self.ledger.note_error(id, None)
            raise
        self.ledger.note_answer(id, None)

    async def delete_many(self) -> None:
        ids = list({self.any_id() for _ in range(3)})
        for id in ids:
            self.held.pop(id, None)
        try:
            gone = await self.storage.delete_many(ids)
        except StorageError:
            for id in ids:
                self.ledger.note_error(id, None)
            raise
        for id in ids:
            if id not in gone:
                self.ledger.check_read(id, None)  # the answer says that there was none
            self.ledger.note_answer(id, None)

    async def save_many(self) -> None:
        batch = {id: self.change(id) for id in {self.any_id() for _ in range(4)}}
        try:
            conflicts = await self.storage.save_many([session for session, _ in batch.values()])
        except StorageError:
            for id, (_, state) in batch.items():
                self.ledger.note_error(id, state)
            raise
        left_out = {conflict.session.id: conflict for conflict in conflicts}
        for id, (session, state) in batch.items():
            if id in left_out:
                self.take_stored(id, left_out[id])
            else:
                self.ledger.note_answer(id, state)
                self.held[id] = session

    def create_batch(self, first: int = 0) -> tuple[list[Session], str]:
        """Return new sessions that only one batch will write, and their state.

        Args:
            first: The number of sessions in front that are written before it.
        """
        self.n += 1
        state = f"n{self.n}"
        sessions = [Session(f"{self.name}-new-{self.n}-{i}", "new") for i in range(5)]
        for session in sessions:
            mark(session, state, self.size())
            self.ledger.note_error(session.id, state)
        self.ledger.batches.append([session.id for session in sessions[first:]])
        return sessions, state

    async def save_new(self) -> None:
        sessions, state = self.create_batch()
        assert await self.storage.save_many(sessions) == []
        for session in sessions:
            self.ledger.note_answer(session.id, state)

    async def copy(self) -> None:
        sessions, state = self.create_batch(first=1)  # the first page of a copy has one
        source = g.InMemorySessionStorage.from_sessions(sessions)
        report = await copy(source, self.storage, Query())
        assert report.verified
        for session in sessions:
            self.ledger.note_answer(session.id, state)


KINDS = {"cut": 4, "cut_after": 8, "stall": 2, "delay": 3, "drip": 2, "refuse": 3, "kill": 1}


async def cause_fault(target: Target, kind: str, rng: random.Random) -> None:
    """Cause one fault, and heal it."""
    proxy = target.proxy
    if kind == "kill":
        await asyncio.to_thread(target.kill)
        await asyncio.sleep(rng.uniform(0, 0.1))
        await asyncio.to_thread(target.start)
        return
    if kind == "cut":
        proxy.cut()
        return
    if kind == "silence":
        proxy.stall()
        await asyncio.sleep(LIMIT + 0.5)  # a call without a time limit of its own is found
        proxy.heal()
        return
    if kind == "cut_after":
        proxy.cut_after(rng.choice((1, 50, 500, 5_000, 50_000)))
    elif kind == "stall":
        proxy.stall()
    elif kind == "delay":
        proxy.delay(rng.uniform(0.01, 0.6))
    elif kind == "drip":
        proxy.drip(rng.choice((1, 7, 100)), 0.002)
    elif kind == "refuse":
        proxy.refuse()
        proxy.cut()
    await asyncio.sleep(rng.choice((0.01, 0.05, 0.1, 0.6 if kind == "stall" else 0.2)))
    proxy.heal()


async def run_campaign(target: Target, seed: int) -> tuple[Ledger, Counter[str]]:
    """Cause faults while writers write, then compare the store with the ledger.

    Returns:
        The ledger, and how often there was each kind of fault.
    """
    rng = random.Random(seed)
    ledger = Ledger()
    storage = await g.connect(target.through, timeout=TIMEOUT, max_connections=3)
    stop = asyncio.Event()
    writers = [
        asyncio.ensure_future(
            Writer(f"w{i}", storage, ledger, random.Random(seed + i)).write_until(stop)
        )
        for i in range(WRITERS)
    ]
    faults: Counter[str] = Counter()
    try:
        for number in range(FAULTS):
            await asyncio.sleep(rng.uniform(0, 0.03))
            kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
            kind = "silence" if number == FAULTS // 2 else kind
            await cause_fault(target, kind, rng)
            faults[kind] += 1
            # The same storage goes on: each writer may have one call that fails still.
            wanted = ledger.successes + WRITERS
            deadline = time.monotonic() + 20
            while ledger.successes < wanted:
                for writer in writers:
                    if writer.done():
                        writer.result()
                assert time.monotonic() < deadline, f"no call succeeds after {faults}"
                await asyncio.sleep(0.005)
    finally:
        target.proxy.heal()
        stop.set()
        ends = await asyncio.gather(*writers, return_exceptions=True)
        await storage.close()
    for end in ends:
        if isinstance(end, BaseException):
            raise end
    await asyncio.sleep(LATE)
    direct = await g.connect(target.direct)
    for id in ledger.possible:
        ledger.check_read(id, await direct.get(id))
    if storage.atomic_batches:
        assert ledger.check_batches() > 0
    there = {id for id, states in ledger.possible.items() if states != {None}}
    assert {s.id for s in await direct.query(Query())} == there
    await direct.close()
    return ledger, faults


@pytest.mark.timeout(900)
@pytest.mark.parametrize("store", ["postgres", "redis_target"])
def test_nothing_acknowledged_is_lost(store, request, capsys):
    target = request.getfixturevalue(store)
    ledger, faults = asyncio.run(run_campaign(target, seed=7))
    assert sum(faults.values()) == FAULTS
    assert set(faults) == {*KINDS, "silence"}
    assert set(ledger.outcomes) >= {"StorageUnavailable", "StorageTimeout", "save", "copy"}
    assert "StorageError" not in ledger.outcomes  # each error says whether it may pass
    with capsys.disabled():
        print(f"\n{store}: {dict(faults)}, {dict(ledger.outcomes)}, longest {ledger.longest:.2f} s")


def test_the_ledger_finds_what_is_not_allowed():
    ledger = Ledger()
    session = Session("a", "t")
    mark(session, "s1")
    with pytest.raises(AssertionError):
        ledger.check_read("a", session)
    ledger.note_answer("a", "s1")
    ledger.check_read("a", session)
    with pytest.raises(AssertionError):
        ledger.check_read("a", None)
    ledger.note_error("a", "s2")
    ledger.check_read("a", session)
    assert ledger.allowed("a") == {"s1", "s2"}
    ledger.note_answer("a", "s1")
    assert ledger.allowed("a") == {"s1"}
    session.context["state"] = "s2"
    with pytest.raises(AssertionError, match="mixture"):
        ledger.check_read("a", session)


def test_a_server_of_redis_keeps_what_it_acknowledged():
    """The server alone, without our code: what it loses is not our fault."""
    program = redis_servers.find_server()
    need("redis-server", program is not None)
    with RedisServer(program) as server:
        with redis.Redis(port=server.port) as client:
            client.set("a", "1")
        server.kill()
        server.start()
        with redis.Redis(port=server.port) as client:
            assert client.get("a") == b"1"
