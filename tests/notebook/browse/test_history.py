"""The History of the open session: a slider over its versions, and an earlier one as a draft."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.notebook.browse import Browser
from graphflow_nb.notebook.browse import past as past_module
from graphflow_nb.notebook.browse.desk import Desk
from graphflow_nb.notebook.browse.past import Past

from ...hostile import SAMPLE
from ...scope import COMPLETE
from .kit import Plain, find_button, said, save_theirs, settle

PAGE = 10  # versions, in tests of pages
TASKS = ("intake", "checks", "decide", "payout")
ID = "claim-1"


def save_versions(wb: g.Workbench, id: str = ID, count: int = len(TASKS)) -> None:
    """Save versions of a session, each at another task and with another amount."""
    session = wb.create(id, TASKS[0], graph_id="claims", context={"amount": 1})
    for number in range(2, count + 1):
        session.current_task_id = TASKS[(number - 1) % len(TASKS)]
        session.context["amount"] = number
        wb.save(session)


@pytest.fixture(params=["memory", "sqlite"])
def wb(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[g.Workbench]:
    """A store that keeps its history, with one session of four versions."""
    if request.param == "memory":
        wb = g.open("memory:")
    else:
        wb = g.open(f"sqlite:{tmp_path}/s.db", create=True)
    wb.install_history(versions=None)
    save_versions(wb)
    yield wb
    wb.close()


@pytest.fixture
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of few versions, of which there are soon several."""
    monkeypatch.setattr(past_module, "MAX_VERSIONS", PAGE)


def look_at(wb: g.Workbench, id: str = ID) -> tuple[Desk, Past]:
    desk = Desk(wb)
    desk.open(id)
    past = Past(wb, desk)
    past.load()
    return desk, past


def browse_history(wb: g.Workbench, id: str = ID) -> Browser:
    browser = wb.browse(session=id)
    settle(browser)
    browser.reader.parts.value = "History"
    return browser


def text_of(widget: Any) -> str:
    return unescape(widget.value)


def test_each_version_is_looked_at_with_what_it_changed(wb: g.Workbench):
    browser = browse_history(wb)
    page, before = browser.reader.history, wb.get(ID).to_json()
    assert browser.calls[-1] == "wb.history('claim-1')"
    assert [number for _, number in page.slider.options] == [1, 2, 3, 4]
    assert page.slider.value == 4
    for number in (3, 2, 1):
        page.slider.value = number
        facts, version = text_of(page.facts), wb.history(ID).loc[number]
        for shown in (
            f"<b>{number}</b>",
            f"{version['at']:%Y-%m-%d %H:%M:%S.%f} UTC",
            TASKS[number - 1],
            version["source"],
            version["writer"],
            "of 1 to 4",
        ):
            assert f"{shown}" in facts
        assert "amount" in text_of(page.changes) or number == 1
        assert f"<code>{number}</code>" in text_of(page.text)
    assert "The first version that is kept" in text_of(page.changes)
    # One call for all the looks, which does what it shows.
    assert browser.calls[-2:] == ["wb.history('claim-1')", "wb.at('claim-1', 1)"]
    page.slider.value = 3
    assert browser.calls[-1] == "wb.diff('claim-1', 2, 3)"
    assert repr(eval(browser.calls[-1], {"wb": wb})) == repr(browser.stage.past.look.changes)
    assert wb.get(ID).to_json() == before, "nothing is written by looking"
    assert len(wb.history(ID)) == 4


def test_an_earlier_version_is_restored_through_preview_and_save(wb: g.Workbench):
    browser = browse_history(wb)
    page, editor = browser.reader.history, browser.reader.editor
    page.slider.value = 2
    page.restore.click()
    assert browser.stage.part == "Edit"
    assert "Version 2 is the draft now, and nothing is stored yet" in said(browser)
    assert wb.get(ID).current_task_id == "payout"
    assert editor.task.value == "checks"
    browser.reader.saving.save.click()
    assert "preview the changes first" in said(browser)
    browser.reader.saving.preview.click()
    browser.reader.saving.save.click()
    assert "Saved 'claim-1'" in said(browser)
    assert wb.get(ID).context["amount"] == 2
    assert wb.history(ID)["current_task_id"].tolist()[:2] == ["checks", "payout"]
    # The page shows what was saved by it, too.
    browser.reader.parts.value = "History"
    assert page.slider.value == 2, "what was looked at stays"
    assert [number for _, number in page.slider.options] == [1, 2, 3, 4, 5]
    wb.undo()
    assert wb.get(ID).current_task_id == "payout"


