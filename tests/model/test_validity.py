"""What graph-flow can't read: named by its place, unless it was there before."""

from __future__ import annotations

import json

import pytest

import graphflow_nb as g
from graphflow_nb import Context, Session
from graphflow_nb.model import exactjson
from graphflow_nb.model.validity import describe, find_new_problems, find_problems

MESSAGE = '{"role":"User","content":"x","timestamp":"2026-01-01T00:00:00Z"}'


def chat(*messages, limit="1000"):
    return '{"data":{},"chat_history":{"messages":[%s],"max_messages":%s}}' % (
        ",".join(messages),
        limit,
    )


def timed(timestamp):
    return chat(MESSAGE.replace("2026-01-01T00:00:00Z", timestamp))


def data(text):
    return '{"data":{"k":%s},"chat_history":{"messages":[]}}' % text


def nested(levels):
    return "[" * levels + "]" * levels


#: Contexts that graph-flow reads; tests/interop checks that with the crate itself.
READABLE = [
    '{"data":{},"chat_history":{"messages":[]}}',
    '{"data":{"a":1,"a":2},"chat_history":{"messages":[]}}',
    '{ "chat_history" : {"messages" : [ ]},"data":{ } , "later":[1]}',
    *map(
        timed,
        [
            "2026-01-01T00:00:00.123456789Z",
            "2026-01-01t00:00:00z",
            "2026-01-01 00:00:00Z",
            "2016-12-31T23:59:60Z",
            "2016-12-31T23:59:60.5+01:00",
            "2026-01-01T00:00:00-23:59",
            "2024-02-29T23:59:59Z",
            "0000-02-29T00:00:00Z",
            "9999-12-31T23:59:59-23:59",
        ],
    ),
    *(chat(MESSAGE, limit=limit) for limit in ("null", "0", str(2**64 - 1))),
    *(chat(MESSAGE.replace("User", role)) for role in ("Assistant", "System")),
    *(chat(MESSAGE.replace('"x"', text)) for text in ('""', '"\\u0000"', '"\\ud83d\\ude00"')),
    chat(MESSAGE.replace('"x"', '"role"'), MESSAGE[:-1] + ',"extra":{"role":1}}'),
    chat(MESSAGE.replace('"role"', '"\\u0072ole"')),
    *map(
        data,
        [
            *("1e308", "-1.7e308", "1e-400", "9" * 308, "18446744073709551615", "0e999"),
            *("18446744073709551616", "-9223372036854775809", "-0", "1.10", '"1e400"'),
            nested(exactjson.MAX_DEPTH),
        ],
    ),
]

#: Contexts that graph-flow does not read, with the place and what is said of it.
UNREADABLE = [
    ("7", "/context is 7, but context must be an object"),
    ('{"data":{}}', "/context/chat_history is missing"),
    ('{"chat_history":{"messages":[]}}', "/context/data is missing"),
    ('{"data":{},"chat_history":{}}', "/context/chat_history/messages is missing"),
    ('{"data":[],"chat_history":{"messages":[]}}', "/context/data is [], but"),
    ('{"data":{},"chat_history":null}', "/context/chat_history is null, but"),
    ('{"data":{},"chat_history":{"messages":null}}', "/context/chat_history/messages is null"),
    ('{"data":{},"data":{},"chat_history":{"messages":[]}}', "/context/data is twice"),
    ('{"data":{},"chat_history":{"messages":[],"messages":[]}}', "/messages is twice"),
    *(
        (chat(MESSAGE, limit=limit), f"/context/chat_history/max_messages is {limit}, but")
        for limit in ("-1", "1.0", "1e3", str(2**64), '"5"', "true", "-0", "9" * 25)
    ),
    *((chat(MESSAGE, text), f"/messages/1 is {text}, but") for text in ("null", "7", '"x"')),
    *(
        (chat(MESSAGE.replace('"x"', text)), f"/messages/0/content is {text}, but")
        for text in ("null", "7", '["x"]', '{"text":"x"}', "true")
    ),
    *(
        (chat(MESSAGE.replace('"User"', role)), f"/messages/0/role is {role}, but")
        for role in ('"user"', '"Tool"', "null", "1")
    ),
    (chat(MESSAGE.replace('"content":"x",', "")), "/messages/0/content is missing"),
    (chat(MESSAGE.replace('"role":"User",', "")), "/messages/0/role is missing"),
    (chat('{"role":"User","content":"x"}'), "/messages/0/timestamp is missing"),
    (chat(MESSAGE[:-1] + ',"role":"User"}'), "/messages/0/role is twice"),
    *(
        (timed(text), f'/messages/0/timestamp is "{text}", but')
        for text in [
            "",
            "1767225600",
            "2026-01-01",
            "2026-01-01T00:00Z",
            "2026-01-01T00:00:00",
            "20260101T000000Z",
            "2026-W01-1T00:00:00Z",
            "2026-01-01T00:00:00,5Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:61Z",
            "2026-01-01T24:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-01-01T00:00:00+00",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00+00:60",
            "2026-01-01T00:00:00+01:00:30",
            "٢026-01-01T00:00:00Z",
        ]
    ),
    *(
        (data(text), "/context/data/k is")
        for text in ("1e400", "-1e309", "9" * 309, "1" + "0" * 5000, "0.1e310", "1E+00400")
    ),
    (data('{"n":[1,{"m":1e999}]}'), "/context/data/k/n/1/m is 1e999, a number beyond f64"),
    (data(nested(exactjson.MAX_DEPTH + 1)), "levels deep"),
]
NO_JSON = [
    ("{", "/context is not JSON"),
    (data('"\\ud800"'), "is not JSON"),
    (data("01"), "is not JSON"),
    (data(nested(3000)), "levels deep"),
]

#: What chrono reads though RFC 3339 has it otherwise: nothing writes it, so it is refused too.
STRICTER = [*map(timed, ["2026-1-1T0:0:0Z", "2026-01-01T00:00:00+0000", "2026-01-01T00:00:00UTC"])]


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


def test_values_that_graph_flow_could_not_read_are_refused_when_they_are_set():
    context = Context({"k": [1]})
    with pytest.raises(g.ContextError, match="beyond f64"):
        context["k"] = 10**309
    context["k"].append(-(10**400))
    with pytest.raises(g.ContextError, match="beyond f64"):
        context.to_json()
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
