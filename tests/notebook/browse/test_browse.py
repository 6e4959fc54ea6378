"""The browser without a browser: what it shows, what each action does, and what it refuses."""

from __future__ import annotations

import re
import threading
import time
from datetime import UTC, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.changes import json_value
from graphflow_nb.notebook.browse import Browser
from graphflow_nb.notebook.browse.desk import Desk
from graphflow_nb.notebook.browse.listing import (
    Filters,
    Listing,
    parse_value,
    typed_path,
)
from graphflow_nb.storage.paths import parse_path, path_text

from ...conftest import Store


@pytest.fixture
def wb() -> g.Workbench:
    return g.open("demo")


def listing(wb: g.Workbench, page_size: int = 50, order: str | None = None, **filters: Any) -> Any:
    found = Listing(wb, Filters(**filters), order, page_size)
    found.start()
    return found


def theirs(wb: g.Workbench, id: str, **fields: Any) -> None:
    """Someone else saves."""
    inner = wb.storage.inner
    session = wb.bridge.run(inner.get(id))
    session.context.update(fields.pop("context", {}))
    for name, value in fields.items():
        setattr(session, name, value)
    wb.bridge.run(inner.save(session))


def settle(browser: Browser) -> None:
    """Wait for what is counted behind the view."""
    for _ in range(500):
        if not browser._counting:
            return
        time.sleep(0.01)
    raise AssertionError("still counting")


def said(browser: Browser) -> str:
    return unescape(re.sub("<[^>]*>", "", browser._said.value))


# Which sessions are shown


def test_pages_in_every_store(store: Store, run):
    wb = g.open(store.url, writable=True)
    for n in range(23):
        wb.create(store.id(f"s{n:02}"), "odd" if n % 2 else "even", graph_id="g")
    shown = listing(wb, page_size=10)
    assert shown.order == "-updated_at"
    pages = [shown.ids()]
    assert shown.count()
    assert shown.shown() == "showing 1 to 10 of 23"
    while shown.has_next:
        shown.next()
        pages.append(shown.ids())
    assert [len(page) for page in pages] == [10, 10, 3]
    assert len({id for page in pages for id in page}) == 23
    shown.next()
    assert shown.page == 2
    shown.previous()
    assert shown.ids() == pages[1]
    shown.sort("id")
    assert shown.order == "id"
    assert shown.ids() == sorted(id for page in pages for id in page)[:10]
    shown.sort("id")
    assert shown.order == "-id"
    shown.filter(task="odd", text="1")
    assert all(task == "odd" for task in shown.frame["current_task_id"])
    shown.count()
    assert shown.total == len([n for n in range(23) if n % 2 and "1" in store.id(f"s{n:02}")])
    assert shown.tasks("g") == [("even", 12), ("odd", 11)]
    assert shown.graphs() == [("g", 23)]
    wb.close()


def test_windows_of_time(wb):
    old = datetime.now(UTC) - timedelta(hours=3)
    shown = listing(wb)
    shown.count()
    everything = shown.total
    wb.create("fresh", "t")
    shown.filter(window="in the last 15 minutes")
    assert shown.ids() == ["fresh"]
    shown.filter(window="not for 15 minutes")
    shown.count()
    assert shown.total == everything
    assert "updated_until=datetime.fromisoformat(" in shown.call
    assert listing(wb, updated_since=old).ids()[0] == "fresh"


def test_the_call_is_what_was_done(wb):
    import datetime as datetime_module

    shown = listing(wb, graph="claims", page_size=25)
    shown.filter(where={"customer.tier": "gold"}, window="not for 15 minutes")
    shown.next()
    shown.sort("created_at")
    shown.next()
    names = {"wb": wb, "graphflow_nb": g, "datetime": datetime_module.datetime}
    assert eval(shown.call, names)["id"].tolist() == shown.ids()


def test_values_as_typed():
    assert [parse_value(text) for text in ("gold", "12", "true", '"12"', "null", "[1", "1.5")] == [
        "gold",
        12,
        True,
        "12",
        None,
        "[1",
        1.5,
    ]


