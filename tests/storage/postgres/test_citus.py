"""Tables that Citus divides among servers, as its 13.2 describes them, on a plain server."""

from __future__ import annotations

import json

import asyncpg
import pytest

import graphflow_nb as g
from graphflow_nb import Session, StorageError
from graphflow_nb.storage.postgres.citus import read_shard_bytes
from graphflow_nb.storage.postgres.plans import plan_of

from ...stores import create_table
from .kit import connect, execute

# What its EXPLAIN says of a search by a condition that no index serves, and of a page by id.
SEARCH = """
[{"Plan": {"Node Type": "Custom Scan", "Custom Plan Provider": "Citus Adaptive",
  "Total Cost": 0.0, "Plan Rows": 100000, "Distributed Query": {"Job": {"Task Count": 8,
    "Tasks Shown": "One of 8", "Tasks": [{"Node": "host=w port=5432", "Remote Plan": [[
      {"Plan": {"Node Type": "Seq Scan", "Total Cost": 1410.2, "Plan Rows": 12500}}]]}]}}}}]
"""
PAGE = """
[{"Plan": {"Node Type": "Limit", "Total Cost": 1660.0, "Plan Rows": 5, "Plans": [
  {"Node Type": "Sort", "Total Cost": 1910.0, "Plan Rows": 100000, "Plans": [
    {"Node Type": "Custom Scan", "Total Cost": 0.0, "Plan Rows": 100000, "Distributed Query": {
      "Subplans": [{"PlannedStmt": [{"Plan": {"Node Type": "Custom Scan", "Total Cost": 0.0,
        "Plan Rows": 100000, "Distributed Query": {"Job": {"Task Count": 8, "Tasks": [
          {"Remote Plan": [[{"Plan": {"Node Type": "Index Only Scan", "Total Cost": 0.5,
            "Plan Rows": 100}}]]}]}}}}]}],
      "Job": {"Task Count": 8, "Tasks": [{"Remote Plan": [[
        {"Plan": {"Node Type": "Limit", "Total Cost": 34.0, "Plan Rows": 5, "Plans": [
          {"Node Type": "Index Scan", "Total Cost": 48.0, "Plan Rows": 10}]}}]]}]}}}]}]}}]
"""
CATALOG = """
SET allow_system_table_mods = on;
CREATE TABLE pg_catalog.pg_dist_partition AS SELECT 'sessions'::regclass AS logicalrelid;
CREATE FUNCTION pg_catalog.citus_relation_size(regclass) RETURNS bigint LANGUAGE SQL
    AS 'SELECT 2000000000';
CREATE FUNCTION pg_catalog.citus_table_size(regclass) RETURNS bigint LANGUAGE SQL
    AS 'SELECT 3000000000';
"""


def test_a_plan_says_what_the_shards_do():
    search = plan_of(json.loads(SEARCH))
    assert search.steps == ("Custom Scan", "Seq Scan")
    assert (search.rows, search.cost) == (100_000, 8 * 1410.2)
    page = plan_of(json.loads(PAGE))
    assert page.steps[-3:] == ("Index Only Scan", "Limit", "Index Scan")
    assert page.rows == 800  # and not the constant that stands at the steps of the coordinator
    assert page.cost == pytest.approx(1660.0 + 8 * 0.5 + 8 * 34.0)


@pytest.fixture
def distributed(database, run):
    """A table that the catalog of Citus lists: empty here, and three GB in its shards."""
    run(create_table(database, "documented"))
    run(execute(database, CATALOG))
    yield database
    drop = "DROP FUNCTION pg_catalog.citus_relation_size, pg_catalog.citus_table_size"
    run(execute(database, f"{drop}; SET allow_system_table_mods = on; {DROP_CATALOG}"))


DROP_CATALOG = "DROP TABLE pg_catalog.pg_dist_partition"


def test_nothing_is_advised_by_what_is_said_of_an_empty_table(distributed):
    with g.open(distributed) as wb:
        facts = wb.bridge.run(wb.storage.facts())
        assert facts.relation.kind == "distributed table"
        assert facts.plans == {}
        assert facts.indexes is facts.contexts is facts.usage is None
        assert "in shards on other servers (Citus)" in facts.unseen["indexes"]
        subjects = [advice.subject for advice in wb.advise().advice]
        assert not [each for each in subjects if each.startswith("order by")]


def test_the_size_is_that_of_the_shards(distributed, run):
    async def read(connection):
        return [await read_shard_bytes(connection, table) for table in ("sessions", "pg_class")]

    storage = run(connect(distributed))
    sizes = run(storage.run(read))
    assert sizes == [(2_000_000_000, 1_000_000_000), None]
    run(storage.close())


def test_a_large_batch_asks_for_the_version_of_each_row(distributed, run, monkeypatch):
    """Of rows that are copied one version is asked for, and each server gives another one."""

    def copy(*arguments, **named):
        raise AssertionError("the rows were copied")

    monkeypatch.setattr(asyncpg.Connection, "copy_records_to_table", copy)
    storage = run(connect(distributed))
    sessions = [Session(f"s-{n:03}", "t") for n in range(600)]
    assert run(storage.save_many(sessions)) == []
    run(storage.save(sessions[599]))
    run(storage.close())


def test_a_plain_server_has_no_shards(database, run):
    storage = run(connect(database))
    assert run(storage.run(lambda connection: read_shard_bytes(connection, "sessions"))) is None
    run(storage.close())


def test_a_table_that_each_server_keeps_is_not_written(database, run):
    """A reference table, which says of xmin what it says of an internal fault."""
    run(create_table(database, "documented"))
    storage = run(connect(database))
    session = Session("a", "t")
    run(storage.save(session))
    refuse = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE 'relation pg_attribute is not distributed' USING ERRCODE = 'XX000';
    END $$;
    CREATE TRIGGER refuse BEFORE UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION refuse()"""
    run(execute(database, refuse))
    with pytest.raises(StorageError, match=r"Nothing was written\. Distribute it by id") as found:
        run(storage.save(session))
    assert found.value.nothing_written
    run(storage.close())


def test_what_a_distributed_table_does_not_take_says_what_to_do(database, run):
    run(create_table(database, "documented"))
    refuse = """
    CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE 'triggers are not supported on distributed tables' USING ERRCODE = 'XX000';
    END $$;
    CREATE EVENT TRIGGER refuse ON ddl_command_end WHEN TAG IN ('CREATE TRIGGER')
        EXECUTE FUNCTION refuse()"""
    run(execute(database, refuse))
    storage = run(connect(database))
    with pytest.raises(StorageError, match=r"Nothing was changed.*every two seconds") as found:
        run(storage.install_trigger())
    assert found.value.nothing_written
    run(storage.close())
    run(execute(database, "DROP EVENT TRIGGER refuse"))
