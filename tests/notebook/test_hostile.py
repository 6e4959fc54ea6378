"""Content that tries to run something or to get lost: list, reader, editor, diff, static HTML."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb import cards
from graphflow_nb.changes import Draft, diff, json_value
from graphflow_nb.diagrams import shorten
from graphflow_nb.model import Session, exactjson
from graphflow_nb.notebook.browse import Browser
from graphflow_nb.notebook.browse.render import MAX_NAME, raw_html

from ..hostile import SAMPLE, Case
from ..scope import COMPLETE, one_in

TAGS = {"b", "br", "code", "details", "div", "em", "h4", "p", "pre", "span", "strong", "style"}
TAGS |= {"summary", "table", "tbody", "td", "th", "thead", "tr", "wbr"}
ATTRIBUTES = {"class", "colspan", "open", "role", "title"}


class _Allowed(HTMLParser):
    """Fails at anything that is not of our own making."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text: list[str] = []
        self.styles = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        for name, value in attrs:
            assert name in ATTRIBUTES, (tag, name)
            assert "__pwned" not in (value or "")
        self.styles += tag == "style"
        if tag not in ("br", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def check(html: str) -> str:
    """The text that a person reads."""
    parser = _Allowed()
    parser.feed(html)
    parser.close()
    assert not parser.open
    assert parser.styles <= 2
    return "".join(parser.text)


@one_in(4)
@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: case.name)
def test_reader_editor_and_difference(case: Case):
    session = case.session()
    text = check(cards.session_html(session))
    for field in (case.id, case.graph_id, case.current_task_id, case.status_message or ""):
        assert field[: cards.MAX_TEXT] in text
    for part in (
        cards.overview_html,
        lambda session: cards.context_portion(session).html,
        lambda session: cards.context_portion(session, find="e").html,
        raw_html,
    ):
        check(part(session))
    other = Session("plain", "p", context={"p": 1})
    changes = diff(other, session)
    assert "path" in check(cards.patch_html(changes)) or not len(changes)
    check(cards.patch_html(diff(session, other)))
    check(cards.card("changes", cards.patch_html(changes)))
    assert isinstance(cards.session_text(session), str)

    # The editor's text is the context, to the digit.
    draft = Draft(session)
    if len(draft.context_text) < 200_000:
        draft.set_context_text(draft.context_text)
        assert not len(draft.changes())
    # A change elsewhere leaves it to the letter.
    draft.set("status_message", "mended")
    assert draft.session().context_json() in (case.context, case.context.encode())
    # One beside it leaves every value as it was.
    draft.set_value(("beside",), json_value("number", "1.10"))
    beside = draft.session()
    before, after = (json.loads(t, **EXACT) for t in (case.context, beside.context_json()))
    assert after["data"].pop("beside") == "1.10"
    assert after["data"] == before.get("data", {})
    assert after.get("chat_history") == before.get("chat_history")
    assert exactjson.same(exactjson.Raw(case.context.encode()), _raw(session))


EXACT: dict[str, Any] = {"parse_int": str, "parse_float": str}


def _raw(session: Session) -> Any:
    text = session.context_json()
    return exactjson.Raw(text.encode() if isinstance(text, str) else text)


async def save_cases(storage: Any, cases: list[Case]) -> None:
    """Save the cases as new sessions."""
    for case in cases:
        session = Session(
            case.id,
            case.current_task_id,
            graph_id=case.graph_id,
            status_message=case.status_message,
        )
        await storage.save(session.with_context_json(case.context))


@one_in(2)
@pytest.mark.parametrize("kind", ["memory", "postgres"])
def test_list_and_static_html(kind, request):
    """Every case on one page, and each open under it."""
    cases = [case for case in SAMPLE if kind == "memory" or case.postgres]
    url = "memory:" if kind == "memory" else request.getfixturevalue("database")
    wb = g.open(url, writable=True)
    wb.bridge.run(save_cases(wb.storage.inner, cases))
    browser = wb.browse(page_size=1000, order="id")
    assert len(browser.listing.ids()) == len(cases)
    for row in browser.table.page["rows"]:
        for cell in row:
            assert len("".join(cell)) < 2000
    assert len(json.dumps(browser.table.page)) < 1_000_000
    text = check(browser.to_html())
    for case in cases:
        assert shorten(case.id, MAX_NAME) in text or "\n" in case.id
        session = wb.get(case.id)
        assert session.graph_id == case.graph_id
        assert session.status_message == case.status_message
        assert diff(case.session(), session) == g.Patch() or kind == "postgres"
        assert session.context == g.Context.from_json(case.context) or "00-digits" in case.name
    small = wb.browse(page_size=25)
    # Each case alone is tested above; that one follows another in one view needs not all of them.
    for case in cases if COMPLETE else cases[::8]:
        walk(small, case)
    # Every value comes back as it was: change and undo each.
    for case in cases:
        before = wb.get(case.id)
        wb.patch(case.id, [{"op": "replace", "path": "/current_task_id", "value": "next"}])
        wb.undo()
        after = wb.get(case.id)
        assert not len(diff(before, after)), case.name
        wb.delete(case.id)
        wb.undo()
        assert not len(diff(before, wb.get(case.id))), case.name
    wb.close()


def walk(browser: Browser, case: Case) -> None:
    """Open a case and turn to each part of the reader and the editor."""
    browser.open_session(case.id)
    assert browser.session is not None
    assert browser.session.id == case.id
    for part in ("Overview", "Context", "Chat", "JSON", "Edit"):
        browser.reader.parts.value = part
        check(browser.reader.text.value)
        check(browser.stage.place.value)
        assert "should not have happened" not in browser.stage.place.value
    editor = browser.reader.editor
    editor.status.value = "looked at"
    browser.reader.saving.preview.click()
    check(browser.reader.saving.preview_text.value)
    assert "Error" not in browser.stage.place.value, browser.stage.place.value
    check(browser.to_html())
    check(browser.code.value)
    browser.reader.saving.discard.click()
