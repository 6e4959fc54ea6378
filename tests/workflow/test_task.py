"""Tasks, made of classes and of functions."""

from __future__ import annotations

import asyncio

import pytest

from graphflow_nb import Context
from graphflow_nb.errors import GraphError
from graphflow_nb.workflow import NextAction, Task, TaskResult, task


class Unnamed(Task):
    async def run(self, context: Context) -> TaskResult:
        return TaskResult()


class Named(Unnamed):
    id = "named"


class Numbered(Unnamed):
    def __init__(self, number: int):
        self.id = f"number {number}"


def test_the_id_of_a_class_without_one_is_its_full_name():
    assert Unnamed().id == f"{__name__}.Unnamed"
    assert [Named().id, Numbered(7).id] == ["named", "number 7"]
    assert repr(Named()) == "<Named 'named'>"


def test_plain_and_async_functions():
    @task("plain")
    def plain(context: Context) -> TaskResult:
        """Add one."""
        return TaskResult(str(context["n"] + 1))

    @task("async")
    async def waiting(context: Context) -> TaskResult:
        await asyncio.sleep(0)
        return TaskResult(str(context["n"] + 2))

    async def run() -> list[str | None]:
        context = Context({"n": 1})
        return [(await one.run(context)).response for one in (plain, waiting)]

    assert asyncio.run(run()) == ["2", "3"]
    assert (plain.id, plain.__doc__) == ("plain", "Add one.")


def test_the_decorator_without_an_id_says_so():
    with pytest.raises(GraphError, match="a task needs an id"):
        task(lambda context: TaskResult())  # type: ignore[arg-type]


def test_actions_in_rusts_form():
    assert [str(a) for a in (NextAction.CONTINUE_AND_EXECUTE, NextAction.WAIT_FOR_INPUT)] == [
        "ContinueAndExecute",
        "WaitForInput",
    ]
    odd = "a\"\\\n\t\0\x1b\u202eé🙂'"
    assert str(NextAction.go_to(odd)) == 'GoTo("a\\"\\\\\\n\\t\\0\\u{1b}\\u{202e}é🙂\'")'
    assert NextAction.go_to("a") == NextAction.go_to("a") != NextAction.go_to("b")
