"""Context and ChatHistory: read when touched, and refusing what JSON can't hold."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from enum import StrEnum

import pytest

from graphflow_nb import (
    ChatHistory,
    Context,
    ContextError,
    Message,
)


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
