"""What a run of the tests includes, and how large its campaigns are."""

from __future__ import annotations

import os

import pytest

#: CI sets this: every part must be present there, and the campaigns run at full size.
COMPLETE = os.environ.get("GRAPHFLOW_NB_TESTS") == "complete"

#: Marks what takes long, and has others of its kind that a shorter run includes.
only_complete = pytest.mark.skipif(not COMPLETE, reason="part of a complete run, as in CI")


def one_in(count: int) -> pytest.MarkDecorator:
    """Mark a test of many similar cases, of which the whole default run takes one in ``count``.

    Where there are several lists of cases, each case of one is taken together with another case of
    the next, so that none is left out as long as a list is not shorter than ``count``. A complete
    run has all cases, and so has a run of one folder or file.
    """
    return pytest.mark.one_in(count)


def need(part: str, present: bool) -> None:
    """Skip the test where a part is missing; fail it in a complete run."""
    if not present:
        assert not COMPLETE, f"{part} is missing, and a complete run must have it"
        pytest.skip(f"{part} is not on this machine")
