"""The live view and benchmarks in a real JupyterLab, on a real PostgreSQL, under load."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from ..scope import only_complete, size
from ..servers.jupyter import open_in_lab, run_all, write_notebook
from .person import Person

pytestmark = pytest.mark.timeout(480)

# What grows in half a minute grows for ever; at full size it is five minutes.
SECONDS = size(300, 30)
SETTLING = 8

LOAD = """\
import asyncio, gc, threading, time
import ipywidgets as widgets
import graphflow_nb as g
wb = g.open({url!r}, writable=True)
stop = threading.Event()
def load():
    # Not the session that the cell SLOW saves: a save between its get and save is a conflict.
    ids = [id for id in wb.sessions(limit=40)["id"] if id != "claim-0118"]
    while not stop.is_set():
        for id in ids:
            if stop.wait(0.004):
                break
            # Not through wb.save, whose journal keeps what stood there before, and so grows.
            session = wb.get(id)
            session.context["seen"] = time.time()
            try:
                wb.bridge.run(wb.storage.save(session))
            except g.SessionConflict:
                pass
threads = [threading.Thread(target=load) for _ in range(2)]
for thread in threads:
    thread.start()"""
SLOW = """\
waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
locked = threading.Event()
async def hold(connection):
    # Someone holds the row, so a save has to wait.
    async with connection.transaction():
        await connection.execute("SELECT 1 FROM sessions WHERE id = 'claim-0118' FOR UPDATE")
        locked.set()
        while not await connection.fetchval(waiting):
            await asyncio.sleep(0.01)
        await asyncio.sleep(1.5)
holder = wb.bridge.submit(wb.storage.inner.run(hold))
locked.wait()
session = wb.get("claim-0118")
session.status_message = "waited for"
wb.save(session)
holder.result()"""
MEMORY = """\
def memory():
    gc.collect()
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * 4096 / 1e6, len(widgets.widget._instances)
asked = globals().get("asked", 0) + 1
print("memory", asked, *memory(), len(wb.latency))"""


def heap(page: Any) -> float:
    """Return the megabytes that the page's script holds after collecting its garbage."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("HeapProfiler.collectGarbage")
    used: float = devtools.send("Runtime.getHeapUsage")["usedSize"]
    return used / 1e6


def ask_memory(person: Person) -> list[float]:
    """Run the cell MEMORY once more, and return megabytes, widgets and operations.

    Args:
        person: The person at the notebook, whose fourth cell it is.
    """
    cell = person.page.locator(".jp-CodeCell").nth(3)
    found = cell.locator(".jp-OutputArea-output")
    # What it printed before stays until it runs again, as it does if a key came twice.
    person.expect(found).to_have_text(re.compile(r"memory \d+ "))
    number = found.inner_text().split()[1]
    printed = re.compile(rf"memory (?!{number} )\d+ [\d.]+ \d+ \d+\s")
    for wait in (15_000, 15_000, 45_000):  # a page that is redrawn now and then loses a key
        # Not by a click: what grows above moves the cell away under the pointer.
        cell.locator(".cm-content").press("Control+Enter")
        try:
            person.expect(found).to_have_text(printed, timeout=wait)
        except AssertionError:
            if wait == 45_000:
                raise
        else:
            break
    return [float(word) for word in found.inner_text().split()[2:]]


