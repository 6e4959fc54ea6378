"""Exact JSON: every digit survives, and nothing is converted silently."""

from __future__ import annotations

import math
import pickle

import pytest
from msgspec import Raw

from graphflow_nb import Context, ContextError
from graphflow_nb.model import exactjson


def test_numbers_that_a_float_would_change():
    context = Context.from_json('{"data":{"a":[1.10,1e400,0.1,123456789.123456789123]}}')
    values = context["a"]
    assert values[:3] == [1.1, math.inf, 0.1]
    assert pickle.loads(pickle.dumps(values)) == values
    values.append(1)
    assert b"[1.10,1e400,0.1,123456789.123456789123,1]" in context.to_json()


def raw(text):
    return None if text is None else Raw(text.encode())


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ('{"a":1,"b":[2]}', '{"b": [2], "a": 1}', True),
        ('"\\u00e9"', '"é"', True),
        ("1", "1.0", False),
        ("1.0", "1.00", False),
        ("1", "true", False),
        ("[1]", "[1,1]", False),
        ('{"a":1}', '{"a":1,"b":null}', False),
        ("null", None, False),
        (None, None, True),
    ],
)
def test_texts_are_the_same_digit_by_digit(left, right, same):
    assert exactjson.same(raw(left), raw(right)) is same
    assert exactjson.same(raw(right), raw(left)) is same


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [("1", "1.0", True), ("1.10", "1.1", True), ("1", "true", False), ("0", "null", False),
     ("[1,{}]", "[1.0,{}]", True), ("1e400", "1e400", True), ("1e400", "1e401", False)],
)  # fmt: skip
def test_values_are_equal_as_in_jsonb(left, right, equal):
    left, right = map(exactjson.decode_exact, (left, right))
    assert exactjson.equal(left, right) is equal


@pytest.mark.parametrize("text", ['{"a":1.10,"b":[1E2, {}],"c":"\\u00e9"}', "{}"])
def test_parts_are_joined_to_what_was_split(text):
    parts = exactjson.split_object(text, "it")
    assert exactjson.split_object(exactjson.join(parts), "it") == parts
    for part in parts.values():
        assert bytes(part).decode() in text


@pytest.mark.parametrize("text", ["[1, 2.50]", "[]"])
def test_elements_are_joined_to_what_was_split(text):
    assert exactjson.split_array(exactjson.join(exactjson.split_array(text, "it")), "it") == (
        exactjson.split_array(text, "it")
    )


def test_what_is_no_object_or_array_is_named():
    for split in (exactjson.split_object, exactjson.split_array):
        with pytest.raises(ContextError, match="the part can't be read as a JSON"):
            split("7", "the part")


def test_numbers_too_wide_for_postgresql():
    assert exactjson.too_wide('{"a":1e300,"b":[0.5]}') is None
    assert exactjson.too_wide("1e131072") == "1e131072"
    assert exactjson.too_wide("[1e-16384]") == "1e-16384"
    assert exactjson.too_wide("no JSON") is None


def test_json_for_people():
    assert exactjson.pretty('{"a":1.10}') == '{\n  "a": 1.10\n}'
    assert exactjson.pretty("no JSON") == "no JSON"
    assert [exactjson.kind(text) for text in ("{}", "[]", '"a"', "true", "null", " 1")] == [
        *("object", "array", "string", "true", "null", "number")
    ]


def test_an_object_is_told_as_it_is_split():
    sound = '{"a\\u00e9": {"b": [1, 2.5e3, null, true, "\\ud83d\\ude00"]}, "": "\\n", "a": -0}'
    texts = ["", "[]", "1", "null", " {}", "{}x", '{"a":' * 5000, '{"a":' * 5000 + "1" + "}" * 5000]
    for at in range(len(sound)):
        texts += [sound[:at], sound[:at] + sound[at + 1 :]]
        texts += [sound[:at] + c + sound[at + 1 :] for c in '{}[]",:\\u0.-e \0\ud800']
    told = {text: exactjson.is_object(text) for text in [sound, *texts]}
    assert told[sound]
    assert not all(told.values())
    for text, is_object in told.items():
        try:
            exactjson.split_object(text, "it")
        except ContextError:
            assert not is_object, text
        else:
            assert is_object, text
