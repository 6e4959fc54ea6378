"""DataFrames of sessions, messages, counts and writes."""

from __future__ import annotations

import pandas as pd
import pytest

import graphflow_nb as g
from graphflow_nb import Session


def test_columns_of_context_values():
    wb = g.open("memory:")
    rows = {
        "ints": [1, None, 2**53 + 1],
        "big": [2**70, 1, 2],
        "bools": [True, False, None],
        "floats": [1, 2.5, None],
        "mixed": [1, "a", [1]],
        "texts": ["a", None, "ü"],
        "huge": [1, 2, 3],
    }
    for i in range(3):
        wb.create(str(i), "t", context={k: v[i] for k, v in rows.items()} | {"id": i})
    strange = wb.get("0")
    text = bytes(strange.context_json()).replace(b'"huge":1', b'"huge":1e400')
    wb.save(strange.with_context_json(text))
    frame = wb.sessions(order="id", context=[*rows, "id", ("mixed", "0")])
    kinds = {name: str(frame[name].dtype) for name in rows}
    assert kinds == {
        "ints": "Int64",
        "big": "object",
        "bools": "boolean",
        "floats": "float64",
        "mixed": "object",
        "texts": "str",
        "huge": "object",
    }
    assert frame["ints"].tolist() == [1, pd.NA, 2**53 + 1]
    assert frame["big"][0] == 2**70
    assert frame["mixed"].tolist() == [1, "a", [1]]
    assert frame["context.id"].tolist() == [0, 1, 2]
    assert frame["mixed.0"].iloc[2] == 1


def test_messages_of_contexts_that_no_one_can_read():
    wb = g.open("memory:")
    for i, chat in enumerate(('{"messages":[{"role":"Tool"}, {"content":7}]}', "7")):
        wb.save(Session(str(i), "t").with_context_json('{"data":{},"chat_history":%s}' % chat))
    assert wb.messages("0")["role"].tolist() == ["Tool", "None"]
    with pytest.raises(g.ContextError):
        wb.messages("1")