def test_paths_as_typed():
    for keys in (("a",), ("a", "b"), ("a.b",), ("a.b", "c"), ("",), (" a",), ("(a",), ("é", "0")):
        assert parse_path(typed_path(path_text(keys))) == keys
    assert typed_path(" customer.tier ") == "customer.tier"
    for wrong in ("", "(", "(1,)", "()", "('a'", "(lambda: 1)()", "__import__('os')()"[10:]):
        with pytest.raises(g.QueryError, match="context path"):
            typed_path(wrong)


def test_a_filter_that_means_nothing_is_not_kept(wb):
    shown = listing(wb, graph="claims")
    before = shown.ids()
    with pytest.raises(g.QueryError):
        shown.filter(text="\0")
    assert shown.filters == Filters(graph="claims")
    shown.load()
    assert shown.ids() == before


def test_a_poll_marks_what_changed_and_keeps_the_row_in_work(wb):
    shown = listing(wb, page_size=10)
    edited = shown.ids()[9]
    assert not shown.poll()
    wb.create("new", "t")
    theirs(wb, shown.ids()[4], status_message="changed")
    changed = shown.ids()[4]
    assert shown.poll(keep=edited)
    assert shown.changed == {"new", changed}
    assert edited in shown.ids()
    assert len(shown.ids()) == 11
    assert shown.poll()
    assert edited not in shown.ids()


def test_no_index_no_newest_first(database):
    """In a large table the order that no index serves is not chosen, and it says so."""
    wb = g.open(database, writable=True)
    execute(wb, BIG % 60_000)
    shown = listing(wb)
    assert shown.order == "id"
    assert "CREATE INDEX CONCURRENTLY ON sessions (updated_at, id)" in shown.slow["updated_at"]
    browser = wb.browse()
    assert "ordered by id, since newest first would be slow here" in browser._hint.value
    assert wb.browse(order="-updated_at").listing.order == "-updated_at"
    settle(browser)
    execute(wb, "CREATE INDEX ON sessions (updated_at, id)")
    assert listing(wb).order == "-updated_at"
    wb.close()


BIG = """
INSERT INTO sessions (id, graph_id, current_task_id, context)
SELECT 's' || n, 'g', 't', '{"data": {}, "chat_history": {"messages": []}}'
FROM generate_series(1, %d) AS n; ANALYZE sessions
"""


def execute(wb: g.Workbench, text: str) -> None:
    inner: Any = wb.storage.inner
    wb.bridge.run(inner.run(lambda c: c.execute(text)))


# Editing


def test_nothing_is_written_before_save(wb):
    desk = Desk(wb)
    desk.open("claim-0014")
    before = wb.get("claim-0014").to_json()
    draft = desk.edit()
    draft.set("status_message", "mended")
    draft.set_value(("documents",), json_value("JSON", '["x"]'))
    with pytest.raises(g.PatchError, match="preview first"):
        desk.save()
    assert len(desk.look()) == 2
    draft.set("status_message", "mended again")
    desk.touched()
    with pytest.raises(g.PatchError, match="preview first"):
        desk.save()
    assert wb.get("claim-0014").to_json() == before
    desk.look()
    desk.save()
    assert wb.get("claim-0014").status_message == "mended again"
    assert desk.draft is None
    assert desk.session.status_message == "mended again"
    # The call that it shows does the same.
    call = desk.calls[-1]
    wb.undo()
    session = wb.get("claim-0014")
    assert re.search(r"version=\d+\)$", call)
    eval(re.sub(r"version=\d+", f"version={session.version}", call), {"wb": wb})
    assert wb.get("claim-0014").status_message == "mended again"


def test_a_draft_is_not_lost_by_opening_another(wb):
    desk = Desk(wb)
    desk.open("claim-0014")
    desk.edit().set("status_message", "typed")
    with pytest.raises(g.PatchError, match="not saved"):
        desk.open("claim-0118")
    with pytest.raises(g.PatchError, match="not saved"):
        desk.create("new", "t", "g")
    assert desk.draft.get("status_message") == "typed"
    desk.discard()
    desk.open("claim-0118")
    with pytest.raises(g.PatchError, match="nothing was changed"):
        desk.look()


