"""Edits by hand beside real workers, all the time: no worker's save is lost, counted as sums.

A worker on graph-flow adds one to ``worked`` of sessions taken by chance, and counts the saves that
graph-flow called good. Nobody else changes that number. So what is stored at the end is the number
of its saves, unless a write by hand put an older state back. In PostgreSQL a trigger also notes
each statement of ours that lowers the number: a worker on 0.5 now and then skips a save by itself
(its statement asks for a later ``updated_at``), and then the sum alone says nothing.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from typing import Any

import asyncpg
import pytest

import graphflow_nb as g

from ..scope import size
from ..stores import TABLES, create_table
from .peer import Peer

SECONDS = size(60, 3)
SESSIONS = 12
PAUSE_MS = 2

#: The kinds of stores, with the version of the worker and its options.
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "documented": ("plain", {}),
    "crate-0.5": ("0.5", {}),
    "crate-0.6": ("0.6", {}),
    "redis": ("0.8", {}),
    "redis counted": ("0.8", {"counting": "true"}),
}

WATCH = """
CREATE TABLE lowered (id text, old bigint, new bigint);
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('application_name') = 'graphflow_nb' AND
        coalesce((NEW.context #>> '{data,worked}')::bigint, 0)
            < coalesce((OLD.context #>> '{data,worked}')::bigint, 0) THEN
        INSERT INTO lowered VALUES (OLD.id::text, (OLD.context #>> '{data,worked}')::bigint,
            (NEW.context #>> '{data,worked}')::bigint);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER watch AFTER UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION watch();
"""

UPSERT = """
INSERT INTO sessions (id, graph_id, current_task_id, status_message, context)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET graph_id = $2, current_task_id = $3,
status_message = $4, context = $5, updated_at = now()
"""


class PlainWorker:
    """The documented upsert, as a worker without a version has it: the last write wins."""

    def __init__(self, url: str, ids: list[str]):
        self._url, self._ids = url, ids
        self._going = True
        self.saves: Counter[str] = Counter()

    async def work(self) -> None:
        connection = await asyncpg.connect(self._url)
        chance = random.Random(1)
        while self._going:
            await asyncio.sleep(PAUSE_MS / 1000)
            id = chance.choice(self._ids)
            row = await connection.fetchrow(
                "SELECT graph_id, current_task_id, status_message, context FROM sessions "
                "WHERE id = $1",
                id,
            )
            if row is None:
                continue
            session = g.Session.from_json(
                f'{{"id":"{id}","graph_id":"g","current_task_id":"t","status_message":null,'
                f'"context":{row["context"]}}}'
            )
            session.context["worked"] = session.context.get("worked", 0) + 1
            text = session.context_json()
            context = text if isinstance(text, str) else text.decode()
            await connection.execute(UPSERT, id, *row[:3], context)
            self.saves[id] += 1
        await connection.close()

    def stop(self) -> None:
        self._going = False


def edit(wb: Any, ids: list[str], seconds: float) -> Counter[str]:
    """Edit, patch, delete and undo by hand for some seconds; return what was done how often."""
    chance, done = random.Random(2), Counter[str]()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        id = chance.choice(ids)
        try:
            step = chance.choice(("save", "save", "patch", "patch", "delete", "undo", "undo all"))
            if step == "save":
                session = wb.get(id)
                session.context["hand"] = done.total()
                wb.save(session)
            elif step == "patch":
                path = "/context/data/patched"
                wb.patch(id, [{"op": "add", "path": path, "value": done.total()}])
            elif step == "delete":
                wb.delete(id)
                wb.undo()
            elif step == "undo":
                wb.undo()
            elif done.total() % 50 == 0:
                wb.undo_all()
            done[step] += 1
        except g.SessionConflict:
            done["conflict"] += 1
        except (g.SessionNotFound, g.PatchError):
            done["nothing there"] += 1
    # What was deleted comes back, so that each session's number can be read.
    for entry in reversed(wb.journaled.undoable()):
        if entry.op == "delete":
            try:
                wb.undo(entry.number)
            except g.SessionConflict:
                done["conflict"] += 1
    return done


@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.parametrize("kind", KINDS)
def test_no_save_of_a_worker_is_lost(kind, request, program):
    version, options = KINDS[kind]
    if kind.startswith("redis"):
        server = request.getfixturevalue("redis_server")
        server.empty()
        url = server.url
    else:
        url = request.getfixturevalue("databases").create()
        asyncio.run(create_table(url, kind))
        asyncio.run(_run(url, WATCH))
    peer = Peer(program, version, url)
    ids = [peer.id(f"worker-{number:02}") for number in range(SESSIONS)]
    with g.open(url, writable=True, ask_above_sessions=None) as wb:
        for id in ids:
            wb.create(id, "t", graph_id="g", context={"worked": 0})
        created = len(wb.journaled.entries())
        saves, done = _work_and_edit(wb, peer, ids, version, options)
        lost = {}
        for id in ids:
            stored = wb.get(id).context["worked"]
            if stored != saves[id]:
                lost[id] = (saves[id], stored)
        entries = wb.journaled.entries()[created:]
    assert sum(saves.values()) > SECONDS * 10
    assert all(done[step] for step in ("save", "patch", "delete", "undo"))
    # No entry of ours ever changed the number of what it replaced.
    for entry in entries:
        if entry.before is not None and entry.after is not None:
            assert entry.after.context["worked"] == entry.before.context["worked"]
    if kind in TABLES:
        assert asyncio.run(_run(url, "SELECT count(*) FROM lowered")) == 0
    if kind == "crate-0.5":
        # Those that the crate skipped by itself, 15 of 5,441 in a trial: never more than stored.
        assert all(stored < told for told, stored in lost.values())
        assert sum(told - stored for told, stored in lost.values()) < 0.02 * sum(saves.values())
    else:
        assert lost == {}


def _work_and_edit(
    wb: Any, peer: Peer, ids: list[str], version: str, options: dict[str, Any]
) -> tuple[Counter[str], Counter[str]]:
    if version == "plain":
        return asyncio.run(_edit_beside_a_plain_worker(wb, peer.url, ids))
    options = {"id": ",".join(ids), "pause-ms": PAUSE_MS} | options
    process = peer.start("work", **options)
    assert process.stdout is not None
    assert "working" in process.stdout.readline()
    done = edit(wb, ids, SECONDS)
    told = peer.finish(process, "stop\n")
    return Counter({line["id"]: line["saves"] for line in told if "id" in line}), done


async def _edit_beside_a_plain_worker(
    wb: Any, url: str, ids: list[str]
) -> tuple[Counter[str], Counter[str]]:
    worker = PlainWorker(url, ids)
    working = asyncio.create_task(worker.work())
    done = await asyncio.to_thread(edit, wb, ids, SECONDS)
    worker.stop()
    await working
    return worker.saves, done


async def _run(url: str, statement: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        if statement.startswith("SELECT"):
            return await connection.fetchval(statement)
        return await connection.execute(statement)
    finally:
        await connection.close()
