"""Values are changed where one reads them: into the draft, previewed, to the letter."""

from __future__ import annotations

from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.changes import pointer
from graphflow_nb.notebook.browse import Browser

from .kit import find_button, said, save_theirs

ID = "claim-0014"
#: A context whose values a program might spell otherwise.
CONTEXT = """{"data": {"big": 9007199254740993, "one": 1.0, "huge": 1e400, "a.b": {"": 1.10},
"tags": ["x", null, true], "note": "two\\nlines"}, "chat_history": {"messages": [{"role": "User",
"content": "hello", "timestamp": "2026-01-01T00:00:00Z"}], "max_messages": 1000}}"""


@pytest.fixture
def browser(wb: g.Workbench) -> Browser:
    session = wb.get(ID)
    session.context = g.Context.from_json(CONTEXT)
    wb.bridge.run(wb.storage.inner.save(session))  # as another program does, which checks nothing
    return wb.browse(session=ID)


def line_of(browser: Browser, key: str) -> dict[str, Any]:
    lines: list[dict[str, Any]] = browser.reader.values.tree.page["lines"]
    return next(line for line in lines if line["key"] == key)


def ask(browser: Browser, event: str, line: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What the front end sends, and the answer."""
    tree = browser.reader.values.tree
    told = {"key": line["key"], "of": ID, "mark": line.get("mark"), "stamp": 1, **more}
    tree.receive({"event": event, **told})
    answer: dict[str, Any] = tree.answer
    return answer


def put(browser: Browser, key: str, kind: str, text: str) -> str:
    error: str = ask(browser, "set", line_of(browser, key), kind=kind, text=text)["error"]
    return error


@pytest.mark.parametrize(
    ("place", "kind", "text", "stored"),
    [
        ("big", "number", "9007199254740995", "9007199254740995"),
        ("one", "number", "2.0", "2.0"),
        ("huge", "number", "1.50", "1.50"),
        ("a.b/", "number", "-0.10", "-0.10"),
        ("tags/1", "text", "12", '"12"'),
        ("tags/2", "false", "", "false"),
        ("note", "JSON", '{"n": 1.0}', '{"n":1.0}'),
        ("note", "null", "", "null"),
    ],
)
def test_a_value_is_saved_to_the_letter_and_no_other_is_touched(browser, place, kind, text, stored):
    key = f"/context/data/{place}"
    before = browser.wb.get(ID)
    assert put(browser, key, kind, text) == ""
    assert "This will change" in browser.reader.saving.preview_text.value
    assert not len(g.diff(before, browser.wb.get(ID))), "not before Save"
    find_button(browser, "Save 1 change").click()
    assert "Saved 'claim-0014'" in said(browser)
    (change,) = g.diff(before, browser.wb.get(ID))
    assert (bytes(change.value or b"").decode(), pointer(change.path)) == (stored, key)


def test_a_message_is_changed_where_it_is_read(browser: Browser):
    browser.reader.parts.value = "Chat"
    key = "/context/chat_history/messages/0/content"
    assert put(browser, key, "text", "hello, I meant") == ""
    find_button(browser, "Save 1 change").click()
    assert browser.wb.get(ID).context.last_messages(1)[0].content == "hello, I meant"


@pytest.mark.parametrize(
    ("kind", "text", "error"),
    [
        ("number", "1,5", "'1,5' is not a number in JSON"),
        ("number", "01", "'01' is not a number in JSON"),
        ("number", "1e400", "a number beyond f64, which graph-flow could not read back"),
        ("JSON", "[1,", "line 1, column"),
    ],
)
def test_what_is_wrong_is_said_beside_the_value_and_nothing_is_set(browser, kind, text, error):
    answer = put(browser, "/context/data/one", kind, text)
    assert error in answer
    assert browser.desk.draft is None or not len(browser.desk.draft.changes())
    # What was right before stays in the draft, with its preview.
    assert put(browser, "/context/data/big", "number", "7") == ""
    assert error in put(browser, "/context/data/one", kind, text)
    assert len(browser.desk.preview) == 1
    assert find_button(browser, "Save 1 change") is not None


def test_a_value_that_changed_meanwhile_is_not_replaced_unseen(browser: Browser):
    line = line_of(browser, "/context/data/one")
    save_theirs(browser.wb, ID, context={"one": 3})
    browser.stage.poll_once()
    answer = ask(browser, "set", line, kind="number", text="2")
    assert "one was changed meanwhile and is 3 now; nothing was set" in answer["error"]
    # Enter again is about what was said.
    assert ask(browser, "set", line | {"mark": answer["mark"]}, kind="number", text="2") == {
        "stamp": 1,
        "error": "",
        "mark": line_of(browser, "/context/data/one")["mark"],
        "text": "",
    }
    # Saved by others after that: the usual conflict.
    save_theirs(browser.wb, ID, context={"one": 4})
    find_button(browser, "Save 1 change").click()
    assert browser.desk.conflict is not None
    assert not browser.reader.values.tree.page["editable"]
    assert "others saved this session" in put(browser, "/context/data/big", "number", "1")


def test_the_answer_to_another_session_sets_nothing(browser: Browser):
    line = line_of(browser, "/context/data/one")
    browser.open_session("claim-0118")
    assert "another session is open" in ask(browser, "set", line, kind="null", text="")["error"]


def test_what_is_being_typed_is_not_dropped(browser: Browser):
    tree = browser.reader.values.tree
    tree.receive({"event": "typing", "place": "one"})
    assert "has changes that are not saved" in browser.reader.title.value
    browser.open_session("claim-0118")
    assert "has changes that are not saved" in said(browser)
    assert put(browser, "/context/data/big", "number", "7") == ""  # another one is kept
    tree.receive({"event": "typing", "place": "one"})
    find_button(browser, "Save 1 change").click()
    assert "what was typed for one is not in the draft yet: press Enter there" in said(browser)
    turn = tree.page["turn"]
    find_button(browser, "Discard changes").click()
    assert tree.page["turn"] != turn, "the value that is open is left"
    browser.open_session("claim-0118")
    assert browser.session.id == "claim-0118"


def test_a_change_that_is_taken_back_leaves_no_draft(browser: Browser):
    assert put(browser, "/context/data/one", "number", "2") == ""
    assert line_of(browser, "/context/data/one")["was"] == "was 1.0"
    assert put(browser, "/context/data/one", "number", "1.0") == ""
    assert browser.desk.draft is None
    assert said(browser) == "one is as it was stored"


def test_a_long_value_is_read_when_it_is_opened(wb: g.Workbench):
    session = wb.get(ID)
    session.context["long"] = "x" * 5_000
    session.context["list"] = list(range(150))
    wb.save(session)
    browser = wb.browse(session=ID)
    line = line_of(browser, "/context/data/long")
    assert len(line["raw"]) < 5_000
    assert line["cut"] == "… 5,002 characters in all"
    assert ask(browser, "read", line)["text"] == "x" * 5_000
    # A value of a later portion.
    browser.reader.portion.below.value = "list"
    browser.reader.portion.next.click()
    assert put(browser, "/context/data/list/149", "number", "0") == ""
    assert str(browser.desk.preview) == "replace /context/data/list/149: 149 → 0"


def test_a_read_only_store_has_nothing_to_change(tmp_path):
    path = tmp_path / "s.db"
    with g.open(f"sqlite:///{path}", create=True) as wb:
        wb.create("a", "t")
    with g.open(f"sqlite:///{path}", writable=False) as wb:
        assert not wb.browse(session="a").reader.values.tree.page["editable"]
