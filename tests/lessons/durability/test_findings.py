"""The table counts each acknowledged save that is lost, and none that was not acknowledged."""

from __future__ import annotations

from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphflow_nb as g
from graphflow_nb.lessons import Finding, tabulate, wilson_interval

#: A ledger of a writer, and what of it the store could hold: any prefix, one save more, or a torn
#: row.
LEDGERS = st.integers(0, 300).flatmap(
    lambda count: st.tuples(st.just(count), st.none() | st.integers(0, count + 1))
)


@given(st.lists(LEDGERS, max_size=30))
def test_a_lost_save_is_counted_if_and_only_if_it_was_acknowledged(ledgers):
    row = tabulate({("store", "setting"): [Finding(*each) for each in ledgers]}).iloc[0]
    # The same by sets of numbers: which were acknowledged, and which the row covers.
    lost, extra, kills_with_loss = 0, 0, 0
    for acknowledged, stored in ledgers:
        known, there = set(range(1, acknowledged + 1)), set(range(1, (stored or 0) + 1))
        lost += len(known - there)
        extra += len(there - known)
        kills_with_loss += bool(known - there)
    assert row["kills"] == len(ledgers)
    assert row["acknowledged"] == sum(acknowledged for acknowledged, _ in ledgers)
    assert (row["lost"], row["with_loss"]) == (lost, kills_with_loss)
    assert row["unacknowledged"] == extra
    assert row["torn"] == sum(stored is None for _, stored in ledgers)
    assert 0 <= row["low"] <= row["high"] <= 1


@pytest.mark.parametrize(
    ("acknowledged", "stored", "verdict", "lost"),
    [
        (7, 7, "acknowledged and there", 0),
        (7, 5, "acknowledged and lost", 2),
        (7, 0, "acknowledged and lost", 7),
        (7, 8, "not acknowledged, but there", 0),
        (7, None, "torn", 7),
        (0, None, "torn", 0),
        (0, 0, "acknowledged and there", 0),
    ],
)
def test_the_verdict_of_a_kill(acknowledged, stored, verdict, lost):
    finding = Finding(acknowledged, stored)
    assert (finding.verdict, finding.lost) == (verdict, lost)
    assert verdict in finding._repr_html_()


@pytest.mark.parametrize(("acknowledged", "stored"), [(7, 9), (-1, 0), (3, -1)])
def test_what_one_writer_can_not_leave_is_refused(acknowledged, stored):
    with pytest.raises(g.LessonError):
        Finding(acknowledged, stored)


def test_the_table_of_nothing_has_its_columns_and_types():
    table = tabulate({("memory", ""): []})
    assert table["low"].tolist() == [0.0]
    assert table["high"].tolist() == [1.0]
    assert list(tabulate({}).columns) == list(table.columns)
    assert [str(table[name].dtype) for name in ("kills", "lost", "low")] == [
        *("int64", "int64", "float64")
    ]


@given(st.integers(1, 500).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_wilsons_interval_is_where_the_normal_test_of_a_share_turns(case):
    count, of = case
    for bound in wilson_interval(count, of):
        if 0 < bound < 1:
            deviation = abs(count / of - bound) / sqrt(bound * (1 - bound) / of)
            assert deviation == pytest.approx(1.959964)


def test_a_share_of_more_than_all_is_refused():
    with pytest.raises(g.LessonError, match="3 of 2 is not a share"):
        wilson_interval(3, 2)
