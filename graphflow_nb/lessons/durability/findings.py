"""What a kill left of acknowledged saves, and the table of many kills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import pandas as pd
from markupsafe import Markup

from ...cards import card
from ...errors import LessonError

__all__ = ["Finding", "findings_html", "tabulate", "wilson_interval"]

_Z = 1.959964  # of 95 %


@dataclass(frozen=True, slots=True)
class Finding:
    """What one kill left: the ledger of the writer beside the row of the store.

    A writer saves the numbers 1, 2, 3, … in one session, the next one when the store has
    acknowledged the one before.

    Example:
        >>> from graphflow_nb.lessons import Finding
        >>> finding = Finding(acknowledged=120, stored=80)
        >>> finding.lost, finding.verdict
        (40, 'acknowledged and lost')

    Attributes:
        acknowledged: The number of the last save that the store acknowledged, 0 for none. It is
            known from the ledger, which is not in the store.
        stored: The number that the row holds, 0 where there is no row, None where the row is torn:
            it can't be read, or its parts are of different saves.
    """

    acknowledged: int
    stored: int | None

    def __post_init__(self) -> None:
        if self.acknowledged < 0 or (self.stored is not None and self.stored < 0):
            raise LessonError("a finding has the numbers of saves: integers >= 0, or None for torn")
        if self.stored is not None and self.stored > self.acknowledged + 1:
            raise LessonError(
                f"the row holds save {self.stored}, and the writer had sent only "
                f"{self.acknowledged + 1}: another writer uses this session. The kill is not "
                "counted; use a store of the lesson's own"
            )

    @property
    def is_torn(self) -> bool:
        """Whether the row is neither the one save nor the other."""
        return self.stored is None

    @property
    def lost(self) -> int:
        """The number of saves that were acknowledged and are not there; all, if the row is torn."""
        return max(0, self.acknowledged - (self.stored or 0))

    @property
    def unacknowledged(self) -> int:
        """The number of saves that are there and were not acknowledged: 0 or 1."""
        return max(0, (self.stored or 0) - self.acknowledged)

    @property
    def verdict(self) -> str:
        """What became of the last save, in words."""
        if self.is_torn:
            return "torn"
        if self.lost:
            return "acknowledged and lost"
        return "not acknowledged, but there" if self.unacknowledged else "acknowledged and there"

    def _repr_html_(self) -> str:
        return str(card(f"durability: {self.verdict}", findings_html([self])))


def findings_html(findings: Sequence[Finding], *, first: int = 1) -> Markup:
    """Return a table with one row for each kill.

    Args:
        findings: What the kills left.
        first: The number of the first of these kills.
    """
    row = Markup(
        '<tr><td>%s</td><td class="n">%s</td><td class="n">%s</td><td class="n">%s</td>'
        '<td class="n">%s</td><td>%s</td></tr>'
    )
    head = Markup(
        '<tr><th>kill</th><th class="n">last acknowledged</th><th class="n">in the row</th>'
        '<th class="n">lost</th><th class="n">not acknowledged</th><th>verdict</th></tr>'
    )
    rows = [
        row
        % (
            number,
            f"{finding.acknowledged:,}",
            _describe_row(finding.stored),
            f"{finding.lost:,}",
            finding.unacknowledged,
            finding.verdict,
        )
        for number, finding in enumerate(findings, first)
    ]
    return Markup('<table class="whole">%s%s</table>') % (head, Markup("").join(rows))


def _describe_row(stored: int | None) -> str:
    if stored is None:
        return "torn"
    return f"{stored:,}" if stored else "no row"


def wilson_interval(count: int, of: int) -> tuple[float, float]:
    """Return the bounds of Wilson's 95 % interval of a share.

    Example:
        >>> from graphflow_nb.lessons import wilson_interval
        >>> [round(bound, 3) for bound in wilson_interval(0, 50)]
        [0.0, 0.071]

    Args:
        count: How often it happened.
        of: How often it could have happened; of 0 nothing is known, and the bounds are 0 and 1.

    Raises:
        LessonError: The numbers are not a share.
    """
    if not 0 <= count <= of:
        raise LessonError(f"{count} of {of} is not a share: use 0 <= count <= of")
    if of == 0:
        return 0.0, 1.0
    share, square = count / of, _Z**2
    middle = share + square / (2 * of)
    spread = _Z * sqrt(share * (1 - share) / of + square / (4 * of**2))
    low, high = (middle - spread) / (1 + square / of), (middle + spread) / (1 + square / of)
    # What follows from the numbers alone is not left to rounding.
    return (0.0 if count == 0 else low), (1.0 if count == of else high)


def tabulate(findings: Mapping[tuple[str, str], Sequence[Finding]]) -> pd.DataFrame:
    """Return the table of kills.

    Args:
        findings: The findings of each store and setting.

    Returns:
        One row for each store and setting, with the columns ``store`` and ``setting`` (str);
        ``kills``, ``acknowledged`` (saves), ``with_loss`` (kills that lost an acknowledged
        save), ``lost`` (acknowledged saves that are not there), ``most_lost`` (by one kill),
        ``unacknowledged`` (saves that are there and were not acknowledged) and ``torn`` (rows), all
        int64; ``low`` and ``high`` (float64), Wilson's 95 % interval of the share of kills that
        lose an acknowledged save.
    """
    rows = []
    for (store, setting), found in findings.items():
        losses = [finding.lost for finding in found]
        with_loss = sum(lost > 0 for lost in losses)
        low, high = wilson_interval(with_loss, len(found))
        rows.append(
            {
                "store": store,
                "setting": setting,
                "kills": len(found),
                "acknowledged": sum(finding.acknowledged for finding in found),
                "with_loss": with_loss,
                "lost": sum(losses),
                "most_lost": max(losses, default=0),
                "unacknowledged": sum(finding.unacknowledged for finding in found),
                "torn": sum(finding.is_torn for finding in found),
                "low": low,
                "high": high,
            }
        )
    return pd.DataFrame(rows, columns=_COLUMNS)


_COLUMNS = [
    *("store", "setting", "kills", "acknowledged", "with_loss", "lost", "most_lost"),
    *("unacknowledged", "torn", "low", "high"),
]
