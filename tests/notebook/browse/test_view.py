"""The browser without a front end: what it shows, and what it does at each click."""

from __future__ import annotations

import threading
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest

import graphflow_nb as g

from .kit import Plain, find_button, said, save_theirs, send, settle, undo_all, wait_until


def test_what_a_cell_can_ask_for(wb):
    browser = wb.browse(graph="claims", session="claim-0014")
    assert browser.session.id == "claim-0014"
    assert len(browser.selected) == 0
    send(browser.table, "select", [0, 1])
    assert browser.selected.columns.tolist() == wb.sessions().columns.tolist()
    assert browser.selected["id"].tolist() == browser.listing.ids()[:2]
    browser.session.status_message = "only here"
    assert browser.desk.session.status_message != "only here"
    assert browser.calls == ["wb.get('claim-0014')"]
    browser.close()


@pytest.mark.parametrize(
    "options",
    [
        {"page_size": 0},
        {"page_size": "many"},
        {"order": "size"},
        {"where": 7},
        {"graph": 7},
        {"updated_since": "noon"},
        {"has": [""]},
    ],
)
def test_filters_that_mean_nothing(wb, options):
    with pytest.raises(g.QueryError):
        wb.browse(**options)


def test_unknown_words_raise(wb):
    with pytest.raises(TypeError):
        wb.browse(grahp="claims")


def test_an_error_is_always_seen(wb, monkeypatch):
    browser = wb.browse()
    settle(browser)

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("oh <b>no</b>")

    monkeypatch.setattr(browser.listing, "load", broken)
    browser.actions.reload.click()
    assert "unexpected error: ZeroDivisionError" in said(browser)
    assert "oh &lt;b&gt;no" in browser.stage.place.value
    assert "Traceback" in browser.stage.place.value
    monkeypatch.undo()
    browser.actions.reload.click()
    assert said(browser) == ""
    missing = wb.browse(session="nobody")
    assert "no session has the id 'nobody'" in said(missing)


def test_what_was_typed_and_not_set_is_not_forgotten(wb):
    browser = wb.browse(session="claim-0014")
    settle(browser)
    browser.reader.parts.value = "Edit"
    editor = browser.reader.editor
    editor.status.value = "mended"
    editor.path.value = "policy_number"
    assert (editor.kind.value, editor.value.value[:3]) == ("number", "900")
    browser.reader.saving.preview.click()
    assert len(browser.desk.preview) == 1
    editor.value.value = "12"
    browser.reader.saving.preview.click()
    assert "press Set value" in said(browser)
    editor.set.click()
    assert "policy_number is set in the draft" in said(browser)
    assert editor.path.value == ""
    browser.reader.saving.preview.click()
    assert len(browser.desk.preview) == 2
    editor.path.value = "new"
    editor.kind.value = "JSON"
    editor.value.value = "{"
    editor.set.click()
    assert "line 1, column" in said(browser)
    browser.reader.saving.preview.click()
    assert "press Set value" in said(browser)
    editor.path.value = "policy_number"
    editor.remove.click()
    editor.message.value = "hello"
    browser.reader.saving.preview.click()
    assert "press Add message" in said(browser)
    editor.add.click()
    browser.reader.saving.preview.click()
    assert [c.op for c in browser.desk.preview] == ["replace", "remove", "add"]
    # Text that is no JSON is not thrown away by other fields.
    editor.json.value = "{"
    for button in (editor.set, editor.remove, editor.add, browser.reader.saving.preview):
        button.click()
        assert "Correct the context under JSON, or discard" in said(browser)
    assert editor.json.value == "{"
    browser.reader.saving.discard.click()
    assert browser.desk.draft is None
    assert wb.get("claim-0014").context["policy_number"] > 9_000


def test_what_can_not_be_shown_says_so(wb, monkeypatch):
    browser = wb.browse()
    settle(browser)
    monkeypatch.setattr(browser.reader, "render", lambda: 1 / 0)
    browser.actions.reload.click()
    settle(browser)
    assert "this could not be shown: ZeroDivisionError" in said(browser)


def test_read_only_has_no_buttons_that_write(database):
    with g.open(database, writable=True) as wb:
        wb.create("a", "t")
    with g.open(database) as wb:
        browser = wb.browse(session="a")
        settle(browser)
        assert "opened for reading only" in browser.heading.value
        names = descriptions(browser)
        assert not {"Delete…", "Create…", "Undo…"} & names
        assert "Refresh" in names
        assert "Edit" not in browser.reader.parts.options


def descriptions(widget: Any) -> set[str]:
    found = {getattr(widget, "description", "")}
    for child in getattr(widget, "children", ()):
        found |= descriptions(child)
    return found


def test_every_control_has_a_label_and_a_tooltip(wb):
    import ipywidgets

    def walk(widget: Any) -> Any:
        yield widget
        for child in getattr(widget, "children", ()):
            yield from walk(child)

    browser = wb.browse(session="claim-0014")
    kinds = (ipywidgets.Text, ipywidgets.Dropdown, ipywidgets.Combobox, ipywidgets.Button)
    for widget in walk(browser):
        if isinstance(widget, kinds):
            assert widget.description, widget
            assert widget.tooltip, widget.description


