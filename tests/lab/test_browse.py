"""The session browser in a real JupyterLab on a real PostgreSQL, as a person uses it."""

from __future__ import annotations

import itertools
import os
import random
import re
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import graphflow_nb as g

from ..scope import only_complete
from ..servers.jupyter import TOKEN, Jupyter, open_in_lab, run_all, wait_for_kernel, write_notebook
from .person import PICTURES, Person, cells, change, do_as_peer, fill, stored

pytestmark = pytest.mark.timeout(240)


@only_complete
def test_a_newcomer_saves_an_edit_in_six_interactions(person, store, tmp_path):
    """Only what is written on the screen is followed."""
    write_notebook(person.server.folder / "first.ipynb", cells(store, writable=True))
    open_in_lab(person.page, person.server, "first.ipynb")
    began = time.monotonic()
    run_all(person.page)
    person.interactions += 1
    person.rows().first.wait_for()
    person.sees("showing 1 to 50 of 120")
    person.picture("list", tmp_path)
    person.open("claim-0118")
    person.sees("failed")
    person.picture("open", tmp_path)
    person.click("Edit")
    person.type("Status", "checked by hand")
    person.click("Preview changes")
    person.sees("the field status_message")
    assert stored(store, "claim-0118").status_message != "checked by hand", "not before Save"
    person.picture("preview", tmp_path)
    person.click("Save 1 change")
    person.sees("Saved 'claim-0118'")
    assert person.interactions <= 6
    assert stored(store, "claim-0118").status_message == "checked by hand"
    print(f"{person.interactions} interactions, {time.monotonic() - began:.1f} s with pictures")
    person.sees("wb.patch('claim-0118', [{'op': 'replace'")
    person.picture("saved", tmp_path)


@only_complete
def test_find(person, store, tmp_path):
    person.run(cells(store))
    person.sees("read-only")
    for button in ("Create…", "Delete…", "Undo…", "Edit"):
        assert person.button(button).count() == 0
    person.picture("read-only", tmp_path)
    person.sees("showing 1 to 50 of 120")
    person.choose("Graph", "claims (80)")
    person.sees("showing 1 to 50 of 80")
    person.choose("Task", _option(person, "payout"))
    person.type("Find", "failed")
    person.sees("text='failed'")
    person.expect(person.rows().filter(has_not_text="failed")).to_have_count(0)
    person.expect(person.rows().filter(has_text="failed")).not_to_have_count(0)
    person.type("Find", "no such text")
    person.sees("No sessions match. Clear filters shows all.")
    person.picture("empty", tmp_path)
    person.click("Clear filters")
    person.sees("showing 1 to 50 of 120")
    person.type("Filter", "customer.tier = gold")
    person.sees("where={'customer.tier': 'gold'}")
    person.sees_not("of 120")
    person.type("Filter", "amount > 1000")
    person.sees("compare=[('amount', '>', 1000)]")
    person.button("customer.tier = gold").focus()
    person.page.keyboard.press("Enter")
    person.expect(person.button("customer.tier = gold")).to_have_count(0)
    person.expect(person.page.get_by_role("combobox", name="Filter", exact=True)).to_be_focused()
    person.picture("filtered", tmp_path)
    person.click("Clear filters")
    person.sees("showing 1 to 50 of 120")
    person.click("Next")
    person.sees("showing 51 to 100 of 120")
    person.click("Next")
    person.sees("showing 101 to 120 of 120")
    assert person.button("Next").is_disabled()
    person.click("Previous")
    person.click("Previous")
    person.sees("showing 1 to 50 of 120")
    person.click("id")
    person.sees("order='id'")
    assert person.rows().first.inner_text().split("\t")[2].strip() == min(
        text.split("\t")[2].strip() for text in person.rows().all_inner_texts()
    )


def _option(person: Person, start: str) -> str:
    control = person.page.get_by_role("combobox", name="Task", exact=True).first
    options: list[str] = control.locator("option").all_inner_texts()
    return next(text for text in options if text.startswith(start))


def _id_of(person: Person, row: int = 0) -> str:
    tick = person.rows().nth(row).get_by_role("checkbox")
    label: str = tick.get_attribute("aria-label")
    return label.removeprefix("select ")


