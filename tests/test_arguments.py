"""Numbers that are none are refused with an error of ours before anything is changed."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphflow_nb as g
from graphflow_nb import workflow
from graphflow_nb.arguments import is_number, is_whole

NOT_WHOLE = [2.0, 2.5, True, "2", -1, math.nan, math.inf, np.float64(2), np.bool_(True), [2]]
NOT_NUMBERS = [True, "2", -1, math.nan, math.inf, np.bool_(True), [2], 10**400]


@pytest.fixture
def wb() -> g.Workbench:
    wb = g.open("memory:")
    wb.install_history()
    for number in range(3):
        wb.create(f"{number}", "t", context={"n": number})
    return wb


def save_with_version(wb: g.Workbench, version: Any) -> None:
    session = wb.get("1")
    session.version = version
    session.context["n"] = 7
    wb.save(session)


def archived(wb: g.Workbench, method: str, *args: Any, **kwargs: Any) -> Any:
    return wb.bridge.run(getattr(wb.archive, method)(*args, **kwargs))


#: Calls with an argument that has to be a whole number.
WHOLE: dict[str, Callable[[g.Workbench, Any], Any]] = {
    "delete": lambda wb, n: wb.delete(["1", "2"], confirm=n),
    "delete_unchanged": lambda wb, n: wb.delete_unchanged([wb.get("1"), wb.get("2")], confirm=n),
    "undo_all": lambda wb, n: wb.undo_all(confirm=n),
    "undo_many, confirm": lambda wb, n: wb.undo_many([1, 2], confirm=n),
    "undo_many, entries": lambda wb, n: wb.undo_many([n]),
    "save": save_with_version,
    "patch": lambda wb, n: wb.patch(
        "1", [{"op": "replace", "path": "/context/data/n", "value": 7}], version=n
    ),
    "last_messages": lambda wb, n: wb.get("1").context.last_messages(n),
    "level": lambda wb, n: g.LoggingHook(level=n),
    "records": lambda wb, n: wb.recorder.records(n),
    "attempts": lambda wb, n: g.RetryingStorage(wb.storage, attempts=n),
    "versions": lambda wb, n: archived(wb, "versions", "1", limit=n),
    "version_at": lambda wb, n: archived(wb, "version_at", "1", n),
    "sessions": lambda wb, n: archived(wb, "sessions", "1", n, 3),
    "steps": lambda wb, n: archived(wb, "steps", limit=n),
    "prune, limit": lambda wb, n: archived(wb, "prune", limit=n),
    "prune, step": lambda wb, n: archived(wb, "prune", step=n),
    "max_steps": lambda wb, n: wb.run(make_graph(), "1", max_steps=n),
    "limit": lambda wb, n: wb.sessions(limit=n),
    "batch_size": lambda wb, n: list(wb.scan(batch_size=n)),
    "max_messages": lambda wb, n: g.ChatHistory(max_messages=n),
}
#: Calls with an argument that has to be any number.
NUMBERS: dict[str, Callable[[g.Workbench, Any], Any]] = {
    "slow_ms": lambda wb, n: g.LoggingHook(slow_ms=n),
    "first_delay": lambda wb, n: g.RetryingStorage(wb.storage, first_delay=n),
    "max_delay": lambda wb, n: g.RetryingStorage(wb.storage, max_delay=n),
    "rate": lambda wb, n: g.demo_worker(wb, rate=n, steps=1),
    "wait": lambda wb, n: g.demo_worker(wb, steps=1, duration="1 s").wait(n),
}


def make_graph() -> workflow.Graph:
    step = workflow.task("t")(lambda context: workflow.TaskResult())
    return workflow.GraphBuilder("default").add_task(step).build()


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_no_whole_number_is_refused_before_anything_is_changed(
    wb: g.Workbench, name: str
) -> None:
    before = wb.sessions(context=["n"])
    for value in NOT_WHOLE:
        if not (value is True and name.endswith(("confirm", "delete", "_unchanged", "_all"))):
            with pytest.raises(g.GraphflowError):
                WHOLE[name](wb, value)
    assert wb.sessions(context=["n"]).equals(before)


@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_no_number_is_refused(wb: g.Workbench, name: str) -> None:
    before = wb.sessions(context=["n"])
    for value in NOT_NUMBERS:
        with pytest.raises(g.GraphflowError):
            NUMBERS[name](wb, value)
    assert wb.sessions(context=["n"]).equals(before)


def test_a_number_of_numpy_is_one(wb: g.Workbench) -> None:
    assert wb.delete(["1", "2"], confirm=np.int64(2)) == ["1", "2"]  # type: ignore[arg-type]
    assert wb.undo_many(np.array([4, 5])).undone == 2
    assert g.LoggingHook(level=logging.INFO, slow_ms=np.float64(3)) is not None
    assert is_whole(np.int64(0))
    assert is_number(np.float32(0.5))


def test_nothing_is_confirmed_by_none_and_false(wb: g.Workbench) -> None:
    with pytest.raises(g.QueryError, match=r"not 2\.0: nothing was changed"):
        wb.delete(["1", "2"], confirm=2.0)  # type: ignore[arg-type]
    with pytest.raises(g.ChangeRefused, match="confirm=0"):
        wb.delete(["1"], confirm=0)
    assert wb.delete(["1", "2"], confirm=False) == ["1", "2"]
