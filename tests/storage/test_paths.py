"""Context paths: how they are written, and what they find."""

from __future__ import annotations

import pytest

import graphflow_nb as g
from graphflow_nb.storage.conditions import Condition, holds
from graphflow_nb.storage.paths import (
    find_value,
    is_encodable,
    message_count,
    parse_path,
    path_label,
    path_text,
    resolve_path,
    spellings,
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
        (("a", "b.c", "00000000001"), b'{"d":1.10}'),
        (("a", "b.c", "-000000000002"), b"1"),
        (("a", "b.c", "0" * 5000), b"1"),
        (("a", "b.c", "9" * 5000), None),
        (("a", "b.c", "-2147483649"), None),
        (("a", "b.c", "1e0"), None),
        (("a", "b.c", "1_0"), None),
        (("a", "b.c", "\u0661"), None),
        (("a", "b.c", "2"), None),
        (("a", "b.c", "x"), None),
        (("a", "b"), None),
        (("n",), b"null"),
        (("n", "x"), None),
    ],
)
@pytest.mark.parametrize("context", [CONTEXT, CONTEXT.encode()], ids=["text", "bytes"])
def test_values(context, path, found):
    value = find_value(context, [path])
    assert (None if value is None else bytes(value)) == found
    assert holds(context, Condition([path], "exists")) is (found is not None)
    assert holds(context, Condition([path], "missing")) is (found is None)


def test_values_are_compared_as_json():
    assert holds(CONTEXT, Condition(spellings("a.b.c.0"), "=", b"1.0"))
    assert not holds(CONTEXT, Condition(spellings("a.b.c.0"), "=", b"true"))
    assert holds(CONTEXT, Condition(spellings("n"), "=", b"null"))


@pytest.mark.parametrize("context", ["", "7", '{"data":7}', '{"chat_history":7}', "[" * 5000])
def test_a_malformed_context_holds_nothing(context):
    assert find_value(context, [("a",)]) is None
    assert message_count(context) == 0


def test_messages_are_counted():
    assert message_count(CONTEXT) == 2


def test_what_is_text():
    assert is_encodable("é 🙂")
    assert not is_encodable("\ud800")


def test_a_text_means_the_nested_path_first_and_then_keys_with_dots():
    assert spellings("a") == (("a",),)
    assert spellings(("a", "b")) == (("a", "b"),)
    assert spellings("a.b") == (("a", "b"), ("a.b",))
    assert spellings("a.b.c") == (("a", "b", "c"), ("a.b.c",), ("a.b", "c"), ("a", "b.c"))
    long = ".".join("abcdefg")
    assert spellings(long) == (tuple("abcdefg"), (long,))
    assert len(spellings(long[:-2])) == 16


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ('{"a.b.c":1}', b"1"),
        ('{"a.b":{"c":1}}', b"1"),
        ('{"a":{"b.c":1}}', b"1"),
        ('{"a":{"b":{"c":1}},"a.b.c":2}', b"1"),
        ('{"a":{"b":{"c":null}},"a.b.c":2}', b"null"),
        ('{"a":{"b":7},"a.b.c":2,"a.b":{"c":3}}', b"2"),
        ('{"a":7}', None),
        ("7", None),
    ],
)
def test_keys_with_dots_are_found(data, found):
    value = find_value('{"data":%s}' % data, spellings("a.b.c"))
    assert (None if value is None else bytes(value)) == found


def test_a_path_is_resolved_to_the_keys_that_it_finds():
    context = '{"data":{"a":{"b":1},"a.b":2,"x.y":{"z":3}}}'
    assert resolve_path(context, "a.b") == ("a", "b")
    assert resolve_path(context, ("a.b",)) == ("a.b",)
    assert resolve_path(context, "x.y.z") == ("x.y", "z")
    assert resolve_path(context, "x.y.new") == ("x", "y", "new")
    assert resolve_path("7", "x.y") == ("x", "y")