def test_a_restored_version_conflicts_with_what_someone_saves_meanwhile(wb: g.Workbench):
    desk, past = look_at(wb)
    past.choose(2)
    past.restore()
    desk.preview_changes()
    save_theirs(wb, ID, current_task_id="review", context={"note": "theirs"})
    desk.save()
    assert desk.conflict is not None
    assert [clash.pointer for clash in desk.conflict.clashes] == ["/current_task_id"]
    assert wb.get(ID).current_task_id == "review"
    desk.resolve({("current_task_id",): "mine"})
    desk.save()
    session = wb.get(ID)
    assert (session.current_task_id, session.context["amount"]) == ("checks", 2)
    assert session.context["note"] == "theirs"


def test_a_restored_version_of_a_session_that_was_deleted_meanwhile(wb: g.Workbench):
    desk, past = look_at(wb)
    past.choose(2)
    past.restore()
    desk.preview_changes()
    wb.bridge.run(wb.storage.inner.delete(ID))
    desk.save()
    assert desk.deleted_meanwhile
    desk.keep_deleted()
    desk.preview_changes()
    desk.save()
    assert wb.get(ID).current_task_id == "checks"


def test_a_draft_in_the_way_is_not_lost(wb: g.Workbench):
    browser = browse_history(wb)
    page, desk = browser.reader.history, browser.desk
    browser.reader.parts.value = "Edit"
    browser.reader.editor.status.value = "typed"
    browser.reader.parts.value = "History"
    page.slider.value = 2
    page.restore.click()
    assert browser.stage.place is page.notice
    assert "has changes that are not saved: save or discard them first" in said(browser)
    assert desk.draft.get("status_message") == "typed"
    assert desk.draft.get("current_task_id") == "payout"
    # What was typed and is not in the draft yet is not lost either.
    browser.reader.editor.status.value = ""
    browser.reader.editor.message.value = "half a message"
    page.restore.click()
    assert "not saved" in said(browser)
    assert browser.reader.editor.message.value == "half a message"
    # A draft without changes is in nobody's way.
    browser.reader.editor.message.value = ""
    page.restore.click()
    assert desk.draft.get("current_task_id") == "checks"


def test_what_can_not_be_restored_is_refused(wb: g.Workbench):
    desk, past = look_at(wb)
    with pytest.raises(g.PatchError, match="nothing would change"):
        past.restore()
    assert desk.draft is None
    with pytest.raises(g.HistoryError, match="version 9 is not on this page"):
        past.choose(9)
    assert past.look.version.number == 4
    wb.delete(ID)
    wb.create(ID, "again")
    desk.open(ID)
    past.load()
    past.choose(5)
    with pytest.raises(g.PatchError, match="deleted at version 5: choose the version before it"):
        past.restore()
    assert desk.draft is None
    past.choose(6)
    assert past.look.before.deleted
    assert past.look.changes is None
    past.choose(4)
    past.restore()
    assert desk.draft.get("current_task_id") == "payout"


def test_a_deleted_version_is_named_and_offers_no_restore(wb: g.Workbench):
    wb.delete(ID)
    wb.create(ID, "again")
    page = browse_history(wb).reader.history
    assert "The session was deleted before" in text_of(page.changes)
    page.slider.value = 5
    assert "<b>deleted</b>" in text_of(page.facts)
    assert page.restore.disabled
    page.slider.value = 4
    assert not page.restore.disabled


@pytest.mark.usefixtures("short_pages")
def test_the_slider_stays_where_it_is_while_others_save(wb: g.Workbench):
    browser = browse_history(wb)
    page = browser.reader.history
    page.slider.value = 3
    shown = page.changes.value
    save_theirs(wb, ID, current_task_id="review")
    browser.stage.poll_once()
    assert [number for _, number in page.slider.options] == [1, 2, 3, 4, 5]
    assert page.slider.value == 3
    assert page.changes.value == shown
    assert "of 1 to 5" in text_of(page.facts)
    page.slider.value = 5
    assert "review" in text_of(page.changes)
    # More than a page was saved, so that what is looked at is no longer one of the newest.
    page.slider.value = 1
    for number in range(PAGE + 5):
        save_theirs(wb, ID, status_message=f"{number}")
    browser.stage.poll_once()
    numbers = [number for _, number in page.slider.options]
    assert (numbers[0], len(numbers), page.slider.value) == (1, PAGE + 1, 1)
    # With a draft, too.
    browser.reader.parts.value = "Edit"
    browser.reader.editor.status.value = "mine"
    browser.reader.parts.value = "History"
    save_theirs(wb, ID, status_message="theirs")
    browser.stage.poll_once()
    assert page.slider.options[-1][1] == numbers[-1] + 1
    assert browser.desk.draft.get("status_message") == "mine"


