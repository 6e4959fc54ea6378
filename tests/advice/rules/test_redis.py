"""Advice on a Redis server, on facts alone and where the condition is really made."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import redis

import graphflow_nb as g
from graphflow_nb.advice import advise
from graphflow_nb.advice.rules.redis import (
    find_evictions,
    find_growth,
    find_missing_index,
    find_volatile_saves,
)
from graphflow_nb.storage.facts import (
    RedisFacts,
)

from ...scope import only_complete
from ..kit import NONE, Case, find_advice, operations

ABOUT = {
    "maxmemory_policy": "allkeys-lru", "maxmemory": 10**9, "used_memory": 9 * 10**8,
    "evicted_keys": 7, "aof_enabled": 0, "uptime_in_seconds": 7200,
}  # fmt: skip
FULL = RedisFacts(place="r", keys=60_000, expiring=0, about=ABOUT)
CASES = dict.fromkeys(
    (find_missing_index, find_evictions, find_growth, find_volatile_saves), Case(FULL)
)


def fill_redis(client: redis.Redis, count: int) -> None:
    text = {"graph_id": "g", "current_task_id": "t", "status_message": None, "context": {}}
    with client.pipeline(transaction=False) as pipe:
        for i in range(count):
            pipe.set(f"s{i}", json.dumps({"id": f"s{i}", **text}))
        pipe.execute()


def test_redis(redis_server):
    with redis.Redis(port=redis_server.port) as client:
        client.flushall()
        fill_redis(client, 50_001)
        with g.open(redis_server.url, writable=True) as wb:
            findings = wb.advise()
            assert [a.subject for a in findings] == ["index for pages", "expiry"]
            assert findings.advice[0].evidence["keys"] == 50_001
            assert find_advice(findings, "persistence") is None
            eval(findings.advice[0].remedy, {"wb": wb})
            assert find_advice(wb.advise(), "index for pages") is None
            client.set("new", "of a worker")
            lagging = find_advice(wb.advise(), "index for pages")
            assert "50,001 sessions, and the database has 50,002 keys" in lagging.finding
            client.delete("new")
            client.config_set("maxmemory", "1gb")
            client.config_set("maxmemory-policy", "allkeys-lru")
            client.config_set("appendonly", "no")
            findings = wb.advise()
            for subject in ("evictions", "persistence"):
                said = find_advice(findings, subject)
                assert said is not None
                assert said.severity == "risk"
                for command in said.remedy.splitlines():
                    if command != "CONFIG REWRITE":  # the server has no file
                        client.execute_command(*command.split())
            findings = wb.advise()
            assert find_advice(findings, "evictions") is None
            assert find_advice(findings, "persistence") is None
            assert "everysec" in repr(findings) or "last second" in repr(findings)
        client.config_set("appendfsync", "always")
        client.config_set("maxmemory", "0")
        with g.open(redis_server.url, writable=True, ttl=60.0) as wb:
            assert find_advice(wb.advise(), "expiry") is None
        client.flushall()


def test_redis_with_the_least_rights(redis_server):
    with redis.Redis(port=redis_server.port) as client:
        client.flushall()
        client.acl_setuser(
            "adviser", enabled=True, nopass=True, keys=["*"], categories=["+@all", "-@dangerous"]
        )
        url = redis_server.url.replace("//", "//adviser:any@")
        with g.open(url) as wb:
            told = {line.subject: line.finding for line in wb.advise().unseen}
        client.acl_deluser("adviser")
    for subject in ("memory and persistence", "appendfsync", "snapshots"):
        assert "permissions" in told[subject]


@only_complete
def test_a_redis_cluster(redis_cluster_server):
    for node in redis_cluster_server:
        with redis.Redis(port=node.port) as client:
            client.flushall()
    with g.open(redis_cluster_server[0].url, writable=True) as wb:
        for i in range(30):
            wb.create(f"s{i}", "t")
        findings = wb.advise()
        line = next(line for line in findings.in_order if line.subject == "expiry")
        assert line.evidence["keys"] == 30
        assert find_advice(findings, "persistence") is None


def test_redis_by_facts_alone():
    about = {
        "maxmemory_policy": "volatile-lru", "maxmemory": 10**9, "used_memory": 9 * 10**8,
        "evicted_keys": 0, "aof_enabled": 0, "uptime_in_seconds": 7200,
    }  # fmt: skip
    base = RedisFacts(place="r", keys=10, expiring=0, about=about, appendfsync="no", save="")
    findings = advise(base, NONE)
    # Nothing expires, so this policy evicts nothing; but nothing is written either.
    assert [a.subject for a in findings] == ["persistence", "expiry"]
    assert "no snapshots either" in findings.advice[0].finding
    endless = replace(base, about=about | {"maxmemory": 0, "maxmemory_policy": "allkeys-lru"})
    assert find_advice(advise(endless, NONE), "evictions") is None
    said = find_advice(advise(replace(base, expiring=10), NONE), "evictions")
    assert said is not None
    lost = replace(base, about=about | {"evicted_keys": 12, "maxmemory_policy": "noeviction"})
    said = find_advice(advise(lost, NONE), "evictions")
    assert said is not None
    assert "12 keys were evicted to make room, before the settings were" in said.finding
    full = about | {"evicted_keys": 1, "maxmemory_policy": "allkeys-lfu"}
    indexed = replace(base, about=full, indexed=datetime.now(UTC))
    said = find_advice(advise(indexed, NONE), "evictions")
    assert said is not None
    assert "index, whose pages then lack sessions: 1 key was evicted." in said.finding
    slow = operations(*(("table", None, 1000 * i, 400) for i in range(3)))
    said = find_advice(advise(base, slow), "index for pages")
    assert said is not None
    assert said.evidence["p50 of a query, ms"] == 400.0
    assert (
        find_advice(advise(replace(base, about=about | {"aof_enabled": 1}), NONE), "persistence")
        is None
    )
