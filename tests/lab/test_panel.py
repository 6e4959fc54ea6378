"""A panel in a real JupyterLab: clicks, double clicks, the keyboard and errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..scope import only_complete
from ..servers.jupyter import open_in_lab, run_all, write_notebook
from .person import Person

CELLS = [
    """\
from graphflow_nb.lessons import Stepper, lesson_store
from graphflow_nb.lessons.course import snapshot_and_event_log as lesson
store = lesson_store("sqlite")
wb = store.open()
lesson.start(wb, "claim-1")
lesson.predict_rows""",
    """\
stepper = Stepper(wb, lesson.GRAPH, "claim-1")
stepper""",
    """\
import threading
from markupsafe import Markup
from graphflow_nb.notebook.panel import Action, Panel
runs, go_on = [], threading.Event()
def work():
    runs.append(1)
    threading.Timer(1.0, go_on.set).start()
    go_on.wait()
    go_on.clear()
def fail():
    raise ValueError("it <b>failed</b>")
Panel(
    "slow",
    lambda: Markup("<p>runs: %s</p>") % len(runs),
    lambda: [[Action("Work", "work()", work), Action("Fail", "fail()", fail, style="danger")]],
)""",
]


@only_complete
def test_each_click_runs_once_and_the_keyboard_stays_where_it_is(person: Person, tmp_path: Path):
    page, expect = person.page, person.expect
    panels = page.locator(".gfnb-panel")

    def button(name: str) -> Any:
        return panels.get_by_role("button", name=name, exact=True)

    def sees(text: str) -> None:
        expect(panels.get_by_text(text).locator("visible=true").first).to_be_visible()

    write_notebook(person.server.folder / "panel.ipynb", CELLS)
    open_in_lab(page, person.server, "panel.ipynb")
    run_all(page)
    button("five").click()
    sees("you predict: five")
    button("Run one step").focus()
    for number in (1, 2, 3):
        page.keyboard.press("Enter")
        sees(f"step {number} of {number}, the newest")
        assert page.evaluate("document.activeElement.textContent") == "Run one step"
    button("Look back").click()
    sees("step 2 of 3. Looking changes nothing")

    button("Work").dblclick()
    sees("Work: working …")
    assert button("Fail").get_attribute("aria-disabled") == "true"
    button("Fail").click(force=True)
    sees("Work: done")
    sees("runs: 1")
    button("Fail").click()
    sees("Error: ValueError: it <b>failed</b>")
    button("Work").click()
    sees("runs: 2")
