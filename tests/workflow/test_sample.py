"""The workflows of the sample sessions lead where those of the Rust program led."""

from __future__ import annotations

import asyncio
import json
import random
from importlib.resources import files
from typing import Any

import pytest

from graphflow_nb import InMemorySessionStorage, Session
from graphflow_nb.errors import TaskExecutionFailed
from graphflow_nb.workflow import FlowRunner
from graphflow_nb.workflow.sample import answer_for, sample_context, sample_graphs


def stored_by_the_crate(id: str) -> dict[str, Any]:
    lines = files("graphflow_nb").joinpath("demo_data/sessions.jsonl").read_text().splitlines()
    return next(row for row in map(json.loads, lines) if row["id"] == id)


def say(messages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in messages]


@pytest.mark.parametrize("id", ["claim-0014", "14bca6d7-74f2-51d7-bc13-77e07aba4307", "claim-0118"])
def test_a_claim_becomes_what_the_crate_stored(id: str):
    asyncio.run(check_a_claim_becomes_what_the_crate_stored(id))


async def check_a_claim_becomes_what_the_crate_stored(id: str) -> None:
    wanted = stored_by_the_crate(id)
    data = wanted["context"]["data"]
    begun = ("customer", "items", "amount", "policy_number", "iban", "fraud_service", "documents")
    context = {key: data[key] for key in begun if key in data}
    storage = InMemorySessionStorage()
    await storage.save(Session(id, "intake", graph_id="claims", context=context))
    runner = FlowRunner(sample_graphs()["claims"], storage)
    try:
        while (await runner.run(id)).status.kind == "paused":
            pass
    except TaskExecutionFailed as error:
        session = await storage.get(id)
        session.status_message = str(error).removeprefix("Task execution failed: ")
        await storage.save(session)
    made = json.loads((await storage.get(id)).to_json())
    for name in ("graph_id", "current_task_id", "status_message"):
        assert made[name] == wanted[name]
    assert made["context"]["data"] == data
    chats = (each["context"]["chat_history"]["messages"] for each in (made, wanted))
    assert len({tuple(say(chat)) for chat in chats}) == 1


@pytest.mark.parametrize("graph_id", ["claims", "support"])
def test_every_new_session_comes_to_its_end(graph_id: str):
    asyncio.run(check_every_new_session_comes_to_its_end(graph_id))


async def check_every_new_session_comes_to_its_end(graph_id: str) -> None:
    chance = random.Random(5)
    graph, storage = sample_graphs()[graph_id], InMemorySessionStorage()
    runner = FlowRunner(graph, storage)
    for n in range(8):
        context = sample_context(graph_id, chance)
        await storage.save(
            Session(f"s{n}", graph.start_task_id, graph_id=graph_id, context=context)
        )
        for _ in range(100):
            session = await storage.get(f"s{n}")
            answer = answer_for(session.context, session.current_task_id, chance)
            session.context.update(answer)
            if answer:
                await storage.save(session)
            if (await runner.run(f"s{n}")).status.kind == "completed":
                break
        ended = await storage.get(f"s{n}")
        assert ended.status_message in ("paid", "closed")