def test_conflict_merge_and_again(wb):
    desk = Desk(wb)
    desk.open("claim-0014")
    desk.edit().set("status_message", "mine")
    desk.look()
    theirs(wb, "claim-0014", status_message="theirs", context={"n": 1})
    desk.save()
    assert wb.get("claim-0014").status_message == "theirs"
    assert [c.pointer for c in desk.conflict.clashes] == ["/status_message"]
    with pytest.raises(g.PatchError, match="choose"):
        desk.resolve({})
    desk.resolve({("status_message",): "mine"})
    assert desk.preview is not None
    theirs(wb, "claim-0014", context={"n": 2})
    desk.save()
    assert desk.conflict is not None
    assert not desk.conflict.clashes
    desk.resolve({})
    desk.save()
    session = wb.get("claim-0014")
    assert (session.status_message, session.context["n"]) == ("mine", 2)
    # Choosing theirs leaves nothing to save.
    desk.edit().set("status_message", "mine 2")
    desk.look()
    theirs(wb, "claim-0014", status_message="theirs 2")
    desk.save()
    desk.resolve({("status_message",): "stored"})
    assert desk.draft is None
    assert desk.session.status_message == "theirs 2"


def test_deleted_meanwhile(wb):
    desk = Desk(wb)
    desk.open("claim-0014")
    desk.edit().set("status_message", "mine")
    desk.look()
    wb.bridge.run(wb.storage.inner.delete("claim-0014"))
    desk.save()
    assert desk.deleted_meanwhile
    desk.keep_deleted()
    desk.look()
    desk.save()
    assert wb.get("claim-0014").status_message == "mine"


def test_creating(wb):
    desk = Desk(wb)
    desk.create("new", "intake", "claims")
    assert desk.dirty
    desk.look()
    with pytest.raises(g.SessionNotFound):
        wb.get("new")
    desk.save()
    assert wb.get("new").graph_id == "claims"
    desk.create_copy("copy")
    desk.draft.set_value(("k",), json_value("number", "1.10"))
    desk.look()
    desk.save()
    assert '"k":1.10' in bytes(wb.get("copy").context_json()).decode()
    call = desk.calls[-2] if desk.calls[-1].startswith("wb.get") else desk.calls[-1]
    wb.delete("copy")
    eval(call, {"wb": wb, "graphflow_nb": g})
    assert '"k":1.10' in bytes(wb.get("copy").context_json()).decode()
    desk.create("new", "t", "g")
    desk.look()
    with pytest.raises(g.SessionConflict):
        desk.save()
    desk.discard()
    assert desk.session is None
    for wrong in (("", "t", "g"), ("i", "", "g"), ("i", "t", "")):
        with pytest.raises(g.PatchError):
            desk.create(*wrong)


def test_undo_of_what_was_changed_since_is_merged(wb):
    desk = Desk(wb)
    desk.open("claim-0014")
    before = desk.session.status_message
    desk.edit().set("status_message", "mine")
    desk.look()
    desk.save()
    theirs(wb, "claim-0014", context={"n": 1})
    desk.undo(desk.undoable()[0])
    assert desk.conflict is not None
    assert not desk.conflict.clashes
    desk.resolve({})
    desk.save()
    session = wb.get("claim-0014")
    assert (session.status_message, session.context["n"]) == (before, 1)


def test_following_the_open_session(wb):
    desk = Desk(wb)
    desk.open("claim-0014")
    assert not desk.follow()
    theirs(wb, "claim-0014", status_message="theirs")
    assert desk.follow()
    assert desk.session.status_message == "theirs"
    desk.edit().set("status_message", "mine")
    theirs(wb, "claim-0014", status_message="theirs 2")
    assert desk.follow()
    assert desk.newer == desk.session.version + 1
    assert not desk.follow()
    assert desk.draft.get("status_message") == "mine"
    wb.bridge.run(wb.storage.inner.delete("claim-0014"))
    assert desk.follow()
    assert desk.newer == -1


# The widgets


