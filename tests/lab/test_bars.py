"""Bars of long work, seen in its middle, light, dark and narrow; their Stop buttons are heard."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from ..scope import only_complete
from ..servers.jupyter import open_in_lab, run_all, write_notebook
from .person import Person

#: Each batch of the work takes so long that one can look at it.
OPENING: Final = """
import time
import graphflow_nb as g

wb = g.open({url!r}, writable=True, ask_above_sessions=10_000)
wb.bridge.run(wb.storage.save_many([g.Session(f"s{{n:05}}", "t") for n in range(6_000)]))
slowly = lambda: time.sleep(1)
"""
#: A scan ends with its loop, and has no button.
SCAN: Final = """
for frame in wb.scan(batch_size=500):
    time.sleep(0.5)
"""
#: What else is run, and what is shown once it was stopped.
STOPPED: Final = {
    "wb.to_parquet({folder!r}, rows_per_file=200, stop=slowly)": "the same call continues",
    "wb.build_index(stop=slowly)": r"wb.build_index\(\) begins again",
    "wb.delete(wb.sessions(limit=None)['id'], stop=slowly) and None": "with the same ids continues",
}
COUNT: Final = re.compile(r"^[\d,]+ (of [\d,]+ )?sessions$")


@only_complete
def test_bars_show_how_far_work_is_and_stop_it(
    person: Person, redis_server: Any, tmp_path: Path
) -> None:
    redis_server.empty()
    calls = [call.format(folder=str(tmp_path / "out")) for call in STOPPED]
    opening = OPENING.format(url=redis_server.url)
    write_notebook(person.server.folder / "bars.ipynb", [opening, SCAN, *calls])
    page = person.page
    page.set_viewport_size({"width": 1300, "height": 900})
    open_in_lab(page, person.server, "bars.ipynb")
    run_all(page)
    outputs = page.locator(".jp-Notebook .jp-Cell").nth(1).locator(".jp-OutputArea-output")
    scanned = outputs.get_by_text(COUNT).locator("visible=true")
    scanned.wait_for()
    person.expect(scanned).to_have_text("6,000 of 6,000 sessions")
    for number, ended in enumerate(STOPPED.values(), 2):
        cell = page.locator(".jp-Notebook .jp-Cell").nth(number)
        cell.get_by_text(COUNT).locator("visible=true").wait_for()
        stop = cell.get_by_role("button", name=re.compile("Stop$")).locator("visible=true")
        if "delete" in calls[number - 2]:
            stop.hover()  # which asks whether there is a kernel
            person.picture("bar", tmp_path, screen=True)
            page.evaluate("() => jupyterapp.shell.collapseLeft()")
            page.set_viewport_size({"width": 480, "height": 900})
            person.picture("bar narrow", tmp_path, screen=True)
            box = stop.bounding_box()
            assert 0 < box["x"] < box["x"] + box["width"] < 480
            silent = page.get_by_text("The kernel does not answer").locator("visible=true")
            person.expect(silent).to_have_count(0)
        stop.click()
        said = re.compile(rf"^stopped at [\d,]+ (of [\d,]+ )?sessions: .*{ended}")
        cell.get_by_text(said).locator("visible=true").wait_for()
        person.expect(stop).to_have_count(0)
