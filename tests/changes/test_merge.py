"""Merges: what does not touch is joined, and both ways clash alike."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

import graphflow_nb as g
from graphflow_nb import Merge
from graphflow_nb.changes import diff

from .kit import RUNS, content, sessions, stored


@settings(max_examples=RUNS)
@given(sessions, sessions, sessions)
def test_one_side_alone_is_taken_whole_and_both_ways_clash_alike(base, theirs, mine):
    merge = Merge(base, theirs, mine)
    for choice in ("stored", "mine"):
        merged = merge.session({clash.path: choice for clash in merge.clashes})
        assert merged.version == theirs.version
        if not len(diff(base, mine)):
            assert content(merged) == content(theirs)
        if not len(diff(base, theirs)):
            assert content(merged) == content(mine)
        if content(mine) == content(theirs):
            assert content(merged) == content(mine)
            assert not merge.clashes
    # Merging the other way round clashes at the same places.
    back = Merge(base, mine, theirs)
    assert {c.path for c in back.clashes} == {c.path for c in merge.clashes}


def test_a_merge_joins_what_does_not_touch():
    message = {"role": "User", "content": "0", "timestamp": "2026-01-01T00:00:00Z"}
    base = stored({"a": 1, "b": {"c": 1, "d": 1}, "l": [1, 2]}, [message])
    theirs = stored(
        {"a": 2, "b": {"c": 1, "d": 2}, "l": [9, 2], "new": 1},
        [message, message | {"content": "theirs"}],
        version=4,
    )
    mine = stored(
        {"a": 1, "b": {"c": 5}, "l": [1, 3]}, [message, message | {"content": "mine"}], status="s"
    )
    merge = Merge(base, theirs, mine)
    assert [clash.pointer for clash in merge.clashes] == ["/context/data/b/d"]
    with pytest.raises(g.PatchError, match="choose"):
        merge.session({})
    merged = merge.session({merge.clashes[0].path: "mine"})
    assert dict(merged.context) == {"a": 2, "b": {"c": 5}, "l": [9, 3], "new": 1}
    assert [m.content for m in merged.context.chat_history] == ["0", "theirs", "mine"]
    assert merged.status_message == "s"


def test_arrays_of_other_lengths_are_chosen_as_a_whole():
    base, theirs, mine = (stored({"l": items}) for items in ([1], [1, 2], [1, 3]))
    merge = Merge(base, theirs, mine)
    assert [clash.pointer for clash in merge.clashes] == ["/context/data/l"]


def test_a_clash_shows_its_values_and_no_secret():
    def clash(key, *values):
        sessions = (g.Session("a", "t", context={key: value}) for value in values)
        return repr(g.Merge(*sessions).clashes[0])

    assert clash("n", 1, 2, 3) == "<Clash at /context/data/n: opened 1, stored 2, mine 3>"
    assert "Zq" not in clash("password", "Zq1", "Zq2", "Zq3")
    assert "Zq" not in clash("ghp_Zq0123456789abcdefghij", 1, 2, 3)
