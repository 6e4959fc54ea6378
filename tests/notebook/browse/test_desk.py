"""The open session: draft, preview, save, conflict, undo."""

from __future__ import annotations

import re

import pytest

import graphflow_nb as g
from graphflow_nb.changes import json_value
from graphflow_nb.notebook.browse.desk import Desk

from ...stores import Store
from .kit import save_theirs, started


def test_nothing_is_written_before_save(wb):
    desk = Desk(wb)
    desk.open("claim-0014")
    before = wb.get("claim-0014").to_json()
    draft = desk.edit()
    draft.set("status_message", "mended")
    draft.set_value(("documents",), json_value("JSON", '["x"]'))
    with pytest.raises(g.PatchError, match="preview the changes first"):
        desk.save()
    assert len(desk.preview_changes()) == 2
    draft.set("status_message", "mended again")
    desk.drop_preview()
    with pytest.raises(g.PatchError, match="preview the changes first"):
        desk.save()
    assert wb.get("claim-0014").to_json() == before
    desk.preview_changes()
    desk.save()
    assert wb.get("claim-0014").status_message == "mended again"
    assert desk.draft is None
    assert desk.session.status_message == "mended again"
    # The call that it shows does the same.
    call = desk.calls[-1]
    wb.undo()
    session = wb.get("claim-0014")
    assert re.search(r"version=\d+\)$", call)
    eval(re.sub(r"version=\d+", f"version={session.version}", call), {"wb": wb})
    assert wb.get("claim-0014").status_message == "mended again"


def test_a_draft_is_not_lost_by_opening_another(wb):
    desk = Desk(wb)
    desk.open("claim-0014")
    desk.edit().set("status_message", "typed")
    with pytest.raises(g.PatchError, match="not saved"):
        desk.open("claim-0118")
    with pytest.raises(g.PatchError, match="not saved"):
        desk.draft_new("new", "t", "g")
    assert desk.draft.get("status_message") == "typed"
    desk.discard()
    desk.open("claim-0118")
    with pytest.raises(g.PatchError, match="nothing was changed"):
        desk.preview_changes()


def test_conflict_merge_and_again(wb):
    desk = Desk(wb)
    desk.open("claim-0014")
    desk.edit().set("status_message", "mine")
    desk.preview_changes()
    save_theirs(wb, "claim-0014", status_message="theirs", context={"n": 1})
    desk.save()
    assert wb.get("claim-0014").status_message == "theirs"
    assert [c.pointer for c in desk.conflict.clashes] == ["/status_message"]
    with pytest.raises(g.PatchError, match="choose"):
        desk.resolve({})
    desk.resolve({("status_message",): "mine"})
    assert desk.preview is not None
    save_theirs(wb, "claim-0014", context={"n": 2})
    desk.save()
    assert desk.conflict is not None
    assert not desk.conflict.clashes
    desk.resolve({})
    desk.save()
    session = wb.get("claim-0014")
    assert (session.status_message, session.context["n"]) == ("mine", 2)
    # Choosing theirs leaves nothing to save.
    desk.edit().set("status_message", "mine 2")
    desk.preview_changes()
    save_theirs(wb, "claim-0014", status_message="theirs 2")
    desk.save()
    desk.resolve({("status_message",): "stored"})
    assert desk.draft is None
    assert desk.session.status_message == "theirs 2"


def test_deleted_meanwhile(wb):
    desk = Desk(wb)
    desk.open("claim-0014")
    desk.edit().set("status_message", "mine")
    desk.preview_changes()
    wb.bridge.run(wb.storage.inner.delete("claim-0014"))
    desk.save()
    assert desk.deleted_meanwhile
    desk.keep_deleted()
    desk.preview_changes()
    desk.save()
    assert wb.get("claim-0014").status_message == "mine"


