"""Conditions on a context, and text without upper and lower case."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from graphflow_nb import Query, QueryError
from graphflow_nb.storage.conditions import Condition, fold, holds, unfolded


@pytest.mark.parametrize(
    "comparison",
    [
        "amount > 100",
        ("amount", ">"),
        ("amount", "=", 1),
        ("amount", "=>", 1),
        ("amount", ["<"], 1),
        ("", "<", 1),
        ("amount", "<", True),
        ("amount", "<", None),
        ("amount", "<", [1]),
        ("amount", "<", float("nan")),
        ("amount", "<", {1}),
        ("amount", "<", 10**131_073),
        ("amount", "<", "\ud800"),
    ],
)
def test_a_comparison_that_means_nothing_is_an_error(comparison: Any) -> None:
    with pytest.raises(QueryError):
        Query(compare=[comparison])


@pytest.mark.parametrize("wrong", [{"ignore_case": "yes"}, {"lacks": 3}, {"compare": 3}])
def test_other_invalid_conditions_are_errors(wrong: dict[str, Any]) -> None:
    with pytest.raises(QueryError):
        Query(**wrong)


def test_numbers_of_any_size_are_compared_exactly() -> None:
    digits = "9" * 5000
    context = '{"data":{"a":%s,"b":0.%s1,"c":1e9999,"d":1e99999999999999999999}}' % (
        digits,
        "0" * 100,
    )

    def meets(path: str, operator: str, value: str) -> bool:
        return holds(context, Condition([[path]], operator, value.encode()))

    assert meets("a", ">=", digits)
    assert not meets("a", ">", digits)
    assert meets("a", "<", f"1{'0' * 5000}")
    assert meets("b", ">", "0")
    assert meets("b", "<", str(Decimal("1e-100")))
    assert meets("c", ">", "1e9998")
    assert not meets("d", ">", '"a"'), "a number that cannot be compared is no text"
    assert not meets("d", ">", "1")


def test_letters_without_case_find_each_other() -> None:
    assert fold("ÄÖÜ Straße ΣΑΣ ЖЁ") == "äöü straße σασ жё"
    for odd in "İıſ\u212aςẞß":  # their other case is another letter's too, or several letters
        assert fold(odd) == odd
    upper, lower = unfolded(fold("Köln 7"))
    assert (upper, lower) == ("KLNÖ", "klnö")
    table = str.maketrans(upper, lower)
    assert fold("Köln 7") in "IN KÖLN 7!".translate(table)
