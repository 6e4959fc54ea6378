"""What a server reports of itself, and what it refuses to tell."""

from __future__ import annotations

import redis

from graphflow_nb import RedisSessionStorage, Session


def test_what_a_server_reports(connect, run):
    storage, brief = connect(), connect(ttl=100)
    for i in range(6):
        run(storage.save(Session(f"s{i}", "t")))
    run(brief.save(Session("goes", "t")))
    facts = run(brief.facts())
    assert (facts.place, facts.read_only, facts.ttl) == (brief.place, False, True)
    assert (facts.keys, facts.expiring, facts.indexed, facts.known) == (7, 1, None, 0)
    assert facts.about is not None
    assert facts.about["aof_enabled"] == 1
    assert (facts.appendfsync, facts.save, facts.unseen) == ("always", "", {})
    run(storage.build_index())
    facts = run(storage.facts())
    assert (facts.ttl, facts.known) == (False, 7)
    assert facts.indexed is not None


def test_what_a_user_may_not_ask_is_said(redis_server, run):
    url = redis_server.url.replace("//", "//adviser:any@")
    with redis.Redis(port=redis_server.port) as client:
        client.acl_setuser(
            "adviser", enabled=True, nopass=True, keys=["*"], categories=["+@all", "-@dangerous"]
        )
        storage = run(RedisSessionStorage.connect(url))
        facts = run(storage.facts())
        run(storage.close())
        client.acl_deluser("adviser")
    assert set(facts.unseen) == {"memory and persistence", "appendfsync", "snapshots"}
    assert facts.about is facts.appendfsync is facts.save is facts.expiring is None