def test_what_a_cell_can_ask_for(wb):
    browser = wb.browse(graph="claims", session="claim-0014")
    assert browser.session.id == "claim-0014"
    assert len(browser.selected) == 0
    browser._select([0, 1])
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
        {"updated_since": datetime(2026, 1, 1)},
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
    browser.reload.click()
    assert "this should not have happened: ZeroDivisionError" in said(browser)
    assert "oh &lt;b&gt;no" in browser._said.value
    assert "Traceback" in browser._said.value
    monkeypatch.undo()
    browser.reload.click()
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
    editor.look.click()
    assert len(browser.desk.preview) == 1
    editor.value.value = "12"
    editor.look.click()
    assert "press Set value" in said(browser)
    editor.set.click()
    assert "'policy_number' is set in the draft" in said(browser)
    assert editor.path.value == ""
    editor.look.click()
    assert len(browser.desk.preview) == 2
    editor.path.value = "new"
    editor.kind.value = "JSON"
    editor.value.value = "{"
    editor.set.click()
    assert "line 1, column" in said(browser)
    editor.look.click()
    assert "press Set value" in said(browser)
    editor.path.value = "policy_number"
    editor.remove.click()
    editor.message.value = "hello"
    editor.look.click()
    assert "press Add message" in said(browser)
    editor.add.click()
    editor.look.click()
    assert [c.op for c in browser.desk.preview] == ["replace", "remove", "add"]
    # Text that is no JSON is not thrown away by other fields.
    editor.json.value = "{"
    for button in (editor.set, editor.remove, editor.add, editor.look):
        button.click()
        assert "mend it, or discard" in said(browser)
    assert editor.json.value == "{"
    editor.discard.click()
    assert browser.desk.draft is None
    assert wb.get("claim-0014").context["policy_number"] > 9_000


def test_what_can_not_be_shown_says_so(wb, monkeypatch):
    browser = wb.browse()
    settle(browser)
    monkeypatch.setattr(browser.reader, "render", lambda: 1 / 0)
    browser.reload.click()
    settle(browser)
    assert "this could not be shown: ZeroDivisionError" in said(browser)


def test_read_only_has_no_buttons_that_write(database):
    with g.open(database, writable=True) as wb:
        wb.create("a", "t")
    with g.open(database) as wb:
        browser = wb.browse(session="a")
        settle(browser)
        assert "opened for reading only" in browser._head.value
        names = descriptions(browser)
        assert not {"Delete…", "New…", "Journal…"} & names
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


def test_what_was_clicked_on_a_page_that_is_gone_is_not_done(wb):
    browser = wb.browse()
    settle(browser)
    table = browser.table
    number = table.page["number"]
    browser.pager.next.click()
    table._heard(None, {"event": "open", "value": 0, "number": number}, [])
    assert browser.session is None
    table._heard(None, {"event": "open", "value": 0, "number": table.page["number"]}, [])
    assert browser.session.id == browser.listing.ids()[0]
    table._heard(None, {"event": "nonsense"}, [])


def test_a_storage_of_three_methods_says_what_it_lacks():
    class Three:
        suspends = False

        def __init__(self) -> None:
            inside = g.InMemorySessionStorage()
            self.save, self.get, self.delete = inside.save, inside.get, inside.delete

    wb = g.wrap(Three())
    wb.create("a", "t")
    browser = wb.browse(session="a")
    assert "Three has no method 'table'" in said(browser)
    assert browser.listing.frame is None
    assert browser.session.id == "a"
    settle(browser)
    browser.follow.value = True
    for _ in range(500):
        if "Three has no method" in browser._following.value:
            break
        time.sleep(0.01)
    else:
        raise AssertionError(browser._following.value)
    browser.close()


def test_threads_click_at_once(wb):
    browser = wb.browse()
    ids = browser.listing.ids()

    def click(n: int) -> None:
        for k in range(20):
            pick = (n + k) % 4
            if pick == 0:
                browser._open((n + k) % 10)
            else:
                (browser.pager.next, browser.pager.previous, browser.reload)[pick - 1].click()

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
    theirs(wb, browser.listing.ids()[3], status_message="changed")
    for _ in range(500):
        if "changed" in str(browser.table.page["rows"]):
            break
        time.sleep(0.01)
    else:
        raise AssertionError("not followed")
    browser.close()
    for _ in range(500):
        if threading.active_count() <= before:
            return
        time.sleep(0.01)
    raise AssertionError([t.name for t in threading.enumerate()])


# Without a kernel


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.add(tag)
        if tag not in ("br", "meta", "input"):
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
