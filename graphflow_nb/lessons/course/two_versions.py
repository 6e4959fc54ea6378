"""Lesson 7, second half: a task in two versions, and rows that the first one wrote.

Version 1 wrote ``{"applicant": "Ana", "amount": "19.99"}``. Version 2 works with
``{"customer": "Ana", "amount_cents": 1999, "currency": "EUR"}``: a key has another name, a value
has another type, and one key is new.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from ...changes import Patch
from ...changes.applying import apply
from ...changes.comparing import diff
from ...client import Client
from ...errors import GraphflowError, SessionConflict
from ...model import Context, Session
from ...notebook import Workbench
from ...printable import describe_count, printable_lines
from ...workflow import Graph, GraphBuilder, NextAction, TaskResult, task
from ..exercise import Exercise
from ..prediction import Prediction

__all__ = [
    "EXPENSES",
    "GRAPH",
    "Migrate",
    "PatchPlan",
    "Read",
    "by_patch",
    "count_versions",
    "create_old_rows",
    "hopeful",
    "plan_patches",
    "predict_default",
    "predict_old_row",
    "read_both",
    "reader",
    "strict",
    "to_version_2",
    "tolerant",
]

GRAPH: Final = "expenses"
MAX_SHOWN: Final = 20  # sessions of a plan, and changes of a session

#: The rows of version 1: what each id has in ``data``.
EXPENSES: Final[Mapping[str, Mapping[str, Any]]] = {
    "expense-1": {"applicant": "Ana", "amount": "19.99"},
    "expense-2": {"applicant": "Ben", "amount": "120.50", "note": "taxi"},
    "expense-3": {"applicant": "Cem", "amount": "1.15"},
    "expense-4": {"applicant": "Dana", "amount": "5"},
}

predict_old_row = Prediction(
    'Version 2 of the task reads context["amount_cents"]. What happens when it meets a row of '
    "version 1?",
    [
        "the amount is 0",
        "the task fails, and the row stays as it was",
        "the task fails, and the row is lost",
    ],
    name="versions.predict_old_row",
)

predict_default = Prediction(
    'A colleague writes context.get("amount_cents", 0), so that the task does not fail. What '
    "happens to the expense of 19.99?",
    ["it is paid: 19.99", "the task fails", "it is closed as paid, with 0.00"],
    name="versions.predict_default",
)


def create_old_rows(wb: Client) -> list[str]:
    """Store the rows of version 1, in place of what has their ids, and return the ids.

    Args:
        wb: The store.
    """
    wb.delete(list(EXPENSES), undo=False)
    for id, data in EXPENSES.items():
        wb.create(id, "pay", graph_id=GRAPH, context=data, undo=False)
    return list(EXPENSES)


def count_versions(wb: Workbench) -> dict[str, int]:
    """Return how many rows have the keys of each version.

    Args:
        wb: The store.
    """
    return {
        "version 1": len(wb.sessions(graph=GRAPH, has=["amount"])),
        "version 2": len(wb.sessions(graph=GRAPH, has=["amount_cents"])),
    }


# Three ways to write version 2


def _pay(customer: str, cents: int, currency: str) -> TaskResult:
    answer = f"{cents / 100:.2f} {currency} paid to {customer}"
    return TaskResult(answer, NextAction.END, f"paid {cents} cents")


@task("pay")
def _strict(context: Context) -> TaskResult:
    cents = context["amount_cents"]
    return _pay(context["customer"], cents, context["currency"])


@task("pay")
def _hopeful(context: Context) -> TaskResult:
    customer = context.get("customer", "the customer")
    return _pay(customer, context.get("amount_cents", 0), context.get("currency", "EUR"))


@task("pay")
def _tolerant(context: Context) -> TaskResult:
    expense = read_both(dict(context))
    to_version_2(context)
    return _pay(**expense)


def read_both(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return an expense of either version.

    Args:
        data: The ``data`` of a row.

    Returns:
        ``customer`` (text), ``cents`` (int), ``currency`` (text).

    Raises:
        KeyError: It is of neither version. A default would hide that.
    """
    new = "amount_cents" in data
    cents = data["amount_cents"] if new else int(Decimal(data["amount"]) * 100)
    customer = data["customer"] if "customer" in data else data["applicant"]
    return {"customer": customer, "cents": cents, "currency": data.get("currency", "EUR")}