@only_complete
def test_the_keyboard_reaches_all(person, store):
    person.run([*cells(store, writable=True), "print(len(browser.selected), browser.session)"])
    person.sees("showing 1 to 50 of 120")  # what comes later than the rows has come
    keyboard = person.page.keyboard
    person.rows().first.focus()
    for _ in range(3):
        keyboard.press("ArrowDown")
    keyboard.press("Enter")
    id = _id_of(person, 3)
    person.sees(f"session {id}")
    keyboard.press("Shift+ArrowDown")
    keyboard.press("Shift+ArrowDown")
    person.sees("3 selected")
    keyboard.press("Space")
    person.sees("2 selected")
    keyboard.press("Control+a")
    person.sees("50 selected")
    cell = person.rows().first.locator("td").nth(2)  # the id: how long ago changes by itself
    first = cell.inner_text()
    keyboard.press("PageDown")
    person.sees("showing 51 to 100")
    # The line above the rows may come before the rows, whose keys mean the page that they are of.
    person.expect(cell).not_to_have_text(first, use_inner_text=True)
    keyboard.press("PageUp")
    person.sees("showing 1 to 50")
    person.expect(cell).to_have_text(first, use_inner_text=True)
    assert person.page.locator(".jp-Notebook .jp-Cell").count() == 3, "no shortcut of Lab's ran"
    # From the filter bar down to the pager by Tab alone.
    person.page.get_by_label("Find", exact=True).first.focus()
    reached = set()
    for _ in range(40):
        keyboard.press("Tab")
        reached.add(person.focused())
    assert reached >= {
        "Task",
        "Ignore case",
        "Updated",
        "Filter",
        "Views…",
        "id",  # one heading; arrow keys go to the others
        "row",
        "Next",
        "Columns…",
    }
    assert reached >= {"Overview", "Chat", "JSON", "Edit"}
    pressed = {part: person.button(part).get_attribute("aria-pressed") for part in ("JSON", "Chat")}
    person.click("Chat")
    person.expect(person.button("Chat")).to_have_attribute("aria-pressed", "true")
    assert pressed == {"JSON": "false", "Chat": "false"}


@only_complete
def test_a_change_is_made_and_undone_by_keyboard_alone(person, store):
    person.run(cells(store, writable=True))
    person.sees("showing 1 to 50 of 120")
    keyboard, focus = person.page.keyboard, person.page.locator(":focus")
    person.rows().first.focus()
    id = _id_of(person)
    keyboard.press("Enter")
    person.sees(f"session {id}")
    before = stored(store, id).status_message
    person.press_at("Edit")
    person.sees("Preview changes")
    person.press_at("Status", key="Control+a")
    keyboard.type("by keyboard")
    person.press_at("Preview changes")
    # The focus goes on with what is done: to the preview, the row, the dialog and back.
    person.expect(person.page.locator(".gfnb-preview :focus")).to_have_count(1)
    person.press_at("Save 1 change")
    person.sees(f"Saved '{id}'")
    assert stored(store, id).status_message == "by keyboard"
    person.expect(focus).to_have_role("row")
    person.press_at("Undo…", back=True)
    person.expect(person.page.locator(".gfnb-dialog :focus")).to_have_count(1)
    person.press_at("row", key="Space")
    person.press_at("Undo selected")
    person.sees("Undone: 1 write")
    assert stored(store, id).status_message == before
    person.press_at("Close")
    person.expect(focus).to_have_text("Undo…")


@only_complete
def test_read(person, store, tmp_path):
    person.run(cells(store, writable=True))
    person.type("Find", "support-0063")
    person.sees("showing 1 to 1 of 1")
    person.open("support-0063")
    person.picture("context", tmp_path)
    person.click("Chat")
    person.sees(re.compile("Assistant, 20"))
    person.picture("chat", tmp_path)
    person.click("JSON")
    person.sees('"current_task_id"')
    person.click("Clear filters")
    person.rows().nth(1).wait_for()
    person.rows().nth(0).get_by_role("checkbox").click()
    person.rows().nth(1).get_by_role("checkbox").click()
    person.sees("3 selected")  # the open one is still there
    person.row("support-0063").get_by_role("checkbox").click()
    person.click("Compare")
    person.sees("before: the first, after: the second")
    person.sees("graphflow_nb.diff(wb.get(")
    person.picture("compare", tmp_path)