@only_complete
def test_the_live_view_under_load_without_growing(person, store, tmp_path):
    page = person.page
    cells = [LOAD.format(url=store), "live = wb.latency.live()\nlive", SLOW, MEMORY]
    write_notebook(person.server.folder / "live.ipynb", cells)
    open_in_lab(page, person.server, "live.ipynb")
    run_all(page)
    slow = page.locator('table[aria-label="slowest operations"] tbody tr')
    slow.filter(has_text="claim-0118").first.wait_for()
    person.sees("following, every")
    person.sees("operations")

    # The slowest is the one that waited; a click opens its session, with size and phases.
    person.expect(slow.first).to_contain_text("claim-0118")
    person.expect(slow.first).to_contain_text("save")
    person.picture("live", tmp_path)
    opened = page.get_by_text("session claim-0118")
    for _ in range(10):  # a click on rows that were just redrawn has no effect
        slow.filter(has_text="claim-0118").first.click()
        with suppress(PlaywrightTimeout):
            opened.first.wait_for(timeout=1_000)
            break
    person.sees("session claim-0118")
    person.sees("in all")
    person.sees(re.compile(r"execute [\d.]+ m?s \(\d+ %\)"))
    person.picture("live-session", tmp_path)

    page.wait_for_timeout(1_000 * SETTLING)
    before, page_before = ask_memory(person), heap(page)
    picture = page.locator(".gfnb-browser img").first
    first = picture.get_attribute("src")
    page.wait_for_timeout(1_000 * SECONDS)
    after, page_after = ask_memory(person), heap(page)
    person.expect(picture).not_to_have_attribute("src", first)
    more = after[2] - before[2]
    print(
        f"{SECONDS} s, {more:,.0f} operations more: kernel {before[0]:.0f} to {after[0]:.0f} MB, "
        f"widgets {before[1]:.0f} to {after[1]:.0f}, page {page_before:.1f} to {page_after:.1f} MB"
    )
    assert more > 20 * SECONDS
    # Recorded operations take 64 bytes at most; the rest is what Python and the page play with.
    assert after[0] - before[0] < 20 + more * 64e-6
    assert after[1] == before[1]
    assert page_after - page_before < 10

    person.click("Live")
    person.sees("stopped; press Live to continue")
    page.keyboard.press("Escape")


EXPLORE = """\
import graphflow_nb as g
wb = g.open("demo")
for id in wb.sessions(limit=60)["id"]:
    wb.get(id)
wb.latency.explore()"""


@only_complete
def test_the_chart_of_operations_by_keyboard_and_by_mouse(person, tmp_path):
    page = person.page
    write_notebook(person.server.folder / "explore.ipynb", [EXPLORE])
    open_in_lab(page, person.server, "explore.ipynb")
    run_all(page)
    person.sees(re.compile("^61 operations"))
    chart = page.get_by_label(re.compile("^Chart of 61 operations"))
    tip = page.locator(".gfnb-chart-tip")

    # By the keyboard alone: the first operation is of no session, the next one opens its own.
    chart.focus()
    page.keyboard.press("ArrowRight")
    person.expect(tip).to_contain_text("no single session")
    page.keyboard.press("ArrowRight")
    person.expect(tip).to_contain_text("get, ")
    id = tip.inner_text().splitlines()[1]
    page.keyboard.press("+")
    person.sees(re.compile(r"^\d+ operations\. "))
    page.keyboard.press("0")
    person.sees(re.compile("^61 operations"))
    person.picture("explore", tmp_path)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    person.sees(f"session {id}")

    # By the mouse: a drag zooms in, and each place of the heat map says how many it counts.
    box = chart.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 20, box["y"] + box["height"] - 40, steps=5)
    page.mouse.up()
    person.click("Heat map")
    person.click("Show all")
    person.sees(re.compile("^61 operations"))
    person.picture("explore-heat", tmp_path)


@only_complete
def test_stop_keeps_what_was_measured(chromium, each_jupyter, store, tmp_path):
    page = chromium.new_page(viewport={"width": 1300, "height": 900})
    try:
        cells = [
            f"import graphflow_nb as g\nwb = g.open({store!r}, writable=True)",
            'run = wb.benchmark("A", duration=100.0, repeats=100, sessions=50, shared=True)\nrun',
            'print("left", len(wb.sessions(graph="graphflow_nb benchmark")), run.notes)',
        ]
        write_notebook(each_jupyter.folder / "stop.ipynb", cells)
        open_in_lab(page, each_jupyter, "stop.ipynb")
        run_all(page)
        button = page.get_by_role("button", name=re.compile("Stop$")).locator("visible=true")
        button.first.wait_for()
        page.get_by_text(re.compile("turn 2 of 100")).wait_for()
        page.screenshot(path=tmp_path / "stop.png")
        button.last.click()
        page.get_by_text("left 0 ('stopped before its end',)").wait_for()
    finally:
        page.close()
        each_jupyter.end_kernels()
