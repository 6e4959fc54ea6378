"""Which sessions are shown, in every store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import graphflow_nb as g

from ...stores import Store
from .kit import execute, save_theirs, settle, started


def test_pages_in_every_store(store: Store, run):
    wb = g.open(store.url, writable=True)
    for n in range(23):
        wb.create(store.id(f"s{n:02}"), "odd" if n % 2 else "even", graph_id="g")
    shown = started(wb, page_size=10)
    assert shown.order == "-updated_at"
    pages = [shown.ids()]
    assert shown.count()
    assert shown.describe_page() == "showing 1 to 10 of 23"
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
    assert shown.counts.total == len(
        [n for n in range(23) if n % 2 and "1" in store.id(f"s{n:02}")]
    )
    # The numbers at the tasks are of the text too, but not of the task that is chosen.
    odd = shown.counts.total
    even = len([n for n in range(0, 23, 2) if "1" in store.id(f"s{n:02}")])
    assert shown.counts.tasks("g") == [("even", even), ("odd", odd)]
    assert shown.counts.graphs() == [("g", even + odd)]
    wb.close()


def test_windows_of_time(wb):
    old = datetime.now(UTC) - timedelta(hours=3)
    shown = started(wb)
    shown.count()
    everything = shown.counts.total
    wb.create("fresh", "t")
    shown.filter(window="in the last 15 minutes")
    ages = datetime.now(UTC) - wb.sessions()["updated_at"]
    recent = int((ages < timedelta(minutes=15)).sum())
    assert shown.ids()[0] == "fresh"
    assert len(shown.ids()) == recent < everything
    shown.filter(window="not for 15 minutes")
    shown.count()
    assert shown.counts.total == everything + 1 - recent
    assert "updated_until='20" in shown.call
    assert started(wb, updated_since=old).ids()[0] == "fresh"


def test_the_call_is_what_was_done(wb):
    shown = started(wb, graph="claims", page_size=25)
    shown.filter(where={"customer.tier": "gold"}, window="not for 15 minutes")
    shown.next()
    shown.sort("created_at")
    shown.next()
    assert eval(shown.call, {"wb": wb})["id"].tolist() == shown.ids()


def test_a_filter_that_means_nothing_is_not_kept(wb):
    shown = started(wb, graph="claims")
    before = shown.ids()
    with pytest.raises(g.QueryError):
        shown.filter(text="\0")
    assert shown.filters == {"graph": "claims"}
    shown.load()
    assert shown.ids() == before


def poll(shown: Any, keep: str | None = None) -> bool:
    news: bool = shown.take_page(shown.read_page(keep))
    return news


def test_a_poll_marks_what_changed_and_keeps_the_row_in_work(wb):
    shown = started(wb, page_size=10)
    edited = shown.ids()[9]
    assert not poll(shown)
    wb.create("new", "t")
    save_theirs(wb, shown.ids()[4], status_message="changed")
    changed = shown.ids()[4]
    assert poll(shown, keep=edited)
    assert shown.changed == {"new", changed}
    assert edited in shown.ids()
    assert len(shown.ids()) == 11
    assert shown.describe_page() == "showing 1 to 10 of …, and 1 that left this page"
    assert poll(shown)
    assert edited not in shown.ids()


def test_selected_rows_stay_while_following_and_are_dropped_visibly_otherwise(wb):
    shown = started(wb, page_size=10)
    first, last = shown.ids()[0], shown.ids()[9]
    shown.select([first, last])
    wb.create("new", "t")
    assert poll(shown)
    assert shown.selected == [first, last]
    assert shown.ids()[-1] == last
    wb.delete(first)
    assert poll(shown)
    assert shown.selected == [last]
    assert shown.describe_selection() == "1 selected, 1 no longer selected: not on this page"
    shown.next()
    assert shown.describe_selection() == "1 no longer selected: not on this page"
    shown.next()
    assert shown.describe_selection() == ""
    shown.select([last])
    assert shown.describe_selection() == "1 no longer selected: not on this page"


def test_a_page_that_was_polled_before_another_was_read_is_not_shown(wb):
    shown = started(wb, page_size=10)
    polled = shown.read_page()
    shown.next()
    ids = shown.ids()
    assert not shown.take_page(polled)
    assert shown.ids() == ids
    # Nor one that lacks a row which was selected meanwhile.
    shown.previous()
    last = shown.ids()[-1]
    wb.create("new", "t")
    polled = shown.read_page()
    shown.select([last])
    assert not shown.take_page(polled)
    assert shown.selected == [last]


def test_what_took_the_place_of_a_session_at_its_version_is_marked(wb):
    wb.create("again", "t")
    shown = started(wb, page_size=10)
    wb.delete("again")
    wb.create("again", "t")
    assert poll(shown)
    assert shown.changed == {"again"}


def test_a_filter_that_is_refused_leaves_the_page_where_it_was(wb):
    shown = started(wb, page_size=10)
    shown.next()
    before = shown.describe_page(), shown.ids()
    with pytest.raises(g.QueryError):
        shown.filter(text="\0")
    shown.load()
    assert (shown.describe_page(), shown.ids()) == before


def test_no_index_no_newest_first(database):
    """In a large table the order that no index serves is not chosen, and it says so."""
    wb = g.open(database, writable=True)
    execute(wb, BIG % 60_000)
    shown = started(wb)
    assert shown.order == "id"
    assert "CREATE INDEX CONCURRENTLY ON sessions (updated_at, id)" in shown.slow["updated_at"]
    browser = wb.browse()
    assert "ordered by id, since newest first would be slow here" in browser.hint.value
    assert wb.browse(order="-updated_at").listing.order == "-updated_at"
    settle(browser)
    execute(wb, "CREATE INDEX ON sessions (updated_at, id)")
    assert started(wb).order == "-updated_at"
    wb.close()


BIG = """
INSERT INTO sessions (id, graph_id, current_task_id, context)
SELECT 's' || n, 'g', 't', '{"data": {}, "chat_history": {"messages": []}}'
FROM generate_series(1, %d) AS n; ANALYZE sessions
"""
