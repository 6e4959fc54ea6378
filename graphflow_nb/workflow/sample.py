"""The two workflows of the sample sessions, as the Rust program that wrote them has them."""

from __future__ import annotations

import random
from typing import Any, Final

from ..errors import TaskExecutionFailed
from ..model import Context
from .builder import GraphBuilder
from .fanout import FanOutTask
from .graph import Graph
from .task import NextAction, TaskResult, task

__all__ = ["answer_for", "sample_context", "sample_graphs"]

_LARGE: Final = 700.0  # amounts for which documents are wanted
_IN_PART: Final = 2_000.0
_IBAN: Final = "PT50 0002 0123 1234 5678 9015 4"
_TIERS: Final = ("gold", "silver", "basic")
_NAMES: Final = ("Ana Souza", "Jürgen Weiß", "Mei 林", "Omar Haddad", "Priya Nair", "Grace Kim")
_CITIES: Final = ("Porto", "Köln", "台北", "Cork", "Kraków")
_THINGS: Final = ("roof tiles", "windscreen", "bicycle", "laptop", "kitchen floor", "door")
_QUESTIONS: Final = (
    "My invoice shows a fee that I do not know.",
    "The app logs me out every morning.",
    "Can I move my delivery to Friday?",
    "I was charged twice for one order.",
)
_REPLIES: Final = (
    "Yes, that is the one.",
    "I tried that, and it is still the same.",
    "On Monday, I think.",
    "Here is the number: 20417.",
)
_ANSWERS: Final = (
    "Thank you. Could you tell me since when?",
    "Please sign out on all devices and try again.",
    "I see it here; one moment, please.",
    "That should be mended now. Could you check?",
)


def sample_graphs() -> dict[str, Graph]:
    """Return the graphs of the sample sessions by their ids.

    Example:
        >>> from graphflow_nb.workflow.sample import sample_graphs
        >>> {id: graph.start_task_id for id, graph in sample_graphs().items()}
        {'claims': 'intake', 'support': 'greet'}
    """
    checks = FanOutTask(
        "checks",
        [_fraud_check, _coverage_check, _estimate],
        next_action=NextAction.CONTINUE_AND_EXECUTE,
    )
    claims = (
        GraphBuilder("claims")
        .add_task(_intake)
        .add_task(checks)
        .add_task(_await_documents)
        .add_task(_decide)
        .add_task(_payout)
        .add_edge("intake", "checks")
        .add_conditional_edge("checks", _is_large, "await_documents", "decide")
        .add_edge("await_documents", "decide")
        .add_edge("decide", "payout")
    )
    support = (
        GraphBuilder("support")
        .add_task(_greet)
        .add_task(_triage)
        .add_task(_await_customer)
        .add_task(_answer)
        .add_task(_close)
        .add_edge("greet", "triage")
        .add_edge("await_customer", "answer")
        .add_edge("answer", "closed")
    )
    return {"claims": claims.build(), "support": support.build()}


def sample_context(graph_id: str, chance: random.Random) -> dict[str, Any]:
    """Return the context of a new session of a sample graph.

    Args:
        graph_id: The graph, ``claims`` or ``support``.
        chance: The source of what differs between sessions.
    """
    customer = {"name": chance.choice(_NAMES), "tier": chance.choice(_TIERS)}
    if graph_id == "support":
        return {
            "customer": customer,
            "question": chance.choice(_QUESTIONS),
            "turns_wanted": chance.randint(1, 5),
            "turns": 0,
            "satisfied": None,
        }
    items: list[dict[str, Any]] = [
        {"what": chance.choice(_THINGS), "price": chance.randrange(90_000) / 100}
        for _ in range(chance.randint(1, 4))
    ]
    return {
        "customer": customer | {"city": chance.choice(_CITIES)},
        "items": items,
        "amount": round(sum(item["price"] for item in items), 2),
        "policy_number": 9_007_199_254_740_993 + chance.randrange(1_000_000_000),
        "iban": _IBAN if chance.randrange(6) else None,
        "fraud_service": "up" if chance.randrange(9) else "down",
    }


