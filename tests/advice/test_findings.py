"""Findings as text, as a card and as a DataFrame."""

from __future__ import annotations

from graphflow_nb.advice import Advice, Findings, InOrder, Severity, advise

from .kit import NONE, operations
from .rules.postgres.kit import PKEY, SORTING, facts, index


def test_as_seen_by_a_person():
    nasty = "<script>alert(1)</script>"
    chatty = operations(*(("save", nasty, 10 * i, 2) for i in range(40)))
    indexes = (PKEY, index(nasty, nasty, scans=1), index("z", nasty))
    base = facts(
        plans=SORTING, set={"fsync": "off"}, indexes=indexes, unseen={nasty: nasty}, place=nasty
    )
    findings = advise(base, chatty)
    assert [a.severity for a in findings] == ["risk", "slow", "slow", "waste"]
    html = findings._repr_html_()
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 6
    text = repr(findings)
    assert text.startswith("4 suggestions, from the store and 40 operations of this workbench\n")
    for advice in findings:
        assert advice.finding in text
        assert advice.cost in text
        for line in advice.remedy.splitlines():
            assert line in text
    assert " checks passed:" in text
    assert "2 checks skipped:" in text
    frame = findings.frame()
    assert len(frame) == 4 + len(findings.in_order) + len(findings.unseen)
    assert [str(t) for t in frame.dtypes] == ["category", "category", *["str"] * 5]
    assert frame["kind"].value_counts()["advice"] == 4
    assert frame["severity"].isna().sum() == len(frame) - 4
    assert "fsync: off" in frame["evidence"][0]
    assert len(advise(None, NONE).frame()) > 0


def test_trade_offs_are_counted_apart():
    def advice(severity: Severity) -> Advice:
        return Advice(
            subject="s", finding="f", evidence={}, remedy="r", cost="c", severity=severity
        )

    lines = [advice("slow"), advice("choice"), advice("risk"), InOrder("s", "f")]
    text = repr(Findings(lines, "memory", 1))
    first = "2 suggestions and 1 trade-off, from the store and 1 operation of this workbench"
    assert text.splitlines()[0] == first
    assert "\n1 check passed:\n" in text
    choices = repr(Findings([advice("choice")], "memory", 0))
    assert choices.startswith("1 trade-off, from the store and 0 operations")
