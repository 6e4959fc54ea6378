"""Patches applied: exact, and all or nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb import Patch
from graphflow_nb.changes import apply
from graphflow_nb.model import stored_session

from .kit import CHAT, stored


def test_what_a_patch_does_not_touch_stays_to_the_letter():
    text = '{"data":{"n": 1.10, "big":%s, "e":1e2,"d":{"a": 1}}, "zz":  [1E+2],"chat_history":%s}'
    text = text % ("9" * 6000, json.dumps(CHAT))
    session = stored_session("id", "g", "t", None, text, 3, None, None)
    made = apply(session, Patch([{"op": "replace", "path": "/status_message", "value": "x"}]))
    assert made.context_json() == text
    assert session.status_message is None
    deeper = apply(session, Patch([{"op": "add", "path": "/context/data/d/b", "value": 2}]))
    said = bytes(deeper.context_json()).decode()
    for piece in ('"n":1.10', '"big":' + "9" * 6000, '"e":1e2', '"zz":[1E+2]', '{"a":1,"b":2}'):
        assert piece in said


def test_every_operation_of_the_rfc():
    session = stored({"a": {"b": [1, 2, 3]}, "x": 1})
    steps: list[Mapping[str, Any]] = [
        {"op": "test", "path": "/context/data/a/b/1", "value": 2},
        {"op": "add", "path": "/context/data/a/b/1", "value": "in"},
        {"op": "add", "path": "/context/data/a/b/-", "value": "last"},
        {"op": "remove", "path": "/context/data/a/b/0"},
        {"op": "move", "from": "/context/data/x", "path": "/context/data/y"},
        {"op": "copy", "from": "/context/data/a", "path": "/context/data/z"},
        {"op": "replace", "path": "/current_task_id", "value": "next"},
    ]
    made = apply(session, Patch(steps))
    assert dict(made.context) == {
        "a": {"b": ["in", 2, 3, "last"]},
        "y": 1,
        "z": {"b": ["in", 2, 3, "last"]},
    }
    assert made.current_task_id == "next"


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ({"op": "replace", "path": "/context/data/nothing", "value": 1}, "does not exist"),
        ({"op": "remove", "path": "/context/data/l/9"}, "does not exist"),
        ({"op": "add", "path": "/context/data/l/01", "value": 1}, "does not exist"),
        ({"op": "add", "path": "/context/data/n/deeper", "value": 1}, "does not exist"),
        ({"op": "remove", "path": "/current_task_id"}, "can't be removed"),
        ({"op": "replace", "path": "/current_task_id", "value": None}, "must be text"),
        ({"op": "replace", "path": "/status_message", "value": 7}, "must be text"),
        ({"op": "replace", "path": "/context", "value": []}, "must be an object"),
        ({"op": "replace", "path": "/context/data", "value": 1}, "data must be an object"),
        ({"op": "add", "path": "/version", "value": 9}, "no member version"),
        ({"op": "add", "path": "/id", "value": "b"}, "no member id"),
        ({"op": "replace", "path": "context", "value": 1}, "JSON Pointer"),
        ({"op": "add", "path": "", "value": 1}, "JSON Pointer"),
        ({"op": "fold", "path": "/context", "value": 1}, "unknown change 'fold'"),
        ({"op": "add", "path": "/context/data/n"}, "no value"),
        ({"op": "add", "path": "/context/data/n", "value": {1, 2}}, "JSON can't"),
        ({"op": "add", "path": "/context/data/n", "value": float("nan")}, "no such number"),
        ({"op": "test", "path": "/context/data/n", "value": 1.0}, "tests for"),
        ({"op": "move", "from": "/context/data", "path": "/context/data/l/0"}, "into itself"),
        (
            {"op": "add", "path": "/context/chat_history/messages/-", "value": {"role": "Bot"}},
            "could not be read back",
        ),
        ("add", "a mapping"),
    ],
)
def test_a_change_that_does_not_fit_changes_nothing(step, says):
    session = stored({"n": 1, "l": [1]})
    before = session.to_json()
    with pytest.raises(g.PatchError, match=says):
        apply(session, Patch([step]))
    assert session.to_json() == before


def test_a_difference_names_elements_of_its_own_list_only():
    def job(number, *, paid=False):
        return {"id": number, "paid": paid}

    base = stored({"jobs": [job(1), job(2)], "n": 1})
    mine = stored({"jobs": [job(1, paid=True), job(2, paid=True)], "n": 2})
    patch = g.diff(base, mine)
    assert apply(base, patch).context["jobs"] == mine.context["jobs"]
    shifted = stored({"jobs": [job(2), job(3)], "n": 1})
    with pytest.raises(g.PatchError, match="/context/data/jobs is not the list"):
        apply(shifted, patch)
    with pytest.raises(g.PatchError, match="does not exist"):
        apply(stored({}), patch)
    # Numbers are compared by value, as a store may spell them otherwise.
    other = stored({"jobs": [{"paid": False, "id": 1.0}, job(2)], "n": 5})
    assert [found["paid"] for found in apply(other, patch).context["jobs"]] == [True, True]
    nested = g.diff(stored({"l": [[1], [2]]}), stored({"l": [[1], [3]]}))
    assert apply(stored({"l": [[1], [2]]}), nested).context["l"] == [[1], [3]]
    with pytest.raises(g.PatchError, match="/context/data/l is not the list"):
        apply(stored({"l": [[0], [2]]}), nested)


def test_a_key_with_dots_is_named_where_the_nested_path_does_not_exist():
    text = '{"data":{"fanout.a.response":1,"x":{"a.b":{"c":1}}},"chat_history":%s}' % json.dumps(
        CHAT
    )
    session = stored_session("id", "g", "t", None, text, 3, None, None)
    for path, there in (
        ("/context/data/fanout/a/response", "/context/data/fanout.a.response"),
        ("/context/data/x/a/b/c", "/context/data/x/a.b"),
    ):
        for op in ("replace", "remove", "add"):
            with pytest.raises(g.PatchError, match=f"key with dots {there} does"):
                apply(session, Patch([{"op": op, "path": path, "value": 2}]))
        made = apply(session, Patch([{"op": "replace", "path": there, "value": 2}]))
        assert made.context_json() != text
