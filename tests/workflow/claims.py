"""The flows of the program on graph-flow (``peer.rs``), as tasks of ours."""

from __future__ import annotations

import json
from typing import Any

from graphflow_nb import Context
from graphflow_nb.errors import TaskExecutionFailed
from graphflow_nb.workflow import (
    FanOutTask,
    Graph,
    GraphBuilder,
    NextAction,
    TaskResult,
    task,
)

CHAINED = NextAction.CONTINUE_AND_EXECUTE
ANSWERS = (
    "Thank you. Could you tell me since when?",
    "Please sign out on all devices and try again.",
    "I see it here; one moment, please.",
    "I have asked the team that runs this.",
    "That should be mended now. Could you check?",
)


def done(action: NextAction, status: str) -> TaskResult:
    return TaskResult(status, action, status)


def amount_of(context: Context) -> float:
    return float(context.get("amount") or 0)


@task("intake")
def intake(context: Context) -> TaskResult:
    name = json.dumps(context["customer"]["name"], ensure_ascii=False)
    context.add_user_message(f"I am {name} and want to report damage.")
    context.add_system_message("claim opened")
    return done(CHAINED, "claim taken in")


@task("fraud_check")
def fraud_check(context: Context) -> TaskResult:
    if context.get("fraud_service") == "down":
        raise TaskExecutionFailed("fraud service is down")
    return done(NextAction.END, "no sign of fraud")


@task("coverage_check")
async def coverage_check(context: Context) -> TaskResult:
    return done(NextAction.END, "covered")


@task("estimate")
def estimate(context: Context) -> TaskResult:
    amount = amount_of(context)
    context["estimate"] = {"low": amount * 0.8, "high": amount * 1.1}
    return done(NextAction.END, "estimated")


@task("await_documents")
def await_documents(context: Context) -> TaskResult:
    if "documents" in context:
        return done(CHAINED, "documents received")
    context.add_assistant_message("Please send us photos of the damage.")
    return done(NextAction.WAIT_FOR_INPUT, "waiting for documents")


@task("decide")
def decide(context: Context) -> TaskResult:
    amount = amount_of(context)
    context["approved"] = amount < 2000
    word = "approved" if context["approved"] else "approved in part"
    context.add_assistant_message(f"Your claim of {amount:.2f} is {word}.")
    return done(NextAction.CONTINUE, f"decided: {word}")


@task("payout")
def payout(context: Context) -> TaskResult:
    if context.get("iban") is None:
        raise TaskExecutionFailed("no account to pay to")
    context["paid"] = True
    return done(NextAction.END, "paid")


def build_claims() -> Graph:
    checks = FanOutTask("checks", [fraud_check, coverage_check, estimate], next_action=CHAINED)
    builder = GraphBuilder("claims")
    for one in (intake, checks, await_documents, decide, payout):
        builder.add_task(one)
    builder.add_edge("intake", "checks")
    builder.add_conditional_edge(
        "checks", lambda context: amount_of(context) > 700, "await_documents", "decide"
    )
    return builder.add_edge("await_documents", "decide").add_edge("decide", "payout").build()


@task("greet")
def greet(context: Context) -> TaskResult:
    context.add_user_message(context["question"])
    context.add_assistant_message("Hello, I will look into that.")
    return done(NextAction.CONTINUE, "greeted")


@task("triage")
def triage(context: Context) -> TaskResult:
    return done(NextAction.go_to("await_customer"), "triaged")


@task("await_customer")
def await_customer(context: Context) -> TaskResult:
    reply: Any = context.get("customer_reply")
    if reply is None:
        return done(NextAction.WAIT_FOR_INPUT, "waiting for the customer")
    context.add_user_message(reply)
    context["customer_reply"] = None
    return done(CHAINED, "customer replied")


@task("answer")
def answer(context: Context) -> TaskResult:
    turn = context["turns"] + 1
    context["turns"] = turn
    context.add_assistant_message(ANSWERS[turn % len(ANSWERS)])
    if turn >= context["turns_wanted"]:
        return done(CHAINED, "answered")
    return done(NextAction.go_to("await_customer"), f"answered {turn} times")


@task("closed")
def closed(context: Context) -> TaskResult:
    context["satisfied"] = True
    context.add_system_message("ticket closed")
    return done(NextAction.END, "closed")


def build_support() -> Graph:
    builder = GraphBuilder("support")
    for one in (greet, triage, await_customer, answer, closed):
        builder.add_task(one)
    builder.add_edge("greet", "triage").add_edge("await_customer", "answer")
    return builder.add_edge("answer", "closed").build()
