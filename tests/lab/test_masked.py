"""A secret is shown where a person asks for it, and is in no notebook that is saved then."""

from __future__ import annotations

from pathlib import Path

from ..scope import only_complete
from ..servers.jupyter import open_in_lab, run_all, write_notebook
from .person import Person, cells, change, stored

SECRETS = {"dbPassword": "Zq7 hunter", "login": {"user": "ann", "token": "Zq7 token"}, "pin": 4711}


@only_complete
def test_a_secret_is_shown_and_changed_and_no_notebook_keeps_it(
    person: Person, store: str, tmp_path: Path
) -> None:
    change(store, "claim-0118", context=SECRETS)
    path = person.server.folder / "masked.ipynb"
    write_notebook(path, [*cells(store, writable=True), "wb.get('claim-0118')"])
    open_in_lab(person.page, person.server, path.name)
    run_all(person.page)
    person.open("claim-0118")
    tree, keyboard = person.page.get_by_role("tree", name="Context"), person.page.keyboard
    line = tree.get_by_role("treeitem").filter(has_text="dbPassword")
    person.expect(line).to_contain_text("••• (text, 10 characters)")
    person.picture("masked", tmp_path)
    line.get_by_role("button", name="show").click()
    person.expect(line).to_contain_text("Zq7 hunter")
    person.picture("revealed", tmp_path)
    person.page.get_by_role("button", name="JSON", exact=True).click()
    text = person.page.locator(".gfnb-reader .gfnb-text:visible")
    person.expect(text).to_contain_text("••• (text, 10 characters)")
    person.page.get_by_role("button", name="Show secrets").click()
    person.expect(text).to_contain_text("Zq7 hunter")
    person.picture("revealed-json", tmp_path)
    person.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    person.page.wait_for_function("() => !jupyterapp.shell.currentWidget.context.model.dirty")
    saved = path.read_text()
    assert "••• (text, 10 characters)" in saved
    assert "Zq7" not in saved
    person.page.get_by_role("button", name="Context", exact=True).click()
    line.get_by_role("button", name="hide").click()
    person.expect(line).to_contain_text("••• (text, 10 characters)")
    person.expect(line).to_be_focused()
    keyboard.press("r")
    person.expect(line).to_contain_text("Zq7 hunter")
    keyboard.press("F2")
    box = line.get_by_role("textbox")
    person.expect(box).to_have_value("••• (text, 10 characters)")
    box.fill("a new one")
    keyboard.press("Enter")
    person.click("Save 1 change")
    person.sees("Saved 'claim-0118'")
    person.expect(line).to_contain_text("••• (text, 9 characters)")
    assert stored(store, "claim-0118").context["dbPassword"] == "a new one"
