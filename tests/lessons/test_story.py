"""The story: in order, in columns, and with its bounds said."""

from __future__ import annotations

import pytest

from graphflow_nb import LessonError
from graphflow_nb.lessons import Story, story


def test_each_event_is_in_the_column_of_its_place():
    told = Story(("process", "store"))
    assert repr(told) == "nothing has happened yet"
    assert "nothing has happened yet" in told._repr_html_()
    told.add("process", "process 1", "runs")
    told.add("store", "store", "has version 1")
    assert repr(told).split("\n")[1] == " 2  store    has version 1"
    row = '<td class="n q">2</td><td></td><td><code>has version 1</code></td>'
    assert row in told._repr_html_()
    assert told.frame().what.to_dict() == {1: "runs", 2: "has version 1"}


def test_what_is_not_shown_or_kept_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(story, "MAX_EVENTS", 250)
    told = Story(("you",))
    for number in range(1, 301):
        told.add("you", "you", f"step {number}")
    assert "100 events before these are not shown" in repr(told)
    assert "100 events before these are not shown" in told._repr_html_()
    assert repr(told).split("\n")[1] == "101  you  step 101"
    assert told.frame().what.loc[51] == "step 51"
    assert (len(told.frame()), len(told)) == (250, 300)
    with pytest.raises(LessonError, match="columns you"):
        told.add("me", "me", "x")
