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
