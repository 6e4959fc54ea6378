"""What graph-flow can't read: named by its place, unless it was there before."""

from __future__ import annotations

import copy
import json

import pytest

import graphflow_nb as g
from graphflow_nb import Context, Patch, Session
from graphflow_nb.changes import apply
from graphflow_nb.model.validity import describe, find_new_problems, find_problems

from .contexts import MESSAGE, NO_JSON, READABLE, STRICTER, UNREADABLE, chat, data


@pytest.mark.parametrize("text", READABLE)
def test_what_graph_flow_reads_has_no_problem(text):
    assert [p for p in find_problems(text) if not p.respelled] == []
    assert find_problems(text.encode()) == find_problems(text)


@pytest.mark.parametrize(
    ("text", "says"), [*UNREADABLE, *((text, "must be RFC 3339") for text in STRICTER)]
)
def test_what_graph_flow_cannot_read_is_named_by_its_place(text, says):
    assert says in describe(find_problems(text))
    # It is refused in a new session, before anything is sent …
    wb = g.open("memory:")
    with pytest.raises(g.ContextError, match="Nothing was written"):
        wb.save(Session("a", "t", context=Context.from_json(text)))
    with pytest.raises(g.ContextError):
        wb.upsert(Session("a", "t", context=Context.from_json(text)))
    with pytest.raises(g.ContextError):
        wb.create("a", "t", context=Context.from_json(text))
    assert len(wb.sessions()) == len(wb.journal) == 0
    # … but what a store holds can be changed elsewhere, copied and deleted.
    odd = Session("a", "t").with_context_json(text)
    wb.bridge.run(wb.storage.save(odd))
    wb.patch("a", [{"op": "replace", "path": "/status_message", "value": "seen"}])
    session = wb.get("a")
    session.current_task_id = "u"
    wb.save(session)
    wb.save(session.copy("b"))
    assert wb.get("a").context_json() == wb.get("b").context_json() == text
    wb.delete(["a", "b"])


@pytest.mark.parametrize(("text", "says"), NO_JSON)
def test_what_is_no_json_is_refused(text, says):
    assert says in describe(find_problems(text))
    with pytest.raises(g.ContextError):
        g.open("memory:").create("a", "t", context=Context.from_json(text))


def test_what_was_there_before_is_not_refused_and_what_is_new_is():
    tool = MESSAGE.replace("User", "Tool")
    late = MESSAGE.replace("00:00:00Z", "00:00Z")
    odd = chat(tool, late, MESSAGE)
    assert len(find_problems(odd)) == 2
    # Another member of an odd message, its removal, and its move to another place.
    assert find_new_problems(odd, chat(tool.replace('"x"', '"y"'), late, MESSAGE)) == []
    assert find_new_problems(odd, chat(late, MESSAGE)) == []
    assert find_new_problems(odd, chat(MESSAGE, late, tool)) == []
    (new,) = find_new_problems(odd, chat(tool, late, tool))
    assert new.path == ("context", "chat_history", "messages", "2", "role")
    (new,) = find_new_problems(odd, chat(tool, MESSAGE.replace('"x"', "null")))
    assert new.path[-1] == "content"
    (new,) = find_new_problems(data("[1e400]"), data("[1e400,1e400]"))
    assert new.path[-1] == "1"
    assert find_new_problems(data("1e400"), data('{"moved":1e400}')) == []


def test_integers_beyond_64_bits_are_kept_and_warned_of():
    wb = g.open("memory:")
    big = 2**64
    with pytest.warns(UserWarning, match=r"/context/data/n is 18446744073709551616.*as a float"):
        wb.create("a", "t", context={"n": big})
    with pytest.warns(UserWarning, match="/context/data/m is -9223372036854775809"):
        wb.patch("a", [{"op": "add", "path": "/context/data/m", "value": -(2**63) - 1}])
    session = wb.get("a")
    session.context["l"] = [1]
    wb.save(session)  # no warning of what was there before
    session.context["l"].append(big)
    with pytest.warns(UserWarning, match="/context/data/l/1"):
        wb.save(session)
    assert wb.get("a").context["n"] == big


