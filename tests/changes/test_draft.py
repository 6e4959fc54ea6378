"""Drafts: changes that a person enters."""

from __future__ import annotations

import json

import pytest

import graphflow_nb as g
from graphflow_nb.changes import Draft, json_value
from graphflow_nb.model import exactjson, stored_session

from .kit import CHAT, stored


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
        ("[]", "must be an object"),
        ('{"data": 7}', "data must be an object"),
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
        with pytest.raises(g.ContextError, match="not a number"):
            json_value("number", text)
    with pytest.raises(g.ContextError, match="line 1, column"):
        json_value("JSON", "{a: 1}")