def to_version_2(context: Context) -> None:
    """Bring a context to version 2 in place; one that has it already is not changed.

    Args:
        context: The context of a row.

    Raises:
        KeyError: It is of neither version.
    """
    expense = read_both(dict(context))
    for key, value in zip(("customer", "amount_cents", "currency"), expense.values(), strict=True):
        if key not in context:
            context[key] = value
    for key in ("applicant", "amount"):
        context.pop(key, None)


def _graph(pay: Any) -> Graph:
    return GraphBuilder(GRAPH).add_task(pay).build()


#: Version 2, which takes rows of version 2 alone.
strict: Final = _graph(_strict)
#: Version 2 with a default in place of what is missing.
hopeful: Final = _graph(_hopeful)
#: Version 2, which reads both and writes version 2: a row is migrated when it is run.
tolerant: Final = _graph(_tolerant)


# All rows at once

Migrate = Callable[[Session], Patch | Sequence[Mapping[str, Any]]]
Read = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def by_patch(session: Session) -> Patch:
    """Return the changes that bring a row to version 2; none for a row that has it.

    Args:
        session: The row, which is not changed.

    Raises:
        KeyError: It is of neither version.
    """
    wanted = copy(session)
    to_version_2(wanted.context)
    return diff(session, wanted)


@dataclass(frozen=True)
class PatchPlan:
    """Changes of many sessions, which are shown first and made by ``apply``.

    Attributes:
        wb: The store.
        before: The sessions as they were read, by id.
        patches: The changes by id; sessions without changes are left out.
        failed: The reason by id, where the changes could not be made.
    """

    wb: Client
    before: Mapping[str, Session]
    patches: Mapping[str, Patch]
    failed: Mapping[str, str]

    def apply(self) -> dict[str, str]:
        """Make the changes of each session that is still as it was read.

        Returns:
            By id: ``changed``, or the reason why it was not.
        """
        report = {}
        for id, patch in self.patches.items():
            try:
                self.wb.patch(id, patch, version=self.before[id])
                report[id] = "changed"
            except SessionConflict:
                report[id] = "not changed: someone saved it since the preview"
            except GraphflowError as error:
                report[id] = f"not changed: {error}"
        return report

    def __repr__(self) -> str:
        lines = [f"{len(self.patches)} of {len(self.before)} sessions would change"]
        for id, patch in islice(self.patches.items(), MAX_SHOWN):
            lines += [f"  {id}", *(f"    {change}" for change in patch[:MAX_SHOWN])]
            if len(patch) > MAX_SHOWN:
                lines.append(
                    f"    {describe_count(len(patch) - MAX_SHOWN, 'more change')}, not shown"
                )
        lines += [f"  {id}: {reason}" for id, reason in islice(self.failed.items(), MAX_SHOWN)]
        hidden = sum(max(0, len(part) - MAX_SHOWN) for part in (self.patches, self.failed))
        if hidden:
            lines.append(f"  {describe_count(hidden, 'more session')}, not shown")
        return printable_lines("\n".join(lines))


def plan_patches(wb: Client, ids: Sequence[str], changes_of: Migrate) -> PatchPlan:
    """Return what a migration would change in each session, and change nothing.

    Args:
        wb: The store.
        ids: The ids of the sessions.
        changes_of: The function that returns the changes of one session.

    Raises:
        SessionNotFound: An id does not exist.
    """
    before = {id: wb.get(id) for id in ids}
    patches, failed = {}, {}
    for id, session in before.items():
        try:
            patch = Patch(changes_of(copy(session)))
            patch = diff(session, apply(session, patch))
        except Exception as error:
            failed[id] = f"{type(error).__name__}: {error}"
            continue
        if patch:
            patches[id] = patch
    return PatchPlan(wb, before, patches, failed)


# Exercises 2 and 3

