"""Graphs told as JSON: the same description is run by us and by graph-flow (``flows.rs``)."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import strategies as st

from graphflow_nb import Context, ContextError, Session, SessionStorage
from graphflow_nb.errors import GraphError, GraphflowError, TaskExecutionFailed
from graphflow_nb.workflow import (
    FanOutTask,
    FlowRunner,
    Graph,
    GraphBuilder,
    NextAction,
    Task,
    TaskResult,
)

Told = dict[str, Any]


class ToldTask(Task):
    """A task whose behaviour is data."""

    def __init__(self, does: Told):
        self.id = does["id"]
        self.does = does

    def choose(self, context: Context) -> Told:
        """Return what it does now: the first of its cases whose keys have these values."""
        for case in self.does.get("cases", ()):
            if all(context.get(key) == value for key, value in case.get("if", {}).items()):
                return case
        return self.does

    async def run(self, context: Context) -> TaskResult:
        does = self.choose(context)

        def fill(text: Any) -> Any:
            """Put what the context has into ``{key}``, of each key that is named in "fill"."""
            for key in does.get("fill", ()) if isinstance(text, str) else ():
                text = text.replace("{%s}" % key, context.get(key, ""))
            return text

        if (ms := does.get("sleep_ms")) is not None:
            await asyncio.sleep(ms / 1000)
        for key, value in does.get("set", {}).items():
            context.set(key, fill(value))
        if (key := does.get("count")) is not None:
            stored = context.get(key)
            context.set(key, (stored if type(stored) is int and stored >= 0 else 0) + 1)
        if (words := does.get("hear")) is not None:
            context.add_user_message(fill(words))
        if (words := does.get("say")) is not None:
            context.add_assistant_message(fill(words))
        if (why := does.get("fail")) is not None:
            kinds = {"other": RuntimeError, "context": ContextError}
            raise kinds.get(does.get("kind"), TaskExecutionFailed)(why)
        return TaskResult(fill(does.get("response")), action(does), fill(does.get("status")))


def action(does: Told) -> NextAction:
    told = does["action"]
    return NextAction(told) if isinstance(told, str) else NextAction.go_to(told["GoTo"])


def build_task(does: Told) -> Task:
    if "children" not in does:
        return ToldTask(does)
    prefix = {} if does.get("prefix") is None else {"prefix": does["prefix"]}
    children = map(build_task, does["children"])
    return FanOutTask(does["id"], children, next_action=action(does), **prefix)


def build(told: Told) -> Graph:
    builder = GraphBuilder(told["id"])
    for does in told["tasks"]:
        builder.add_task(build_task(does))
    for edge in told["edges"]:
        if "key" in edge:
            builder.add_conditional_edge(
                edge["from"],
                lambda context, key=edge["key"]: context.get(key) is True,
                edge["yes"],
                edge["no"],
            )
        else:
            builder.add_edge(edge["from"], edge["to"])
    if told.get("start") is not None:
        builder.set_start_task(told["start"])
    if told.get("timeout_ms") is not None:
        builder.with_task_timeout(told["timeout_ms"] / 1000)
    if told.get("max_steps") is not None:
        builder.with_max_execution_steps(told["max_steps"])
    return builder.build()


async def follow(storage: SessionStorage, told: Told, id: str, steps: int) -> list[Told]:
    """Run steps, and tell of each what came of it and what is stored then, as ``flows.rs`` does."""
    try:
        graph = build(told)
    except GraphError as error:
        return [{"build": {str(problem) for problem in error.problems or [error]}}]
    done: list[Told] = [{"start": graph.start_task_id}]
    for _ in range(steps):
        try:
            result = await FlowRunner(graph, storage).run(id)
        except GraphflowError as error:
            step: Told = {"error": str(error)}
        else:
            status = result.status
            step = {
                "response": result.response,
                "status": status.kind,
                "next": status.next_task_id,
                "reason": status.reason,
            }
        stored = await storage.get(id)
        assert stored is not None
        done.append(step | {"session": content(stored)})
    return done


def content(session: Session) -> Told:
    return {
        "graph_id": session.graph_id,
        "current_task_id": session.current_task_id,
        "status_message": session.status_message,
        "version": session.version,
        "data": dict(session.context),
        "messages": [(m.role, m.content) for m in session.context.chat_history],
    }


# Graphs by chance

IDS = ["a", "b", "c", 'd "é"\n', "fan"]
KEYS = ["k1", "k2", "dotted.key"]
texts = st.none() | st.sampled_from(["done", "", "Straße 🙂", 'say "x"\\'])
ids = st.sampled_from([*IDS[:4], "fan", "missing"])
goto = st.builds(lambda id: {"GoTo": id}, ids)
actions = st.sampled_from(["Continue", "ContinueAndExecute", "WaitForInput", "End"]) | goto
values = st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text("aé\n", max_size=3) | st.none()
#: A graph either has a timeout that only such a task can meet, or one that none meets: what never
#: suspends is not cut off, and on a busy machine everything else may be.
FOREVER = 60_000  # ms


def _task(id: str, keys: list[str], slow: bool, failing: bool) -> st.SearchStrategy[Told]:
    optional: dict[str, st.SearchStrategy[Any]] = {
        "count": st.just(f"{keys[-1]}.count"),
        "say": st.sampled_from(["hello", "Grüße"]),
        "sleep_ms": st.just(FOREVER) if slow else st.sampled_from([0, 1]),
    }
    if failing:
        optional["fail"] = st.just("no account")
        optional["kind"] = st.sampled_from(["task", "other", "context"])
    return st.fixed_dictionaries(
        {
            "id": st.just(id),
            "action": actions,
            "response": texts,
            "status": texts,
            "set": st.dictionaries(st.sampled_from(keys), values, max_size=2),
        },
        optional=optional,
    )


@st.composite
def graphs(draw: st.DrawFn) -> Told:
    """A graph of up to five tasks; now and then one that can't be built."""
    chosen = draw(st.lists(st.sampled_from(IDS), min_size=0, max_size=5))
    slow = draw(st.integers(0, 4)) == 4
    tasks = []
    for id in chosen:
        if id != "fan":
            # Most tasks succeed, so that most graphs get somewhere.
            tasks.append(draw(_task(id, KEYS, slow, failing=draw(st.integers(0, 5)) == 5)))
            continue
        names = draw(st.lists(st.sampled_from(["x", "y", "z"]), unique=True, max_size=3))
        # One failure at most: of several, which is the first depends on the threads.
        bad = draw(st.sampled_from([None, None, "x", "y"]))
        # Each with keys of its own, since they run side by side.
        children = [draw(_task(name, [f"own.{name}"], slow, name == bad)) for name in names]
        for child in children:
            child.pop("say", None)
        for child in children[:1]:
            if slow:
                child["sleep_ms"] = FOREVER
        fan = {"id": id, "action": draw(actions), "children": children}
        tasks.append(fan | {"prefix": draw(st.sampled_from([None, "p", ""]))})
    # Most edges are between tasks that exist.
    ends = st.sampled_from(chosen) if chosen and draw(st.integers(0, 9)) else ids
    plain = st.fixed_dictionaries({"from": ends, "to": ends})
    conditional = st.fixed_dictionaries(
        {"from": ends, "key": st.sampled_from(KEYS), "yes": ends, "no": ends}
    )
    return {
        "id": "g'1",
        "tasks": tasks,
        "edges": draw(st.lists(plain | conditional, max_size=8)),
        "start": draw(st.none() | st.none() | ends),
        "timeout_ms": 60 if slow else FOREVER,
        # Some limit, since a cycle of chained tasks has no other end.
        "max_steps": draw(st.integers(0, 6)),
    }