@only_complete
def test_a_nested_number_is_changed_where_it_is_read(person, store, tmp_path):
    """In four interactions from the list; and by the keyboard alone."""
    nested = {"a.b": {"": [1.0, 9007199254740993]}}
    change(store, "claim-0118", context=nested)
    person.run(cells(store, writable=True))
    before = person.interactions
    person.open("claim-0118")
    person.interactions += 1
    tree = person.page.get_by_role("tree", name="Context")
    tree.locator(".gfnb-value", has_text="9007199254740993").click()
    path = "('a.b', '', '1')"
    box = person.page.get_by_role("textbox", name=f"Value of {path}")
    person.expect(box).to_be_focused()
    assert box.input_value() == "9007199254740993"
    person.picture("in-place", tmp_path)
    person.interactions += 1
    box.fill("9007199254740995")
    box.press("Enter")
    person.sees(f"{path} is set in the draft")
    person.picture("in-place-preview", tmp_path)
    person.click("Save 1 change")
    person.sees("Saved 'claim-0118'")
    assert person.interactions - before <= 4
    assert stored(store, "claim-0118").context["a.b"] == {"": [1.0, 9007199254740995]}

    keyboard = person.page.keyboard
    line = tree.get_by_role("treeitem").filter(has_text="9007199254740995")
    tree.get_by_role("treeitem").first.focus()
    keyboard.press("End")
    while not line.evaluate("row => row === document.activeElement"):
        keyboard.press("ArrowUp")
    keyboard.press("F2")
    keyboard.type("1,5")
    keyboard.press("Enter")
    person.sees("'1,5' is not a number in JSON")
    person.picture("in-place-wrong", tmp_path)
    person.row("claim-0116").click()
    person.sees("has changes that are not saved: save or discard them first")
    person.expect(person.row("claim-0116")).to_have_attribute("aria-selected", "false")
    person.expect(person.row("claim-0118")).to_have_attribute("aria-selected", "true")
    box.press("Escape")
    person.expect(line).to_be_focused()
    title = person.page.locator(".gfnb-reader h4").first
    person.expect(title).not_to_contain_text("has changes that are not saved")
    keyboard.press("Enter")
    keyboard.type("-1.50")
    keyboard.press("Enter")
    person.sees("was 9007199254740995")
    person.button("Save 1 change").press("Enter")
    person.sees_not("was 9007199254740995")
    assert '"":[1.0,-1.50]' in stored(store, "claim-0118").to_json().replace(" ", "")
    person.click("Chat")
    person.page.get_by_role("tree", name="Chat").locator(".gfnb-value").first.click()
    message = person.page.get_by_role("textbox", name=re.compile("Value of message"))
    message.fill("first line\nsecond line")
    message.press("Enter")
    person.picture("in-place-chat", tmp_path)
    person.click("Discard changes")
    person.sees_not("second line")
    person.click("Context")
    for width in (1440, 800):
        person.page.set_viewport_size({"width": width, "height": 1300})
        person.picture(f"in-place-{width}", tmp_path)


@only_complete
def test_edit_values_json_and_chat(person, store, tmp_path):
    big = 2**63 + 11
    change(store, "claim-0014", context={"big": big})
    person.run(cells(store, writable=True))
    person.type("Find", "claim-0014")
    person.sees("showing 1 to 1 of 1")  # a click on the page before would not count
    person.open("claim-0014")
    person.click("Edit")
    person.type("Path", "documents")
    person.page.get_by_role("combobox", name="Type", exact=True).first.select_option(label="JSON")
    person.type("Value", '["damage.jpg"]')
    person.click("Set value")
    person.click("Chat message")
    person.page.get_by_role("combobox", name="Role").select_option(label="Assistant")
    person.type("Message", "Thank you, we have your picture.")
    person.click("Add message")
    person.click("Context as JSON")
    box = person.page.get_by_role("textbox", name="JSON", exact=True).locator("visible=true")
    text = box.input_value()
    assert str(big) in text
    box.fill(text.replace('"documents"', "documents"))
    person.sees(re.compile(r"line \d+, column \d+: "))
    person.picture("json-error", tmp_path)
    person.click("Preview changes")
    person.sees("Correct the context under JSON, or discard the changes")
    box.fill(text.replace("damage.jpg", "damage <b>2</b>.jpg"))
    person.click("Preview changes")
    person.sees("This will change")
    person.sees(re.compile("chat message [0-9]+"))
    person.picture("edit", tmp_path)
    person.click("Save 2 changes")
    person.sees("Saved 'claim-0014'")
    session = stored(store, "claim-0014")
    assert session.context["documents"] == ["damage <b>2</b>.jpg"]
    assert session.context["big"] == big
    assert session.context.last_messages(1)[0].content == "Thank you, we have your picture."


