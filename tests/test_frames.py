"""DataFrames of sessions, messages, counts and writes."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest

import graphflow_nb as g
from graphflow_nb import Session
from graphflow_nb.frames import context_columns


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
    assert frame["huge"].tolist() == ["1e400", 2, 3], "infinity is not what is stored"
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


#: Paths that read alike, or like a column, each with its value.
ALIKE = {
    "version": "top",
    "context.version": "nested",
    "expires_at": "soon",
    ("id",): "mine",
    "a.b": "nested",
    ("a.b",): "literal",
    ("x.y", "z"): 1,
    ("x", "y.z"): 2,
    "('x', 'y.z')": None,
}


def test_each_context_path_has_a_column_of_its_own_in_any_order():
    data = {
        "version": "top",
        "context": {"version": "nested"},
        "expires_at": "soon",
        "id": "mine",
        "a": {"b": "nested"},
        "a.b": "literal",
        "x.y": {"z": 1},
        "x": {"y.z": 2},
    }
    wb = g.open("memory:")
    wb.create("s", "t", context=data)
    names = dict(zip(ALIKE, context_columns(list(ALIKE)), strict=True))
    assert len(set(names.values())) == len(ALIKE)
    for paths in (list(ALIKE), list(ALIKE)[::-1], *itertools.permutations(list(ALIKE)[:4])):
        frame = wb.sessions(context=paths)
        assert (frame["id"][0], frame["version"][0]) == ("s", 1)
        assert frame.shape == (1, 9 + len(paths))
        assert [frame[context_columns(paths)[i]][0] for i in range(len(paths))] == [
            ALIKE[path] for path in paths
        ]
    shuffled = sorted(ALIKE, key=str)
    assert dict(zip(shuffled, context_columns(shuffled), strict=True)) == names


def test_names_of_context_columns():
    assert context_columns(["a.b", ("c", "d"), ["e"]]) == ["a.b", "c.d", "e"]
    assert context_columns(["version", "context.version"])[1] == "context.version"
    assert context_columns(["version", "messages", ("id",)]) == [
        "context.version",
        "context.messages",
        "context.id",
    ]
    assert context_columns([("a.b",), "a.b", "a.b"]) == ["('a.b',)", "a.b", "a.b"]


def test_every_frame_can_be_written_and_read_back(tmp_path):
    wb = g.open("memory:")
    for i in range(3):
        context = {
            "n": i or None,
            "list": [i],
            "text": "a",
            "mixed": (1, "a", [1])[i],
            "big": 2**70,
        }
        wb.create(str(i), "t", context=context).context.add_user_message("hello")
    wb.delete("0")
    wb.undo()
    first = wb.sessions(limit=2)
    measured = wb.benchmark("A", duration=0.05, warmup=0, sessions=5, concurrency=2, shared=True)
    frames = {
        "sessions": first,
        "context": wb.sessions(context=["n", "list", "text", "missing"], limit=1),
        "none": wb.sessions(graph="none", context=["n"]),
        "messages": wb.messages(),
        "summary": wb.summary(),
        "journal": wb.journal,
        "operations": wb.latency.frame(background=True),
        "latency": wb.latency.summary(),
        "advice": wb.advise().frame(),
        "copied": wb.copy_to(g.open("memory:")).failed,
        "benchmark": measured.frame(),
        "requests": measured.requests(),
        "measured": measured.summary(),
        "mixed": wb.sessions(context=["mixed", "big"]).assign(
            mixed=lambda f: f["mixed"].map(json.dumps, na_action="ignore"),
            big=lambda f: f["big"].map(json.dumps, na_action="ignore"),
        ),
    }
    for name, frame in frames.items():
        json.dumps(frame.attrs)
        frame.to_csv(tmp_path / name)
        frame.to_pickle(tmp_path / name)
        frame.to_json(tmp_path / name, date_format="iso")
        frame.to_parquet(tmp_path / name)
        again = pd.read_parquet(tmp_path / name)
        assert list(again.columns) == list(frame.columns), name
        assert (len(again), again.attrs) == (len(frame), frame.attrs), name
    again = pd.read_parquet(tmp_path / "sessions")
    pd.testing.assert_frame_equal(again, first)
    assert wb.sessions(limit=2, after=again.attrs["next"])["id"].tolist() == ["1"]
    # pandas compares and copies the attributes in each of these.
    both = pd.concat([first.copy(), first], ignore_index=True)
    assert len(both.merge(first, on="id")) == 4
    assert both.groupby("current_task_id", observed=True).size()["t"] == 4


def test_the_number_of_context_columns_has_a_bound():
    wb = g.open("memory:")
    assert wb.sessions(context=[f"a.b.c.d.e.f{i}" for i in range(500)]).shape == (0, 509)
    with pytest.raises(g.QueryError, match="at most 500 paths, not 501"):
        wb.sessions(context=["a"] * 501)


def test_an_odd_message_is_one_row_and_named():
    wb = g.open("memory:")
    message = '{"role":"%s","content":%s,"timestamp":"%s"}'
    good = message % ("User", '"hi"', "0001-01-01T00:00:00Z")
    odd = [
        message % ("Tool", '"x"', "2026-01-01T00:00:00Z"),
        message % ("User", "null", "2026-01-01T00:00:00Z"),
        message % ("User", '"leap"', "2016-12-31T23:59:60Z"),
        "7",
    ]
    for id, chat in (("a", [good]), ("b", [good, *odd, good])):
        text = '{"data":{},"chat_history":{"messages":[%s]}}' % ",".join(chat)
        wb.save(Session(id, "t").with_context_json(text), undo=False)
    with pytest.warns(UserWarning, match="1 odd session"):
        frame = wb.messages()
    assert list(frame.attrs["problems"]) == ["b"]
    assert frame.attrs["problems"]["b"].count("message ") >= 4
    shown = frame[frame["session_id"] == "b"]
    assert shown["content"].tolist() == ["hi", *odd, "hi"]
    assert shown["timestamp"].isna().tolist() == [False, False, False, True, True, False]
    assert frame["timestamp"].iloc[0].year == 1


def test_what_a_storage_does_not_report_is_missing_and_not_zero(tmp_path):
    measures = ["wait_ns", "encode_ns", "execute_ns", "decode_ns", "bytes", "rows"]
    for url, reported in (("memory:", False), (f"sqlite:{tmp_path / 's.db'}?mode=rwc", True)):
        with g.open(url) as wb:
            wb.create("a", "t")
            wb.get("a")
            frame = wb.latency.frame()
            assert len(frame) >= 2
            if reported:
                assert set(frame[measures].dtypes) == {np.dtype("int64")}
            else:
                assert frame[measures].isna().all(axis=None)
            wb.latency.plot("phases")
            wb.advise()
