"""A read that takes long, in a cell that holds the kernel's thread: its Stop button."""

from __future__ import annotations

import re

from ..scope import only_complete
from ..servers.jupyter import open_in_lab, run_all, write_notebook
from ..storage.postgres.kit import execute, fetch_value
from .person import run_apart

#: Each row of the one takes a minute, all of the other three seconds.
VIEWS = """
CREATE VIEW slow AS SELECT * FROM sessions WHERE pg_sleep(60) IS NOT NULL;
CREATE VIEW brief AS SELECT s.* FROM sessions AS s, (SELECT 1 FROM pg_sleep(3)) AS slept
"""
RUNNING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'
    AND pid <> pg_backend_pid()
"""


@only_complete
def test_the_button_ends_a_read_that_takes_long(chromium, each_jupyter, store, tmp_path):
    run_apart(execute(store, VIEWS))
    page = chromium.new_page(viewport={"width": 1300, "height": 900})
    try:
        cells = [
            f"import graphflow_nb as g\nwb = g.open({store!r}, table='slow')",
            f"print(len(g.open({store!r}, table='brief').summary()), 'read')",
            "try:\n    wb.summary()\nexcept g.ReadStopped as error:\n    print('told:', error)",
        ]
        write_notebook(each_jupyter.folder / "reading.ipynb", cells)
        open_in_lab(page, each_jupyter, "reading.ipynb")
        run_all(page)
        page.get_by_text(re.compile(r"\d+ read")).wait_for()
        bars = page.locator(".jp-OutputArea-output").locator("visible=true")
        page.get_by_text(re.compile(r"summary: [2-9] s")).locator("visible=true").wait_for()
        page.screenshot(path=tmp_path / "reading.png")
        assert bars.count() == 2  # what was printed, and the bar of the second read
        page.get_by_role("button", name=re.compile("Stop$")).locator("visible=true").click()
        page.get_by_text(
            re.compile("^told: summary was stopped after . s, in the store")
        ).wait_for()
        page.get_by_text(re.compile(r"summary: . s, stopped")).locator("visible=true").wait_for()
        page.screenshot(path=tmp_path / "stopped.png")
        assert run_apart(fetch_value(store, RUNNING)) == 0
    finally:
        page.close()
        each_jupyter.end_kernels()


#: One session, which no first page has, takes a minute to be searched.
SEARCHED = """
CREATE FUNCTION slowly(said text, id text) RETURNS text LANGUAGE plpgsql STABLE COST 10000 AS $$
BEGIN IF id = '{oldest}' THEN PERFORM pg_sleep(60); END IF; RETURN said; END $$;
CREATE VIEW searched AS SELECT id, graph_id, current_task_id,
    slowly(status_message, id) AS status_message, context, version, created_at, updated_at
    FROM sessions
"""


@only_complete
def test_a_search_in_the_browser_is_stopped(person, store, tmp_path):
    oldest = run_apart(fetch_value(store, "SELECT id FROM sessions ORDER BY updated_at LIMIT 1"))
    run_apart(execute(store, SEARCHED.format(oldest=oldest)))
    cells = [
        f"import graphflow_nb as g\nwb = g.open({store!r}, table='searched')",
        "browser = wb.browse(page_size=25)\nbrowser",
    ]
    person.run(cells)
    rows = person.rows().count()
    person.type("Find", "nowhere")
    person.sees(re.compile(r"reading: [2-9] s"))
    person.picture("searching", tmp_path)
    person.click("Stop")
    person.sees("Reading was stopped, in the store too")
    person.expect(person.rows()).to_have_count(rows)
    assert run_apart(fetch_value(store, RUNNING)) == 0
