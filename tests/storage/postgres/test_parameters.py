"""URLs that people have, from other clients and providers: each parameter is dealt with by name."""

from __future__ import annotations

import asyncio
import logging

import pytest

import graphflow_nb as g
from graphflow_nb.storage import StoreUrl
from graphflow_nb.storage.postgres.parameters import LEFT_OUT, REFUSED, read_parameters

#: What is added to the URL of a database, and what is left out of it.
HONOURED = {
    "connect_timeout=10": (),
    "connect_timeout=0": (),
    "sslmode=prefer": (),
    "ssl-mode=disable": (),  # sqlx
    "ssl=false": (),
    "application_name=notebook": (),
    "fallback_application_name=notebook": (),
    "options=-c%20statement_timeout%3D5000": (),
    "options[statement_timeout]=5000": (),  # sqlx
    "statement_timeout=5000": (),  # a setting of the server
    "statement-cache-capacity=0": (),  # sqlx
    "target_session_attrs=read-write": (),
    "targetServerType=master": (),  # JDBC
    "load_balance_hosts=random": (),
    "schema=public": (),  # Prisma
    "currentSchema=public": (),  # JDBC
    "client_encoding=utf8": (),
    "gssencmode=prefer": (),
    # Neon, Supabase, Prisma, Heroku and SQLAlchemy, as their pages have them.
    "sslmode=prefer&channel_binding=require": ("channel_binding",),
    "pgbouncer=true&connection_limit=1&pool_timeout=20": (
        "pgbouncer",
        "connection_limit",
        "pool_timeout",
    ),
    "keepalives=1&keepalives_idle=30": ("keepalives", "keepalives_idle"),
    "uselibpqcompat=true": ("uselibpqcompat",),
    "client_encoding=latin1": ("client_encoding",),
    "prepared_statement_cache_size=100": (),
}


@pytest.mark.parametrize("more", HONOURED)
def test_a_url_with_this_opens(database, run, caplog, more):
    async def work():
        storage = await g.connect(f"{database}&{more}")
        await storage.save(g.Session("a", "t"))
        assert (await storage.get("a")).version == 1
        settings = {}
        for name in ("application_name", "statement_timeout", "search_path"):
            settings[name] = await storage.run(lambda c, n=name: c.fetchval(f"SHOW {n}"))
        await storage.close()
        return settings

    with caplog.at_level(logging.WARNING, "graphflow_nb"):
        settings = run(work())
    noted = [record.args[1].partition(" is left out")[0] for record in caplog.records]
    assert tuple(noted) == HONOURED[more]
    if "notebook" in more:
        assert settings["application_name"] == "notebook"
    else:
        assert settings["application_name"] == "graphflow_nb"
    if "statement_timeout" in more:
        assert settings["statement_timeout"] == "5s"
    if "chema" in more:
        assert settings["search_path"] == "public"


@pytest.mark.parametrize(
    "more",
    [
        "gssencmode=require",
        "require_auth=scram-sha-256",
        "requirepeer=postgres",
        "sslcertmode=require",
        "replication=database",
        "hostaddr=127.0.0.1&sslmode=verify-full",
        "connect_timeout=soon",
    ],
)
def test_what_protects_is_refused_by_name_and_nothing_is_sent(more):
    name = more.partition("=")[0]
    with pytest.raises(g.StorageError, match=f"parameter {name} .*nothing was sent") as caught:
        asyncio.run(g.connect(f"postgresql://nowhere.invalid/db?{more}"))
    assert caught.value.nothing_written


def test_an_address_replaces_the_host():
    for url, read in {
        "postgresql://u:p@db.example:6432/d?hostaddr=10.0.0.1": "postgresql://u:p@10.0.0.1:6432/d",
        "postgresql://db.example/d?hostaddr=::1": "postgresql://[::1]/d",
        "postgresql:///d?host=db.example&hostaddr=10.0.0.1": "postgresql://10.0.0.1/d",
    }.items():
        assert read_parameters(StoreUrl(url)).url.reveal() == read


def test_the_time_to_connect_is_that_of_the_url():
    assert read_parameters(StoreUrl("postgresql://h/d?connect_timeout=3")).connect_timeout == 3.0
    assert read_parameters(StoreUrl("postgresql://h/d?connect_timeout=0")).connect_timeout is None


def test_each_parameter_has_one_answer_and_a_reason():
    assert not LEFT_OUT.keys() & REFUSED.keys()
    assert all(LEFT_OUT.values())


@pytest.mark.parametrize("form", ["postgresql+asyncpg", "postgresql+psycopg2", "jdbc:postgresql"])
def test_the_urls_of_other_clients_open(database, run, form):
    url = database.replace("postgresql", form, 1)
    storage = run(g.connect(f"  '{url}' "))
    assert storage.place.startswith("postgresql://")
    run(storage.close())


def test_a_setting_that_the_server_does_not_know_is_named(database):
    with pytest.raises(g.StorageError, match="no_such_setting"):
        g.open(f"{database}&no_such_setting=1")


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("host=localhost dbname=flows", "form with host= and dbname= is none"),
        ("postgress://h/db", "postgres: is"),
        ("sqllite:notes.db", "sqlite: is"),
        ("redis+sentinel://h", "Sentinel"),
    ],
)
def test_what_is_no_url_gets_a_hint(url, hint):
    with pytest.raises(g.StorageError, match=hint):
        g.open(url)