def test_what_is_looked_at_stays_when_it_is_pruned(wb: g.Workbench):
    browser = browse_history(wb)
    page = browser.reader.history
    page.slider.value = 1
    wb.prune_history(versions=2)
    save_theirs(wb, ID, status_message="theirs")
    browser.stage.poll_once()
    assert [number for _, number in page.slider.options] == [1, 3, 4, 5]
    wb.prune_history(versions=1)
    page.slider.value = 3
    assert "version 3 of session 'claim-1' is not kept any more" in said(browser)
    assert page.slider.value == 1
    find_button(browser, "Refresh").click()
    assert [number for _, number in page.slider.options] == [1, 5]
    page.restore.click()
    assert browser.desk.draft.get("current_task_id") == "intake", "what is shown can be restored"


@pytest.mark.usefixtures("short_pages")
def test_older_versions_come_by_the_page(wb: g.Workbench):
    save_versions(wb, "long", 2 * PAGE + 3)
    browser = browse_history(wb, "long")
    page, past = browser.reader.history, browser.stage.past
    assert (past.versions[0].number, past.versions[-1].number) == (14, 23)
    assert "of 14 to 23; there are older ones" in text_of(page.facts)
    assert page.newer.disabled
    page.older.click()
    assert (past.versions[0].number, past.look.version.number) == (4, 13)
    assert browser.calls[-1] == "wb.history('long', limit=20)"
    browser.stage.poll_once()
    assert past.look.version.number == 13
    page.older.click()
    assert [version.number for version in past.versions] == [1, 2, 3]
    assert page.older.disabled
    page.newer.click()
    page.newer.click()
    assert past.newest
    assert past.look.version.number == 23


def test_another_session_has_its_own_history(wb: g.Workbench):
    save_versions(wb, "other", 2)
    browser = browse_history(wb)
    browser.reader.history.slider.value = 1
    browser.open_session("other")
    page = browser.reader.history
    assert [number for _, number in page.slider.options] == [1, 2]
    assert page.slider.value == 2
    assert browser.calls[-1] == "wb.get('other')"


def test_looking_is_no_operation_of_the_user(wb: g.Workbench):
    browser = browse_history(wb)
    before = len(wb.latency.frame().query("origin == 'user'"))
    browser.reader.history.slider.value = 2
    browser.stage.poll_once()
    assert len(wb.latency.frame().query("origin == 'user'")) == before


def test_a_session_from_before_the_history_has_none():
    wb = g.open("demo")
    browser = browse_history(wb, "claim-0014")
    page = browser.reader.history
    assert "The history has no version of this session" in text_of(page.lack)
    assert "wb.install_history() keeps each version" in text_of(page.lack)
    assert page.slider not in _visible(browser)
    wb.install_history()
    save_theirs(wb, "claim-0014", status_message="theirs")
    browser.stage.poll_once()
    assert page.lack.value == ""
    assert [number for _, number in page.slider.options] == [1]
    assert "The first version that is kept" in text_of(page.changes)


def test_a_store_without_a_history_says_how_to_keep_one_and_is_not_changed(tmp_path: Path):
    wb = g.open(f"sqlite:{tmp_path}/s.db", create=True)
    wb.create(ID, "intake")
    browser = browse_history(wb)
    assert "This store keeps no history" in text_of(browser.reader.history.lack)
    assert not wb.bridge.run(wb.archive.exists())
    wb.close()
    read_only = g.open(f"sqlite:{tmp_path}/s.db", writable=False)
    browser = browse_history(read_only)
    assert "opened with writable=True" in text_of(browser.reader.history.lack)
    read_only.close()


def test_a_history_that_is_kept_from_now_on_is_read_by_refresh(tmp_path: Path):
    wb = g.open(f"sqlite:{tmp_path}/s.db", create=True)
    wb.create(ID, "intake")
    page = (browser := browse_history(wb)).reader.history
    wb.install_history()
    save_theirs(wb, ID, status_message="theirs")
    find_button(browser, "Refresh").click()
    assert page.lack.value == ""
    assert [number for _, number in page.slider.options] == [1]
    wb.close()


