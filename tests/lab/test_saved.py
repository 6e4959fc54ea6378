"""A view whose kernel is gone says what to do, and a saved notebook keeps its static form."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..scope import only_complete
from ..servers.jupyter import TOKEN, open_in_lab, run_all, wait_for_kernel, write_notebook
from .person import Person

CELLS = [
    """\
import graphflow_nb as g
wb = g.open("demo")
wb.create("claim-" + "x" * 3000, "intake", graph_id="claims", status_message="claim-0014")
browser = wb.browse(session="claim-" + "x" * 3000)
browser""",
    """\
from graphflow_nb.lessons.course import snapshot_and_event_log as lesson
lesson.predict_rows""",
    """\
import os
from graphflow_nb.notebook.progress import show_bar
with show_bar("copying …") as bar:
    bar.show_count(10, 10, "sessions")
print("pid", os.getpid())""",
]
GONE = "The kernel was restarted or has ended. Run the cells up to this one again."
KEPT = "To use it, run this cell again."
_SHOWN = """text => [...document.querySelectorAll('.jp-OutputArea-child')]
    .filter(e => e.getBoundingClientRect().height > 0 && e.textContent.includes(text)).length"""


def count(page: Any, text: str) -> int:
    """Return the number of outputs with this text that take room on the page."""
    return int(page.evaluate(_SHOWN, text))


def watched(person: Person) -> Any:
    """Return the views and what is pressed in them."""
    return person.page.locator(".gfnb-view").filter(has=person.page.locator("button"))


def is_frozen(person: Person) -> None:
    """Check that both views say what to do, do nothing, and still show what they showed."""
    views = watched(person)
    for n in range(views.count()):
        views.nth(n).hover(force=True)  # a kernel that was killed is found out by asking
    person.expect(person.page.get_by_text(GONE).locator("visible=true")).to_have_count(2)
    person.expect(person.page.locator(".gfnb-browser .gfnb-opened")).to_contain_text("claim-0014")
    live = ":is(button, select, input[type=checkbox]):not(:disabled)"
    person.expect(views.locator(live)).to_have_count(0)
    person.page.locator(".gfnb-browser tbody tr").nth(3).click(force=True)


@only_complete
def test_in_jupyterlab(person: Person, tmp_path: Path):
    page, expect = person.page, person.expect
    path = person.server.folder / "saved.ipynb"
    write_notebook(path, CELLS)
    open_in_lab(page, person.server, path.name)
    run_all(page)
    said = page.locator(".jp-OutputArea-output").filter(has_text="pid ")
    expect(said).to_be_visible()
    expect(person.rows().first).to_be_visible()
    assert count(page, KEPT) == 0, "the static form is hidden while the view works"
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")

    os.kill(int(said.inner_text().split()[1]), 9)
    expect(
        page.locator('[data-status="autorestarting"], [data-status="idle"]').first
    ).to_be_attached()
    is_frozen(person)
    person.server.end_kernels()

    for trusted in (True, False):
        if not trusted:
            notebook = json.loads(path.read_text().replace("support-0063", "support-9963"))
            path = person.server.folder / "untrusted.ipynb"
            path.write_text(json.dumps(notebook))
        open_in_lab(page, person.server, path.name)
        cell = "jupyterapp.shell.currentWidget.content.model.cells.get(0).trusted"
        assert page.evaluate(cell) is trusted
        page.wait_for_function(f"({_SHOWN})({KEPT!r}) === 2")
        assert count(page, "10 of 10 sessions") == 1
        assert count(page, "not found") == count(page, "Loading") == 0
        wide = "e => e.querySelector('h4:last-of-type').scrollWidth - e.clientWidth"
        output = page.locator(".jp-OutputArea-output").first
        assert output.evaluate(wide) <= 0, "a long id is wrapped"
        box = page.locator(".gfnb-list td").first.bounding_box()
        assert box["width"] < 400, "a long id makes no column wide"
        person.server.end_kernels()


@only_complete
def test_in_notebook_7(classic: Person):
    page, expect = classic.page, classic.expect
    path = classic.server.folder / "saved.ipynb"
    write_notebook(path, CELLS)
    page.goto(f"{classic.server.base}/notebooks/{path.name}?token={TOKEN}")
    wait_for_kernel(classic.server)
    page.evaluate("() => jupyterapp.commands.execute('notebook:run-all-cells')")
    expect(page.locator(".jp-OutputArea-output").filter(has_text="pid ")).to_be_visible()
    expect(classic.rows().first).to_be_visible()
    assert count(page, KEPT) == 0
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    kernel = "jupyterapp.shell.currentWidget.sessionContext.session.kernel"
    page.evaluate(f"() => {kernel}.restart()")
    is_frozen(classic)
    wait_for_kernel(classic.server)
    page.goto("about:blank")
    classic.server.end_kernels()
    page.goto(f"{classic.server.base}/notebooks/{path.name}?token={TOKEN}")
    page.wait_for_function(f"({_SHOWN})({KEPT!r}) === 2")
    assert count(page, "not found") == 0
    wait_for_kernel(classic.server)  # a kernel that starts is not ended at once
