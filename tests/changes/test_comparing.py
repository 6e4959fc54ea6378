"""Differences: applied, they give the other session."""

from __future__ import annotations

import json
from typing import Any

import jsonpatch
from hypothesis import given, settings

from graphflow_nb import Patch, Session
from graphflow_nb.changes import apply, diff, python

from .kit import RUNS, content, sessions


@settings(max_examples=RUNS)
@given(sessions, sessions)
def test_a_difference_applied_gives_the_other(one, other):
    patch = diff(one, other)
    made = apply(one, patch)
    assert content(made) == content(other)
    assert made.version == one.version
    assert not len(diff(made, other))
    assert bool(len(patch)) == (content(one) != content(other))
    again = Patch(patch.to_json())
    assert again == patch
    assert content(apply(one, again)) == content(other)
    assert Patch(eval(python(patch))) == patch


@settings(max_examples=RUNS)
@given(sessions, sessions)
def test_as_another_implementation_applies_it(one, other):
    """RFC 6902 as the library jsonpatch has it; numbers as Python compares them."""

    def plain(session: Session) -> Any:
        return {
            "graph_id": session.graph_id,
            "current_task_id": session.current_task_id,
            "status_message": session.status_message,
            "context": json.loads(session.context_json()),
        }

    there = jsonpatch.apply_patch(plain(one), diff(one, other).to_json())
    assert there == plain(other)
