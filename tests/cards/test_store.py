"""The card of a store."""

from __future__ import annotations

import pytest

import graphflow_nb as g

from ..stores import Store
from ..two_sessions import open_with_two_sessions


def test_the_card_shows_the_store():
    wb = open_with_two_sessions(Store("memory", "memory:"))
    html, text = wb._repr_html_(), repr(wb)
    assert "2 in 2 graphs" in html
    assert "2 sessions in 2 graphs" in text
    assert len(wb.latency) == 6  # three saves and the journal's reads; a look is no operation


def test_an_empty_store_has_no_newest_session():
    wb = g.open("memory:")
    assert "0 sessions in 0 graphs, newest none" in repr(wb)
    assert "<th>newest</th><td>none</td>" in wb._repr_html_()


def test_a_workbench_out_of_reach_still_has_a_card():
    with g.local_postgres() as server:
        wb = g.open(server.url, writable=True)
        server.stop()
        assert "out of reach" in repr(wb)
        assert "out of reach" in wb._repr_html_()
        with pytest.raises(g.StorageError, match="out of reach"):
            wb.get("a")
        wb.close()
