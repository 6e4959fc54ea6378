"""Redis through the workbench: undo, the browser, read-only until told."""

from __future__ import annotations

import warnings

import pytest

import graphflow_nb as g
from graphflow_nb import SessionConflict
from graphflow_nb.notebook.browse.desk import Desk

from .conftest import worker_text


@pytest.fixture
def carried(url, raw):
    """A workbench that saved a worker's session, and what saves it as a worker that counts nothing.

    Such a worker on graph-flow 0.6 or later writes the version back that it read.
    """

    def save(n):
        raw.set("a", worker_text(n=n, version=1))

    raw.set("a", worker_text(n=1))
    with g.open(url, writable=True) as wb:
        session = wb.get("a")
        session.context["n"] = 2
        wb.save(session)
        assert session.version == 1
        yield wb, save


def test_undo_leaves_alone_what_a_worker_saved_at_our_version(carried):
    wb, save = carried
    save(3)
    with pytest.raises(SessionConflict):
        wb.undo()
    assert wb.undo_all() == ["a"]
    assert wb.get("a").context["n"] == 3
    save(2)
    assert wb.undo().context["n"] == 1  # as we left it, whoever saved it


def test_the_open_session_follows_a_worker_that_keeps_our_version(carried):
    wb, save = carried
    desk = Desk(wb)
    desk.open("a")
    assert not desk.refresh()
    for n in (3, 4):
        save(n)
        assert desk.refresh()
        assert desk.session.context["n"] == n
        assert not desk.refresh()


@pytest.mark.parametrize("call", ["delete", "patch"])
def test_a_version_that_we_saved_is_not_one_that_such_a_worker_kept(carried, call):
    wb, save = carried
    save(3)
    if call == "delete":
        assert wb.delete({"a": 1}) == []
    else:
        with pytest.raises(SessionConflict):
            wb.patch("a", [{"op": "remove", "path": "/context/data/n"}], version=1)


def test_open_is_read_only_until_told(url, raw):
    raw.set("a", worker_text())
    with g.open(url) as wb:
        session = wb.get("a")
        for call in (
            lambda: wb.save(session),
            lambda: wb.delete("a"),
            wb.build_index,
            lambda: wb.upsert(session),
        ):
            with pytest.raises(g.ReadOnlyError):
                call()
    with g.open(url, writable=True) as wb:
        wb.save(wb.get("a"))
        assert wb.sessions()["version"].tolist() == [1]
        wb.undo()


def test_in_the_browser(url, raw):
    with g.open(url, writable=True) as wb:
        for i in range(3):
            wb.create(f"s{i}", "t")
        wb.build_index()
        browser = wb.browse()
        assert "other keys" not in browser.hint.value
        raw.set("new", worker_text("new"))
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what is shown in a view is not printed beside it
            browser.reload.click()
        assert browser.notice.value == ""
        assert "4 other keys" in browser.hint.value
        with pytest.warns(UserWarning, match="build_index"):
            wb.sessions(limit=5)
        with pytest.warns(UserWarning, match="build_index"):
            assert "contains 3 sessions" in wb.summary().attrs["note"]
        with pytest.warns(UserWarning, match="build_index"):
            assert "contains 3 sessions" in wb.messages().attrs["note"]
        assert "contains 3 sessions" in repr(wb)
        assert "contains 3 sessions" in wb._repr_html_()
        # By id the page is read from the sessions themselves, and only the total by the index.
        by_id = wb.browse(order="id")
        by_id.listing.count()
        by_id.reload.click()
        assert "The total is answered by the index" in by_id.hint.value
        wb.patch("s0", [{"op": "replace", "path": "/status_message", "value": "mended"}], version=1)
        wb.delete(["s1"])
        assert wb.undo() is not None
        assert wb.undo().status_message is None
        assert wb.get("s1").version == 2
