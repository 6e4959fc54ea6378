"""What was found, as a person sees it: a card, plain text, a DataFrame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import pandas as pd

from ..cards.session import card, code
from ..frames import TEXT
from .lines import SEVERITIES, Advice, Evidence, InOrder, Line, Unseen

__all__ = ["Findings"]

_UNTOLD = "a storage that tells nothing of its store"
_SAID = {
    "risk": "sessions can be lost",
    "slow": "takes longer than it needs",
    "waste": "spent for nothing",
    "choice": "a choice",
}


class Findings:
    """What ``wb.advise()`` found; iterating gives the advice, what matters most first.

    Attributes:
        advice: what would help.
        in_order: what was looked at and needs nothing.
        unseen: what could not be looked at, and why.
        place: the store, without secrets.
        operations: how many recorded ones were looked at.
    """

    def __init__(self, lines: Sequence[Line], place: str, operations: int):
        advice = [line for line in lines if isinstance(line, Advice)]
        self.advice = sorted(advice, key=lambda line: SEVERITIES.index(line.severity))
        self.in_order = [line for line in lines if isinstance(line, InOrder)]
        self.unseen = [line for line in lines if isinstance(line, Unseen)]
        self.place = place
        self.operations = operations

    def __iter__(self) -> Iterator[Advice]:
        return iter(self.advice)

    def __len__(self) -> int:
        return len(self.advice)

    def __bool__(self) -> bool:
        """Whether there is any advice."""
        return bool(self.advice)

    def frame(self) -> pd.DataFrame:
        """One row a line.

        Returns:
            ``kind`` (category: advice, in order, unseen), ``severity`` (category: risk, slow,
            waste, choice; missing where there is no advice), ``subject``, ``finding``,
            ``evidence``, ``remedy``, ``cost`` (text; the last two missing where there is none).
        """
        rows: list[tuple[Any, ...]] = [
            ("advice", a.severity, a.subject, a.finding, _plain(a.evidence), a.remedy, a.cost)
            for a in self.advice
        ]
        rows += [
            ("in order", None, line.subject, line.finding, _plain(line.evidence), None, None)
            for line in self.in_order
        ]
        rows += [
            ("unseen", None, line.subject, line.finding, "", None, None) for line in self.unseen
        ]
        names = ["kind", "severity", "subject", "finding", "evidence", "remedy", "cost"]
        frame = pd.DataFrame(rows, columns=names).astype(dict.fromkeys(names[2:], TEXT))
        kinds = pd.CategoricalDtype(["advice", "in order", "unseen"])
        severities = pd.CategoricalDtype([*SEVERITIES], ordered=True)
        return frame.astype({"kind": kinds, "severity": severities})

    def _head(self) -> str:
        count = f"{len(self)} things would help" if len(self) != 1 else "one thing would help"
        said = count if self.advice else "nothing to advise"
        return f"{said}, by the store and {self.operations:,} operations of this workbench"

    def __repr__(self) -> str:
        lines = [self._head(), self.place or _UNTOLD]
        for number, found in enumerate(self.advice, 1):
            lines += ["", f"{number}. {found.subject} ({_SAID[found.severity]})"]
            lines += [f"   {found.finding}"]
            lines += [f"   · {name}: {_value(value)}" for name, value in found.evidence.items()]
            lines += [f"   > {line}" for line in found.remedy.splitlines()]
            lines += [f"   Cost: {found.cost}"]
        for title, others in (("In order:", self.in_order), ("Not looked at:", self.unseen)):
            if others:
                lines += ["", title]
                lines += [f"   {line.subject}: {line.finding}" for line in others]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        body = f"<p>{code(self.place or _UNTOLD)}</p>"
        for found in self.advice:
            body += (
                f"<details open><summary><b>{escape(found.subject)}</b> "
                f'<span class="q">{escape(_SAID[found.severity])}</span></summary>'
                f'<div class="l">{escape(found.finding)}{_table(found.evidence)}'
                f'<div class="gfnb-copy">{_statement(found.remedy)}</div>'
                f'<p><span class="q">Cost:</span> {escape(found.cost)}</p></div></details>'
            )
        body += _folded("in order", [(o.subject, o.finding, o.evidence) for o in self.in_order])
        body += _folded("not looked at", [(o.subject, o.finding, {}) for o in self.unseen])
        return card(escape(self._head()), body)


def _value(value: object) -> str:
    return f"{value:,}" if isinstance(value, (int, float)) else str(value)


def _plain(evidence: Evidence) -> str:
    return "; ".join(f"{name}: {_value(value)}" for name, value in evidence.items())


def _table(evidence: Evidence) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{code(_value(value))}</td></tr>"
        for name, value in evidence.items()
    )
    return f"<table>{rows}</table>"


def _statement(text: str) -> str:
    """To be copied as a whole, so it is never cut; what it holds is ours and names of the store."""
    return f"<code>{escape(text)}</code>"


def _folded(title: str, rows: Sequence[tuple[str, str, Evidence]]) -> str:
    if not rows:
        return ""
    cells = "".join(
        f"<tr><td>{escape(subject)}</td><td>{escape(finding)}"
        f'<div class="q">{escape(_plain(evidence))}</div></td></tr>'
        for subject, finding, evidence in rows
    )
    return f"<details><summary>{title}: {len(rows)}</summary><table>{cells}</table></details>"
