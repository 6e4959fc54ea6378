"""Secrets are edited without being shown, and shown by a message that no notebook saves."""

from __future__ import annotations

import json
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.notebook.browse import Browser
from graphflow_nb.notebook.browse.render import clash_html
from graphflow_nb.notebook.browse.typed import sessions_call
from graphflow_nb.notebook.places import find_places

from ...scope import only_complete
from .kit import find_button, said
from .test_inplace import ask, line_of

CONTEXT = r"""{"data":{"password":"Zq7\u0031","pin":12.50,"login":{"user":"ann","token":"Zq72"}},"""
CONTEXT += '"chat_history":{"messages":[],"max_messages":1000}}'
ID = "claim-0014"


@pytest.fixture
def browser(wb: g.Workbench) -> Browser:
    session = wb.get(ID)
    session.context = g.Context.from_json(CONTEXT)
    wb.save(session)
    return wb.browse(session=ID)


def stored(browser: Browser) -> str:
    text = browser.wb.get(ID).context_json()
    return text if isinstance(text, str) else text.decode()


def put(browser: Browser, key: str, kind: str, text: str) -> str:
    error: str = ask(browser, "set", line_of(browser, key), kind=kind, text=text)["error"]
    return error


def test_a_secret_is_replaced_in_the_tree_and_its_mask_is_never_stored(browser: Browser) -> None:
    key = "/context/data/password"
    line = line_of(browser, key)
    assert (line["raw"], line["secret"]) == ("••• (text, 4 characters)", True)
    assert "type all of the new one" in put(browser, key, "text", f"{line['raw']} and more")
    assert put(browser, key, "text", "new one") == ""
    find_button(browser, "Save 1 change").click()
    assert stored(browser) == CONTEXT.replace(r'"Zq7\u0031"', '"new one"')
    assert "new one" not in str(browser.reader.values.tree.page) + "".join(browser.calls)
    assert "'value': SECRET" in browser.calls[-1]


@only_complete
def test_an_object_is_edited_as_json_with_its_secrets_masked(browser: Browser) -> None:
    key = "/context/data/login"
    text = ask(browser, "read", line_of(browser, key))["text"]
    assert json.loads(text) == {"user": "ann", "token": "••• 1 (text, 4 characters)"}
    moved = json.dumps({"user": "••• 1 (text, 4 characters)"})
    assert "was moved to /context/data/login/user" in put(browser, key, "JSON", moved)
    assert put(browser, key, "JSON", text.replace("ann", "bob")) == ""
    find_button(browser, "Save 1 change").click()
    assert stored(browser) == CONTEXT.replace("ann", "bob")


@only_complete
def test_a_secret_is_shown_by_a_message_alone(browser: Browser, monkeypatch: Any) -> None:
    tree, sent = browser.reader.values.tree, []
    monkeypatch.setattr(tree, "send", sent.append)
    before = tree.get_state()
    for key in ("password", "pin"):
        ask(browser, "reveal", line_of(browser, f"/context/data/{key}"))
    assert sent == [
        {"revealed": "/context/data/password", "text": "Zq71"},
        {"revealed": "/context/data/pin", "text": "12.50"},
    ]
    assert tree.get_state() == before


@only_complete
def test_the_editor_keeps_masked_values_and_drops_what_was_typed(browser: Browser) -> None:
    browser.reader.parts.value = "Edit"
    editor, saving = browser.reader.editor, browser.reader.saving
    editor.path.value = "pin"
    assert (editor.kind.value, editor.value.value) == ("number", "••• 1 (number)")
    editor.set.click()  # as it is stored
    assert not len(browser.desk.edit().changes())
    editor.path.value, editor.kind.value, editor.value.value = "note", "text", "••• 1 (number)"
    editor.set.click()
    assert "shown instead of a secret" in said(browser)
    editor.path.value = editor.value.value = ""
    editor.json.value = editor.json.value.replace('"••• 3 (text, 4 characters)"', '"Zq9"')
    saving.preview.click()
    assert "Zq9" not in editor.json.value + saving.preview_text.value
    saving.save.click()
    assert stored(browser) == CONTEXT.replace("Zq72", "Zq9")
    assert editor.json.value == ""


@only_complete
@pytest.mark.parametrize("part", ["JSON", "History"])
def test_a_page_is_shown_with_its_secrets_by_a_message_alone(
    wb: g.Workbench, monkeypatch: Any, part: str
) -> None:
    wb.install_history()
    session = wb.get(ID)
    for number in range(2):
        session.status_message = f"at https://ann:Zq7{number}@host"
        session.context["password"] = "Zq71"
        wb.save(session)
    browser = wb.browse(session=ID)
    browser.reader.parts.value = part
    page = browser.reader.history if part == "History" else browser.reader
    shown = [page.text, page.changes] if part == "History" else [page.text]
    for html in shown:
        sent: list[Any] = []
        monkeypatch.setattr(html, "send", sent.append)
        state = html.get_state()
        assert html.secrets
        assert "Zq7" not in str(state)
        html.receive({"event": "reveal", "view": "v1"})
        (message,) = sent
        assert message["view"] == "v1"
        assert "Zq71" in message["revealed"]
        assert html.get_state() == state


def test_a_value_is_edited_without_being_shown_where_its_name_is_beside_it(wb: g.Workbench) -> None:
    session = wb.get(ID)
    session.context["headers"] = [{"name": "Cookie", "value": "Zq71"}, ["X-Api-Key", ["Zq72"]]]
    wb.save(session)
    browser = wb.browse(session=ID)
    for key in ("0/value", "1/1"):
        text = ask(browser, "read", {"key": f"/context/data/headers/{key}"})["text"]
        assert "••• 1 (text, 4 characters)" in text
    browser.reader.parts.value = "Edit"
    editor = browser.reader.editor
    editor.path.value = "headers.0.value"
    assert editor.value.value == "••• 1 (text, 4 characters)"
    editor.value.value += " and more"
    editor.set.click()
    browser.reader.saving.preview.click()
    assert "Zq7" not in str([each.get_state() for each in (editor.value, editor.json)])
    browser.reader.saving.save.click()
    assert wb.get(ID).context["headers"][0]["value"] == "Zq71 and more"


def test_a_status_is_edited_without_its_secret(wb: g.Workbench) -> None:
    session = wb.get(ID)
    session.status_message = "at https://ann:Zq73@host"
    wb.save(session)
    browser = wb.browse(session=ID)
    browser.reader.parts.value = "Edit"
    status = browser.reader.editor.status
    assert status.value == "at https://ann:••• 1 (text, 4 characters)@host"
    status.value = status.value.replace("at", "was at")
    browser.reader.saving.preview.click()
    browser.reader.saving.save.click()
    assert wb.get(ID).status_message == "was at https://ann:Zq73@host"


def test_keys_that_are_secrets_and_secrets_inside_a_filter_are_not_named() -> None:
    key, secret = "ghp_Zq7abcdefghijklmnop12", "Zq7"
    one, two, three = (g.Session("a", "t", context={key: n, "n": n}) for n in range(3))
    assert secret not in repr(find_places(one, two))
    assert "n" in find_places(one, two)
    for clash in g.Merge(one, two, three).clashes:
        assert secret not in clash_html(clash)
    shown = sessions_call({"where": {"settings": {"password": secret, "user": "ann"}}})
    assert secret not in shown
    assert "ann" in shown
