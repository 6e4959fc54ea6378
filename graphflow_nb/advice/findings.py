"""The findings as a person sees them: a card, plain text, a DataFrame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pandas as pd
from markupsafe import Markup

from ..cards import card, code
from ..frames import TEXT
from ..printable import describe_count, printable_lines
from .lines import SEVERITIES, Advice, Evidence, Figure, InOrder, Line, Severity, Unseen

__all__ = ["Findings"]

_NO_PLACE = "a storage that reports no facts"
_MEANINGS: Final[Mapping[Severity, str]] = {
    "risk": "sessions can be lost",
    "slow": "slower than necessary",
    "waste": "unnecessary work or space",
    "choice": "a trade-off",
}


class Findings:
    """The result of ``wb.advise()``; iterating yields the advice, the most important first.

    Example:
        >>> import graphflow_nb
        >>> findings = graphflow_nb.open("memory:").advise()
        >>> len(findings)
        0
        >>> print(findings)
        no suggestions, from the store and 0 operations of this workbench
        memory
        <BLANKLINE>
        1 check passed:
           store: memory: there is nothing to set
        <BLANKLINE>
        1 check skipped:
           operations: none is recorded yet: use the store, then call wb.advise() again

    Args:
        lines: The lines of all rules, in any order.
        place: The store, without secrets; empty if the storage reports no facts.
        operations: The number of recorded operations that were examined.
        note: How many of the operations are kept; empty if all are.

    Attributes:
        advice: The advice, the most important first.
        in_order: The lines on what was examined and needs nothing.
        unseen: The lines on what could not be examined, and why.
        place: The store, without secrets.
        operations: The number of recorded operations that were examined.
    """

    def __init__(self, lines: Sequence[Line], place: str, operations: int, note: str = ""):
        advice = [line for line in lines if isinstance(line, Advice)]
        self.advice = sorted(advice, key=lambda line: SEVERITIES.index(line.severity))
        self.in_order = [line for line in lines if isinstance(line, InOrder)]
        self.unseen = [line for line in lines if isinstance(line, Unseen)]
        self.place = place
        self.operations = operations
        self._note = note

    def __iter__(self) -> Iterator[Advice]:
        return iter(self.advice)

    def __len__(self) -> int:
        return len(self.advice)

    def __bool__(self) -> bool:
        """Return whether there is any advice."""
        return bool(self.advice)

    def frame(self) -> pd.DataFrame:
        """Return the findings as a DataFrame, one row a line.

        Returns:
            Columns ``kind`` (category: advice, in order, unseen), ``severity`` (category: risk,
            slow, waste, choice; missing without advice), ``subject``, ``finding``,
            ``evidence``, ``remedy``, ``cost`` (text; the last two missing without advice).
        """
        rows: list[tuple[Any, ...]] = []
        for found in self.advice:
            figures = _format_evidence(found.evidence)
            rest = (found.subject, found.finding, figures, found.remedy, found.cost)
            rows.append(("advice", found.severity, *rest))
        for line in self.in_order:
            figures = _format_evidence(line.evidence)
            rows.append(("in order", None, line.subject, line.finding, figures, None, None))
        for gap in self.unseen:
            rows.append(("unseen", None, gap.subject, gap.finding, "", None, None))
        names = ["kind", "severity", "subject", "finding", "evidence", "remedy", "cost"]
        frame = pd.DataFrame(rows, columns=names).astype(dict.fromkeys(names[2:], TEXT))
        kinds = pd.CategoricalDtype(["advice", "in order", "unseen"])
        severities = pd.CategoricalDtype([*SEVERITIES], ordered=True)
        return frame.astype({"kind": kinds, "severity": severities})

    def _summarize(self) -> str:
        choices = sum(found.severity == "choice" for found in self.advice)
        counts = [
            describe_count(number, word)
            for number, word in ((len(self) - choices, "suggestion"), (choices, "trade-off"))
            if number
        ]
        result = " and ".join(counts) or "no suggestions"
        bound = f" ({self._note})" if self._note else ""
        operations = describe_count(self.operations, "operation")
        return f"{result}, from the store and {operations} of this workbench{bound}"

    def __repr__(self) -> str:
        lines = [self._summarize(), self.place or _NO_PLACE]
        for number, found in enumerate(self.advice, 1):
            lines += ["", f"{number}. {found.subject} ({_MEANINGS[found.severity]})"]
            lines += [f"   {found.finding}"]
            lines += [f"   · {figure}" for figure in _format_figures(found.evidence)]
            lines += [f"   > {line}" for line in found.remedy.splitlines()]
            lines += [f"   Cost: {found.cost}"]
        for what, others in (("passed", self.in_order), ("skipped", self.unseen)):
            if others:
                lines += ["", f"{describe_count(len(others), 'check')} {what}:"]
                lines += [f"   {line.subject}: {line.finding}" for line in others]
        return printable_lines("\n".join(lines))

    def _repr_html_(self) -> str:
        body = Markup("<p>%s</p>") % code(self.place or _NO_PLACE)
        for found in self.advice:
            body += Markup(
                '<details open><summary><b>%s</b> <span class="q">%s</span></summary>'
                '<div class="l">%s%s<div class="gfnb-copy">%s</div>'
                '<p><span class="q">Cost:</span> %s</p></div></details>'
            ) % (
                found.subject,
                _MEANINGS[found.severity],
                found.finding,
                _render_evidence(found.evidence),
                _render_remedy(found.remedy),
                found.cost,
            )
        body += _render_folded("passed", self.in_order)
        body += _render_folded("skipped", self.unseen)
        return str(card(self._summarize(), body))


def _format_value(value: Figure) -> str:
    return f"{value:,}" if isinstance(value, (int, float)) else str(value)


def _format_figures(evidence: Evidence) -> list[str]:
    return [f"{name}: {_format_value(value)}" for name, value in evidence.items()]


def _format_evidence(evidence: Evidence) -> str:
    return "; ".join(_format_figures(evidence))


def _render_evidence(evidence: Evidence) -> Markup:
    rows = Markup("").join(
        Markup("<tr><td>%s</td><td>%s</td></tr>") % (name, code(_format_value(value)))
        for name, value in evidence.items()
    )
    return Markup("<table>%s</table>") % rows


def _render_remedy(text: str) -> Markup:
    # It is copied as a whole, so it is never cut. It contains our own text and names of the store.
    return Markup("<code>%s</code>") % text


def _render_folded(what: str, lines: Sequence[InOrder | Unseen]) -> Markup:
    if not lines:
        return Markup("")
    rows = Markup("")
    for line in lines:
        figures = _format_evidence(line.evidence) if isinstance(line, InOrder) else ""
        rows += Markup('<tr><td>%s</td><td>%s<div class="q">%s</div></td></tr>') % (
            line.subject,
            line.finding,
            figures,
        )
    folded = Markup("<details><summary>%s %s</summary><table>%s</table></details>")
    return folded % (describe_count(len(lines), "check"), what, rows)
