"""Lesson 7: what it claims of JSON is in the rows, and each exercise tells right from wrong."""

from __future__ import annotations

from decimal import Decimal

import pytest

import graphflow_nb as g
from graphflow_nb.lessons.course import what_json_does as lesson
from graphflow_nb.lessons.course.what_json_does import decode, encode

from .conftest import KINDS

#: What PostgreSQL's JSONB makes of the texts; the others keep each as it was written.
JSONB = {
    "order of keys": '{"id":7,"age":40,"name":"Ana"}',
    "a key twice": '{"id":8}',
    "an exponent": "1000000000000000000000",
    "minus zero": "0.0",
    "beyond a float": "100000000000… (401 characters)",
    "the character NUL": "refused",
    "half a character": "refused",
    "not a number": "refused",
}


def test_the_table_of_stores_has_what_each_made_of_a_text(start_store):
    table = lesson.compare_stores({kind: start_store(kind).open() for kind in KINDS})
    assert table["written"].to_dict() == dict(lesson.TEXTS)
    no_json = {"half a character": "stored, not readable", "not a number": "stored, not readable"}
    refused = dict.fromkeys(no_json, "refused")
    seen = {"memory": no_json, "sqlite": no_json, "redis": refused, "postgres": JSONB}
    for kind in KINDS:
        assert table[kind].to_dict() == dict.fromkeys(lesson.TEXTS, "same") | seen[kind], kind


def test_the_table_of_programs_has_what_each_wrote():
    table = lesson.compare_readers()
    assert table.loc["2⁵³ + 1", "browser"] == "9007199254740992"
    assert table.loc["2⁶⁴", "Rust worker"] == "1.8446744073709552e+19"
    assert table.loc["beyond a float"].tolist()[1:] == ["refused", "Infinity", "null"]
    assert table.loc["16 decimals"].tolist()[1:] == ["0.9827854760376532", "same", "same"]
    assert set(table.loc["two decimals"]) == {"1.10", "1.1"}


def test_a_value_that_json_lacks_is_refused_and_a_tuple_becomes_a_list(wb: g.Workbench):
    found = lesson.refuse_values(wb)
    assert found.pop("(1, 2)") == "comes back as [1, 2]"
    assert all(text.startswith("refused: context['value']") for text in found.values())
    assert len(found) == len(lesson.VALUES) - 1


def test_a_worker_that_changes_nothing_changes_a_big_number(wb: g.Workbench):
    lesson.write_text(wb, "big", "18446744073709551617")
    assert lesson.read_text(wb, "big") == "18446744073709551617"
    found = wb.sessions(where={"value": 2**64 + 1}, ids=["big"])
    assert found["id"].tolist() == ["big"]
    lesson.save_as_rust(wb, "big")
    # JSONB has the same number without an exponent.
    assert lesson.read_text(wb, "big") in ("1.8446744073709552e+19", "18446744073709552000")
    assert not len(wb.sessions(where={"value": 2**64 + 1}, ids=["big"]))


def keep(order):
    return order


def write_float(order):
    return encode(order) | {"price": float(order["price"])}


def read_float(data):
    return decode(data) | {"price": Decimal(str(data["price"]))}


def write_number(order):
    return encode(order) | {"number": order["number"]}


def forget_zone(data):
    return decode(data) | {"placed_at": decode(data)["placed_at"].replace(tzinfo=None)}


def untouched(order): ...


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((encode, decode), None),
        (encode, "check((encode, decode)); what was passed is the function encode"),
        ((keep, keep), "can't be stored: ContextError: context['value']['price'] is of type"),
        ((write_float, read_float), "From the store, price is Decimal('1.1'), but it was"),
        ((write_number, decode), "After Rust worker"),
        ((encode, forget_zone), "From the store, placed_at is"),
    ],
)
def test_an_order_is_exact_only_where_all_is_text(exercise_wb: g.Workbench, answer, reason):
    exercise = lesson.exact_order(exercise_wb)
    assert exercise.check((untouched, untouched)).kind == "not attempted"
    outcome = exercise.check(answer)
    assert outcome.kind == ("correct" if reason is None else "incorrect"), outcome
    assert (reason or "") in outcome.reason
    assert exercise.check(exercise.solution()).kind == "correct"
    assert "def encode" in repr(exercise.solution())