def test_creating(wb):
    desk = Desk(wb)
    desk.draft_new("new", "intake", "claims")
    assert desk.dirty
    desk.preview_changes()
    with pytest.raises(g.SessionNotFound):
        wb.get("new")
    desk.save()
    assert wb.get("new").graph_id == "claims"
    desk.draft_copy("copy")
    desk.draft.set_value(("k",), json_value("number", "1.10"))
    desk.preview_changes()
    desk.save()
    assert '"k":1.10' in bytes(wb.get("copy").context_json()).decode()
    call = desk.calls[-2] if desk.calls[-1].startswith("wb.get") else desk.calls[-1]
    wb.delete("copy")
    exec(call, {"wb": wb})
    assert '"k":1.10' in bytes(wb.get("copy").context_json()).decode()
    desk.draft_new("new", "t", "g")
    desk.preview_changes()
    with pytest.raises(g.SessionConflict):
        desk.save()
    desk.discard()
    assert desk.session is None
    for wrong in (("", "t", "g"), ("i", "", "g"), ("i", "t", "")):
        with pytest.raises(g.PatchError):
            desk.draft_new(*wrong)


def test_undo_of_what_was_changed_since_is_merged(wb):
    desk = Desk(wb)
    desk.open("claim-0014")
    before = desk.session.status_message
    desk.edit().set("status_message", "mine")
    desk.preview_changes()
    desk.save()
    save_theirs(wb, "claim-0014", context={"n": 1})
    assert desk.undo(desk.undoable()[:1]) == 0
    assert desk.conflict is not None
    assert not desk.conflict.clashes
    desk.resolve({})
    desk.save()
    session = wb.get("claim-0014")
    assert (session.status_message, session.context["n"]) == (before, 1)


def test_following_the_open_session(wb):
    desk = Desk(wb)
    desk.open("claim-0014")
    assert not desk.refresh()
    save_theirs(wb, "claim-0014", status_message="theirs")
    assert desk.refresh()
    assert desk.session.status_message == "theirs"
    desk.edit().set("status_message", "mine")
    save_theirs(wb, "claim-0014", status_message="theirs 2")
    assert desk.refresh()
    assert desk.newer == desk.session.version + 1
    assert not desk.refresh()
    assert desk.draft.get("status_message") == "mine"
    wb.bridge.run(wb.storage.inner.delete("claim-0014"))
    assert desk.refresh()
    assert desk.newer == -1


def recreate(wb: g.Workbench, id: str, status: str) -> None:
    """Someone deletes a session and creates another one with its id."""
    inner = wb.storage.inner
    wb.bridge.run(inner.delete(id))
    wb.bridge.run(inner.save(g.Session(id, "t", status_message=status)))


def test_a_session_that_was_recreated_at_the_same_version_is_left_alone(store: Store):
    """In every store: it is not the one that was opened, or shown, though its version is."""
    wb, id = g.open(store.url, writable=True), store.id("again")
    wb.create(id, "t", status_message="the first")
    desk, shown = Desk(wb), started(wb)
    desk.open(id)
    desk.edit().set("status_message", "mine")
    desk.preview_changes()
    (row,) = shown.shown_sessions([id])
    recreate(wb, id, "the second")
    desk.save()
    assert [clash.pointer for clash in desk.conflict.clashes] == ["/status_message"]
    assert desk.delete([row]) == []
    assert wb.get(id).status_message == "the second"
    assert desk.draft.get("status_message") == "mine"
    assert desk.undoable()[0].op == "save", "what was refused is not in the journal"
    # What is shown now can be deleted, and comes back.
    shown.load()
    assert desk.delete(shown.shown_sessions([id])) == [id]
    desk.discard()
    assert desk.undo(desk.undoable()[:1]) == 1
    assert wb.get(id).status_message == "the second"
    wb.close()


def test_following_notices_a_session_that_was_recreated_at_the_same_version(wb):
    wb.create("again", "t", status_message="the first")
    desk = Desk(wb)
    desk.open("again")
    recreate(wb, "again", "the second")
    assert desk.refresh()
    assert desk.session.status_message == "the second"


