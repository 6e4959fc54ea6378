"""URLs are read, and shown without their secrets."""

from __future__ import annotations

import asyncio
import json
import re
from urllib.parse import quote, quote_plus

import pytest
from IPython.core.ultratb import VerboseTB

import graphflow_nb as g
from graphflow_nb.storage import StoreUrl
from graphflow_nb.storage.url import check_postgres_url, hosts, mask_text, server_of

from ..scope import one_in


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
    assert server_of(StoreUrl(url)) == told


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
    assert str(StoreUrl(url)) == url
    assert not StoreUrl(url).secret
    assert StoreUrl(url).mask(f"no {url}") == f"no {url}"


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
    check_postgres_url(StoreUrl(url))
    assert hosts(StoreUrl(url)) == expected


def test_several_hosts_are_said_as_they_are():
    url = "postgresql://u@h1:1,h2:2/db?target_session_attrs=read-write"
    assert str(StoreUrl(url)) == url


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (" postgresql://u@h/db\n", "postgresql://u@h/db"),
        ('"postgresql://u@h/db"', "postgresql://u@h/db"),
        ("'postgresql://u@h/db'", "postgresql://u@h/db"),
        ("psql 'postgresql://u@h/db'", "postgresql://u@h/db"),
        ("DATABASE_URL=postgresql://u@h/db", "postgresql://u@h/db"),
        ('export DATABASE_URL="postgresql://u@h/db"', "postgresql://u@h/db"),
        ("postgresql+asyncpg://u@h/db", "postgresql://u@h/db"),
        ("postgresql+psycopg2://u@h/db", "postgresql://u@h/db"),
        ("sqlite+aiosqlite:///notes.db", "sqlite:///notes.db"),
        ("jdbc:postgresql://h/db?user=u", "postgresql://h/db?user=u"),
        ("POSTGRESQL://u@h/db", "postgresql://u@h/db"),
        ("sqlite:my 'odd' name.db", "sqlite:my 'odd' name.db"),
        ("redis+sentinel://h", "redis+sentinel://h"),
    ],
)
def test_what_people_copy_along_with_a_url_is_dropped(typed, meant):
    assert StoreUrl(typed).reveal() == meant


SECRETS = ("S3cret!", "blue sky S3cret", "pä$$wörd#1", "a%40b@c", "x:y/z?q", "100%", "k", "'q\"\\")
FORMS = (
    "postgresql://u:{s}@h/db",
    "postgresql://u:{s}@h:5433,i:5434/db?sslmode=require",
    "postgres://:{s}@/db",
    "postgresql://h/db?user=u&password={s}",
    "postgresql://h/db?password={s}&user=u",
    "postgresql://h/db?sslpassword={s}",
    "postgresql+asyncpg://u:{s}@h/db",
    "jdbc:postgresql://h/db?user=u&password={s}",
    "redis://:{s}@h:6379/0",
    "rediss://u:{s}@h/0?ssl_cert_reqs=none",
    "unix:///run/redis.sock?password={s}&db=1",
    "redis://h/0?username=u&password={s}",
    "shelf://h?api_key={s}",
    "host=h dbname=d password={s}",
    "psql 'postgresql://u:{s}@h/db'",
    "DATABASE_URL=postgresql://u:{s}@h/db",
    "postgresql:/u:{s}@h/db",
    "u:{s}@h/db",
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("spell", [str, quote, quote_plus], ids=["plain", "quote", "quote_plus"])
def test_no_text_form_shows_a_secret(form, secret, spell):
    spelled = spell(secret)
    url = StoreUrl(form.format(s=spelled))
    shown = [str(url), repr(url), f"{url}", f"{url!r}", f"{[url]}"]
    if "//" in form:
        shown.append(mask_text(f"in {url.reveal()}"))
    for text in shown:
        assert not [part for part in pieces_of(spelled) if part in text]
    assert spelled in url.reveal()


def pieces_of(secret: str) -> list[str]:
    """Return the parts of a secret that would give it away."""
    return [part for part in re.split(r"[^\w]+", secret) if len(part) > 3]


@pytest.mark.parametrize("secret", SECRETS)
def test_the_texts_of_a_driver_are_masked(secret):
    url = StoreUrl(f"postgresql://u:{quote(secret, safe='')}@h/db")
    for text in (secret, quote(secret, safe=""), repr(secret), json.dumps(secret)):
        assert secret not in url.mask(f"no such host: {text}")
    assert url.mask("connection refused") in ("connection refused", "***")


@one_in(4)
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:S3cretWord@127.0.0.1:1/db",
        "postgresql://127.0.0.1:1/db?user=u&password=S3cretWord",
        "postgresql://127.0.0.1:1/db?user=u&password=blue sky S3cretWord",
        "postgresql://u:S3cretWord@127.0.0.1:port/db",
        "postgresql://u:S3cretWord@127.0.0.1/db?gssencmode=require",
        "redis://:S3cretWord@127.0.0.1:1/0",
        "redis://:S3cretWord@127.0.0.1:port/0",
        "nonsense://u:S3cretWord@127.0.0.1/db",
    ],
)
def test_verbose_tracebacks_show_no_secret(monkeypatch, url):
    """As ``%xmode Verbose`` prints them, with the variables of every frame."""
    hidden = [url].__getitem__
    monkeypatch.setenv("DATABASE_URL", url)
    for call in (
        lambda: g.open(hidden(0)),
        lambda: asyncio.run(g.connect(hidden(0))),
        lambda: g.open("demo").copy_to(hidden(0), writable=True),
        lambda: asyncio.run(g.connect_from_env(fallback=False)),
    ):
        with pytest.raises(g.GraphflowError, match=r"127\.0\.0\.1") as caught:
            call()
        # Beyond the frame of this test, which has the URL in a variable.
        frames = VerboseTB().text(caught.type, caught.value, caught.tb.tb_next)
        assert "S3cretWord" not in frames
        assert "connect" in frames
