"""Odd rows in the browser: they hide no other, are named, shown as stored and deleted."""

from __future__ import annotations

import warnings
from html import unescape

import pytest

import graphflow_nb as g

from ...scope import COMPLETE
from ...storage.sqlite.test_odd import ODD, odd  # noqa: F401
from .kit import find_button, said, send, settle

SAMPLE = ["time as text", "status not UTF-8", "context no JSON", "context cut off", "id a blob"]


@pytest.mark.parametrize("odd", list(ODD) if COMPLETE else SAMPLE, indirect=True)
def test_an_odd_row_is_named_shown_as_stored_and_deleted(odd):  # noqa: F811
    file, name, _, readable = odd
    with warnings.catch_warnings(), g.open(f"sqlite:{file}", writable=True) as wb:
        warnings.simplefilter("ignore")
        browser = wb.browse(order="id")
        settle(browser)
        ids = browser.listing.ids()
        assert set(ids) == {"a", "b", name, "x", "y"}
        assert list(browser.listing.problems) == [name]
        assert repr(name) in unescape(browser.hint.value)
        for id in ("a", name, "b"):
            send(browser.table, "open", ids.index(id))
            if id != name or readable:
                assert said(browser) == ""
                assert browser.session.id == id
                for part in ("Context", "Chat", "JSON", "Overview"):
                    browser.reader.parts.value = part
                    assert said(browser) == ""
            else:
                assert "is not a session" in said(browser)
                assert "context:" in said(browser), "what is stored is in the details"
                assert browser.session is None
        send(browser.table, "select", [ids.index("a"), ids.index(name)])
        find_button(browser, "Delete…").click()
        dialog = browser.actions.delete.get()
        dialog.number.value = "2"
        dialog.confirm.click()
        if not readable:
            assert "the journal can't note it: nothing was deleted" in said(browser)
            assert browser.listing.ids() == ids
            assert wb.bridge.run(wb.storage.count(g.Query())) == 5
            dialog.anyway.click()
        assert "Deleted 2 sessions" in said(browser)
        assert browser.listing.ids() == ["b", "x", "y"]
        browser.close()
