"""Facts say what the server knows about the table, without changing anything."""

from __future__ import annotations

from graphflow_nb import Session

from .kit import connect, fetch


def test_facts_of_a_plain_table(server, database, run):
    storage = run(connect(database, max_connections=3))
    run(storage.save_many([Session(f"s{i}", "t", context={"n": i}) for i in range(20)]))
    facts = run(storage.facts())
    assert facts.place == storage.place
    assert facts.connections == 3
    assert (facts.table, facts.uuid, facts.versioned) == ("sessions", False, True)
    assert (facts.standby, facts.pooled, facts.read_only) == (False, False, False)
    assert facts.round_trip_us > 0
    assert facts.settings["server_version_num"].startswith(server.version.partition(".")[0])
    assert facts.relation.kind == "table"
    assert [index.columns for index in facts.indexes] == [("id",)]
    assert facts.contexts.sampled == 20
    assert set(facts.plans) == {"id", "created_at", "updated_at"}
    assert facts.backends.connected > 0
    assert facts.unseen == {}
    run(storage.close())


def test_orders_without_an_index_are_slow_in_a_large_table(database, run):
    storage = run(connect(database))
    assert run(storage.slow_orders()) == {}
    # As VACUUM would find it in a table of so many rows.
    run(fetch(database, "UPDATE pg_class SET reltuples = 1e6 WHERE relname = 'sessions'"))
    slow = run(storage.slow_orders())
    assert set(slow) == {"updated_at", "created_at"}
    assert "about 1.0 million sessions" in slow["updated_at"]
    statement = slow["updated_at"].partition("; ")[2].partition(";")[0]
    run(fetch(database, statement))
    run(fetch(database, "UPDATE pg_class SET reltuples = 1e6 WHERE relname = 'sessions'"))
    assert set(run(storage.slow_orders())) == {"created_at"}
    run(storage.close())
