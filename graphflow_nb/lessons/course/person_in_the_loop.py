"""Lesson 6: a workflow that waits for a person, and two persons who answer at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from ...client import Client
from ...errors import GraphflowError, SessionConflict
from ...model import Context, Session
from ...notebook import Workbench, wrap
from ...storage.wrappers import READS, Wrapper
from ...workflow import GraphBuilder, NextAction, TaskResult, task
from ..exercise import Exercise
from ..form import Field, Form
from ..prediction import Prediction

__all__ = [
    "GRAPH",
    "answer_without_looking",
    "approvals",
    "check_answer",
    "claiming",
    "fill_inbox",
    "inbox",
    "open_form",
    "predict_meanwhile",
    "predict_run_again",
    "predict_two_reviewers",
    "predict_without_versions",
    "start",
]

predict_meanwhile = Prediction(
    "The workflow needs a person, who answers in two days. What must keep running until then?",
    ["the Python process that started it", "a timer in the store", "no process and no timer"],
    name="lesson.predict_meanwhile",
)

predict_run_again = Prediction(
    "Nobody has answered yet, and someone runs the session again. What is in the row then?",
    ["the same, at the same version", "the same, at a higher version", "the next task"],
    name="lesson.predict_run_again",
)

predict_two_reviewers = Prediction(
    "Ana and Ben open the form at the same version. Ana approves. A minute later Ben rejects. "
    "Whose answer is in the row?",
    ["Ana's, and Ben is told", "Ben's: the last one wins", "both, in a list"],
    name="lesson.predict_two_reviewers",
)

predict_without_versions = Prediction(
    "The same on a store that does not compare versions. What does Ana see of it?",
    ["an error, when Ben answers", "two answers in the row", "nothing: her answer is gone"],
    name="lesson.predict_without_versions",
)


# The workflow


@task("file")
def file(context: Context) -> TaskResult:
    return TaskResult(f"filed: {context['amount']} EUR", NextAction.CONTINUE)


@task("approve")
def approve(context: Context) -> TaskResult:
    if "decision" not in context:
        return TaskResult(
            "Please approve or reject.", NextAction.WAIT_FOR_INPUT, "waiting for a reviewer"
        )
    return TaskResult("answered", NextAction.CONTINUE_AND_EXECUTE)


@task("pay")
def pay(context: Context) -> TaskResult:
    decision = context["decision"]
    text = f"paid {decision['amount']} EUR, approved by {decision['by']}"
    return TaskResult(text, NextAction.END, text)


@task("refuse")
def refuse(context: Context) -> TaskResult:
    text = f"refused by {context['decision']['by']}"
    return TaskResult(text, NextAction.END, text)


def is_approved(context: Context) -> bool:
    return bool(context["decision"]["verdict"] == "approve")


#: An expense is filed, waits for a reviewer, and is paid or refused.
approvals: Final = (
    GraphBuilder("approvals")
    .add_task(file)
    .add_task(approve)
    .add_task(pay)
    .add_task(refuse)
    .add_edge("file", "approve")
    .add_conditional_edge("approve", is_approved, "pay", "refuse")
    .build()
)

GRAPH: Final = approvals.id


def start(wb: Client, id: str, *, amount: int = 120, filed_by: str = "Cem") -> Session:
    """Store a new expense, in place of one with the same id, and return the session.

    Args:
        wb: The store.
        id: The id of the session.
        amount: The amount in EUR.
        filed_by: Who asks for the money.
    """
    wb.delete(id, undo=False)
    data = {"amount": amount, "filed_by": filed_by}
    return wb.create(id, file.id, graph_id=GRAPH, context=data, undo=False)


# The form


def _find_problem(answer: Mapping[str, Any], session: Session) -> str | None:
    if "decision" in session.context:
        return f"{session.context['decision']['by']} has decided already"
    return find_problem(answer, session)


def open_form(wb: Client, id: str, reviewer: str) -> Form:
    """Return the form of a reviewer, with the session as it is now.

    Args:
        wb: The store.
        id: The id of the session.
        reviewer: The name of the reviewer, which is in the answer as ``by``.

    Raises:
        SessionNotFound: No session has this id.
    """
    fields = [
        Field("verdict", "Verdict", ("approve", "reject")),
        Field("amount", "Amount in EUR", number=True),
    ]
    return Form(
        wb,
        id,
        fields,
        fixed={"by": reviewer},
        check=_find_problem,
        title=f"{reviewer} decides on {id}",
        name=reviewer.lower(),
    )


def answer_without_looking(wb: Client, session: Session, decision: Mapping[str, Any]) -> None:
    """Write an answer whatever is stored, as a store without versions does.

    graph-flow 0.5 saves so, and ``SET`` of Redis does.

    Args:
        wb: The store.
        session: The session as the reviewer read it.
        decision: The answer.

    Raises:
        StorageError: The store failed.
    """
    mine = session.with_context_json(session.context_json())
    mine.context["decision"] = dict(decision)
    wb.upsert(mine, undo=False)


# Exercise 1: check an answer

_ANSWERS: Final[Sequence[tuple[dict[str, Any], bool]]] = (
    ({"verdict": "approve", "amount": 120, "by": "Ana"}, True),
    ({"verdict": "approve", "amount": 1, "by": "Ana"}, True),
    ({"verdict": "reject", "amount": 0, "by": "Ben"}, True),
    ({"verdict": "approve", "amount": 121, "by": "Ana"}, False),
    ({"verdict": "approve", "amount": -5, "by": "Ana"}, False),
    ({"verdict": "approve", "amount": 0, "by": "Ana"}, False),
    ({"verdict": "reject", "amount": 120, "by": "Ana"}, False),
    ({"verdict": "maybe", "amount": 120, "by": "Ana"}, False),
    ({"amount": 120, "by": "Ana"}, False),
    ({"verdict": "approve", "by": "Ana"}, False),
    ({"verdict": "approve", "amount": "120", "by": "Ana"}, False),
    ({"verdict": "approve", "amount": 119.5, "by": "Ana"}, False),
    ({"verdict": "approve", "amount": True, "by": "Ana"}, False),
    ({"verdict": "approve", "amount": 120, "by": "Cem"}, False),
)


def check_answer(wb: Client) -> Exercise:
    """Return the exercise to write the check of an answer.

    Args:
        wb: The store on which it is checked.
    """

    def check(find: Callable[[Mapping[str, Any], Session], str | None]) -> str | None:
        def ask(answer: Mapping[str, Any], session: Session) -> str | None:
            problem = find(answer, session)
            if problem is not None and not (isinstance(problem, str) and problem):
                raise TypeError(f"it returned {problem!r}, which is neither a text nor None")
            return problem

        for answer, good in _ANSWERS:
            start(wb, "check-1")
            values = {name: value for name, value in answer.items() if name != "by"}
            fields = [Field(name, name) for name in values]
            form = Form(wb, "check-1", fields, fixed={"by": answer["by"]}, check=ask)
            try:
                form.submit(**values)
            except GraphflowError as error:
                if good:
                    return f"A right answer was refused: {answer}. {error}"
            except Exception as error:
                return f"find_problem fails for {answer}: {type(error).__name__}: {error}"
            else:
                if not good:
                    return f"This answer was written, but it is wrong: {answer}"
        return None

    return Exercise(
        "Write find_problem(answer, session), which returns None for a right answer, else a text "
        "that says what is wrong. Right is: the verdict is approve or reject; the amount is an "
        "int, from 1 to session.context['amount'] to approve, and 0 to reject; by is not "
        "session.context['filed_by']. Keys may be missing.",
        check,
        "answer.get('amount') does not fail where the key is missing. isinstance(True, int) is "
        "true, type(True) is int is not.",
        find_problem,
        name="exercise_1",
    )


def find_problem(answer: Mapping[str, Any], session: Session) -> str | None:
    verdict, amount = answer.get("verdict"), answer.get("amount")
    if verdict not in ("approve", "reject"):
        return f"the verdict must be approve or reject, not {verdict!r}"
    least, most = (1, session.context["amount"]) if verdict == "approve" else (0, 0)
    if type(amount) is not int or not least <= amount <= most:
        return f"to {verdict}, the amount must be from {least} to {most}, not {amount!r}"
    if answer.get("by") == session.context["filed_by"]:
        return "nobody decides on an expense of their own"
    return None


# Exercise 2: find what waits for me


def fill_inbox(wb: Workbench) -> list[str]:
    """Store seven expenses in different states, and return their ids.

    Args:
        wb: The store.
    """
    filed_by = ["Ana", "Ben", "Cem", "Cem", "Cem", "Cem", "Ben"]
    ids = [f"inbox-{number}" for number in range(1, 8)]
    for number, (id, name) in enumerate(zip(ids, filed_by, strict=True), 1):
        start(wb, id, amount=number * 10, filed_by=name)
        if number != 4:  # this one is still at its first task
            wb.run(approvals, id, until="input")
    decision = {"verdict": "approve", "amount": 30, "by": "Dana"}
    _set(wb, "inbox-3", "decision", decision)  # answered, and no worker has run it yet
    _set(wb, "inbox-5", "reviewer", "Dana")
    _set(wb, "inbox-6", "reviewer", "Ana")
    _set(wb, "inbox-7", "decision", {"verdict": "reject", "amount": 0, "by": "Dana"})
    wb.run(approvals, "inbox-7", until="input")
    return ids


def _set(wb: Client, id: str, key: str, value: Any) -> None:
    path = f"/context/data/{key}"
    wb.patch(id, [{"op": "add", "path": path, "value": value}], undo=False)


_INBOXES: Final[Mapping[str, Sequence[str]]] = {
    "Ana": ("inbox-2", "inbox-6"),
    "Dana": ("inbox-1", "inbox-2", "inbox-5"),
    "Ben": ("inbox-1",),
}


def inbox(wb: Workbench) -> Exercise:
    """Return the exercise to find the sessions that a reviewer may take.

    Args:
        wb: The store on which it is checked.
    """

    def check(find: Callable[[Workbench, str], Sequence[str]]) -> str | None:
        ids = fill_inbox(wb)
        for reviewer, wanted in _INBOXES.items():
            try:
                answer = find(wb, reviewer)
            except Exception as error:
                return f"find_mine fails for {reviewer}: {type(error).__name__}: {error}"
            if not isinstance(answer, Sequence | pd.Series) or isinstance(answer, str):
                return f"find_mine must return a list of ids, not a {type(answer).__name__}"
            found = [id for id in answer if id in ids]  # others of the lesson may wait, too
            for id in found:
                if id not in wanted:
                    return f"{reviewer} may not take {id}: {_describe(wb.get(id))}"
            for id in wanted:
                if id not in found:
                    return f"{id} waits for {reviewer} and is missing: {_describe(wb.get(id))}"
            if found != list(wanted):
                return f"The ids are right, but the oldest comes first: {', '.join(wanted)}"
        return None

    return Exercise(
        "Write find_mine(wb, reviewer), which returns the ids of the sessions that a reviewer may "
        "take, the oldest first: they wait at the task approve, nobody has answered yet "
        "(decision), the reviewer did not file them (filed_by), and no other reviewer has "
        "claimed them (reviewer).",
        check,
        "wb.sessions(graph=…, task=…, status=…, order='created_at')['id'] finds what waits; "
        "wb.get(id).context has the rest. A session that was answered still has the status of "
        "before, until a worker runs it.",
        find_mine,
        name="exercise_2",
    )


def find_mine(wb: Workbench, reviewer: str) -> list[str]:
    waiting = wb.sessions(graph="approvals", task="approve", status="waiting", order="created_at")
    mine = []
    for id in waiting["id"]:
        data = wb.get(id).context
        free = data.get("reviewer") in (None, reviewer)
        if free and "decision" not in data and data["filed_by"] != reviewer:
            mine.append(id)
    return mine


def _describe(session: Session) -> str:
    data = json.dumps(dict(session.context), ensure_ascii=False)
    return f"it is at {session.current_task_id}, {session.status_message!r}, {data}"


# Exercise 3: claim a session


class _Overtaken(Wrapper):
    """A storage on which someone else claims the session right after the first read."""

    def __init__(self, storage: Any, id: str, reviewer: str):
        super().__init__(storage)
        self._id, self._reviewer = id, reviewer
        self.overtook = False

    async def _call(self, method: str, /, *arguments: Any, **named: Any) -> Any:
        result = await super()._call(method, *arguments, **named)
        if method in READS and not self.overtook:
            self.overtook = True
            session = await self.inner.get(self._id)
            session.context["reviewer"] = self._reviewer
            await self.inner.save(session)
        return result


def claiming(wb: Workbench) -> Exercise:
    """Return the exercise to claim a session for one reviewer.

    Args:
        wb: The store on which it is checked.
    """

    def check(answer: Callable[[Workbench, str, str], bool]) -> str | None:
        id = "claim-1"
        start(wb, id)
        wb.run(approvals, id, until="input")
        overtaken = _Overtaken(wb.storage.inner, id, "Ben")
        steps: list[tuple[str, Workbench, str, bool, str]] = [
            ("The session is free, and Ana claims it", wb, "Ana", True, "Ana"),
            ("Ana has it, and Ben claims it", wb, "Ben", False, "Ana"),
            ("Ana has it, and claims it once more", wb, "Ana", True, "Ana"),
        ]
        for told, store, reviewer, wanted, owner in steps:
            if reason := _try_claim(answer, store, id, reviewer, wanted, owner):
                return f"{told}: {reason}"
        start(wb, id)
        wb.run(approvals, id, until="input")
        told = "The session is free, and Ben claims it after Ana read and before she writes"
        if reason := _try_claim(answer, wrap(overtaken), id, "Ana", False, "Ben"):
            return f"{told}: {reason}"
        return None if overtaken.overtook else "claim must read the session from the store"

    return Exercise(
        "Write claim(wb, id, reviewer), which writes the reviewer's name into the context as "
        "reviewer and returns True, or returns False where another reviewer has the session. Two "
        "who claim at the same moment must not both get True.",
        check,
        "wb.get, look, change, wb.save: the save compares the version and raises "
        "SessionConflict where someone was quicker.",
        claim,
        name="exercise_3",
    )


def claim(wb: Workbench, id: str, reviewer: str) -> bool:
    session = wb.get(id)
    if session.context.get("reviewer") not in (None, reviewer):
        return False
    session.context["reviewer"] = reviewer
    try:
        wb.save(session)
    except SessionConflict:
        return False
    return True


def _try_claim(
    answer: Callable[[Workbench, str, str], bool],
    wb: Workbench,
    id: str,
    reviewer: str,
    wanted: bool,
    owner: str,
) -> str | None:
    try:
        found = answer(wb, id, reviewer)
    except Exception as error:
        return f"claim raises {type(error).__name__}: {error}"
    stored = wb.get(id).context.get("reviewer")
    if stored != owner:
        return f"the row has the reviewer {stored!r}, but {owner} has the session"
    if found is not wanted:
        return f"claim returns {found!r} to {reviewer}, but {owner} has the session"
    return None
