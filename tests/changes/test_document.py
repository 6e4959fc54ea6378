"""A session as one document: what graph-flow could not read is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb import Patch
from graphflow_nb.changes import Draft, apply
from graphflow_nb.model import exactjson, stored_session

from .kit import stored


def test_too_deep_for_graph_flow_is_refused():
    value: Any = 1
    for _ in range(exactjson.MAX_DEPTH):
        value = [value]
    session = stored({})
    fits = Patch([{"op": "add", "path": "/context/data/deep", "value": value[0]}])
    assert apply(session, fits).context["deep"] == value[0]
    text = json.dumps([{"op": "add", "path": "/context/data/deep", "value": [value]}])
    with pytest.raises(g.PatchError, match="levels deep"):
        apply(session, Patch(text))


def test_a_context_that_is_none_does_not_keep_the_rest_from_being_mended():
    for text in ("7", "[]", '{"data": 7}', '{"chat_history": {"messages": [1]}}'):
        session = stored_session("id", "g", "t", None, text, 3, None, None)
        mended = apply(session, Patch([{"op": "replace", "path": "/graph_id", "value": "h"}]))
        assert mended.context_json() == text
        assert mended.graph_id == "h"
        draft = Draft(session)
        whole = '{"data":{},"chat_history":{"messages":[],"max_messages":1000}}'
        draft.set_context_text(whole)
        assert draft.session().context_json() == whole.encode()
