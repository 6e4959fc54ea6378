"""What a run of the tests includes, and how large its campaigns are."""

from __future__ import annotations

import os

import pytest

_SCOPE = os.environ.get("GRAPHFLOW_NB_TESTS", "")
#: The campaigns run at the size of the figures that are told of them.
FULL = _SCOPE == "full"
#: CI sets this: every part must be present there, and nothing is left out.
COMPLETE = FULL or _SCOPE == "complete"

#: Marks what takes long, and has others of its kind that a shorter run includes.
only_complete = pytest.mark.skipif(not COMPLETE, reason="part of a complete run, as in CI")


def size(full: int, default: int) -> int:
    """Return how large a campaign is: all of it, a tenth in a complete run, or the default.

    A complete run is over in half an hour on two cores, and every one draws the same cases;
    `GRAPHFLOW_NB_TESTS=full` takes as long as it needs.
    """
    if FULL:
        return full
    return max(full // 10, default) if COMPLETE else default


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


def refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Fail what is skipped in a complete run, which leaves nothing out."""
    if COMPLETE and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"left out of a complete run: {report.longrepr}"