@only_complete
def test_conflict_and_merge(person, store, tmp_path):
    person.run(cells(store, writable=True))
    person.type("Find", "claim-0014")
    person.sees("showing 1 to 1 of 1")  # a click on the page before would not count
    person.open("claim-0014")
    person.click("Edit")
    person.type("Status", "mine")
    person.click("Chat message")
    person.type("Message", "from me")
    person.click("Add message")
    person.click("Preview changes")
    change(store, "claim-0014", status_message="theirs", context={"step": 7})
    person.click("Save 2 changes")
    person.sees("Someone saved this session meanwhile. Nothing was written.")
    person.sees("step")
    assert stored(store, "claim-0014").status_message == "theirs"
    person.picture("conflict", tmp_path)
    person.click("Preview the merged session")
    person.sees("choose a value for each field that was changed by both")
    person.page.get_by_role("radio", name="take mine").check()
    person.click("Preview the merged session")
    # Someone saves again before this one is written: it is compared again.
    change(store, "claim-0014", context={"step": 8})
    person.click("Save 2 changes")
    person.sees("Your changes do not conflict with theirs.")
    person.click("Preview the merged session")
    person.click("Save 2 changes")
    person.sees("Saved 'claim-0014'")
    session = stored(store, "claim-0014")
    assert (session.status_message, session.context["step"]) == ("mine", 8)
    assert session.context.last_messages(1)[0].content == "from me"

    # Deleted meanwhile: it can be kept as a new one.
    person.click("Edit")
    person.type("Status", "mine again")
    person.click("Preview changes")
    do_as_peer(store, lambda storage: storage.delete("claim-0014"))
    person.click("Save 1 change")
    person.sees("Someone deleted this session meanwhile")
    person.picture("deleted", tmp_path)
    person.click("Save it as a new session")
    person.click("Create this session")
    person.sees("Created 'claim-0014'")
    assert stored(store, "claim-0014").status_message == "mine again"


@only_complete
def test_create_copy_delete_many_undo_all(person, store, tmp_path):
    def everything() -> Any:
        sessions = do_as_peer(store, lambda storage: storage.query(g.Query(order="id")))
        return {s.id: (s.to_json(version=False), s.created_at) for s in sessions}

    before = everything()
    person.run(cells(store, writable=True))
    person.click("Create…")
    person.type("Id", "made-by-hand")
    person.type("Task", "intake")
    person.type("Graph", "claims")
    person.picture("new", tmp_path)
    person.click("Copy of the open session")
    person.picture("copy", tmp_path)
    person.click("At a task")
    person.click("Preview new session")
    assert stored(store, "made-by-hand") is None
    person.click("Create this session")
    person.sees("Created 'made-by-hand'")
    person.sees("wb.create('made-by-hand', 'intake', graph_id='claims')")
    person.click("Copy…")
    person.click("Preview new session")
    person.click("Create this session")
    person.sees("Created 'made-by-hand-copy'")
    person.expect(person.row("made-by-hand-copy")).to_have_attribute("aria-selected", "true")
    person.click("Create…")
    person.click("From JSON")
    person.type("JSON", '{"id": "from-json", "graph_id": "g", "current_task_id": "t"}')
    person.click("Preview new session")
    person.sees("context is missing or not an object")
    person.type(
        "JSON",
        '{"id": "from-json", "graph_id": "g", "current_task_id": "t", '
        '"context": {"data": {"n": 1.10}, "chat_history": {"messages": [], "max_messages": 9}}}',
    )
    person.click("Preview new session")
    person.click("Create this session")
    person.sees("Created 'from-json'")
    assert len(everything()) == 123

    person.rows().first.focus()
    person.page.keyboard.press("Control+a")
    person.sees("50 selected")
    person.click("Delete…")
    person.sees("Type 50 to confirm.")
    assert person.button("Delete 50 sessions").is_disabled()
    person.picture("delete", tmp_path)
    person.type("Number", "50")
    # One of them is saved by a worker at this moment: it stays.
    change(store, "from-json", status_message="alive")
    person.click("Delete 50 sessions")
    person.sees("Deleted 49 of 50 sessions; left alone, since others changed or deleted them")
    assert len(everything()) == 74
    person.row("from-json").click()
    person.click("Delete…")
    person.click("Delete 1 session")
    person.sees("Deleted 1 session;")
    assert len(everything()) == 73
    person.click("Undo…")
    person.sees("Undo all 53…")
    person.picture("journal", tmp_path)
    # What was saved by someone else in between is not undone silently.
    person.click("Undo all 53…")
    person.sees("This will undo 53 writes")
    person.picture("undo-preview", tmp_path)
    person.click("Undo 53 writes")
    person.sees("left alone, since others changed them: 'from-json'")
    person.picture("undo-some", tmp_path)
    assert set(everything()) - set(before) == {"from-json"}
    do_as_peer(store, lambda storage: storage.delete("from-json"))
    person.click("Undo all 1…")
    person.click("Undo 1 write")
    person.sees("Nothing to undo")
    assert everything() == before


