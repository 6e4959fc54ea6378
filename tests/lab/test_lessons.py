"""Lessons in a real JupyterLab: a person predicts, runs, clicks, and kills what runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ..notebooks.test_lessons import FEWER
from ..scope import only_complete
from ..servers.jupyter import TOKEN, open_in_lab, run_all, wait_for_kernel
from .person import PICTURES, Person

pytestmark = pytest.mark.timeout(480)

_ACTIVE = "() => jupyterapp.shell.currentWidget.content.activeCellIndex"
_FOCUS = """() => {
    const notebook = jupyterapp.shell.currentWidget.content;
    notebook.mode = 'command';
    notebook.activeCell.node.focus();
}"""
_CELLS = "[...jupyterapp.shell.currentWidget.content.model.cells].filter(c => c.type === 'code')"
_FAILED = f"{_CELLS}.flatMap(c => c.outputs.toJSON()).filter(o => o.output_type === 'error')"
_IDLE = "jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'"
# Every cell was run, or one failed, after which none is.
_RAN = f"() => {_IDLE} && ({_CELLS}.every(c => c.executionCount) || {_FAILED}.length)"
_ERRORS = f"() => {_FAILED}.map(o => `${{o.ename}}: ${{o.evalue}}`)"
LESSONS = Path(__file__).parents[2] / "notebooks/lessons"


def copy_lesson(path: Path, folder: Path) -> None:
    """Copy a lesson with fewer kills than it has, all of which tests/notebooks tries."""
    text = path.read_text()
    for many, few in FEWER.items():
        text = text.replace(many, few)
    (folder / path.name).write_text(text)


class Reader:
    """Someone who plays a lesson, cell by cell, at the size of a projector.

    Args:
        person: Whose page it is.
        name: The name of the lesson's notebook.
    """

    def __init__(self, person: Person, name: str):
        self.page = person.page
        self.page.set_viewport_size({"width": 1280, "height": 800})
        copy_lesson(LESSONS / name, person.server.folder)
        cells = json.loads((LESSONS / name).read_text())["cells"]
        # A text is looked for in code alone.
        self._code = [
            "".join(cell["source"]) if cell["cell_type"] == "code" else "" for cell in cells
        ]
        open_in_lab(self.page, person.server, name)
        self.page.locator(".jp-Notebook .jp-Cell").first.click()

    def run_to(self, text: str) -> None:
        """Run cells from the one that is selected to the first with this text."""
        goal = next(n for n, source in enumerate(self._code) if text in source)
        for _ in self._code:
            if self.page.evaluate(_ACTIVE) > goal:
                return
            # A click on a panel, another theme or a panel that is drawn may take the focus.
            self.page.evaluate(_FOCUS)
            self.page.keyboard.press("Shift+Enter")
        focus = self.page.evaluate("() => document.activeElement.outerHTML.slice(0, 300)")
        raise AssertionError(f"Shift+Enter runs no cell; the focus is at {focus}")

    def panel(self, title: str) -> Any:
        return self.page.locator(".gfnb-panel").filter(has_text=title)

    def click(self, title: str, button: str, said: str = "") -> None:
        """Click a button of a panel, and wait until its call is done and says so."""
        panel = self.panel(title)
        panel.get_by_role("button", name=button, exact=True).click()
        panel.get_by_text(said or f"{button}: done").first.wait_for()
        self.page.keyboard.press("Escape")

    def answer(self, cell: str, text: str) -> None:
        """Replace the text of a cell, and run it."""
        editor = self.page.locator(".jp-CodeCell").filter(has_text=cell).locator(".cm-content")
        editor.click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(text)
        self.page.keyboard.press("Shift+Enter")

    def picture(self, name: str) -> None:
        if PICTURES:
            self.page.screenshot(path=Path(PICTURES) / f"{name}.png")


@only_complete  # test_panel.py clicks a panel in every run
def test_a_person_crashes_a_workflow_and_resumes_it(person: Person):
    reader = Reader(person, "02_crash_and_resume.ipynb")
    expect, page = person.expect, person.page
    reader.run_to("lesson.predict_before")
    reader.click("Predict: Process 1", "twice", "you predict: twice")
    reader.run_to("exercise = lesson.key_exercise(store)")
    expect(page.get_by_text("you predicted: twice (it happened)").first).to_be_attached()
    reader.answer("KEY = ...", 'exercise.check("{order}")')
    expect(page.get_by_text("was ignored each time").first).to_be_visible()
    reader.run_to('name="play"')
    crash = "crash of order-8"
    reader.click(crash, "Start, stop at: before the save")
    panel = reader.panel(crash)
    expect(panel.get_by_text("process 1 is stopped: before the save")).to_be_visible()
    reader.click(crash, "Kill")
    expect(panel.get_by_text("process 1 was killed: before the save")).to_be_visible()
    reader.picture("crash-killed")
    reader.click(crash, "Resume")
    expect(panel.get_by_text("process 2 finished: completed").first).to_be_visible()
    # In the ledger and in the story.
    expect(panel.get_by_text("e-mail to Ana about order-8")).to_have_count(4)
    reader.picture("crash-resumed")


@only_complete
def test_a_person_loses_an_update_and_keeps_the_next_one(person: Person, tmp_path: Path):
    reader = Reader(person, "03_lost_update.ipynb")
    expect, page = person.expect, person.page
    reader.run_to("lesson.stale")
    reader.click("Predict: A and B load", "115", "you predict: 115")
    reader.run_to("race.again()")
    predicted = "you predicted: 115 (not what happened); what happened: 105"
    expect(page.get_by_text(predicted).first).to_be_attached()
    race = "a race on SQLite, last write wins"
    for button, said in {
        "A: load": "A loads balance 100",
        "B: load": "B loads balance 100",
        "B: change": "B changes it to balance 105",
        "B: save": "B saves balance 105",
        "A: change": "A changes it to balance 110",
        "A: save": "A saves balance 110; the change of B is lost",
    }.items():
        reader.click(race, button, said)
    expect(reader.panel(race).get_by_text("B's change is lost")).to_be_visible()
    person.picture("lost-update", tmp_path, screen=True)
    reader.run_to("remedy = lesson.ask_remedy(store)")
    remedy = "Exercise: Both writers add"
    reader.click(remedy, "give up", "incorrect: in 18 of 20 orders")
    reader.click(remedy, "load again and repeat the change", "✓ correct")


@only_complete
def test_a_person_kills_a_server_in_mid_save_and_looks_at_the_row(person: Person, tmp_path: Path):
    reader = Reader(person, "04_durability.ipynb")
    expect, page = person.expect, person.page
    reader.run_to("lesson.survivors")
    reader.click("Predict: The store has acknowledged", "all of them", "you predict: all of them")
    reader.run_to("lesson.survivors.compare(")
    expect(page.get_by_text("you predicted: all of them (it happened)").first).to_be_attached()
    reader.run_to("lesson.early")
    trial = "Durability: PostgreSQL"
    for button, said in {
        "Write": "a writer is at work",
        "Kill": "what keeps the data was killed",
        "Restart": "the store runs again",
        "Look": "there",
    }.items():
        reader.click(trial, button, said)
    # The kill by the cells, and the one by clicking; either may have left one save more.
    kills = reader.panel(trial).get_by_role("row").filter(has_text="there")
    expect(kills).to_have_count(2)
    person.picture("durability", tmp_path, screen=True)
    reader.run_to("lesson.early")
    early = "Predict: PostgreSQL with synchronous_commit=off"
    reader.click(early, "all but the last ones", "you predict: all but the last ones")
    reader.run_to("lesson.early.compare(")
    expect(page.get_by_text("you predicted: all but the last ones").first).to_be_attached()
    reader.run_to("lesson.power")
    expect(reader.panel("Exercise: Which setting")).to_be_attached(timeout=240_000)  # 8 kills
    power = "Exercise: Which setting acknowledges"
    reader.click(power, "PostgreSQL, synchronous_commit=off", "incorrect: it acknowledges")
    reader.click(power, "Redis, appendonly=yes appendfsync=everysec", "✓ correct")


@only_complete
@pytest.mark.parametrize("path", sorted(LESSONS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_each_lesson_runs_in_notebook_7(classic: Person, path: Path):
    page = classic.page
    copy_lesson(path, classic.server.folder)
    page.goto(f"{classic.server.base}/notebooks/{path.name}?token={TOKEN}")
    page.locator(".jp-Notebook").wait_for()
    wait_for_kernel(classic.server)
    run_all(page)
    page.wait_for_function(_RAN, timeout=300_000)
    assert page.evaluate(_ERRORS) == []
    # A click reaches the kernel, and what it says comes back.
    panels = page.locator(".gfnb-panel")
    enabled = page.locator('button[aria-disabled="false"]')
    panel = panels.filter(has=enabled).first
    panel.locator(enabled).first.click()
    said = panel.get_by_role("status").filter(has_text=re.compile(r"[^…]$"))
    classic.expect(said.first).to_be_visible()
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"notebook-{path.stem}.png")
