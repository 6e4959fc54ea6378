"""Sessions for the tests of changes, and what of them can be changed."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from graphflow_nb import Session
from graphflow_nb.model import exactjson, stored_session

from ..scope import size

RUNS = size(2000, 60)
CHAT = {"messages": [], "max_messages": 1000}

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from(["1.10", "1e2", "1.0", "0.1", "-0.0", "1E300"]).map(exactjson.Literal),
    st.text(max_size=4),
)
keys = st.sampled_from(["a", "b", "c/d", "e~f", "", "g.h", "0"])
values: Any = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=12,
)
messages = st.lists(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["User", "Assistant"]),
            "content": st.text(max_size=3),
            "timestamp": st.sampled_from(
                ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00.123456789Z"]
            ),
        }
    ),
    max_size=4,
)


def stored(
    data: Any, chat: Any = (), task: str = "t", status: str | None = None, version: int = 3
) -> Session:
    context = {"data": data, "chat_history": CHAT | {"messages": list(chat)}, "later": {"x": 1}}
    text = exactjson.encode_unchecked(context)
    return stored_session("id", "g", task, status, text, version, None, None)


sessions = st.builds(
    stored,
    st.dictionaries(keys, values, max_size=4),
    messages,
    st.sampled_from(["t", "u"]),
    st.sampled_from([None, "", "s"]),
)


def content(session: Session) -> str:
    """Everything that a patch can touch, comparable: numbers as they were written."""

    def exact(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: exact(item) for key, item in value.items()}
        return [exact(item) for item in value] if isinstance(value, list) else repr(value)

    parts = json.loads(session.to_json(), parse_float=lambda t: f"float {t}", parse_int=str)
    parts.pop("version")
    return json.dumps(exact(parts), sort_keys=True)
