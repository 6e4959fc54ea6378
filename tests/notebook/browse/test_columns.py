"""The columns of the browser's list, and their choice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

import graphflow_nb as g
from graphflow_nb.notebook.browse.columns import cell_of_text, cell_of_time, columns_of

from .kit import said, send, settle


def shown(browser: Any, label: str) -> list[Any]:
    """The cells under a heading."""
    place = [column["label"] for column in browser.table.columns].index(label)
    return [row[place] for row in browser.table.page["rows"]]


def choose(browser: Any, label: str, value: bool) -> None:
    """Tick the box of a column, or untick it."""
    boxes = browser.columns.box.children[0].children
    next(box for box in boxes if box.description == label).value = value


def test_columns_are_chosen_and_the_cells_are_theirs(wb: g.Workbench) -> None:
    browser = wb.browse()
    labels = [column["label"] for column in browser.table.columns]
    assert labels == ["id", "task", "status", "updated", "graph", "messages", "context"]
    choose(browser, "version", True)
    choose(browser, "status", False)
    frame = wb.sessions(limit=50)
    assert shown(browser, "version") == [str(version) for version in frame["version"]]
    assert shown(browser, "task") == frame["current_task_id"].tolist()
    assert "status" not in [column["label"] for column in browser.table.columns]


def test_context_paths_are_columns_that_a_chip_removes(wb: g.Workbench) -> None:
    browser = wb.browse(context=["amount"], graph="claims")
    browser.columns.open.value = True
    assert "customer.tier" in browser.columns.path.options
    browser.columns.path.value = "customer.tier"
    assert browser.columns.path.value == "", "ready for the next one"
    assert browser.listing.call.endswith("context=['amount', 'customer.tier'], limit=50)")
    frame = wb.sessions(graph="claims", context=["amount", "customer.tier"], limit=50)
    assert shown(browser, "customer.tier") == frame["customer.tier"].fillna("").tolist()
    assert [float(text or "nan") for text in shown(browser, "amount")] == pytest.approx(
        frame["amount"].astype(float).tolist(), nan_ok=True
    )
    browser.columns.box.children[1].children[1].children[0].click()
    assert browser.listing.context == ("customer.tier",)
    assert "amount" not in [column["label"] for column in browser.table.columns]


def test_a_path_that_means_nothing_is_said_beside_the_box_and_changes_nothing(
    wb: g.Workbench,
) -> None:
    browser = wb.browse(context=["amount"])
    browser.columns.path.value = "('"
    assert "is not a context path" in said(browser)
    assert browser.stage.place is browser.columns.notice
    assert browser.listing.context == ("amount",)


def test_following_and_pages_keep_the_context_columns(wb: g.Workbench) -> None:
    browser = wb.browse(context=["amount"])
    settle(browser)
    browser.pager.next.click()
    assert len(browser.table.columns) == 8
    browser.stage.poll_once()
    assert browser.table.columns[-1]["label"] == "amount"
    send(browser.table, "select", [0])
    assert "amount" in browser.selected
    assert set(browser.selected.attrs) <= {"next", "note", "problems"}


def test_what_is_shown_of_values() -> None:
    long = "tenant/eu-1/" + "x" * 200 + "/9f1c2"
    short, hint = cell_of_text(long, middle=True)
    assert short.startswith("tenant/eu-1/")
    assert short.endswith("/9f1c2")
    assert len(short) == 121
    assert hint == long
    now = datetime.now(UTC)
    brief, full = cell_of_time(pd.Timestamp(now - timedelta(minutes=5)))
    assert brief.startswith("5 min ago, ")
    assert full.endswith(" UTC")
    brief, _ = cell_of_time(pd.Timestamp(now - timedelta(days=9)))
    assert brief == f"9 days ago, {now - timedelta(days=9):%Y-%m-%d}"


def test_a_heading_says_whether_the_store_orders_by_it() -> None:
    columns = {
        c["name"]: c for c in columns_of(["id", "version", "created_at"], [], ["created_at"])
    }
    assert "why" not in columns["id"]
    assert columns["created_at"]["sortable"]
    assert "slow" in columns["created_at"]["why"]
    assert not columns["version"].get("sortable")
    assert "no order by version" in columns["version"]["why"]
