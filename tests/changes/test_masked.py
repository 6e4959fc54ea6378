"""Texts with masks: what is not touched goes back to the letter, and no mask is ever stored."""

from __future__ import annotations

import json

import pytest
from msgspec import Raw

import graphflow_nb as g
from graphflow_nb.changes import Draft
from graphflow_nb.changes.masked import mask_text
from graphflow_nb.model.masks import DEFAULT_MASK, contains_mask

DATA = """{"user":"ann","password":"x\\u0031","pin":1.10,"logins":[{"token":"t1"},{"token":"t2"}],
"secrets":{"a":[1e2,true,null,""]},"tokens_used":12345678901234567890123}"""
TEXT = '{"data":' + DATA.replace("\n", "") + ',"chat_history":{"messages":[],"max_messages":1000}}'


def draft_of(text: str = TEXT) -> Draft:
    return Draft(g.Session("a", "t").with_context_json(text))


def edit(old: str, new: str) -> str:
    """Return the context after an edit of the text that a person was given."""
    draft = draft_of()
    masked = mask_text(draft.context, DEFAULT_MASK, ("context",))
    assert old in masked.text
    draft.set_context_text(masked.text.replace(old, new), masked)
    assert not contains_mask(draft.context)
    return bytes(draft.context).decode()


def test_what_is_masked_stays_to_the_letter() -> None:
    assert edit('"ann"', '"bob"') == TEXT.replace('"ann"', '"bob"')
    draft = draft_of()
    masked = mask_text(draft.context, DEFAULT_MASK, ("context",))
    for secret in ("x", "1.10", "t1", "t2", "1e2"):
        assert f'"{secret}' not in masked.text
    assert "12345678901234567890123" in masked.text
    draft.set_context_text(masked.text, masked)
    assert not len(draft.changes())


def test_a_new_value_and_a_removed_element_are_taken() -> None:
    assert '"password":"new"' in edit('"••• 1 (text, 2 characters)"', '"new"')
    first = """      {
        "token": "••• 3 (text, 2 characters)"
      },
"""
    assert '"logins":[{"token":"t2"}]' in edit(first, "")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"ann"', '"••• 1 (text, 2 characters)"', "was moved to /context/data/user"),
        ("••• 4 (", "••• 3 (", "is there twice"),
        ("••• 4 (", "••• 44 (", "is shown instead of a secret that is not there"),
        ('"ann"', '"••• (number)"', "is shown instead of a secret that is not there"),
        ('"••• 2 (number)"', '["••• 2 (number)"]', "was moved to /context/data/pin/"),
    ],
)
def test_a_mask_elsewhere_is_refused(old: str, new: str, said: str) -> None:
    with pytest.raises(g.ContextError, match=said):
        edit(old, new)


def test_a_stored_text_that_looks_like_a_mask_stays() -> None:
    text = '{"data":{"note":"••• 1 (number)","pin":12},"chat_history":{"messages":[]}}'
    draft = draft_of(text)
    masked = mask_text(draft.context, DEFAULT_MASK, ("context",))
    assert '"pin": "••• 2 (number)"' in masked.text
    draft.set_context_text(masked.text, masked)
    assert bytes(draft.context).decode() == text


def test_a_patch_with_a_mask_is_refused_before_anything_is_written() -> None:
    wb = g.open("memory:")
    wb.create("a", "t", context={"password": "x"})
    shown = bytes(DEFAULT_MASK.hide(Raw(b'"x"'), ("context", "data", "password"))).decode()
    changes = f'[{{"op": "add", "path": "/context/data/b", "value": {{"c": [{shown}]}}}}]'
    with pytest.raises(g.PatchError, match="shown instead of a secret"):
        wb.patch("a", changes)
    assert dict(wb.get("a").context) == {"password": "x"}


def test_a_secret_within_a_text_stays_to_the_letter_where_the_text_is_edited() -> None:
    note = r"see \"https://ann:p\u0077@h/\" and ghp_0123456789abcdefghij, \u00e9"
    text = f'{{"data":{{"note":"{note}","other":"plain"}},"chat_history":{{"messages":[]}}}}'
    draft = draft_of(text)
    masked = mask_text(draft.context, DEFAULT_MASK, ("context",))
    assert "ann:••• 1 (text, 2 characters)@h/" in masked.text
    draft.set_context_text(masked.text.replace("plain", "new"), masked)
    assert bytes(draft.context).decode() == text.replace("plain", "new")
    draft.set_context_text(masked.text.replace("see", "look at"), masked)
    found = draft.session().context["note"]
    assert found == 'look at "https://ann:pw@h/" and ghp_0123456789abcdefghij, é'
    moved = masked.text.replace('"plain"', '"••• 1 (text, 2 characters)"')
    with pytest.raises(g.ContextError, match="was moved to"):
        draft.set_context_text(moved, masked)


