"""The flows of graph-flow's own examples and services, told as data, without models and networks.

Their shapes and what decides are as there: which task waits for what, what goes on in the same
step, what is tried again and when it is given up. Where a model answers there, the answer is set
before the step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["EXAMPLES", "Example"]

Told = dict[str, Any]

CONTINUE, CHAINED, WAIT, END = "Continue", "ContinueAndExecute", "WaitForInput", "End"


class Example(NamedTuple):
    """A flow, and what is set in the context before some of its steps.

    Attributes:
        graph: The graph.
        rounds: What is set, and how many steps are run then.
    """

    graph: Told
    rounds: list[tuple[Told, int]]


def does(id: str, action: Any = CONTINUE, **more: Any) -> Told:
    return {"id": id, "action": action, **more}


def case(action: Any = CONTINUE, **more: Any) -> Told:
    """Return one case of a task; ``when`` has the values that it is for."""
    return {"action": action, **({"if": more.pop("when")} if "when" in more else {}), **more}


def told(id: str, tasks: list[Told], *edges: str | tuple[str, str, str, str]) -> Told:
    """Return a graph; an edge is ``"a b"``, or the task, the key that decides, and both ends."""
    names = ("from", "key", "yes", "no")
    return {
        "id": id,
        "tasks": tasks,
        "edges": [
            dict(zip(("from", "to"), edge.split(), strict=True))
            if isinstance(edge, str)
            else dict(zip(names, edge, strict=True))
            for edge in edges
        ],
    }


GREETING = told(
    "greeting_workflow",
    [
        does(
            "hello",
            cases=[
                case(when={"name": None}, fail="no name"),
                case(fill=["name"], set={"greeting": "Hello, {name}"}, response="Hello, {name}"),
            ],
        ),
        does("excitement", END, fill=["greeting"], response="{greeting} !!!"),
    ],
    "hello excitement",
)

SENTIMENT = told(
    "sentiment_flow",
    [
        does(
            "sentiment",
            cases=[
                case(CHAINED, when={"answer": "positive"}, set={"positive": True}),
                case(CHAINED, when={"answer": "negative"}, set={"positive": False}),
                # The fallback without a model, which stops after the move.
                case(when={"answer": None}, set={"positive": True}),
                case(WAIT, say="What do you mean?", response="What do you mean?"),
            ],
        ),
        does("glad", END, response="Good to hear!"),
        does("sorry", END, response="I am sorry to hear that."),
    ],
    ("sentiment", "positive", "glad", "sorry"),
)

FANOUT = told(
    "fanout_demo",
    [
        does("prepare", set={"input": "hello"}, response="prepared"),
        does(
            "fan",
            children=[
                does("child_a", END, fill=["input"], set={"a_out": "{input}-A"}, response="A done"),
                does("child_b", END, fill=["input"], set={"b_out": "{input}-B"}, response="B done"),
            ],
        ),
        does(
            "consume",
            END,
            fill=["fanout.child_a.response", "fanout.child_b.response"],
            response="A={fanout.child_a.response}, B={fanout.child_b.response}",
        ),
    ],
    "prepare fan",
    "fan consume",
)


def recommendation(action: str) -> Told:
    """The example stops after each task, the service goes on in one step."""
    given_up = "Maximum retry attempts (3) exceeded."
    return told(
        "recommendation_flow",
        [
            does(
                "refine",
                cases=[
                    case(when={"query": None}, fail="query not found in context"),
                    case(action, fill=["query"], set={"refined": "{query}, movie", "retries": 0}),
                ],
            ),
            does("search", action, set={"found": "Title: Alien\n---\nTitle: Aliens"}),
            does(
                "answer",
                action,
                fill=["refined"],
                hear="Recommend: {refined}",
                say="Attempt: Alien",
                set={"answer": "Alien"},
                response="Alien",
            ),
            does(
                "validate",
                cases=[
                    case(action, when={"good": True}, set={"passed": True}),
                    case(when={"good": False, "retries": 3}, hear="lost", fail=given_up),
                    case(action, set={"passed": False}, hear="Not good enough.", count="retries"),
                ],
            ),
            does("deliver", END, fill=["answer"], response="{answer}"),
        ],
        "refine search",
        "search answer",
        "answer validate",
        ("validate", "passed", "deliver", "answer"),
    )


def asking(id: str, key: str, question: str) -> Told:
    """Return a task that asks until it has an answer, and then goes on in the same step."""
    return does(
        id,
        cases=[
            case(WAIT, when={key: None}, say=question, response=question, status=f"{key} missing"),
            case(CHAINED, fill=["input"], hear="{input}", status=f"{key} known"),
        ],
    )


INSURANCE = told(
    "simplified_insurance_claims",
    [
        does(
            "query", fill=["input"], hear="{input}", say="Tell me more.", response="Tell me more."
        ),
        asking("classify", "is_car", "Car or apartment?"),
        asking("car", "cost", "What happened to the car?"),
        asking("apartment", "cost", "What happened at home?"),
        does(
            "validate",
            cases=[
                case(when={"approval": True}, set={"decision": "approved"}, status="approved"),
                case(when={"approval": False}, set={"decision": "rejected"}, status="rejected"),
                case(when={"cost": 300}, set={"decision": "automatic"}, status="small claim"),
                case(WAIT, set={"state": "pending"}, response="Approve?", status="needs approval"),
            ],
        ),
        does("summary", END, fill=["decision"], response="Claim {decision}", status="done"),
    ],
    "query classify",
    ("classify", "is_car", "car", "apartment"),
    "car validate",
    "apartment validate",
    "validate summary",
)

MEDICAL = told(
    "medical_workflow",
    [
        does(
            "extract",
            cases=[
                case(when={"path": None}, fail="no document"),
                case(CHAINED, set={"document": {"text": "…", "pages": 3}}, status="extracted"),
            ],
        ),
        does(
            "review",
            cases=[
                case(
                    WAIT, when={"feedback": None}, set={"waiting": True}, response="Please review"
                ),
                case(CHAINED, set={"waiting": False}, status="reviewed"),
            ],
        ),
        does("summarize", CHAINED, fill=["feedback"], set={"summary": "with {feedback}"}),
        does(
            "research",
            cases=[
                case(when={"service": "down"}, set={"lost": 1}, fail="search failed", kind="other"),
                case(END, response="3 articles", status="complete"),
            ],
        ),
    ],
    "extract review",
    "review summarize",
    "summarize research",
)

#: The examples by name, each with what may happen in it.
EXAMPLES: dict[str, Example] = {
    "simple": Example(GREETING, [({"name": "Ana Ü"}, 3)]),
    "simple, without a name": Example(GREETING, [({}, 1), ({"name": "Bo"}, 2)]),
    "complex, without a model": Example(SENTIMENT, [({}, 3)]),
    "complex, positive": Example(SENTIMENT, [({"answer": "positive"}, 2)]),
    "complex, asked again": Example(
        SENTIMENT, [({"answer": "hm"}, 2), ({"answer": "negative"}, 2)]
    ),
    "fan-out": Example(FANOUT, [({}, 4)]),
    "recommendation": Example(recommendation(CONTINUE), [({"query": "space", "good": True}, 6)]),
    "recommendation, second try": Example(
        recommendation(CONTINUE), [({"query": "space", "good": False}, 6), ({"good": True}, 3)]
    ),
    "recommendation, given up": Example(
        recommendation(CONTINUE), [({"query": "space", "good": False}, 14)]
    ),
    "recommendation service": Example(recommendation(CHAINED), [({"query": "x", "good": True}, 2)]),
    "recommendation service, given up": Example(
        recommendation(CHAINED), [({"query": "x", "good": False}, 2), ({"good": True}, 1)]
    ),
    "recommendation, without a query": Example(recommendation(CHAINED), [({}, 1)]),
    "insurance, a small claim": Example(
        INSURANCE,
        [
            ({"input": "my car was hit"}, 2),
            ({"is_car": True}, 1),
            ({"input": "a dent, 300", "cost": 300}, 3),
        ],
    ),
    "insurance, approved": Example(
        INSURANCE,
        [({"input": "water", "is_car": False}, 2), ({"cost": 9000}, 2), ({"approval": True}, 3)],
    ),
    "insurance, rejected": Example(
        INSURANCE,
        [({"input": "fire", "is_car": True, "cost": 5000.5}, 3), ({"approval": False}, 2)],
    ),
    "medical": Example(MEDICAL, [({"path": "a.pdf"}, 2), ({"feedback": "good"}, 2)]),
    "medical, the search is down": Example(
        MEDICAL,
        [
            ({}, 1),
            ({"path": "a.pdf", "service": "down"}, 1),
            ({"feedback": "good"}, 2),
            ({"service": "up"}, 1),
        ],
    ),
}
