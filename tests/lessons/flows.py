"""Flows that another process imports, as ``tests.lessons.flows:name``."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from graphflow_nb import Context
from graphflow_nb.lessons import send
from graphflow_nb.workflow import Graph, GraphBuilder, NextAction, TaskResult, task


def build_waiting(fifo: str) -> Graph:
    """Return a flow whose task says in a pipe that it runs, and never ends."""

    @task("wait")
    def wait(context: Context) -> TaskResult:
        Path(fifo).write_text("running")
        threading.Event().wait()
        return TaskResult()

    return GraphBuilder("waiting").add_task(wait).build()


def build_ending() -> Graph:
    """Return a flow whose task ends its process."""

    @task("end")
    def end(context: Context) -> TaskResult:
        os._exit(3)

    return GraphBuilder("ending").add_task(end).build()


def build_failing() -> Graph:
    """Return a flow whose task sends an e-mail and fails."""

    @task("fail")
    def fail(context: Context) -> TaskResult:
        send("e-mail")
        raise ValueError("no paper")

    return GraphBuilder("failing").add_task(fail).build()


def build_counting() -> Graph:
    """Return a flow of one task that runs once in each process, and waits for input."""

    @task("count")
    def count(context: Context) -> TaskResult:
        context["runs"] = context.get("runs", 0) + 1
        send(f"run {context['runs']}")
        return TaskResult(None, NextAction.WAIT_FOR_INPUT)

    return GraphBuilder("counting").add_task(count).build()


def build_nothing() -> str:
    return "not a graph"
