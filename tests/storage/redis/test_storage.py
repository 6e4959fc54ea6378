"""What is particular to Redis as a storage: expiry, which server it is, one loop."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

import graphflow_nb as g
from graphflow_nb import Query, Session, SessionConflict, StorageError
from graphflow_nb.frames import sessions_frame

from .conftest import worker_text


def test_expiry_is_kept_set_and_shown(connect, raw, run):
    plain, brief = connect(), connect(ttl=100)
    run(plain.save(Session("stays", "t")))
    run(brief.save(Session("goes", "t")))
    raw.set("worker", worker_text("worker"), ex=50)
    session = run(plain.get("worker"))
    run(plain.save(session))
    assert 45_000 < raw.pttl("worker") <= 50_000  # ours leaves it as it was
    run(brief.save(run(brief.get("worker"))))
    assert 95_000 < raw.pttl("worker") <= 100_000
    for write in (
        brief.upsert(Session("upserted", "t")),
        brief.save_many([Session("batch", "t")]),
        brief.import_many([Session("taken", "t")]),
        brief.restore(Session("restored", "t", version=1)),
    ):
        run(write)
    for id in ("goes", "upserted", "batch", "taken", "restored"):
        assert 95_000 < raw.pttl(id) <= 100_000
    table = run(plain.table(Query()))
    soon = datetime.now(UTC) + timedelta(seconds=100)
    frame = sessions_frame(table, []).set_index("id")
    assert frame.loc["stays", "expires_at"] is not None
    assert str(frame["expires_at"].dtype) == "datetime64[us, UTC]"
    assert frame["expires_at"].isna().tolist().count(True) == 1
    assert abs(frame.loc["goes", "expires_at"] - soon) < timedelta(seconds=10)


@pytest.mark.parametrize("ttl", [0, -1, 0.0001, "5", 1e11])
def test_wrong_expiry(connect, ttl):
    with pytest.raises(StorageError, match="seconds"):
        connect(ttl=ttl)


def test_expired_sessions_are_gone(connect, raw, run):
    storage = connect(ttl=0.05)
    session = Session("a", "t")
    run(storage.save(session))
    run(storage.build_index())
    deadline = time.monotonic() + 20
    while raw.exists("a"):
        assert time.monotonic() < deadline
    assert run(storage.get("a")) is None
    assert run(storage.table(Query(limit=10))).id == []
    with pytest.raises(SessionConflict) as caught:
        run(storage.save(session))
    assert caught.value.stored is None


def test_what_server_it_is(connect, servers):
    text = repr(connect(prefix="flows:"))
    assert ("Cluster" in text) == (len(servers) > 1)
    assert "Redis 7" in text or "Valkey 9" in text
    assert "keys flows:*" in text


def test_one_loop(connect):
    storage = connect()
    with pytest.raises(g.BridgeError, match="another event loop"):
        asyncio.run(storage.get("a"))