def answer_for(context: Context, task_id: str, chance: random.Random) -> dict[str, Any]:
    """Return what someone outside sets in a context so that its session can go on.

    Args:
        context: The context of the session.
        task_id: The task at which the session is.
        chance: The source of what is said.

    Returns:
        Keys with their values; empty if the session waits for nobody.
    """
    if task_id == "await_documents" and context.get("documents") is None:
        return {"documents": [{"name": "damage.jpg", "bytes": chance.randrange(100_000, 900_000)}]}
    if task_id == "await_customer" and context.get("customer_reply") is None:
        return {"customer_reply": chance.choice(_REPLIES)}
    if task_id == "payout" and context.get("iban") is None:
        return {"iban": _IBAN}
    if task_id == "intake" and context.get("fraud_service") == "down":
        return {"fraud_service": "up"}
    return {}


def _done(action: NextAction, status: str) -> TaskResult:
    return TaskResult(status, action, status)


def _is_large(context: Context) -> bool:
    return float(context.get("amount") or 0) > _LARGE


@task("intake")
def _intake(context: Context) -> TaskResult:
    name = (context.get("customer") or {}).get("name", "a customer")
    context.add_user_message(f'I am "{name}" and want to report damage.')
    context.add_system_message("claim opened")
    return _done(NextAction.CONTINUE_AND_EXECUTE, "claim taken in")


@task("fraud_check")
def _fraud_check(context: Context) -> TaskResult:
    if context.get("fraud_service") == "down":
        raise TaskExecutionFailed("fraud service is down")
    return _done(NextAction.END, "no sign of fraud")


@task("coverage_check")
def _coverage_check(context: Context) -> TaskResult:
    return _done(NextAction.END, "covered")


@task("estimate")
def _estimate(context: Context) -> TaskResult:
    amount = float(context.get("amount") or 0)
    context["estimate"] = {"low": amount * 0.8, "high": amount * 1.1}
    return _done(NextAction.END, "estimated")


@task("await_documents")
def _await_documents(context: Context) -> TaskResult:
    if context.get("documents") is None:
        context.add_assistant_message("Please send us photos of the damage.")
        return _done(NextAction.WAIT_FOR_INPUT, "waiting for documents")
    return _done(NextAction.CONTINUE_AND_EXECUTE, "documents received")


@task("decide")
def _decide(context: Context) -> TaskResult:
    amount = float(context.get("amount") or 0)
    context["approved"] = approved = amount < _IN_PART
    word = "approved" if approved else "approved in part"
    context.add_assistant_message(f"Your claim of {amount:.2f} is {word}.")
    return _done(NextAction.CONTINUE, f"decided: {word}")


@task("payout")
def _payout(context: Context) -> TaskResult:
    if context.get("iban") is None:
        raise TaskExecutionFailed("no account to pay to")
    context["paid"] = True
    return _done(NextAction.END, "paid")


@task("greet")
def _greet(context: Context) -> TaskResult:
    context.add_user_message(str(context.get("question") or "Hello?"))
    context.add_assistant_message("Hello, I will look into that.")
    return _done(NextAction.CONTINUE, "greeted")


@task("triage")
def _triage(context: Context) -> TaskResult:
    return _done(NextAction.go_to("await_customer"), "triaged")


@task("await_customer")
def _await_customer(context: Context) -> TaskResult:
    reply = context.get("customer_reply")
    if reply is None:
        return _done(NextAction.WAIT_FOR_INPUT, "waiting for the customer")
    context.add_user_message(str(reply))
    context["customer_reply"] = None
    return _done(NextAction.CONTINUE_AND_EXECUTE, "customer replied")


@task("answer")
def _answer(context: Context) -> TaskResult:
    turn = int(context.get("turns") or 0) + 1
    context["turns"] = turn
    context.add_assistant_message(_ANSWERS[turn % len(_ANSWERS)])
    if turn >= int(context.get("turns_wanted") or 0):
        return _done(NextAction.CONTINUE_AND_EXECUTE, "answered")
    return _done(NextAction.go_to("await_customer"), f"answered {turn} times")


@task("closed")
def _close(context: Context) -> TaskResult:
    context["satisfied"] = True
    context.add_system_message("ticket closed")
    return _done(NextAction.END, "closed")