def test_an_edit_of_a_list_whose_elements_move_keeps_each_value() -> None:
    messages = ",".join(
        f'{{"role":"User","content":"password: p{n}","timestamp":"2026-01-01T00:00:00Z"}}'
        for n in range(3)
    )
    data = '{"h":[["Cookie","c1"],["X-Api-Key","k2"]]}'
    text = f'{{"data":{data},"chat_history":{{"messages":[{messages}]}}}}'
    draft = draft_of(text)
    masked = mask_text(draft.context, DEFAULT_MASK, ("context",))
    edited = json.loads(masked.text)
    edited["data"]["h"].reverse()
    del edited["chat_history"]["messages"][0]
    draft.set_context_text(json.dumps(edited, ensure_ascii=False), masked)
    context = draft.session().context
    assert context["h"] == [["X-Api-Key", "k2"], ["Cookie", "c1"]]
    assert [m.content for m in context.chat_history] == ["password: p1", "password: p2"]


def test_a_key_that_is_a_secret_stays_where_what_is_under_it_is_edited() -> None:
    keys = [f"ghp_0123456789abcdefghi{n}" for n in range(2)]
    text = f'{{"data":{{"{keys[0]}":{{"user":"ann"}},"{keys[1]}":1.50}},'
    text += '"chat_history":{"messages":[]}}'
    draft = draft_of(text)
    masked = mask_text(draft.context, DEFAULT_MASK, ("context",))
    assert "ghp_" not in masked.text
    draft.set_context_text(masked.text.replace("ann", "bob"), masked)
    assert bytes(draft.context).decode() == text.replace("ann", "bob")
    shown = str(draft.changes())
    assert "ghp_" not in shown
    assert "bob" in shown
    hidden = json.loads(bytes(DEFAULT_MASK.hide(Raw(text.encode()))))
    first = "••• (text, 24 characters)"
    assert list(hidden["data"]) == [first, first.replace("(", "2 (")]


def edit_data(data: object, old: str, new: str) -> str:
    """Return what is stored of data after its masked text was edited."""
    raw = Raw(json.dumps(data).encode())
    masked = mask_text(raw, DEFAULT_MASK, ("context", "data"))
    assert old in masked.text
    return bytes(masked.restore(Raw(masked.text.replace(old, new).encode()))).decode()


GHP = "ghp_0123456789abcdefghi"


@pytest.mark.parametrize(
    ("data", "old", "new", "said"),
    [
        ({"h": {"name": "Cookie", "value": "c1"}}, "Cookie", "Accept", "would be shown"),
        ({"h": {"name": "Cookie", "value": "c1"}}, '"name"', '"what"', "would be shown"),
        ({"h": ["api_key", "k1!"]}, "api_key", "amount", "would be shown"),
        ({"t": "my password=c1"}, "password=", "word ", "would be shown"),
        ({"t": {"columns": ["pwd", "n"], "rows": [["c1", 1]]}}, '"pwd"', '"n"', "would be shown"),
        ({"t": "pwd,n\nc1,1"}, "pwd", "n", "would be shown"),
        ({"f": ["a", "b1", "X-Api-Key", "c1"]}, "X-Api-Key", "b", "would be shown"),
        ({"a": {GHP: 1}}, '"a"', '"b"', "moved to"),
        ({"a": {GHP: 1}}, '"••• 1', '"••• 2', "not there"),
        ({"password": "c1"}, '"password"', '"words"', "moved to"),
    ],
)
def test_no_edit_reveals_a_secret_or_stores_its_mask(
    data: object, old: str, new: str, said: str
) -> None:
    with pytest.raises(g.PatchError, match=said):
        edit_data(data, old, new)


@pytest.mark.parametrize(
    ("data", "old", "new", "stored"),
    [
        ({"h": {"name": "Cookie", "value": "c1"}}, "Cookie", "X-Api-Key", '"value":"c1"'),
        ({"t": "my password=c1"}, "characters)", "characters)more", "password=c1more"),
        ({"t": {"columns": ["pwd", "n"], "rows": [["c1", 7]]}}, "7\n", "8\n", '[["c1",8]]'),
        ({"t": "pwd,n\nc1,1"}, ",1", ",2", r'"pwd,n\nc1,2"'),
        ({"f": ["a", "b1", "X-Api-Key", "c1"]}, "b1", "b2", '["a","b2","X-Api-Key","c1"]'),
        ({"type": "password", "value": "c1", "n": 7}, "7\n", "8\n", '"value":"c1","n":8'),
        ({"t": f"use {GHP} now"}, "use", "take", f"take {GHP} now"),
        ({GHP: 1, "a": 2}, '"a": 2', '"b": 3', f'"{GHP}":1'),
    ],
)
def test_an_edit_beside_a_secret_keeps_it(data: object, old: str, new: str, stored: str) -> None:
    assert stored in edit_data(data, old, new)
