"""Context and ChatHistory: read when touched, and refusing what JSON can't hold."""

from __future__ import annotations

import copy
import json
import math
import pickle
from datetime import UTC, datetime
from enum import StrEnum

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphflow_nb import (
    ChatHistory,
    Context,
    ContextError,
    Message,
)

from ..scope import size


class Colour(StrEnum):
    RED = "red"


class Name(str):
    __slots__ = ()


def test_a_context_is_a_mapping():
    context = Context({"a": 1})
    context.set("b", (1, [None, 2.5, "ü", False], {"c": Colour.RED, "d": Name("x")}))
    context["big"] = 2**70
    assert context["b"] == [1, [None, 2.5, "ü", False], {"c": "red", "d": "x"}]
    assert context["big"] == 2**70
    assert list(context) == ["a", "b", "big"]
    assert "a" in context
    assert context.get("zz") is None
    assert context.remove("a") == 1
    assert context.remove("a") is None
    assert dict(context.items()).keys() == {"b", "big"}
    context.clear()
    assert len(context) == 0
    with pytest.raises(KeyError):
        context["a"]


def test_values_are_copied_when_set_and_live_when_got():
    value = {"list": [1]}
    context = Context({"k": value})
    value["list"].append(2)
    assert context["k"] == {"list": [1]}
    context["k"]["list"].append(3)
    assert Context.from_json(context.to_json())["k"] == {"list": [1, 3]}


def test_setdefault_returns_what_is_stored():
    context = Context()
    context.setdefault("items", []).append(1)
    context.setdefault("items", []).append(2)
    assert Context.from_json(context.to_json())["items"] == [1, 2]


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        {1, 2},
        b"x",
        {1: 2},
        {None: 2},
        "\ud800",
        {"\udfff": 1},
        pytest.param(object(), id="object"),
        datetime(2026, 1, 1, tzinfo=UTC),
        1j,
    ],
    ids=repr,
)
@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: [0, {"deep": v}]], ids=["plain", "deep"])
def test_what_json_cannot_hold_is_refused_by_name(value, wrap):
    context = Context({"k": 1})
    with pytest.raises(ContextError, match="'amount'"):
        context.set("amount", wrap(value))
    assert dict(context) == {"k": 1}
    context["k"] = [1]
    context["k"].append(wrap(value))
    with pytest.raises(ContextError, match="'k'"):
        context.to_json()


def test_what_graph_flow_could_not_read_back_is_refused():
    deep: list[object] = []
    for _ in range(130):
        deep = [deep]
    with pytest.raises(ContextError, match="levels"):
        Context({"k": deep})
    with pytest.raises(ContextError):
        Context().set(7, 1)  # type: ignore[arg-type]
    with pytest.raises(ContextError):
        Context({"\ud800": 1})


def test_a_nan_in_the_place_of_a_null_is_noticed():
    context = Context({"k": [None, {"x": None}]})
    context["k"]
    context.to_json()
    context["k"][1]["x"] = math.nan
    with pytest.raises(ContextError, match="nan"):
        context.to_json()


def test_changes_in_place_are_seen_again_and_again():
    context = Context({"k": [1]})
    for i in range(3):
        context["k"].append(i)
        assert Context.from_json(context.to_json())["k"] == context["k"]
    context["k"] = [9]
    assert Context.from_json(context.to_json())["k"] == [9]


def test_equality_is_that_of_json():
    assert Context({"a": 1, "b": [1.0]}) == Context({"b": [1], "a": 1.0})
    assert Context({"a": 1}) != Context({"a": True})
    assert Context({"a": 1}) != Context({"a": 1}, max_messages=5)
    assert Context() != {}


def test_chat_history_prunes_as_the_crate_does():
    context = Context(max_messages=3)
    for i in range(5):
        context.add_user_message(f"m{i}")
    assert [m.content for m in context.chat_history] == ["m2", "m3", "m4"]
    assert [m.content for m in context.last_messages(2)] == ["m3", "m4"]
    assert len(context.last_messages(99)) == 3
    assert context.last_messages(0) == []
    context.add_assistant_message("a")
    context.add_system_message("s")
    assert [m.role for m in context.chat_history] == ["User", "Assistant", "System"]
    again = Context.from_json(context.to_json())
    assert again.chat_history.max_messages == 3
    again.chat_history.clear()
    assert json.loads(again.to_json())["chat_history"] == {"messages": [], "max_messages": 3}
    unlimited = ChatHistory(max_messages=None)
    for _ in range(1500):
        unlimited.add(Message("User", "x"))
    assert len(unlimited) == 1500


