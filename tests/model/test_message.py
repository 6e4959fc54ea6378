"""Messages: created, read and compared."""

from __future__ import annotations

import pickle
import re
from datetime import UTC, datetime

import pytest

from graphflow_nb import Context, ContextError, Message, MessageRole
from graphflow_nb.model import OddMessage


def test_messages():
    message = Message(MessageRole.USER, "hi")
    assert abs((datetime.now(UTC) - message.timestamp).total_seconds()) < 60
    assert pickle.loads(pickle.dumps(message)) == message
    assert hash(message) == hash(pickle.loads(pickle.dumps(message)))
    for wrong in (
        ("Tool", "x"),
        ("User", 7),
        ("User", "\ud800"),
        ("User", "x", datetime(2026, 1, 1)),
    ):
        with pytest.raises(ContextError):
            Message(*wrong)
    with pytest.raises(AttributeError):
        message.content = "other"  # type: ignore[misc]
    stored = '{"data":{},"chat_history":{"messages":[%s],"max_messages":null}}'
    early = '{"role":"User","content":"x","timestamp":"0001-01-01T00:00:00+05:00"}'
    for wrong in (
        early,
        '{"role":"Tool","content":"x","timestamp":"2026-01-01T00:00:00Z"}',
        "7",
        "{}",
    ):
        context = Context.from_json(stored % wrong)
        assert len(context.chat_history) == 1
        odd = context.chat_history[0]
        assert isinstance(odd, OddMessage)
        assert odd.content == wrong
        assert re.search(r"messages\[0\]|role", odd.problem)
        context["k"] = 1
        assert wrong.encode() in context.to_json()


def test_an_odd_message_hides_no_other_and_keeps_its_bytes():
    odd = (
        '{"role":"Tool","content":"x","timestamp":"2026-01-01T00:00:00Z"}',
        '{"role":"User","content":"leap","timestamp":"2016-12-31T23:59:60.5Z","k":1e+2}',
        '{"role":"User", "content":null, "timestamp":"2026-01-01T00:00:00Z"}',
        '{"role":5,"content":"x","timestamp":"2026-01-01T00:00:00"}',
        '{"role":"User","content":"x"}',
        '["User"]',
        "null",
    )
    good = '{"role":"User","content":"hi","timestamp":"2026-01-01T00:00:00.123456789Z","more":[1]}'
    messages = ",".join((good, *odd, good))
    text = '{"data":{"n":1.10},"chat_history":{"messages":[%s],"max_messages":-5}}' % messages
    history = Context.from_json(text).chat_history
    assert [type(message) for message in history] == [Message, *[OddMessage] * 7, Message]
    assert [message.content for message in history[1:-1]] == list(odd)
    assert all(message.problem for message in history[1:-1])
    assert [str(message.role) for message in history[1:5]] == ["Tool", "User", "User", "5"]
    assert [message.timestamp is None for message in history[1:5]] == [False, True, False, True]
    assert pickle.loads(pickle.dumps(history[1])) == history[1]
    context = Context.from_json(text)
    list(context.chat_history)
    context["n2"] = 1
    context.add_user_message("new")
    changed = bytes(context.to_json()).decode()
    assert changed.startswith(
        '{"data":{"n":1.10,"n2":1},"chat_history":{"messages":[%s,' % messages
    )
    assert changed.endswith('"max_messages":-5}}')
    with pytest.raises(ContextError, match="Tool"):
        context.chat_history.add(history[1])
