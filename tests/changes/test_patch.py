"""Patches: what is refused as one."""

from __future__ import annotations

import pytest

import graphflow_nb as g
from graphflow_nb import Patch
from graphflow_nb.changes.patch import python


def test_a_patch_that_is_none():
    for wrong in ("{", "7", '["x"]', 7, None):
        with pytest.raises(g.PatchError):
            Patch(wrong)  # type: ignore[arg-type]


def test_keys_that_are_secrets_are_hidden_on_both_ends_of_a_move():
    key = "ghp_0123456789abcdefghijklmnop"
    for one, other in ((key, "a"), ("a", key)):
        step = {"op": "move", "from": f"/context/data/{one}", "path": f"/context/data/{other}"}
        for shown in (repr(Patch([step])), str(Patch([step])[0]), python(Patch([step]))):
            assert "/context/data/a" in shown
            assert key not in shown