def test_a_storage_of_three_methods_says_what_it_lacks_in_the_same_words_everywhere():
    wb = g.wrap(Plain())
    wb.create("a", "t")
    with pytest.raises(g.CapabilityError) as raised:
        wb.sessions()
    sentence = str(raised.value)
    assert "Plain has no method 'table'" in sentence
    browser = wb.browse()
    assert sentence in browser.table.page["empty"]
    assert sentence in unescape(browser.to_html())
    assert browser.listing.frame is None
    assert said(browser) == ""
    remedy = raised.value.remedy
    assert "ByScanning" in remedy
    for shown in (browser.table.page["empty"], repr(wb), unescape(wb._repr_html_())):
        assert remedy in shown
    # No action that reads the page hides it.
    for button in (browser.actions.reload, browser.pager.next, browser.bar.clear):
        button.click()
        assert sentence in browser.table.page["empty"]
        assert said(browser) == ""
    browser.close()


def test_a_storage_of_three_methods_is_edited_by_id():
    wb = g.wrap(Plain())
    wb.create("a", "t")
    browser = wb.browse(session="a")
    assert browser.session.id == "a"
    assert browser.code.value, "the call that opened it"
    browser.open_session("nobody")
    assert "no session has the id 'nobody'" in said(browser)
    browser.reader.parts.value = "Edit"
    editor = browser.reader.editor
    editor.status.value = "mended"
    browser.reader.saving.preview.click()
    browser.reader.saving.save.click()
    assert "Saved 'a'" in said(browser)
    assert wb.get("a").status_message == "mended"
    find_button(browser, "Undo…").click()
    undo_all(browser)
    settle(browser)
    assert "Undone: 2 writes" in said(browser)
    assert browser.session is None
    with pytest.raises(g.SessionNotFound):
        wb.get("a")
    browser.close()


def test_the_open_session_of_a_storage_of_three_methods_is_followed():
    wb = g.wrap(Plain())
    wb.create("a", "t")
    browser = wb.browse(session="a")
    settle(browser)
    browser.follow.value = True
    wait_until(lambda: "following, every 2 s" in browser.following.value)
    save_theirs(wb, "a", status_message="theirs")
    wait_until(lambda: browser.session.status_message == "theirs")
    browser.close()


def test_threads_click_at_once(wb):
    browser = wb.browse()
    ids = browser.listing.ids()

    def click(n: int) -> None:
        for k in range(20):
            pick = (n + k) % 4
            if pick == 0:
                send(browser.table, "open", (n + k) % 10)
            else:
                (browser.pager.next, browser.pager.previous, browser.actions.reload)[
                    pick - 1
                ].click()

    threads = [threading.Thread(target=click, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    settle(browser)
    assert browser.session is not None
    while browser.listing.page:
        browser.pager.previous.click()
    assert browser.listing.ids() == ids


def test_following_ends_with_the_browser(wb):
    before = threading.active_count()
    browser = wb.browse()
    settle(browser)
    browser.follow.value = True
    save_theirs(wb, browser.listing.ids()[3], status_message="changed")
    wait_until(lambda: "changed" in str(browser.table.page["rows"]))
    browser.close()
    wait_until(lambda: threading.active_count() <= before)


# Without a kernel


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.add(tag)
        if tag not in ("br", "meta", "input", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_same_view_without_a_kernel(wb):
    browser = wb.browse(graph="claims", session="claim-0014")
    settle(browser)
    bundle = browser._repr_mimebundle_()
    html = bundle["text/html"]
    tags = _Tags()
    tags.feed(html)
    assert not tags.open
    assert "script" not in tags.seen
    assert "claim-0014" in html
    assert "customer.tier" in html, "the open session's context, with paths"
    assert "showing 1 to 50 of 80" in html
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert len(html) < 200_000
    assert "Browser of" in bundle["text/plain"]


def test_keys_with_dots_are_suggested_found_and_edited():
    wb = g.open("memory:")
    wb.create("s", "t", context={"fanout.a.response": "yes", "n": 1})
    wb.create("other", "t")
    browser = wb.browse()
    settle(browser)
    assert "n = 1" in browser.bar.condition.options, "from the page, before any was opened"
    browser.open_session("s")
    settle(browser)
    suggested = browser.bar.condition.options
    assert suggested[0] == "('fanout.a.response',) = yes"
    for typed in ("fanout.a.response", *suggested):
        if not typed.endswith("missing"):
            browser.bar.condition.value = typed
            settle(browser)
            assert browser.listing.ids() == ["s"]
            assert browser.bar.condition.value == ""
    browser.reader.parts.value = "Edit"
    editor = browser.reader.editor
    editor.path.value = "fanout.a.response"
    assert editor.value.value == "yes"
    editor.value.value = "no"
    editor.set.click()
    browser.reader.saving.preview.click()
    assert [c.path for c in browser.desk.preview] == [("context", "data", "fanout.a.response")]


def test_a_long_status_of_a_saved_list_is_wrapped_and_nothing_else(wb):
    browser = wb.browse(text="failed")
    html = browser.to_html()
    assert html.count('<td class="long">') == len(browser.listing.ids())
    assert '<td class="long"><code>Task &#39;payout&#39; failed' in html
