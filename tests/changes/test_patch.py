"""Patches: what is refused as one."""

from __future__ import annotations

import pytest

import graphflow_nb as g
from graphflow_nb import Patch


def test_a_patch_that_is_none():
    for wrong in ("{", "7", '["x"]', 7, None):
        with pytest.raises(g.PatchError):
            Patch(wrong)  # type: ignore[arg-type]