@only_complete
def test_several_are_changed_undone_redone_and_what_waits_is_listed(person, store, tmp_path):
    person.run(cells(store, writable=True))
    person.sees("showing 1 to 50 of 120")
    for n in range(3):
        person.rows().nth(n).get_by_role("checkbox").click()
    person.sees("3 selected")
    person.click("Change…")
    person.choose("Field", "Status")
    person.type("New value", "seen by hand")
    person.click("Preview changes")
    person.sees("This will change")
    person.picture("change-many", tmp_path)
    person.click("Change 3 sessions")
    person.sees("Changed 3 sessions; Undo… can undo it, together")
    person.expect(person.rows().filter(has_text="seen by hand")).to_have_count(3)
    person.click("Undo…")
    person.click("Undo last change of 3 sessions…")
    person.click("Undo 3 writes")
    person.sees("Undone: 3 writes")
    person.expect(person.rows().filter(has_text="seen by hand")).to_have_count(0)
    person.click("Redo 3 writes…")
    person.sees("This will redo 3 writes")
    person.picture("redo", tmp_path)
    person.click("Redo 3 writes")
    person.sees("Redone: 3 writes")
    person.expect(person.rows().filter(has_text="seen by hand")).to_have_count(3)
    person.click("Close")
    person.click("Waiting…")
    person.type("Time", "0 s")
    waits = person.page.locator('table[aria-label="waits by task"] tbody tr')
    person.expect(waits.first).to_contain_text("payout")
    person.expect(waits.get_by_role("checkbox")).to_have_count(0)
    person.picture("waiting", tmp_path)
    waits.first.click()
    person.sees("wb.stuck('0 s', graph='claims', task='payout')")
    person.expect(person.rows().filter(has_not_text="payout")).to_have_count(0)
    person.rows().first.click()
    person.click("Export…")
    person.picture("export", tmp_path)
    person.click("Export 1 session")
    person.sees("Wrote 1 session in sessions.jsonl")


@only_complete
@pytest.mark.parametrize("told", [False, True], ids=["polling", "told"])
def test_live(person, store, tmp_path, told):
    person.run(cells(store, writable=True))
    person.open("claim-0118")
    person.click("Edit")
    person.type("Status", "being typed")
    if told:
        with g.open(store, writable=True) as wb:
            wb.install_trigger()
    person.click("Follow changes")
    person.sees("following, reported by the store" if told else "following, every 2 s")
    began = time.monotonic()
    change(store, "support-0036", status_message="changed by a worker")
    person.sees("changed by a worker")
    took = time.monotonic() - began
    assert took < 25  # without being told it would look again after 30 s at the latest
    marked = person.page.locator("tr.gfnb-changed")
    person.expect(marked).to_have_count(1)
    assert "support-0036" in marked.inner_text()
    change(store, "claim-0118", context={"worker": 1})
    person.sees("someone saved this session (version 2) while you edit it")
    assert person.page.get_by_role("textbox", name="Status", exact=True).input_value() == (
        "being typed"
    )
    person.picture("live", tmp_path)
    person.click("Preview changes")
    person.click("Save 1 change")
    person.sees("Your changes do not conflict with theirs.")
    person.click("Preview the merged session")
    person.click("Save 1 change")
    person.sees("Saved 'claim-0118'")
    session = stored(store, "claim-0118")
    assert (session.status_message, session.context["worker"]) == ("being typed", 1)
    person.click("Follow changes")
    person.sees_not("following")


