"""What a person types: values and paths."""

from __future__ import annotations

import pytest

import graphflow_nb as g
from graphflow_nb.changes import pointer
from graphflow_nb.notebook.browse.typed import parse_typed_path, parse_typed_value
from graphflow_nb.storage.paths import parse_path, path_text, place_text


def test_values_as_typed():
    texts = ("gold", "12", "true", '"12"', "null", "[1", "1.5")
    assert [parse_typed_value(text) for text in texts] == [
        "gold",
        12,
        True,
        "12",
        None,
        "[1",
        1.5,
    ]


def test_paths_as_typed():
    for keys in (("a",), ("a", "b"), ("a.b",), ("a.b", "c"), ("",), (" a",), ("(a",), ("é", "0")):
        assert parse_path(parse_typed_path(path_text(keys))) == keys
    assert parse_typed_path(" customer.tier ") == "customer.tier"
    for wrong in ("", "(", "(1,)", "()", "('a'", "(lambda: 1)()", "__import__('os')()"[10:]):
        with pytest.raises(g.QueryError, match="context path"):
            parse_typed_path(wrong)


@pytest.mark.parametrize(
    "keys",
    [
        ("customer", "tier"),
        ("a.b", ""),
        (" a",),
        ("(", "b"),
        ("/context/data/a",),
        ("a/b", "~1"),
        ("it's", '"'),
    ],
)
def test_what_is_shown_of_a_path_can_be_pasted_back(keys: tuple[str, ...]):
    place = ("context", "data", *keys)
    for shown in (place_text(place), pointer(place)):
        assert parse_path(parse_typed_path(shown)) == keys
