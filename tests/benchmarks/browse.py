"""The browser in a real JupyterLab: from a click to rows on the screen, at two sizes of the store.

Each figure is the median of alternating rounds. Time is taken in the page itself, from the click to
the frame after the rows were changed, and what the server sends over its socket is counted there.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from pathlib import Path
from typing import Any

import asyncpg

import graphflow_nb as g
from tests.servers.jupyter import CHROMIUM, FLAGS, jupyterlab, open_in_lab, run_all, write_notebook

SIZES = (1_000, 1_000_000)
ROUNDS = 15
FILL = """
INSERT INTO sessions (id, graph_id, current_task_id, status_message, context, updated_at)
SELECT 'session-' || lpad(n::text, 8, '0'), 'graph-' || n % 5, 'task-' || n % 20,
    CASE WHEN n % 3 = 0 THEN 'waiting for the customer' END, jsonb_build_object('data',
        jsonb_build_object('customer', jsonb_build_object('tier', n % 4), 'text', repeat('x', 400)),
        'chat_history', '{"messages": [], "max_messages": 1000}'::jsonb),
    now() - n * interval '1 second'
FROM generate_series(1, $1::int) AS n
"""
# In the page: what arrives on its sockets, and how long a click takes until the rows are others.
COUNT_BYTES = """
window.received = 0;
const plain = window.WebSocket;
window.WebSocket = class extends plain {
  constructor(...words) {
    super(...words);
    this.addEventListener("message", (event) => {
      window.received += event.data.byteLength ?? event.data.size ?? event.data.length;
    });
  }
};
"""
CLICK = """
([view, name]) => new Promise((done) => {
  const root = document.querySelectorAll(".gfnb-browser")[view];
  const body = root.querySelector('table[aria-label="sessions"] tbody');
  const button = [...root.querySelectorAll("button")].find((b) => b.textContent.trim() === name);
  const before = body.rows[0]?.cells[2].textContent;
  const bytes = window.received;
  const began = performance.now();
  const watcher = new MutationObserver(() => {
    const now = body.rows[0]?.cells[2].textContent;
    if (!now || now === before) return;
    watcher.disconnect();
    requestAnimationFrame(() => setTimeout(() => {
      const took = performance.now() - began;
      setTimeout(() => done([took, window.received - bytes]), 400);
    }));
  });
  watcher.observe(body, { childList: true, subtree: true, characterData: true });
  button.click();
})
"""


async def _fill(url: str, count: int) -> None:
    storage = await g.connect(url)
    await storage.close()
    connection = await asyncpg.connect(url)
    await connection.execute(FILL.replace("$1::int", str(count)))
    await connection.execute("CREATE INDEX ON sessions (updated_at, id)")
    await connection.execute("VACUUM ANALYZE sessions")
    await connection.close()


def browse(server: g.LocalPostgres, row: Any) -> None:
    """Page turns and first pages; ``row(name, micros, floor, note)`` prints a figure."""
    from playwright.sync_api import sync_playwright

    urls = [server.create_database(f"browse{size}") for size in SIZES]
    for url, size in zip(urls, SIZES, strict=True):
        asyncio.run(_fill(url, size))
    cells = ["import graphflow_nb as g"]
    for n, url in enumerate(urls):
        cells += [f"wb{n} = g.open({url!r})\nb{n} = wb{n}.browse()\nb{n}"]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        write_notebook(Path(folder) / "work.ipynb", cells)
        with jupyterlab(Path(folder)) as lab:
            chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = chromium.new_page(viewport={"width": 1300, "height": 2400})
            page.add_init_script(COUNT_BYTES)
            open_in_lab(page, lab, "work.ipynb")
            run_all(page)
            for n, size in enumerate(SIZES):
                view = page.locator(".gfnb-browser").nth(n)
                view.get_by_text(f"of {size:,}").wait_for(timeout=120_000)
            page.wait_for_timeout(2000)
            times: dict[tuple[str, int], list[tuple[float, float]]] = {}
            for number in range(ROUNDS + 1):
                for n in range(len(SIZES)):
                    # The first page is the way back to it.
                    for name in ("Next", "Next", "Previous", "Previous"):
                        found = page.evaluate(CLICK, [n, name])
                        if number:
                            times.setdefault((name, n), []).append(found)
            chromium.close()
    for name, what in (("Next", "a page on"), ("Previous", "back to the first page")):
        floor = None
        for n, size in enumerate(SIZES):
            took = 1000 * statistics.median(time for time, _ in times[name, n])
            sent = statistics.median(bytes for _, bytes in times[name, n])
            row(f"{what}, {size:,} sessions", took, floor, f"{sent:,.0f} bytes received")
            floor = floor or took