def test_integers_beyond_f64_are_refused_unless_the_store_has_them():
    wb = g.open("memory:")
    with pytest.raises(g.ContextError, match=r"/context/data/k is 1000.*beyond f64"):
        wb.create("a", "t", context={"k": 10**309})
    text = '{"data":{"c":{"x":%d,"y":1},"k":[1]},"chat_history":{"messages":[]}}' % 10**400
    wb.bridge.run(wb.storage.save(Session("a", "t").with_context_json(text)))
    session = wb.get("a")
    session.context["c"]["y"] = 2
    session.context["d"] = session.context.pop("c")
    wb.save(session)
    assert wb.get("a").context["d"] == {"x": 10**400, "y": 2}
    session.context["k"].append(-(10**400))
    with pytest.raises(g.ContextError, match="/context/data/k/1"):
        wb.save(session)
    with pytest.raises(g.PatchError, match="/context/data/k/0"):
        wb.patch("a", [{"op": "replace", "path": "/context/data/k/0", "value": 10**400}])


def test_limits_that_graph_flow_could_not_read_are_refused_when_they_are_given():
    for limit in (2**64, -1, 1.0):
        with pytest.raises(g.ContextError, match="max_messages"):
            Context(max_messages=limit)


def test_a_session_of_a_store_keeps_odd_parts_beside_an_edit():
    wb = g.open("memory:")
    text = '{"data":{"n":1e400,"k":1},"chat_history":{"messages":[{}],"max_messages":-1}}'
    wb.bridge.run(wb.storage.save(Session("a", "t").with_context_json(text)))
    session = wb.get("a")
    session.context["k"] = 2
    wb.save(session)
    assert bytes(wb.get("a").context_json()).decode() == text.replace('"k":1', '"k":2')
    session.context["m"] = session.context["n"]
    with pytest.raises(g.ContextError, match="/context/data/m is 1e400"):
        wb.save(session)
    other = Session("b", "t", context=session.context)
    with pytest.raises(g.ContextError, match="/context/data/m"):
        wb.save(other)
    del other.context["m"]
    wb.save(other)
    assert json.loads(wb.get("b").context_json())["data"]["k"] == 2


def test_what_was_made_here_is_checked_after_a_patch_too():
    odd = Session("a", "t", context=Context.from_json(chat("7")))
    patched = apply(odd, Patch([{"op": "add", "path": "/context/data/k", "value": 1}]))
    with pytest.raises(g.ContextError, match="messages/0 is 7"):
        g.open("memory:").save(patched)
    for twin in (copy.copy(odd), odd.copy("b")):
        with pytest.raises(g.ContextError, match="messages/0 is 7"):
            g.open("memory:").save(twin)
    stored = Session("a", "t").with_context_json(chat("7"))
    wb = g.open("memory:")
    wb.bridge.run(wb.storage.save(stored))
    wb.save(apply(wb.get("a"), Patch([{"op": "add", "path": "/context/data/k", "value": 1}])))
    assert wb.get("a").context["k"] == 1


def test_an_undo_that_brings_back_what_graph_flow_cannot_read_is_refused():
    wb = g.open("memory:")
    odd = chat(MESSAGE.replace('"x"', "null"))
    wb.bridge.run(wb.storage.save(Session("a", "t").with_context_json(odd)))
    path = "/context/chat_history/messages/0/content"
    wb.patch("a", [{"op": "replace", "path": path, "value": "mended"}])
    with pytest.raises(g.PatchError, match=r"content is null.*nothing was changed"):
        wb.undo()
    assert wb.get("a").context.chat_history[0].content == "mended"
    # A deleted session comes back as it was, character by character.
    wb.bridge.run(wb.storage.save(Session("b", "t").with_context_json(odd)))
    wb.delete("b")
    wb.undo()
    assert wb.get("b").context_json() == odd