SPELLINGS = [
    *("1e+21", "1e21", "1E5", "1e-7", "1E-07", "1.10", "0.1000", "-0", "-0.0", "0.0", "1e400"),
    *("100000000000000000000", "123456789012345678901234567890", "3.0", "1e0", "1e16"),
    *("0.30000000000000004", "123456789.123456789123", '"\\u00e9"', '"a\\/b"', '"-0"', "5"),
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_is_beside_an_edit_keeps_its_text(spelling):
    """Every way to change a part of a value; what was not changed is moved as it was written."""
    number = not spelling.startswith('"')
    text = '{"data":{"c":{"x":%s,"y":1,"l":[%s,1,{"z":%s}]}}}' % ((spelling,) * 3)

    def check(change, expected, in_place=True):
        context = Context.from_json(text)
        change(context)
        for twin in (context, copy.copy(context), pickle.loads(pickle.dumps(context))):
            if number or in_place:
                assert bytes(twin.to_json()).decode() == expected.replace("@", spelling)

    def rename(c):
        c["d"] = c.pop("c")

    whole = '{"data":{"c":{"x":@,"y":1,"l":[@,1,{"z":@}]}'
    check(lambda c: c["c"].update(y=2), whole.replace('"y":1', '"y":2') + "}}")
    check(lambda c: c["c"].pop("y"), whole.replace('"y":1,', "") + "}}")
    check(lambda c: c["c"].setdefault("n", 0), whole[:-1] + ',"n":0}}}')
    check(lambda c: c["c"]["l"].append(2), whole.replace("}]", "},2]") + "}}")
    check(lambda c: c["c"]["l"].insert(1, 2), whole.replace("[@", "[@,2") + "}}")
    check(lambda c: c["c"]["l"].pop(1), whole.replace(",1,", ",") + "}}")
    check(lambda c: c["c"]["l"][2].update(n=1), whole.replace('"z":@', '"z":@,"n":1') + "}}")
    check(lambda c: c["c"]["l"].reverse(), whole.replace('[@,1,{"z":@}]', '[{"z":@},1,@]') + "}}",
          in_place=False)  # fmt: skip
    check(lambda c: c.set("n", c["c"]["x"]), whole + ',"n":@}}', in_place=False)
    check(lambda c: c.update(n=c["c"]["l"]), whole + ',"n":[@,1,{"z":@}]}}', in_place=False)
    check(lambda c: c.setdefault("n", c["c"]["l"][2]), whole + ',"n":{"z":@}}}', in_place=False)
    check(rename, whole.replace('"c"', '"d"') + "}}", in_place=False)


literals = st.sampled_from(SPELLINGS)
texts = st.recursive(
    literals,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(st.sampled_from("abcd"), inner, min_size=1, max_size=4).map(
            lambda items: "{%s}" % ",".join(f'"{key}" : {text}' for key, text in items.items())
        ),
    ),
    max_leaves=12,
)


@settings(max_examples=size(5000, 150))
@given(texts, st.data())
def test_random_edits_leave_the_other_characters(text, data):
    context = Context.from_json('{"data":{"k":[%s]}}' % text)
    place, path = context["k"], []
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        key = data.draw(st.sampled_from(keys))
        path.append(key)
        if not isinstance(place[key], (dict, list)):
            break
        place = place[key]
    place[key] = "@"
    # The same change in the characters alone.
    parts = msgspec.json.decode("[%s]" % text, type=list[msgspec.Raw])

    def change(part, path):
        if not path:
            return msgspec.Raw(b'"@"')
        kind = dict[str, msgspec.Raw] if isinstance(path[0], str) else list[msgspec.Raw]
        members = msgspec.json.decode(part, type=kind)
        members[path[0]] = change(members[path[0]], path[1:])
        return msgspec.Raw(msgspec.json.encode(members))

    expected = bytes(change(msgspec.Raw(msgspec.json.encode(parts)), path))
    assert bytes(context.to_json()) == b'{"data":{"k":%s}}' % expected
