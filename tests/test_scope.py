"""A complete run leaves nothing out, whatever a test or a module asks for."""

from __future__ import annotations

import pytest

from . import scope


def _report(outcome: str) -> pytest.CollectReport:
    return pytest.CollectReport("tests/test_a.py", outcome, "no Redis", None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("complete", "outcome", "then"),
    [
        (True, "skipped", "failed"),
        (False, "skipped", "skipped"),
        (True, "passed", "passed"),
    ],
)
def test_what_is_skipped_fails_in_a_complete_run(monkeypatch, complete, outcome, then):
    monkeypatch.setattr(scope, "COMPLETE", complete)
    report = _report(outcome)
    scope.refuse_skip(report)
    assert report.outcome == then


def test_what_a_backend_can_not_do_stays_an_expected_failure(monkeypatch):
    monkeypatch.setattr(scope, "COMPLETE", True)
    report = _report("skipped")
    report.wasxfail = "reason: it has no versions"  # type: ignore[attr-defined]
    scope.refuse_skip(report)
    assert report.outcome == "skipped"