@only_complete
def test_server_lost_and_back(person, tmp_path):
    with g.local_postgres() as server:
        url = server.create_database("lost")
        fill(url)
        person.run(cells(url, writable=True))
        person.open("claim-0118")
        person.click("Edit")
        person.type("Status", "typed before the fall")
        person.click("Preview changes")
        person.click("Follow changes")
        person.sees("following")
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        person.sees("connection lost, trying again")
        person.click("Save 1 change")
        person.sees("is out of reach")
        person.picture("lost", tmp_path)
        server.start()
        person.sees("connected again")
        person.click("Save 1 change")
        person.sees("Saved 'claim-0118'")
        assert stored(url, "claim-0118").status_message == "typed before the fall"


# What anywidget does when a module has not loaded after two seconds, at once.
_LATE = """(() => {
    const timeout = AbortSignal.timeout.bind(AbortSignal);
    AbortSignal.timeout = ms => {
        if (ms !== 2000) return timeout(ms);
        window.late = (window.late ?? 0) + 1;
        const over = new AbortController();
        queueMicrotask(() => over.abort());
        return over.signal;
    };
})()"""


@only_complete
def test_widgets_whose_modules_load_late_show_what_the_kernel_sends(person, store):
    page = person.page
    page.add_init_script(_LATE)
    person.run(cells(store, writable=True))
    person.expect(person.rows()).to_have_count(50)
    person.open("claim-0118")
    change(store, "claim-0118", status_message="by someone else")
    person.click("Refresh")
    person.expect(person.row("claim-0118")).to_contain_text("by someone else")
    # The tree, whose values come later than itself.
    page.get_by_role("treeitem").locator("visible=true").first.wait_for()
    assert page.evaluate("late") >= 3


@only_complete
def test_browsers_at_once(chromium, store, each_jupyter):
    """Two on one workbench and one on the notebook's own loop, which follows what happens.

    Callbacks run on the main thread, or on threads of their own.
    """
    page = chromium.new_page(viewport={"width": 1300, "height": 3300})
    person = Person(page, each_jupyter)
    mine = f"third = g.wrap(await g.connect({store!r})).browse()\nthird.follow.value = True\nthird"
    person.run([*cells(store, writable=True), "second = wb.browse()\nsecond", mine])
    ids = ["claim-0118", "claim-0116", "claim-0113"]
    views = page.locator(".gfnb-browser")

    def button(index: int, name: str) -> Any:
        return views.nth(index).get_by_role("button", name=re.compile(rf"^\W*{name}$"))

    for index, id in enumerate(ids):
        person.rows(index).first.wait_for()
        person.rows(index).filter(has_text=id).click()
        button(index, "Edit").click()
    for index in range(3):
        views.nth(index).get_by_role("textbox", name="Status", exact=True).fill(f"by view {index}")
        page.keyboard.press("Tab")
        button(index, "Preview changes").click()
    # All at once, and quick clicks on top.
    for index in range(3):
        button(index, "Save 1 change").click()
    for _ in range(5):
        for index in range(3):
            button(index, "Refresh").click(no_wait_after=True)
    for index, id in enumerate(ids):
        person.expect(views.nth(index).get_by_text(f"by view {index}").first).to_be_visible()
        for _ in range(100):
            if stored(store, id).status_message == f"by view {index}":
                break
            time.sleep(0.1)
        assert stored(store, id).status_message == f"by view {index}"
    # What one workbench wrote is in the journal of both its browsers.
    for index, undo in ((0, "Undo all 2…"), (1, "Undo all 2…"), (2, "Undo all 1…")):
        button(index, "Undo…").click()
        button(index, undo).wait_for()
    page.close()
    each_jupyter.end_kernels()
    assert not person.wrong


