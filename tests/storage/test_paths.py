"""Context paths: how they are written, and what they find."""

from __future__ import annotations

import pytest

import graphflow_nb as g
from graphflow_nb.storage.paths import (
    holds,
    is_encodable,
    message_count,
    parse_path,
    path_label,
    path_text,
    value_at,
)

CONTEXT = (
    '{"data":{"a":{"b.c":[1,{"d":1.10}]},"n":null},'
    '"chat_history":{"messages":[{},{}],"max_messages":null}}'
)


@pytest.mark.parametrize(
    ("path", "keys"),
    [("a", ("a",)), ("a.b", ("a", "b")), (("a.b", "c"), ("a.b", "c")), (["a"], ("a",))],
)
def test_paths(path, keys):
    assert parse_path(path) == keys
    assert parse_path(path_label(path)) == tuple(path_label(path).split("."))


@pytest.mark.parametrize("path", ["", (), 7, None, ("a", 1), ("\ud800",), "\ud800"])
def test_odd_paths_are_refused(path):
    with pytest.raises(g.QueryError, match="a context path is"):
        parse_path(path)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (("a", "b"), "a.b"),
        (("a.b", "c"), "('a.b', 'c')"),
        ((" a",), "(' a',)"),
        (("(a",), "('(a',)"),
        (("a", ""), "('a', '')"),
    ],
)
def test_paths_as_people_type_them(keys, text):
    assert path_text(keys) == text


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (("a", "b.c", "1", "d"), b"1.10"),
        (("a", "b.c", "-2"), b"1"),
        (("a", "b.c", "+1"), b'{"d":1.10}'),
        (("a", "b.c", "2"), None),
        (("a", "b.c", "x"), None),
        (("a", "b"), None),
        (("n",), b"null"),
        (("n", "x"), None),
    ],
)
@pytest.mark.parametrize("context", [CONTEXT, CONTEXT.encode()], ids=["text", "bytes"])
def test_values(context, path, found):
    value = value_at(context, path)
    assert (None if value is None else bytes(value)) == found
    assert holds(context, path, None) is (found is not None)


def test_values_are_compared_as_json():
    assert holds(CONTEXT, ("a", "b.c", "0"), b"1.0")
    assert not holds(CONTEXT, ("a", "b.c", "0"), b"true")
    assert holds(CONTEXT, ("n",), b"null")


@pytest.mark.parametrize("context", ["", "7", '{"data":7}', '{"chat_history":7}', "[" * 5000])
def test_a_malformed_context_holds_nothing(context):
    assert value_at(context, ("a",)) is None
    assert message_count(context) == 0


def test_messages_are_counted():
    assert message_count(CONTEXT) == 2


def test_what_is_text():
    assert is_encodable("é 🙂")
    assert not is_encodable("\ud800")