def test_a_version_that_was_damaged_hides_neither_the_others_nor_the_session(tmp_path: Path):
    wb = g.open(f"sqlite:{tmp_path}/s.db", create=True)
    wb.install_history()
    session = wb.create(ID, TASKS[0], context={"text": "a long text " * 50})
    for task in TASKS[1:]:
        session.current_task_id = task
        session.context["at"] = task
        wb.save(session)
    assert wb.bridge.run(wb.archive.compact(ID)) == 3
    with sqlite3.connect(tmp_path / "s.db") as db:
        db.execute("UPDATE sessions_history SET patch = '[0]' WHERE number = 3")
    browser = browse_history(wb)
    page = browser.reader.history
    assert page.slider.value == 4
    assert "What it changed is not known" in text_of(page.changes)
    assert "payout" in text_of(page.text)
    page.slider.value = 2
    assert "gfnb-error" in browser.stage.place.value
    assert page.slider.value == 4
    save_theirs(wb, ID, status_message="theirs")
    browser.stage.poll_once()
    assert browser.desk.session.status_message == "theirs"
    page.slider.value = 5
    assert "theirs" in text_of(page.changes)
    wb.close()


def test_what_was_observed_is_shown_where_the_store_keeps_no_history():
    wb = g.open("demo")
    with wb.observe() as observation:
        browser = browse_history(wb, "claim-0014")
        for status in ("ours", "theirs"):
            save_theirs(wb, "claim-0014", status_message=status)
            observation.look()
        browser.stage.poll_once()
        page = browser.reader.history
        assert [number for _, number in page.slider.options] == [1, 2]
        page.slider.value = 2
        assert "a sample: what was saved in between is unknown" in text_of(page.facts)
        assert "theirs" in text_of(page.changes)
    wb.stop_observing()


def test_a_storage_that_can_keep_no_history_says_what_can():
    wb = g.wrap(Plain())
    wb.create(ID, "intake")
    browser = browse_history(wb)
    assert "HistoryStorage" in text_of(browser.reader.history.lack)
    assert "gfnb-error" not in browser.stage.place.value


def test_a_read_only_store_can_be_looked_at_and_offers_no_restore(tmp_path: Path):
    wb = g.open(f"sqlite:{tmp_path}/s.db", create=True)
    wb.install_history()
    save_versions(wb)
    wb.close()
    wb = g.open(f"sqlite:{tmp_path}/s.db", writable=False)
    browser = browse_history(wb)
    assert browser.reader.history.slider.value == 4
    assert find_button(browser, "Restore as draft") is None
    wb.close()


def test_a_store_that_fails_is_told_beside_the_slider_and_what_is_shown_stays(wb: g.Workbench):
    browser = browse_history(wb)
    page, archive = browser.reader.history, wb.archive
    table = type(archive.table)

    async def read(*_: Any, **__: Any) -> Any:
        raise g.StorageError("the line was cut")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "read", read)
        page.slider.value = 2
        assert browser.stage.place is page.notice
        assert "the line was cut" in said(browser)
        assert page.slider.value == 4
    page.slider.value = 2
    assert said(browser) == ""
    assert page.slider.value == 2


@pytest.mark.parametrize("part", range(8) if COMPLETE else [0])
def test_hostile_contents_are_shown_as_text(part: int):
    cases = SAMPLE[part::8] if COMPLETE else SAMPLE[::12]
    wb = g.open("memory:")
    wb.install_history()
    save = wb.storage.inner.save
    for case in cases:
        wb.bridge.run(save(case.session().copy()))
        stored = wb.bridge.run(wb.storage.inner.get(case.id))
        stored.status_message = "<script>window.__pwned = 'again'</script>"
        wb.bridge.run(save(stored))
    browser = browse_history(wb, cases[0].id)
    page = browser.reader.history
    for case in cases:
        browser.open_session(case.id)
        shown = ""
        for number in (1, 2):
            page.slider.value = number
            parts = page.facts, page.changes, page.text, page.lack
            shown = "".join(part.value for part in parts)
            assert "this could not be shown" not in said(browser), case.name
            assert "<script" not in shown, case.name
        assert "&lt;script&gt;" in page.facts.value, case.name
        assert browser.stage.past.look.version.id == case.id


def _visible(widget: Any) -> list[Any]:
    if widget.layout.display == "none":
        return []
    return [
        widget,
        *(each for child in getattr(widget, "children", ()) for each in _visible(child)),
    ]
