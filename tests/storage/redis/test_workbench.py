"""Redis through the workbench: undo, the browser, read-only until told."""

from __future__ import annotations

import warnings

import pytest

import graphflow_nb as g
from graphflow_nb import SessionConflict
from graphflow_nb.notebook.browse.desk import Desk
from graphflow_nb.notebook.browse.listing import Listing
from graphflow_nb.storage.wrappers import Wrapper

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
    assert wb.undo_all().left == ["a"]
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


class Between(Wrapper):
    """A storage before whose first delete a worker saves."""

    work = None

    async def _call(self, method, /, *arguments, **named):
        if method.startswith("delete") and self.work is not None:
            work, self.work = self.work, None
            work()
        return await super()._call(method, *arguments, **named)


@pytest.fixture
def between(connect):
    return Between(connect())


@pytest.mark.parametrize("version", [None, 0, 1])
def test_a_save_between_the_look_and_the_delete_is_not_lost(between, raw, version):
    """Not even one that counts no versions: what comes back is the newest text."""
    more = {} if version is None else {"version": version}
    ids = [f"s{i}" for i in range(5)]
    for id in ids:
        raw.set(id, worker_text(id, **more))
    wb = g.wrap(between)

    def work():
        raw.set("s1", worker_text("s1", n=2, **more))
        raw.set("s3", worker_text("s3", n=3, **more))

    # With the states that were read, what was saved meanwhile stays.
    between.work = work
    assert wb.delete({id: wb.get(id) for id in ids}) == ["s0", "s2", "s4"]
    assert wb.undo_all().left == []
    # Without them the newest text is deleted, and noted.
    for id in ids:
        raw.set(id, worker_text(id, **more))
    between.work = work
    assert sorted(wb.delete(ids)) == ids
    assert wb.undo_all().left == []
    assert [wb.get(id).context["n"] for id in ids] == [1, 2, 1, 3, 1]
    # One at a time too.
    between.work = lambda: raw.set("s1", worker_text("s1", n=4, **more))
    assert wb.delete("s1") == ["s1"]
    assert wb.undo().context["n"] == 4


def test_a_version_in_a_table_is_that_of_the_text_that_was_listed(url, raw):
    """Workers that count keep no times, by which a session created again could be told."""
    change = [{"op": "replace", "path": "/status_message", "value": "changed"}]
    for id in ("a", "b"):
        raw.set(id, worker_text(id, version=1))
    with g.open(url, writable=True) as wb:
        frame = wb.sessions()
        versions = dict(zip(frame["id"], frame["version"], strict=True))
        raw.set("a", worker_text("a", n=2, version=1))
        with pytest.raises(SessionConflict):
            wb.patch("a", change, version=versions["a"])
        assert wb.delete(versions) == ["b"]
        assert wb.get("a").context["n"] == 2


def test_the_browser_deletes_the_text_that_it_listed(url, raw):
    for id in ("a", "b"):
        raw.set(id, worker_text(id, version=1))
    with g.open(url, writable=True) as wb:
        listing, desk = Listing(wb), Desk(wb)
        listing.start()
        shown = listing.shown_sessions(["a", "b"])
        raw.set("a", worker_text("a", n=2, version=1))
        assert desk.delete(shown) == ["b"]
        assert wb.get("a").context["n"] == 2
        assert listing.take_page(listing.read_page())
        assert listing.changed == {"a"}
        listing.select(["a"])
        assert "marks" not in listing.selected_frame().attrs
        assert desk.delete(listing.shown_sessions(["a"])) == ["a"]


def test_what_a_replica_returned_is_known_by_its_text(connect, raw, run):
    """A worker that counts versions keeps no times, by which it could be known."""
    raw.set("a", worker_text(version=7))
    session = run(connect().get("a"))
    session.seen = session.seen._replace(store="redis replica:6379/0 *")
    run(connect().save(session))
    raw.set("a", worker_text(version=session.version, n=2))
    session.seen = session.seen._replace(store="redis replica:6379/0 *")
    with pytest.raises(SessionConflict):
        run(connect().save(session))


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
            browser.actions.reload.click()
        assert browser.stage.place.value == ""
        assert "4 other keys" in browser.hint.value
        with pytest.warns(UserWarning, match="build_index"):
            wb.sessions(limit=5)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # once is enough
            assert "contains 3 sessions" in wb.sessions(limit=5).attrs["note"]
            assert "contains 3 sessions" in wb.summary().attrs["note"]
            assert "contains 3 sessions" in wb.messages().attrs["note"]
        assert "contains 3 sessions" in repr(wb)
        assert "contains 3 sessions" in wb._repr_html_()
        # By id the page is read from the sessions themselves, and only the total by the index.
        by_id = wb.browse(order="id")
        by_id.listing.count()
        by_id.actions.reload.click()
        assert "The total is answered by the index" in by_id.hint.value
        wb.patch("s0", [{"op": "replace", "path": "/status_message", "value": "mended"}], version=1)
        wb.delete(["s1"])
        assert wb.undo() is not None
        assert wb.undo().status_message is None
        assert wb.get("s1").version == 2
