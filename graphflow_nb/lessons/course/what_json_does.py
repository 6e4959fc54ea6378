"""Lesson 7: what JSON does to the state of a workflow, on its way to a store and back.

The texts that the lesson writes on real stores, and the tables that it makes of what came back. The
second half of the lesson, on two versions of one task, is in ``two_versions.py``.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
import pandas as pd
from msgspec import Raw

from ...client import Client
from ...errors import GraphflowError
from ...model import Session, exactjson
from ..exercise import Exercise
from ..prediction import Prediction
from ..readers import READERS, through_rust

__all__ = [
    "ORDERS",
    "TEXTS",
    "VALUES",
    "Order",
    "compare_readers",
    "compare_stores",
    "exact_order",
    "predict_big_number",
    "predict_keys",
    "read_text",
    "refuse_values",
    "save_as_rust",
    "write_text",
]

GRAPH: Final = "json"

#: JSON texts that do not come back from everywhere as they were written.
TEXTS: Final[Mapping[str, str]] = {
    "order of keys": '{"name":"Ana","id":7,"age":40}',
    "a key twice": '{"id":7,"id":8}',
    "2⁵³ + 1": "9007199254740993",
    "2⁶⁴": "18446744073709551616",
    "two decimals": "1.10",
    "16 decimals": "0.9827854760376531",
    "an exponent": "1e21",
    "minus zero": "-0.0",
    "beyond a float": "1e400",
    "the character NUL": '"a\\u0000b"',
    "half a character": '"\\ud800"',
    "not a number": "NaN",
}

#: Python values that a context refuses, and one that it changes.
VALUES: Final[Mapping[str, Any]] = {
    "float('nan')": float("nan"),
    "datetime(2026, 1, 31)": datetime(2026, 1, 31, tzinfo=UTC),
    "Decimal('1.10')": Decimal("1.10"),
    "{'new', 'vip'}": {"new", "vip"},
    "b'bytes'": b"bytes",
    "{7: 'Ana'}": {7: "Ana"},
    "'\\ud800'": "\ud800",
    "(1, 2)": (1, 2),
}

predict_keys = Prediction(
    'A task writes {"name": "Ana", "id": 7, "age": 40}. PostgreSQL keeps it as JSONB. '
    "In which order do the keys come back?",
    ["name, id, age: as written", "age, id, name: by the alphabet", "id, age, name: by length"],
    name="lesson.predict_keys",
)

predict_big_number = Prediction(
    "A row has the order number 18446744073709551617. A worker in Rust loads the session and saves "
    "it, and its task never touches the number. What is in the row then?",
    [
        "the same number",
        "another number: rounded to a float",
        "nothing new: the worker fails to read it",
    ],
    name="lesson.predict_big_number",
)


def write_text(wb: Client, id: str, text: str) -> None:
    """Store a session whose context has a JSON text as ``value``, as another program may write it.

    The text is sent as it is, past the checks that a value set in Python has to pass.

    Args:
        wb: The store.
        id: The id of the session, which is replaced if it exists.
        text: The JSON text, or what another program takes for one.

    Raises:
        StorageError: The store refused the text.
        ContextError: The storage refused it.
    """
    context = '{"data":{"value":%s},"chat_history":{"messages":[],"max_messages":1000}}' % text
    wb.upsert(Session(id, "intake", graph_id=GRAPH).with_context_json(context), undo=False)


def read_text(wb: Client, id: str) -> str:
    """Return the JSON text of ``value`` in a stored session, without blanks.

    Raises:
        SessionFormatError: What is stored is not JSON.
    """
    context = exactjson.split_object(wb.get(id).context_json(), "the context")
    value = exactjson.split_object(context["data"], "data")["value"]
    return msgspec.json.format(bytes(value), indent=-1).decode()


def compare_stores(stores: Mapping[str, Client]) -> pd.DataFrame:
    """Write each text on each store and read it back.

    Args:
        stores: The open stores by name.

    Returns:
        A row for each of ``TEXTS``: ``written`` (text), and for each store what came back (text):
        ``same``, another JSON text, ``refused``, or ``stored, not readable``.
    """
    rows: dict[str, dict[str, str]] = {}
    for name, text in TEXTS.items():
        rows[name] = {"written": text}
        for kind, wb in stores.items():
            rows[name][kind] = _write_and_read(wb, f"text-{list(TEXTS).index(name)}", text)
    return pd.DataFrame.from_dict(rows, orient="index")


def _write_and_read(wb: Client, id: str, text: str) -> str:
    wb.delete(id, undo=False)
    try:
        write_text(wb, id, text)
    except GraphflowError:
        return "refused"
    try:
        read = read_text(wb, id)
    except GraphflowError:
        return "stored, not readable"
    return "same" if read == text else _cut(read)


def compare_readers() -> pd.DataFrame:
    """Let each program read each text and write it again.

    Returns:
        A row for each of ``TEXTS``: ``written`` (text), and for each program what it wrote (text):
        ``same``, another text, or ``refused``.
    """
    rows = {}
    for name, text in TEXTS.items():
        rows[name] = {"written": text}
        for program, read in READERS.items():
            try:
                again = read(text)
            except GraphflowError:
                again = "refused"
            rows[name][program] = "same" if again == text else _cut(again)
    return pd.DataFrame.from_dict(rows, orient="index")


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:12]}… ({len(text):,} characters)"


def refuse_values(wb: Client) -> dict[str, str]:
    """Try to store each of ``VALUES``, and return what came back, or the reason of the refusal.

    Args:
        wb: The store.
    """
    found = {}
    for name, value in VALUES.items():
        wb.delete("value", undo=False)
        try:
            wb.create("value", "intake", graph_id=GRAPH, context={"value": value}, undo=False)
        except GraphflowError as error:
            found[name] = f"refused: {error}"
        else:
            found[name] = f"comes back as {wb.get('value').context['value']!r}"
    return found


def save_as_rust(wb: Client, id: str) -> None:
    """Load a session and save it, as a worker on graph-flow does that changes nothing.

    Each value is written as serde_json writes it. Such a worker also writes the keys of ``data`` in
    another order each time, since it keeps them in a hash map; that is left out here.

    Args:
        wb: The store.
        id: The id of the session.

    Raises:
        ContextError: serde_json could not read the session; nothing was written.
        SessionConflict: Someone else saved it meanwhile; nothing was written.
    """
    session = wb.get(id)
    parts = exactjson.split_object(session.context_json(), "the context")
    data = exactjson.split_object(parts["data"], "data")
    written = {key: Raw(through_rust(bytes(text).decode()).encode()) for key, text in data.items()}
    parts["data"] = Raw(exactjson.join(written))
    wb.save(session.with_context_json(exactjson.join(parts)), undo=False)


# Exercise 1

#: An order: ``number`` (int), ``price`` (Decimal), ``placed_at`` (datetime, aware), ``tags`` (set).
Order = dict[str, Any]

#: The orders by which the exercise is checked.
ORDERS: Final[tuple[Order, ...]] = (
    {
        "number": 2**64 + 1,
        "price": Decimal("1.10"),
        "placed_at": datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC),
        "tags": {"new", "vip"},
    },
    {
        "number": 2**53 + 1,
        "price": Decimal("12345678901234567890.05"),
        "placed_at": datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC),
        "tags": set(),
    },
)


def exact_order(wb: Client) -> Exercise:
    """Return the exercise to write an order so that every program reads it exactly.

    Args:
        wb: The store on which it is checked.
    """

    def check(answer: tuple[Callable[[Order], Any], Callable[[Any], Order]]) -> str | None:
        write, read = answer
        with warnings.catch_warnings():  # of numbers that Rust would change, which is the lesson
            warnings.simplefilter("ignore")
            return next(_find_losses(wb, write, read), None)

    return Exercise(
        "Write encode(order), which returns what is stored, and decode(data), which returns the "
        "order again. The order must come back exactly from this store, and also after a worker "
        "in Rust, a browser or Python's json has read the row and written it. "
        "Answer with (encode, decode).",
        check,
        "Text is the only type that no program changes. str() of an int or a Decimal, and "
        ".isoformat() of a datetime, have every digit; a set becomes a sorted list.",
        (encode, decode),
        name="exercise_1",
    )


def encode(order: Order) -> dict[str, Any]:
    return {
        "number": str(order["number"]),
        "price": str(order["price"]),
        "placed_at": order["placed_at"].isoformat(),
        "tags": sorted(order["tags"]),
    }


def decode(data: dict[str, Any]) -> Order:
    return {
        "number": int(data["number"]),
        "price": Decimal(data["price"]),
        "placed_at": datetime.fromisoformat(data["placed_at"]),
        "tags": set(data["tags"]),
    }


#: The store alone, and then each program after it.
_EACH: Final[Mapping[str, Callable[[str], str]]] = {"": lambda text: text, **READERS}


def _find_losses(
    wb: Client, write: Callable[[Order], Any], read: Callable[[Any], Order]
) -> Iterator[str]:
    for order in ORDERS:
        wb.delete("order", undo=False)
        try:
            data = {"value": write(dict(order))}
            wb.create("order", "intake", graph_id=GRAPH, context=data, undo=False)
        except Exception as error:
            yield f"encode({order!r}) can't be stored: {type(error).__name__}: {error}"
            return
        text = read_text(wb, "order")
        for program, through in _EACH.items():
            after = f"After {program} read and wrote it" if program else "From the store"
            try:
                value = read(json.loads(through(text)))
            except Exception as error:
                yield f"{after}, decode fails: {type(error).__name__}: {error}"
                continue
            yield from _compare(order, value, after)


def _compare(order: Order, found: Any, after: str) -> Iterator[str]:
    if not isinstance(found, Mapping):
        yield f"decode must return a dict as the order is, not {found!r}"
        return
    for key, wanted in order.items():
        value = found.get(key)
        # Decimals are equal whatever their zeros, which belong to a price.
        same_digits = not isinstance(wanted, Decimal) or str(value) == str(wanted)
        if type(value) is not type(wanted) or value != wanted or not same_digits:
            yield f"{after}, {key} is {value!r}, but it was {wanted!r}"
