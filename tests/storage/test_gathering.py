"""Columns that grow in place: the same texts as were added, in whatever form they are held."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd
import pyarrow
import pytest

from graphflow_nb.frames import columns
from graphflow_nb.storage import gathering
from graphflow_nb.storage.gathering import (
    GatheredFew,
    GatheredNumbers,
    GatheredTexts,
    GatheredValues,
)
from graphflow_nb.storage.texts import Texts, list_texts

#: What a column has portions of: of one kind, or of several.
KINDS: dict[str, list[str | None]] = {
    "absent": [None],
    "null": ["null", None],
    "integers": ["0", "-1", "7", "12", "9223372036854775807", "-9223372036854775808", None],
    "small integers": ["1", "2", "-3"],
    "big": ["9223372036854775808", "-9223372036854775809", "1" + "0" * 400, "5"],
    "odd integers": ["-0", "007", "-01", "1_0", "+1", "--1", "1-1", "-", " 1", "1 ", "1e5"],
    "floats": ["0.5", "-1e-7", "1.0", "3.10", "9007199254740992.0", None],
    "numbers": ["1", "1.0", "2.5", "-9007199254740992"],
    "inexact": ["9007199254740993", "0.5"],
    "infinite": ["1e999", "2"],
    "booleans": ["true", "false", None],
    "texts": ['"a"', '""', '"null"', '"7"', '"é\U0001f600"', None],
    "escapes": ['"a\\"b"', '"\\ud800"', '"\\u0000"', '"\\n"'],
    "nested": ["[1]", "[]", '{"a":[null]}', "{}", "[1,2]"],
    "mixed": ["1", '"1"', "true", "null", "[1]", "1.0", None],
}
#: Those whose texts are not JSON: they are kept, and not read.
NOT_JSON = "odd integers"


def portion(some: random.Random, kind: str) -> list[str | None]:
    """Return some texts of a kind, few of which are distinct, or all."""
    texts = [some.choice(KINDS[kind]) for _ in range(some.choice((0, 1, 9, 30)))]
    if kind in ("integers", "texts") and some.random() < 0.5:
        form = "%d" if kind == "integers" else '"name of %d"'
        texts += [form % some.randrange(-(2**62), 2**62) for _ in range(40)]
    some.shuffle(texts)
    return texts


def mixes(count: int, *, but: str = "") -> list[list[list[str | None]]]:
    """Return portions of columns: of one kind, and of several that follow each other."""
    some, kinds = random.Random(5), [kind for kind in KINDS if kind != but]
    return [
        [portion(some, kind) for kind in some.choices(few, k=some.randrange(1, 7))]
        for few in (some.sample(kinds, some.choice((1, 1, 2, 3))) for _ in range(count))
    ]


def as_read(form, texts: list[str | None]):
    """Return texts in a form, as what reads them does; as texts where they have another one."""
    array = pyarrow.array(texts, pyarrow.string())
    if form == pyarrow.int64():
        try:
            numbers = array.cast(form)
        except pyarrow.ArrowInvalid:
            return array
        return numbers if numbers.cast(pyarrow.string()).equals(array) else array
    return array.dictionary_encode() if isinstance(form, pyarrow.DictionaryType) else array


def gather(column, portions: list[list[str | None]]) -> None:
    for texts in portions:
        column.add(as_read(column.form, texts))


@pytest.mark.parametrize("large", [True, False])
def test_texts_come_back_as_they_were_added(monkeypatch, large):
    monkeypatch.setattr(gathering, "_FEW", 3)
    monkeypatch.setattr(gathering, "_PORTION", 7)
    monkeypatch.setattr(gathering, "_FIRST", 16)
    shuffled = np.random.default_rng(5)
    for portions in mixes(20):
        whole = [text for texts in portions for text in texts]
        for make in (
            GatheredFew,
            lambda: GatheredTexts(large=large),
            lambda: GatheredValues(large=large),
            lambda: GatheredValues(large=large, json=False),
        ):
            for order in (None, shuffled.permutation(len(whole))):
                column = make()
                gather(column, portions)
                found = column.finish(order)
                expected = whole if order is None else [whole[place] for place in order]
                assert list(found) == expected
                assert [found[place] for place in range(len(found))] == expected
                assert found[1:5] == expected[1:5]


def test_values_are_held_in_the_form_that_they_need():
    def form(*portions: list[str | None]) -> str:
        column = GatheredValues()
        gather(column, list(portions))
        return str(column.form)

    few, integers, texts = "dictionary<values=string, indices=int32, ordered=0>", "int64", "string"
    unique = [str(n) for n in range(2_000)]
    names: list[str | None] = [f'"{n}"' for n in range(2_000)]
    assert form(["1", "[2]"] * 2_000) == few
    assert form([None] * 9, [*unique, None]) == integers
    assert form(["1"] * 9, list(unique), [None, "2"]) == integers
    assert form(["true"] * 9, list(unique)) == texts
    assert form(list(unique), ["1.5"]) == form(list(unique), ["-0"]) == texts
    assert form(list(unique), ["null"]) == form(names) == texts
    # A last portion may be short, and has no row twice.
    assert form([f"{n}.5" for n in range(1_000)] * 4, [f"{n}.5" for n in range(300)]) == few
    assert (
        form(*([f"{n}.5" for n in range(k, k + 4_000)] * 4 for k in range(0, 12_000, 3_000)))
        == texts
    )


def plain(value: object) -> str:
    """Return the type and the value: -0.0 is not 0.0, and a float may keep its digits."""
    value = float(value) if isinstance(value, float) else value
    return f"{type(value).__name__} {value!r}"


@pytest.mark.parametrize("order", [False, True])
def test_a_column_of_a_frame_does_not_depend_on_the_form_of_its_texts(monkeypatch, order):
    monkeypatch.setattr(gathering, "_FEW", 3)
    monkeypatch.setattr(gathering, "_PORTION", 7)
    shuffled = np.random.default_rng(5)
    for portions in mixes(80, but=NOT_JSON):
        whole = [text for texts in portions for text in texts]
        column = GatheredValues()
        gather(column, portions)
        places = shuffled.permutation(len(whole)) if order else None
        if places is not None:
            whole = [whole[place] for place in places]
        found = columns.value_column(column.finish(places).portions)
        expected = columns.value_column([whole])
        one, other = pd.Series(found), pd.Series(expected)
        assert one.dtype == other.dtype, portions
        assert (one.isna() == other.isna()).all()
        for value, other_value in zip(one.tolist(), other.tolist(), strict=True):
            assert plain(value) == plain(other_value)
        objects = [value for value in one.tolist() if isinstance(value, (list, dict))]
        assert len({id(value) for value in objects}) == len(objects)  # none is shared


def test_whether_texts_may_hide_a_secret_does_not_depend_on_their_form(monkeypatch):
    monkeypatch.setattr(gathering, "_FEW", 3)
    secrets = [None, "1", '"a"', '"password: x"', '"ghp_0123456789abcdef"', '["x"]', '{"a":1}']
    for secret in secrets:
        for texts in (["1", "2", None, secret], [f'"{n}"' for n in range(40)] + [secret]):
            column = GatheredValues()
            gather(column, [texts])
            held = [columns.may_hide(portion) for portion in column.finish().portions]
            assert any(held) == columns.may_hide(texts)
            assert any(held) == (secret in secrets[3:])


def test_numbers_are_held_in_as_few_bytes_as_they_need(monkeypatch):
    monkeypatch.setattr(gathering, "_FIRST", 16)
    ends = [0, 1, -1, 127, 128, -128, -129, 2**15, -(2**31), 2**31 - 1, 2**31, 2**63 - 1, -(2**63)]
    some = random.Random(5)
    for _ in range(60):
        portions = [[some.choice(ends[: some.randrange(1, 14)])] * 5 for _ in range(4)]
        column = GatheredNumbers()
        for numbers in portions:
            column.add(np.array(numbers, np.int64))
        whole = np.concatenate(portions)
        assert len(column) == len(whole)
        size = column.view().itemsize
        assert np.array_equal(column.view(), whole)
        assert size == 1 or (whole.astype(f"i{size // 2}") != whole).any()
        order = np.random.default_rng(5).permutation(len(whole))
        assert np.array_equal(column.finish(order), whole[order])


def test_few_texts_are_kept_though_they_are_not_unicode():
    column = GatheredFew()
    broken = pyarrow.array([b"\xff", b"a"], pyarrow.binary()).view(pyarrow.string())
    column.add(broken)
    [found] = column.finish().portions
    assert found.dictionary.view(pyarrow.binary()).to_pylist() == [b"\xff", b"a"]


def test_integers_in_portions_are_texts():
    texts = Texts([pyarrow.array([1, None, -2], pyarrow.int64()), ["3"]])
    assert list(texts) == texts[:] == ["1", None, "-2", "3"]
    assert [texts[0], texts[1], texts[-2]] == ["1", None, "-2"]
    assert list_texts(texts.portions[0]) == ["1", None, "-2"]


def test_a_text_of_a_dictionary_is_one_object():
    few = [f"task-{n}" for n in range(128)]  # as many as a place in one byte can have
    column = GatheredFew()
    column.add(pyarrow.array([*few, None, *few]))
    (portion,) = column.finish().portions
    assert portion.indices.type == pyarrow.int8()
    texts = list_texts(portion)
    assert texts == [*few, None, *few]
    assert len({id(text) for text in texts}) == 129
    assert list_texts(portion[200:]) == few[71:]
    assert list_texts(portion[:0]) == []
