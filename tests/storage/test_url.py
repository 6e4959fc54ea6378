"""URLs are read, and shown without their secrets."""

from __future__ import annotations

import pytest

from graphflow_nb.storage.url import check_postgres_url, hosts, redact, server_of


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://me:hunter2@db.example/flows", ("db.example", None)),
        ("postgresql://me:hunter2@db.example:6432/flows", ("db.example", 6432)),
        ("postgresql://me:hunter2@[::1]:6432/flows", ("::1", 6432)),
        ("postgresql://a,b:5432/flows", ("a,b", None)),
        ("postgresql://a,b:6432/flows", ("a:5432,b:6432", None)),
        ("postgresql://[::1]:6432,b:6432/flows", ("[::1]:6432,b:6432", None)),
        ("postgresql:///flows?host=/run/pg&port=5433", ("/run/pg", 5433)),
        ("postgresql:///flows", (None, None)),
        ("postgresql:///flows?port=5433", (None, None)),
    ],
)
def test_an_address_names_what_the_url_names(url, told):
    assert server_of(url) == told


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://worker@db.example:5432/flows",
        "postgresql://db.example:5432/flows",
        "postgresql://u@h/db",
        "postgresql:///db?host=%2Ftmp&user=postgres",
        "sqlite:a:b.db",
    ],
)
def test_what_holds_no_password_is_said_as_it_is(url):
    assert redact(url) == url
    assert redact(url, f"no {url}") == f"no {url}"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u@h1:1,h2:2/db", [("h1", 1), ("h2", 2)]),
        ("postgresql://u:pw@h1,h2:2/db", [("h1", 5432), ("h2", 2)]),
        ("postgresql://h1,h2,h3/", [("h1", 5432), ("h2", 5432), ("h3", 5432)]),
        ("postgresql://%2Ftmp%2Fa,%2Ftmp%2Fb/db", [("/tmp/a", 5432), ("/tmp/b", 5432)]),
        ("postgresql:///db?host=a,b&port=1,2", [("a", 1), ("b", 2)]),
        ("postgresql:///db?host=a,b&port=7", [("a", 7), ("b", 7)]),
        ("postgresql:///db?host=%2Ftmp%2Fa,b", [("/tmp/a", 5432), ("b", 5432)]),
        ("postgresql://u@h1:1/db", []),
        ("postgresql:///db?host=a&port=1", []),
        ("postgresql://[::1]:5432/db", []),
        ("postgresql:///db", []),
    ],
)
def test_hosts_of_a_url(url, expected):
    check_postgres_url(url)
    assert hosts(url) == expected


def test_several_hosts_are_said_as_they_are():
    url = "postgresql://u@h1:1,h2:2/db?target_session_attrs=read-write"
    assert redact(url) == url
