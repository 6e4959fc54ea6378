"""Load, run one step, save: in every store."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb import Session
from graphflow_nb.errors import TaskExecutionFailed
from graphflow_nb.workflow import FlowRunner, GraphBuilder, NextAction, TaskResult, task

from .test_graph import answering, chain, failing


class Counting(g.InMemorySessionStorage):
    """A storage that counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    async def get(self, id: str) -> Session | None:
        self.calls.append("get")
        return await super().get(id)

    async def save(self, session: Session) -> None:
        self.calls.append("save")
        await super().save(session)


async def started(at: str = "a") -> Counting:
    storage = Counting()
    await storage.save(Session("s", at, graph_id="another"))
    storage.calls.clear()
    return storage


def test_a_chain_is_loaded_once_and_saved_once():
    async def run() -> None:
        storage = await started()
        chained = NextAction.CONTINUE_AND_EXECUTE
        graph = chain(answering("a", chained), answering("b", chained), answering("c")).build()
        await FlowRunner(graph, storage).run("s")
        assert storage.calls == ["get", "save"]
        session = await storage.get("s")
        assert session.version == 2
        assert session.context["ran"] == ["a", "b", "c"]
        assert session.graph_id == "another"  # which is not looked at

    asyncio.run(run())


@pytest.mark.parametrize("at", ["a", "b"])
def test_a_failure_saves_nothing_of_its_chain(at):
    async def run() -> None:
        storage = await started(at)
        first = answering("a", NextAction.CONTINUE_AND_EXECUTE, "a ran")
        graph = chain(first, failing("b", ValueError("no"))).build()
        with pytest.raises(TaskExecutionFailed):
            await FlowRunner(graph, storage).run("s")
        assert storage.calls == ["get"]
        session = await storage.get("s")
        assert (session.version, session.current_task_id, session.status_message) == (1, at, None)
        assert dict(session.context) == {}

    asyncio.run(run())


def test_a_session_that_does_not_exist():
    with pytest.raises(g.SessionNotFound, match="nobody"):
        asyncio.run(FlowRunner(GraphBuilder("g").build(), Counting()).run("nobody"))


def test_a_session_that_someone_else_saved_meanwhile():
    async def run() -> None:
        storage = await started()

        @task("a")
        async def slow(context: g.Context) -> TaskResult:
            other = await storage.get("s")
            other.context["theirs"] = True
            await storage.save(other)
            context["mine"] = True
            return TaskResult()

        with pytest.raises(g.SessionConflict):
            await FlowRunner(chain(slow).build(), storage).run("s")
        assert dict((await storage.get("s")).context) == {"theirs": True}

    asyncio.run(run())


def test_steps_in_every_store(store: Any):
    tasks = (answering("a", status="a ran"), answering("b", NextAction.END))

    async def run() -> None:
        storage = await store.open()
        try:
            id = store.id("run")
            await storage.save(Session(id, "a"))
            runner = FlowRunner(chain(*tasks).build(), storage)
            assert (await runner.run(id)).status.next_task_id == "b"
            assert (await storage.get(id)).status_message == "a ran"
            assert (await runner.run(id)).status.kind == "completed"
            session = await storage.get(id)
            assert (session.current_task_id, session.status_message) == ("b", None)
            assert session.context["ran"] == ["a", "b"]
        finally:
            await storage.close()

    asyncio.run(run())


def test_a_step_costs_little_more_than_its_task_between_get_and_save():
    # By the thread's own clock, in which other programs are not, and the best of many short rounds.
    async def measure() -> float:
        storage, count = g.InMemorySessionStorage(), answering("count", NextAction.WAIT_FOR_INPUT)
        runner = FlowRunner(chain(count).build(), storage)

        async def do_by_hand() -> None:
            session = await storage.get("s")
            assert session is not None
            session.status_message = (await count.run(session.context)).status_message
            await storage.save(session)

        best = {}
        for name, call in {"hand": do_by_hand, "step": lambda: runner.run("s")}.items():
            times = []
            for _ in range(40):
                await storage.upsert(Session("s", "count"))
                began = time.thread_time_ns()
                for _ in range(20):
                    await call()
                times.append(time.thread_time_ns() - began)
            best[name] = min(times)
        return best["step"] / best["hand"]

    assert asyncio.run(measure()) < 1.4
