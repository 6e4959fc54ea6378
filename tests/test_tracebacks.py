"""What a call raises has no frame in whose variables secrets are; those of a user's code stay."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from IPython.core.ultratb import VerboseTB

import graphflow_nb as g
from graphflow_nb import workflow
from graphflow_nb.tracebacks import hide_frames

SECRET = "Zq7" + "-0042"  # in no line of the code that raises


def error_of(call: Callable[..., Any], *args: Any, **kwargs: Any) -> BaseException:
    """Return what a call raises, without the frame of this function, which has the arguments."""
    try:
        call(*args, **kwargs)
    except Exception as error:
        frames = error.__traceback__
        return error.with_traceback(frames and frames.tb_next)
    raise AssertionError("it raised nothing")


def shown_with_variables(error: BaseException) -> str:
    """Return an error as IPython's verbose mode and the standard library show it."""
    plain = traceback.TracebackException.from_exception(error, capture_locals=True)
    verbose = VerboseTB().structured_traceback(type(error), error, error.__traceback__)
    return "".join(plain.format()) + "\n".join(verbose)


def frames_of(error: BaseException) -> list[str]:
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


def failing_calls(wb: g.Workbench) -> list[BaseException]:
    session = wb.create(
        "a", "t", context={"password": SECRET, "n": 1, "list": [{"apiKey": SECRET}]}
    )
    stale = wb.get("a")
    session.context["password"] += "2"
    wb.save(session)
    again = wb.get("a").context.get("password")

    async def save() -> None:
        await wb.save.aio(stale)

    return [
        error_of(wb.save, stale),
        error_of(wb.bridge.run, save()),
        error_of(wb.create, "a", "t", context={"password": again}),
        error_of(wb.create, "b", "t", context={"password": again, "n": {1, 2}}),
        error_of(wb.patch, "a", [{"op": "test", "path": "/context/data/n", "value": 7}]),
        error_of(wb.patch, "a", [{"op": "replace", "path": "/context/data/x/y", "value": 7}]),
        error_of(wb.sessions, compare=[("password", "~", again)]),
        error_of(wb.get, "c"),
    ]


@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgresql"])
def test_a_verbose_traceback_shows_no_stored_secret(
    kind: str, tmp_path: Any, request: pytest.FixtureRequest
) -> None:
    url = {"memory": "memory:", "sqlite": f"sqlite:{tmp_path / 'a.db'}"}.get(kind)
    with g.open(url or request.getfixturevalue("database"), writable=True) as wb:
        errors = failing_calls(wb)
        wb.delete("a")
    for error in errors:
        assert isinstance(error, g.GraphflowError)
        shown = shown_with_variables(error)
        assert type(error).__name__ in shown
        assert SECRET not in shown, shown[max(0, shown.find(SECRET) - 500) :][:1000]


def test_frames_of_a_task_stay_in_the_traceback() -> None:
    def pay(context: g.Context) -> workflow.TaskResult:
        raise RuntimeError("no money")

    graph = workflow.GraphBuilder("default").add_task(workflow.task("t")(pay)).build()
    with g.open("memory:") as wb:
        wb.create("a", "t", context={"password": SECRET})
        error = error_of(wb.run, graph, "a")
        assert isinstance(error, g.TaskExecutionFailed)
        assert error.__cause__ is not None
        assert frames_of(error.__cause__) == ["pay"]

        def redact(session: g.Session) -> g.Session:
            raise ValueError

        assert "redact" in frames_of(error_of(wb.copy_to, "memory:", redact=redact))


def test_a_fault_of_ours_keeps_its_frames_and_so_does_all_without_a_mask() -> None:
    fault = error_of(g.Query.from_filters, 3)
    before = frames_of(fault)
    assert before
    hide_frames(fault, None)
    assert frames_of(fault) == before
    with g.open("memory:", mask=False) as wb:
        assert len(frames_of(error_of(wb.get, "a"))) >= 3
    with g.open("memory:") as wb:
        assert frames_of(error_of(wb.get, "a")) == []


def test_the_debug_log_has_the_frames_that_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    with g.open("memory:") as wb, caplog.at_level(logging.DEBUG, "graphflow_nb"):
        error_of(wb.get, "a")
    assert "client.py" in caplog.text
