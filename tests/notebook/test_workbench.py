"""DataFrames of a store, and what they say of their bounds."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

import graphflow_nb as g

from ..stores import Store
from ..two_sessions import PLACES, open_with_two_sessions


@pytest.fixture
def wb(store: Store) -> Iterator[g.Workbench]:
    with open_with_two_sessions(store) as wb:
        yield wb


def test_sessions_are_typed(store, wb):
    frame = wb.sessions(context=["customer.tier", "n", "f", "nothing"])
    assert frame["id"].tolist() == [store.id("b"), store.id("a")]
    kinds = {c: str(t) for c, t in frame.dtypes.items()}
    assert kinds.pop("expires_at", None) == (
        "datetime64[us, UTC]" if store.about.scheme == "redis" else None
    )
    assert kinds == {
        "id": "str",
        "graph_id": "category",
        "current_task_id": "category",
        "status_message": "str",
        "version": "int64",
        "created_at": "datetime64[us, UTC]",
        "updated_at": "datetime64[us, UTC]",
        "context_bytes": "int64",
        "messages": "int64",
        "customer.tier": "str",
        "n": "int64",
        "f": "float64",
        "nothing": "object",
    }
    assert frame["n"].tolist() == [2**53 + 1, 1]
    assert frame["messages"].tolist() == [2, 0]
    assert frame["status_message"].isna().tolist() == [False, True]
    assert wb.sessions(task="t2", where={"n": 2**53 + 1})["id"].tolist() == [store.id("b")]
    assert wb.sessions(has=["customer"])["id"].tolist() == [store.id("a")]
    assert len(wb.sessions(updated_since=datetime.now(UTC) + timedelta(hours=1))) == 0
    first = wb.sessions(limit=1)
    second = wb.sessions(limit=1, after=first.attrs["next"])
    assert [*first["id"], *second["id"]] == frame["id"].tolist()
    assert second.attrs["next"] is None


@pytest.mark.parametrize("store", PLACES, indirect=True)
def test_messages(store, wb):
    frame = wb.messages(store.id("b"))
    assert frame["role"].tolist() == ["User", "Assistant"]
    assert frame["content"].tolist() == ["hi", "hello"]
    assert frame["position"].tolist() == [0, 1]
    assert str(frame["timestamp"].dtype) == "datetime64[us, UTC]"
    assert wb.messages()["session_id"].tolist() == [store.id("b")] * 2
    assert len(wb.messages(task="t1")) == 0
    with pytest.raises(g.SessionNotFound):
        wb.messages(store.id("nobody"))


@pytest.mark.parametrize("store", PLACES, indirect=True)
def test_summary(wb):
    frame = wb.summary()
    assert frame["sessions"].sum() == 2
    assert str(frame["longest_untouched"].dtype) == "timedelta64[us]"
    assert (frame["longest_untouched"] >= pd.Timedelta(0)).all()


def test_bounds_are_said(monkeypatch):
    monkeypatch.setattr("graphflow_nb.notebook.tables.DEFAULT_LIMIT", 2)
    wb = g.open("memory:")
    for i in range(5):
        wb.create(str(i), "t")
        session = wb.get(str(i))
        session.context.add_user_message("hello")
        wb.save(session)
    with pytest.warns(UserWarning, match="showing 2 of 5 sessions"):
        assert len(wb.sessions(limit=2)) == 2
    with pytest.warns(UserWarning, match="newest 3 sessions"):
        wb.messages(limit=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(wb.sessions(limit=None)) == 5


def test_wrong_arguments_raise_our_own_errors():
    wb = g.open("memory:")
    for call in (
        lambda: wb.sessions(context=[5]),
        lambda: wb.sessions(context=None),
        lambda: wb.sessions(where="a"),
        lambda: wb.sessions(after="a"),
    ):
        with pytest.raises(g.QueryError):
            call()
    assert wb.latency.frame().empty
    assert wb.messages(limit=None).empty