_CASES: Final[Sequence[tuple[dict[str, Any], tuple[str, int, str]]]] = (
    ({"applicant": "Ana", "amount": "5"}, ("Ana", 500, "EUR")),
    ({"applicant": "Ana", "amount": "19.99"}, ("Ana", 1999, "EUR")),
    ({"applicant": "Cem", "amount": "1.15"}, ("Cem", 115, "EUR")),
    ({"customer": "Eva", "amount_cents": 700, "currency": "CHF"}, ("Eva", 700, "CHF")),
    ({"customer": "Eva", "amount_cents": 0, "currency": "EUR"}, ("Eva", 0, "EUR")),
)


def reader(wb: Client) -> Exercise:
    """Return the exercise to write a reader of both versions.

    Args:
        wb: The store on which it is checked.
    """

    def check(read: Read) -> str | None:
        for data, (customer, cents, currency) in _CASES:
            wanted = {"customer": customer, "cents": cents, "currency": currency}
            wb.delete("expense-read", undo=False)
            wb.create("expense-read", "pay", context=data, undo=False)
            try:
                found = read(dict(wb.get("expense-read").context))
            except Exception as error:
                return f"The row {data} fails: {type(error).__name__}: {error}"
            if found != wanted or type(found["cents"]) is not int:
                return f"The row {data} is read as {found!r}, but it is {wanted}"
        for data in ({"applicant": "Ana"}, {"customer": "Eva", "currency": "EUR"}):
            try:
                found = read(data)
            except Exception:
                continue
            return (
                f"The row {data} has no amount, and is read as {found!r}. Raise an error there: "
                "what is guessed is paid"
            )
        return None

    return Exercise(
        "Write read(data), which returns {'customer': text, 'cents': int, 'currency': text} of a "
        "row of either version. Version 1 always meant EUR. A row without an amount raises.",
        check,
        "Ask which key is there: 'amount_cents' in data. float('19.99') * 100 is 1998.99…; "
        "Decimal has the digits.",
        read_both,
        name="exercise_2",
    )


def migration(wb: Client) -> Exercise:
    """Return the exercise to write the changes that bring a row to version 2.

    Args:
        wb: The store on which it is checked.
    """

    def check(answer: Migrate) -> str | None:
        ids = create_old_rows(wb)
        before = {id: wb.get(id) for id in ids}
        plan = plan_patches(wb, ids, answer)
        if plan.failed:
            id, reason = next(iter(plan.failed.items()))
            return f"The changes of {id} can't be made: {reason}"
        refused = [text for text in plan.apply().values() if text != "changed"]
        if refused:
            return f"A row was {refused[0]}"
        for id in ids:
            wanted, found = copy(before[id]), wb.get(id)
            to_version_2(wanted.context)
            if left := diff(found, wanted):
                return f"The row {id} is not as it should be. To correct it: {left[0]}"
        again = plan_patches(wb, ids, answer)
        if again.failed:
            id, reason = next(iter(again.failed.items()))
            return f"A second migration of {id} fails: {reason}. A row of version 2 has no changes"
        if again.patches:
            return f"A second migration changes {next(iter(again.patches))} again"
        return None

    return Exercise(
        "Write migrate(session), which returns the changes (a list of JSON Patch steps) that bring "
        "a row to version 2, and an empty list for a row that has it. Keys that it does not know "
        "stay. The check makes the changes on this store, and then once more.",
        check,
        'A step is {"op": "add", "path": "/context/data/currency", "value": "EUR"}; "remove" has '
        'no value; "move" has "from" in place of a value and renames a key.',
        migrate,
        name="exercise_3",
    )


def migrate(session: Session) -> list[dict[str, Any]]:
    data = session.context
    if "amount_cents" in data:
        return []
    cents = int(Decimal(data["amount"]) * 100)
    return [
        {"op": "move", "from": "/context/data/applicant", "path": "/context/data/customer"},
        {"op": "remove", "path": "/context/data/amount"},
        {"op": "add", "path": "/context/data/amount_cents", "value": cents},
        {"op": "add", "path": "/context/data/currency", "value": "EUR"},
    ]
