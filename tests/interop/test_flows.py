"""Graphs run by graph-flow and by us, step by step from the same session: equal in everything."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import graphflow_nb as g
from graphflow_nb import Context, Session

from ..scope import COMPLETE, only_complete
from ..workflow.told import Told, content, follow, graphs
from .peer import Peer

pytestmark = pytest.mark.timeout(1500)  # the first test builds the peer

STEPS = 4


class Flows:
    """The crate and our runner on the same table."""

    def __init__(self, peer: Peer, storage: g.PostgresSessionStorage):
        self.storage = storage
        self.process = peer.start("flows")
        self.made = 0

    async def run(self, told: Told, at: str, data: Told) -> tuple[list[Told], list[Told]]:
        """Return what the crate and what we make of a graph from the same session."""
        self.made += 1
        theirs, ours = f"theirs-{self.made}", f"ours-{self.made}"
        for id in (theirs, ours):
            session = Session(id, at, graph_id="other", status_message="old", context=Context(data))
            session.context.add_user_message("hello")
            await self.storage.save(session)
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"graph": told, "id": theirs, "steps": STEPS}) + "\n")
        stdin.flush()
        followed = await follow(self.storage, told, ours, STEPS)  # while the crate runs its own
        answer = stdout.readline()
        assert answer, self.process.communicate()[1]
        return json.loads(answer), followed


@pytest.mark.parametrize("version", ["0.8", pytest.param("0.6", marks=only_complete)])
def test_generated_graphs_run_as_in_the_crate(version: str, program: Path, database: str):
    peer = Peer(program, version, database)
    peer("write", count=1)  # makes the table
    with asyncio.Runner() as runner:
        storage = runner.run(g.PostgresSessionStorage.connect(peer.url))
        flows = Flows(peer, storage)
        kinds: dict[str, int] = {}

        @settings(
            max_examples=500 if COMPLETE else 20,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(graphs(), st.dictionaries(st.just("k1"), st.booleans()))
        def check(told: Told, data: Told) -> None:
            first = told["tasks"][0]["id"] if told["tasks"] else "nowhere"
            theirs, ours = runner.run(flows.run(told, first, data))
            _compare(theirs, ours)
            for step in theirs[1:]:
                kind = step.get("error", step.get("reason") or step.get("status"))
                kinds[kind[:44]] = kinds.get(kind[:44], 0) + 1

        try:
            check()
        finally:
            flows.process.communicate()
            runner.run(storage.close())
        assert len(kinds) >= (12 if COMPLETE else 4), kinds


def _compare(theirs: list[Told], ours: list[Told]) -> None:
    if "build" in theirs[0]:
        # The crate names one problem, and of its edges any.
        assert theirs[0]["build"] in ours[0]["build"]
        return
    for step in theirs[1:]:
        step["session"] = content(Session.from_json(json.dumps(step["session"])))
    assert theirs == ours
