"""Patches, merges and drafts: exact, and never losing what nobody touched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jsonpatch
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphflow_nb as g
from graphflow_nb import Merge, Patch, Session
from graphflow_nb.changes import Draft, apply, diff, json_value, python
from graphflow_nb.model import exactjson, stored_session

from ..conftest import COMPLETE

RUNS = 2000 if COMPLETE else 200
CHAT = {"messages": [], "max_messages": 1000}

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from(["1.10", "1e2", "1.0", "0.1", "-0.0", "1E400"]).map(exactjson.Literal),
    st.text(max_size=4),
)
keys = st.sampled_from(["a", "b", "c/d", "e~f", "", "g.h", "0"])
values: Any = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=12,
)
messages = st.lists(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["User", "Assistant"]),
            "content": st.text(max_size=3),
            "timestamp": st.sampled_from(
                ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00.123456789Z"]
            ),
        }
    ),
    max_size=4,
)


def stored(
    data: Any, chat: Any = (), task: str = "t", status: str | None = None, version: int = 3
) -> Session:
    context = {"data": data, "chat_history": CHAT | {"messages": list(chat)}, "later": {"x": 1}}
    text = exactjson.encode_unchecked(context)
    return stored_session("id", "g", task, status, text, version, None, None)


sessions = st.builds(
    stored,
    st.dictionaries(keys, values, max_size=4),
    messages,
    st.sampled_from(["t", "u"]),
    st.sampled_from([None, "", "s"]),
)


def content(session: Session) -> str:
    """Everything that a patch can touch, comparable: numbers as they were written."""

    def exact(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: exact(item) for key, item in value.items()}
        return [exact(item) for item in value] if isinstance(value, list) else repr(value)

    parts = json.loads(session.to_json(), parse_float=lambda t: f"float {t}", parse_int=str)
    parts.pop("version")
    return json.dumps(exact(parts), sort_keys=True)


@settings(max_examples=RUNS)
@given(sessions, sessions)
def test_a_difference_applied_gives_the_other(one, other):
    patch = diff(one, other)
    made = apply(one, patch)
    assert content(made) == content(other)
    assert made.version == one.version
    assert not len(diff(made, other))
    assert bool(len(patch)) == (content(one) != content(other))
    again = Patch(patch.to_json())
    assert again == patch
    assert content(apply(one, again)) == content(other)
    assert Patch(eval(python(patch))) == patch


@settings(max_examples=RUNS)
@given(sessions, sessions)
def test_as_another_implementation_applies_it(one, other):
    """RFC 6902 as the library jsonpatch has it; numbers as Python compares them."""

    def plain(session: Session) -> Any:
        return {
            "graph_id": session.graph_id,
            "current_task_id": session.current_task_id,
            "status_message": session.status_message,
            "context": json.loads(session.context_json()),
        }

    there = jsonpatch.apply_patch(plain(one), diff(one, other).to_json())
    assert there == plain(other)


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
        ({"op": "replace", "path": "/context/data/nothing", "value": 1}, "there is no"),
        ({"op": "remove", "path": "/context/data/l/9"}, "there is no"),
        ({"op": "add", "path": "/context/data/l/01", "value": 1}, "there is no"),
        ({"op": "add", "path": "/context/data/n/deeper", "value": 1}, "there is no"),
        ({"op": "remove", "path": "/current_task_id"}, "can't be taken away"),
        ({"op": "replace", "path": "/current_task_id", "value": None}, "is text"),
        ({"op": "replace", "path": "/status_message", "value": 7}, "is text"),
        ({"op": "replace", "path": "/context", "value": []}, "is an object"),
        ({"op": "replace", "path": "/context/data", "value": 1}, "data are an object"),
        ({"op": "add", "path": "/version", "value": 9}, "no member version"),
        ({"op": "add", "path": "/id", "value": "b"}, "no member id"),
        ({"op": "replace", "path": "context", "value": 1}, "JSON Pointer"),
        ({"op": "add", "path": "", "value": 1}, "JSON Pointer"),
        ({"op": "fold", "path": "/context", "value": 1}, "no change 'fold'"),
        ({"op": "add", "path": "/context/data/n"}, "no value"),
        ({"op": "add", "path": "/context/data/n", "value": {1, 2}}, "JSON can't"),
        ({"op": "add", "path": "/context/data/n", "value": float("nan")}, "no such number"),
        ({"op": "test", "path": "/context/data/n", "value": 1.0}, "made for"),
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


def test_a_patch_that_is_none():
    for wrong in ("{", "7", '["x"]', 7, None):
        with pytest.raises(g.PatchError):
            Patch(wrong)  # type: ignore[arg-type]


def test_too_deep_for_graph_flow_is_refused():
    value: Any = 1
    for _ in range(exactjson.MAX_DEPTH):
        value = [value]
    session = stored({})
    fits = Patch([{"op": "add", "path": "/context/data/deep", "value": value[0]}])
    assert apply(session, fits).context["deep"] == value[0]
    text = json.dumps([{"op": "add", "path": "/context/data/deep", "value": [value]}])
    with pytest.raises(g.PatchError, match="levels deep"):
        apply(session, Patch(text))


def test_a_context_that_is_none_does_not_keep_the_rest_from_being_mended():
    for text in ("7", "[]", '{"data": 7}', '{"chat_history": {"messages": [1]}}'):
        session = stored_session("id", "g", "t", None, text, 3, None, None)
        mended = apply(session, Patch([{"op": "replace", "path": "/graph_id", "value": "h"}]))
        assert mended.context_json() == text
        assert mended.graph_id == "h"
        draft = Draft(session)
        draft.set_context_text('{"data": {}}')
        assert draft.session().context_json() == b'{"data":{}}'


# Merging


@settings(max_examples=RUNS)
@given(sessions, sessions, sessions)
def test_one_side_alone_is_taken_whole_and_both_ways_clash_alike(base, theirs, mine):
    merge = Merge(base, theirs, mine)
    for choice in ("stored", "mine"):
        merged = merge.session({clash.path: choice for clash in merge.clashes})
        assert merged.version == theirs.version
        if not len(diff(base, mine)):
            assert content(merged) == content(theirs)
        if not len(diff(base, theirs)):
            assert content(merged) == content(mine)
        if content(mine) == content(theirs):
            assert content(merged) == content(mine)
            assert not merge.clashes
    # Merging the other way round clashes at the same places.
    back = Merge(base, mine, theirs)
    assert {c.path for c in back.clashes} == {c.path for c in merge.clashes}


def test_a_merge_joins_what_does_not_touch():
    message = {"role": "User", "content": "0", "timestamp": "2026-01-01T00:00:00Z"}
    base = stored({"a": 1, "b": {"c": 1, "d": 1}, "l": [1, 2]}, [message])
    theirs = stored(
        {"a": 2, "b": {"c": 1, "d": 2}, "l": [9, 2], "new": 1},
        [message, message | {"content": "theirs"}],
        version=4,
    )
    mine = stored(
        {"a": 1, "b": {"c": 5}, "l": [1, 3]}, [message, message | {"content": "mine"}], status="s"
    )
    merge = Merge(base, theirs, mine)
    assert [clash.pointer for clash in merge.clashes] == ["/context/data/b/d"]
    with pytest.raises(g.PatchError, match="choose"):
        merge.session({})
    merged = merge.session({merge.clashes[0].path: "mine"})
    assert dict(merged.context) == {"a": 2, "b": {"c": 5}, "l": [9, 3], "new": 1}
    assert [m.content for m in merged.context.chat_history] == ["0", "theirs", "mine"]
    assert merged.status_message == "s"


def test_arrays_of_other_lengths_are_chosen_as_a_whole():
    base, theirs, mine = (stored({"l": items}) for items in ([1], [1, 2], [1, 3]))
    merge = Merge(base, theirs, mine)
    assert [clash.pointer for clash in merge.clashes] == ["/context/data/l"]


# Drafts


def test_a_draft_of_fields_values_and_messages():
    base = stored({"n": exactjson.Literal("1.10"), "o": {"k": [1, 2]}})
    draft = Draft(base)
    assert not len(draft.changes())
    draft.set("status_message", "hi")
    draft.set_value(("o", "k", "0"), json_value("number", " 2.50 "))
    draft.set_value(("o", "new"), json_value("text", "12"))
    draft.set_value(("t",), json_value("true", ""))
    draft.add_message("Assistant", "hello")
    made = draft.session()
    assert made.version == base.version
    assert b'"k":[2.50,2],"new":"12"' in made.context_json()
    assert b'"n":1.10' in made.context_json()
    assert made.context["t"] is True
    assert made.context.last_messages(1)[0].content == "hello"
    assert base.status_message is None
    assert len(base.context.chat_history) == 0
    draft.remove_value(("t",))
    with pytest.raises(g.PatchError):
        draft.remove_value(("t",))
    with pytest.raises(g.PatchError):
        draft.set_value(("x", "y"), json_value("null", ""))
    with pytest.raises(g.ContextError, match="role"):
        draft.add_message("Bot", "hello")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"data": {"a": 1,}}', "line 1, column 18"),
        ('{"data":\n {"a": NaN}}', "line 2, column 8"),
        ('{"data":\n {"é": tru}}', "line 2, column"),
        ("", "line 1, column 1"),
        ('{"data": {}', "line 1, column 12: the text ends too early"),
        ('{"data": {"a": 1, "a": 2}}', 'the key "a" is twice'),
        ("[]", "is an object"),
        ('{"data": 7}', "data are an object"),
        ('{"data": {"a": "\ud800"}}', "line 1, column 17: a lone surrogate"),
        ('{"data": {"a": "\\ud800"}}', "line 1, column"),
        ('{"chat_history": {"messages": [{}]}}', "could not be read back"),
        ("[" * 3000, "levels deep"),
    ],
)
def test_json_text_that_is_none_says_where(text, says):
    draft = Draft(stored({"a": 1}))
    with pytest.raises(g.ContextError, match=says):
        draft.set_context_text(text)
    assert not len(draft.changes())


def test_json_text_of_a_context_comes_back_as_it_was():
    big = "1" * 5000
    text = '{"data":{"a":1.10,"b":%s,"c":"\\u00e9<\\/b>"},"x":1E5,"chat_history":%s}'
    session = stored_session("id", "g", "t", None, text % (big, json.dumps(CHAT)), 3, None, None)
    draft = Draft(session)
    draft.set_context_text(draft.context_text)
    assert not len(draft.changes())
    draft.set_context_text(draft.context_text.replace("1.10", "1.100"))
    assert str(draft.changes()) == "replace /context/data/a: 1.10 → 1.100"


def test_values_as_a_person_enters_them():
    for text in ("1", "-1.50", "1e400", "0"):
        assert bytes(json_value("number", text)) == text.encode()
    for text in ("", "01", "+1", "1.", ".5", "NaN", "1,5", "0x1", "١"):
        with pytest.raises(g.ContextError, match="no number"):
            json_value("number", text)
    with pytest.raises(g.ContextError, match="line 1, column"):
        json_value("JSON", "{a: 1}")