class LostAfterSave:
    """A storage that is out of reach once something was saved."""

    suspends = False

    def __init__(self) -> None:
        self._inside = g.InMemorySessionStorage()
        self.delete = self._inside.delete
        self.lost = False

    async def save(self, session: g.Session) -> None:
        await self._inside.save(session)
        self.lost = session.version > 1

    async def get(self, id: str) -> g.Session | None:
        if self.lost:
            raise g.StorageUnavailable("out of reach")
        return await self._inside.get(id)


def test_what_was_saved_is_no_draft_even_if_it_can_not_be_read_again():
    storage = LostAfterSave()
    wb = g.wrap(storage)
    wb.create("a", "t")
    desk = Desk(wb)
    desk.open("a")
    desk.edit().set("status_message", "mine")
    desk.preview_changes()
    with pytest.raises(g.StorageError, match="'a' was saved, but it could not be read again: out"):
        desk.save()
    storage.lost = False
    assert desk.draft is None
    assert desk.session.status_message == wb.get("a").status_message == "mine"


ODD_CHAT = '{"messages":[{"role":"Tool","content":"x","timestamp":"2026-01-01T00:00:00Z"}]}'


def test_what_graph_flow_could_not_read_is_refused_in_the_preview(wb):
    desk = Desk(wb)
    desk.open("claim-0014")
    message = '{"role":"User","content":null,"timestamp":"2026-01-01T00:00:00Z"}'
    with pytest.raises(g.ContextError, match=r"messages/0/content is null"):
        desk.edit().set_context_text('{"data":{},"chat_history":{"messages":[%s]}}' % message)
    with pytest.raises(g.PatchError, match="beyond f64"):
        desk.edit().set_value(("n",), json_value("number", "1e400"))
    desk.discard()
    # A new session is checked as a whole, also where it is edited.
    text = g.Session("new", "t").to_json().replace('{"messages":[],"max_messages":1000}', ODD_CHAT)
    desk.draft_from_json(text)
    with pytest.raises(g.PatchError, match="messages/0/role"):
        desk.preview_changes()
    desk.edit().set_value(("n",), json_value("number", "1"))
    with pytest.raises(g.PatchError, match="messages/0/role"):
        desk.preview_changes()
    desk.discard()
    # A copy of what the store holds may be as odd as that is.
    odd = g.Session("odd", "t").with_context_json('{"data":{},"chat_history":%s}' % ODD_CHAT)
    wb.bridge.run(wb.storage.save(odd))
    desk.open("odd")
    desk.draft_copy("twin")
    desk.edit().set_value(("n",), json_value("number", "1"))
    desk.preview_changes()
    desk.save()
    assert ODD_CHAT.encode() in bytes(wb.get("twin").context_json())


def test_numbers_that_graph_flow_respells_are_named_in_the_preview(wb):
    desk = Desk(wb)
    desk.open("claim-0014")
    desk.edit().set_value(("n",), json_value("number", "18446744073709551616"))
    desk.preview_changes()
    assert "/context/data/n is 18446744073709551616" in desk.respelled
    desk.save()
    desk.edit().set_value(("m",), json_value("number", "1"))
    desk.preview_changes()
    assert desk.respelled == ""


def test_a_worker_that_removed_an_element_makes_the_list_a_clash(wb):
    one, two, three = ({"id": number, "paid": False} for number in (1, 2, 3))
    wb.create("jobs", "t", context={"jobs": [one, two]})
    desk = Desk(wb)
    desk.open("jobs")
    desk.edit().set_value(("jobs", "0", "paid"), json_value("true", ""))
    desk.preview_changes()
    theirs = wb.get("jobs")
    theirs.context["jobs"] = [two, three]
    wb.save(theirs)
    desk.save()
    assert [clash.pointer for clash in desk.conflict.clashes] == ["/context/data/jobs"]
    with pytest.raises(g.PatchError, match=r'/jobs was changed on both sides.*"paid":true'):
        desk.resolve({})
    assert wb.get("jobs").context["jobs"] == [two, three]
    desk.resolve({("context", "data", "jobs"): "mine"})
    desk.save()
    assert wb.get("jobs").context["jobs"] == [one | {"paid": True}, two]
