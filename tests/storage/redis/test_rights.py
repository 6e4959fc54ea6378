"""Users with few rights: what they may do works, and what they lack is named."""

from __future__ import annotations

import pytest

import graphflow_nb as g


@pytest.fixture
def user(servers, raw):
    """Make a user with rules, and return the URL with which it connects."""
    with g.open(servers[0].url, writable=True) as wb:
        for id in ("open-1", "open-2", "closed-1"):
            wb.create(id, "t")

    def make(*rules: str) -> str:
        words = ("ACL", "SETUSER", "someone", "reset", "on", ">S3cret", "-@all", *rules)
        if len(servers) > 1:
            raw.execute_command(*words, target_nodes="all")
        else:
            raw.execute_command(*words)
        return str(servers[0].url).replace("//", "//someone:S3cret@")

    yield make
    words = ("ACL", "DELUSER", "someone")
    raw.execute_command(*words, **({"target_nodes": "all"} if len(servers) > 1 else {}))


CLUSTER = ("+cluster", "+info", "+readonly", "+command")


@pytest.mark.parametrize(
    "rules", [("+@read", "+ping", "+info"), ("+@read",), ("+get", "+mget", "+scan")]
)
def test_reading_takes_no_more_than_the_docs_name(user, servers, rules):
    more = CLUSTER if len(servers) > 1 else ()
    with g.open(user("~*", *rules, *more)) as wb:
        assert wb.get("open-1").id == "open-1"
        assert len(wb.sessions()) == 3
        assert wb.summary()["sessions"].sum() == 3
        assert wb.sessions(ids=["open-1", "no"])["id"].tolist() == ["open-1"]
        wb.advise()


def test_keys_that_may_not_be_read_are_left_out_with_a_note(user, servers):
    more = CLUSTER if len(servers) > 1 else ()
    with g.open(user("~open-*", "+@read", *more)) as wb:
        frame = wb.sessions(order="id")
        assert frame["id"].tolist() == ["open-1", "open-2"]
        assert "1 key is left out, because this user may not read it (closed-1)" in str(
            frame.attrs["note"]
        )
        assert wb.sessions(ids=["closed-1", "open-1"])["id"].tolist() == ["open-1"]
        assert wb.summary()["sessions"].sum() == 2
        with pytest.raises(g.StorageError, match="may not use GET on the key 'closed-1'"):
            wb.get("closed-1")


def test_the_index_leaves_out_keys_that_may_not_be_read_too(user, servers):
    more = CLUSTER if len(servers) > 1 else ()
    with g.open(servers[0].url, writable=True) as wb:
        wb.build_index()
    with g.open(user("~open-*", "~{graphflow_nb:*", "+@read", *more)) as wb:
        frame = wb.sessions(limit=2)
        assert set(frame["id"]) == {"open-1", "open-2"}
        assert "1 key is left out, because this user may not read it (closed-1)" in str(
            frame.attrs["note"]
        )
        assert "answered by the index" in frame.attrs["note"]
        assert "differed" not in frame.attrs["note"]


@pytest.mark.parametrize(
    ("missing", "call"),
    [
        ("get", lambda wb: wb.get("open-1")),
        ("scan", lambda wb: wb.sessions()),
        ("evalsha", lambda wb: wb.save(wb.get("open-1"))),
        ("set", lambda wb: wb.save(wb.get("open-1"))),
        ("del", lambda wb: wb.delete("open-1", undo=False)),
    ],
)
def test_a_right_that_is_missing_is_named(user, servers, missing, call):
    more = CLUSTER if len(servers) > 1 else ()
    rights = ("~*", "+@read", "+@write", "+@scripting", *more)
    with g.open(user(*rights), writable=True) as wb:
        call(wb)
        wb.create("open-1", "t") if missing == "del" else None
        user(*rights, f"-{missing}")
        with pytest.raises(g.StorageError, match=f"(?i){missing}"):
            call(wb)


def test_what_could_not_be_put_back_is_not_deleted(user, servers, raw):
    more = CLUSTER if len(servers) > 1 else ()
    keys = set(raw.keys())
    url = user("~*", "+@read", "+@write", "+@scripting", *more, "-set")
    with g.open(url, writable=True) as wb:
        with pytest.raises(g.JournalError, match=r"lacks the command SET.*nothing was deleted"):
            wb.delete(["open-1", "open-2"])
        assert wb.get("open-1").id == "open-1"
        assert wb.delete("open-1", undo=False) == ["open-1"]
    # Where other keys than those of sessions are closed, nothing is known, and nothing refused.
    with g.open(user("~open-*", "+@all"), writable=True) as wb:
        assert wb.delete("open-2") == ["open-2"]
        assert wb.undo().id == "open-2"
    assert set(raw.keys()) == keys - {b"open-1", "open-1"}, "asking makes no key"


def test_a_copy_tries_no_other_session_without_the_right(user, servers):
    source = g.InMemorySessionStorage.from_sessions(g.Session(f"new-{n}", "t") for n in range(9))
    more = (*CLUSTER, "+ping", "+info", "+evalsha", "+eval")
    with (
        g.wrap(source) as mine,
        g.open(user("~*", "+@read", "+@write", *more), writable=True) as wb,
    ):
        user("~*", "+@read", *more)
        with pytest.raises(g.StorageDenied, match="'set' command") as caught:
            mine.copy_to(wb)
        assert "copied before" not in str(caught.value)
