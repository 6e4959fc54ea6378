"""The card of a session."""

from __future__ import annotations

import graphflow_nb as g
from graphflow_nb import Session
from graphflow_nb.cards import session_html, session_text


def test_texts_of_a_store_are_escaped():
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
    wb = g.open("memory:")
    session = wb.create(
        evil, evil, graph_id=evil, status_message=evil, context={evil: {evil: [evil]}, "k": evil}
    )
    session.context.add_user_message(evil)
    wb.save(session)
    for html in (session_html(session), wb._repr_html_()):
        assert "<script" not in html
        assert "<img" not in html
    assert evil in session_text(session).replace("\\'", "'").replace('\\"', '"')


def test_the_card_is_bounded_and_leaves_the_session_alone():
    wide = {f"k{i}": {"x": list(range(200))} for i in range(500)}
    session = Session("a", "t", context=wide | {"long": "x" * 5_000_000})
    for i in range(80):
        session.context.add_user_message(f"m{i}")
    before = session.context_json()
    html = session_html(session)
    assert len(html) < 400_000
    assert "more below" in html
    assert "30 earlier ones not shown" in html
    assert len(session_text(session)) < 40_000
    assert session.context_json() is before
    for broken in ("[", '{"data":{},"chat_history":7}', "7", '{"data":7}'):
        session = Session("a", "t").with_context_json(broken)
        assert "session" in session_html(session)
        assert session_text(session)


def test_an_odd_message_is_shown_as_stored_beside_the_others():
    text = (
        '{"data":{},"chat_history":{"messages":[{"role":"User","content":"hello","timestamp":'
        '"2026-01-01T00:00:00Z"},{"role":"<Tool>","content":null}],"max_messages":10}}'
    )
    session = Session("a", "t").with_context_json(text)
    session.raw_updated = -70_000_000_000_000_000
    html = session_html(session)
    assert "hello" in html
    assert "&lt;Tool&gt;" in html
    assert "<Tool>" not in html
    assert "BC" in html
    assert "User, 2026-01-01 00:00:00 UTC, " in html
    assert " days ago</span><br><code>hello" in html
    plain = session_text(session)
    assert "hello" in plain
    assert 'odd: \'{"role":"<Tool>"' in plain