SMOKE = "import graphflow_nb as g\nwb = g.open('demo')\nbrowser = wb.browse()\nbrowser"


@only_complete
@pytest.mark.parametrize("kind", ["notebook", "voila"])
def test_smoke_elsewhere(chromium, kind, tmp_path):
    """Notebook 7 and Voilà."""
    write_notebook(tmp_path / "smoke.ipynb", [SMOKE])
    if kind == "voila":
        words = [sys.executable, "-m", "voila", "smoke.ipynb", "--no-browser"]
        words.append("--Voila.ip=127.0.0.1")
        server, path = Jupyter(tmp_path, words, ready="/voila/nothing"), "/"
    else:
        words = [sys.executable, "-m", "notebook", "--no-browser"]
        server, path = Jupyter(tmp_path, words), f"/notebooks/smoke.ipynb?token={TOKEN}"
    with server:
        page = chromium.new_page(viewport={"width": 1300, "height": 1500})
        person = Person(page, server)
        if kind == "voila":
            # Its own template asks a CDN for icons; without them the page must work as well.
            page.route(lambda url: not url.startswith(server.base), lambda route: route.abort())
        page.goto(server.base + path)
        if kind == "notebook":
            page.locator(".jp-Notebook").wait_for()
            wait_for_kernel(server)
            run_all(page)
        person.rows().first.wait_for()
        person.open("claim-0118")
        person.click("Edit")
        person.type("Status", "seen to")
        person.click("Preview changes")
        person.click("Save 1 change")
        person.sees("Saved 'claim-0118'")
        page.screenshot(path=(Path(PICTURES) if PICTURES else tmp_path) / f"{kind}.png")
        page.close()
        assert kind == "voila" or not person.outside


_RECORD = """
() => {
  window.clicked = [];
  document.querySelector('table[aria-label="sessions"] tbody').addEventListener(
    'click',
    (event) => {
      const row = event.target.closest('tr');
      if (row) window.clicked.push(row.cells[2].textContent);
    },
    true,
  );
}
"""


@only_complete
def test_a_click_while_following_means_the_row_that_was_shown(person, store, tmp_path):
    """A worker moves rows to the top three times a second, while a person clicks on some."""
    with g.open(store, writable=True) as wb:
        wb.install_trigger()
    person.run(cells(store, writable=True))
    person.click("Follow changes")
    person.sees("following, reported by the store")
    page = person.page
    page.evaluate(_RECORD)
    sessions = do_as_peer(store, lambda storage: storage.query(g.Query()))
    ids = [session.id for session in sessions]
    ended, writes = threading.Event(), itertools.count()

    def work() -> None:
        numbers = random.Random(33)
        while not ended.wait(0.3):
            change(store, numbers.choice(ids), context={"n": next(writes)})

    def clicked() -> list[str]:
        return list(page.evaluate("window.clicked"))

    def press(row: int, column: int) -> str:
        """Click where a row is now, whichever row that is when the button is down."""
        before = len(clicked())
        while len(clicked()) == before:  # the rows may move apart under the button
            box = person.rows().nth(row).locator("td").nth(column).bounding_box()
            page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        return clicked()[-1]

    worker = threading.Thread(target=work)
    worker.start()
    try:
        title = page.locator(".gfnb-reader h4")
        for n in range(15):
            id = press(n * 7 % 10, 4)
            person.expect(title).to_contain_text(f"session {id}")
        for n in range(4):
            chosen = {press(n, 4), press(n + 2, 0)}
            if len(chosen) == 1:
                continue  # the second was the first, which had moved there: chosen no longer
            person.sees("2 selected")
            person.click("Delete…")
            names = page.locator(".gfnb-names code").locator("visible=true")
            for id in chosen:
                person.expect(names.filter(has_text=id)).to_have_count(1)
            person.expect(names).to_have_count(2)
            if n == 3:
                person.picture("delete-following", tmp_path)
            person.click("Cancel")
    finally:
        ended.set()
        worker.join()
    assert next(writes) > 10, "there was nobody to meet"
