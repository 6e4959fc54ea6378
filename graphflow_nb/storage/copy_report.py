"""The report of a copy: what was copied, and what is not the same in both stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from ..printable import printable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NAMED", "CopyFailure", "CopyReport"]

#: The sessions of each kind that a report names, at most.
NAMED: Final = 1000


class CopyFailure(NamedTuple):
    """A session that could not be copied.

    Attributes:
        id: The id of the session.
        reason: What the target, or ``redact``, said of it, or what is different.
    """

    id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyReport:
    """A report of a copy.

    Example:
        >>> import graphflow_nb
        >>> report = graphflow_nb.open("demo").copy_to(graphflow_nb.open("memory:"), task="payout")
        >>> report.verified, report.copied == report.read
        (True, True)

    Attributes:
        read: The number of sessions that the filters selected.
        copied: The number of sessions that were written.
        present: The number of sessions that were there already with the same content.
        different: The ids of sessions that were there with another content and were not changed.
        left_out: The number of sessions for which ``redact`` returned None.
        wrong: The ids of sessions that are missing from the target or differ after the copy.
        bytes: The size of the contexts that were written.
        seconds: The duration.
        sha256: The SHA-256 of the content of all that was copied or present, in any order.
        times_kept: Whether all that was copied has the times that it has in the source.
        versions_kept: Whether all that was copied has the version that it has in the source.
        outdated: The ids of sessions that were there with the same content, but were created or
            saved at another time, and were not changed.
        untimed: The number of sessions without a time in the source, which have the time of the
            copy in the target.
        unexpiring: The number of sessions that expire in the source and not in the target.
        failures: The sessions that could not be copied, with the reasons.
        more: How many there are beyond the first 1,000 that ``different``, ``outdated``, ``wrong``
            or ``failures`` names, by the name of that attribute. ``on_failure=`` of a copy is told
            of all.
        stopped: Whether it was stopped before its end; the same copy again goes on.
    """

    read: int
    copied: int
    present: int
    different: tuple[str, ...]
    left_out: int
    wrong: tuple[str, ...]
    bytes: int
    seconds: float
    sha256: str
    times_kept: bool
    versions_kept: bool = True
    outdated: tuple[str, ...] = ()
    untimed: int = 0
    unexpiring: int = 0
    failures: tuple[CopyFailure, ...] = ()
    more: Mapping[str, int] = field(default_factory=dict)
    stopped: bool = False

    @property
    def failed(self) -> pd.DataFrame:
        """The sessions that could not be copied, at most the first 1,000; ``more`` counts others.

        Returns:
            A DataFrame with the columns ``id`` and ``reason`` (str), in the order of the copy.
        """
        import pandas as pd

        return pd.DataFrame(
            {
                "id": pd.Series([f.id for f in self.failures], dtype="str"),
                "reason": pd.Series([f.reason for f in self.failures], dtype="str"),
            }
        )

    def count(self, kind: str) -> int:
        """Return how many sessions there are of a kind, also where not all are named.

        Args:
            kind: ``"different"``, ``"outdated"``, ``"wrong"`` or ``"failures"``.
        """
        named: Mapping[str, Sequence[object]] = {
            "different": self.different,
            "outdated": self.outdated,
            "wrong": self.wrong,
            "failures": self.failures,
        }
        return len(named[kind]) + self.more.get(kind, 0)

    @property
    def verified(self) -> bool:
        """Whether every selected session that was not left out is in the target unchanged.

        Never of a copy that was stopped. By content, and by its times where it was there before.
        What the target can't keep of a session that was copied is reported by ``times_kept`` and
        ``versions_kept``.
        """
        accounted = self.copied + self.present + self.left_out
        odd = self.different or self.wrong or self.outdated or self.failures or self.stopped
        return accounted == self.read and not odd

    @property
    def verdict(self) -> str:
        """The result in some words: verified, or what is not the same."""
        if self.verified:
            return "verified by count and content"
        if self.stopped:
            return "STOPPED before its end: the same copy again goes on"
        same = self.outdated and not (self.different or self.wrong or self.failures)
        return "NOT the same times" if same else "NOT the same content"

    def __str__(self) -> str:
        parts = [f"{self.copied:,} of {self.read:,} sessions copied in {self.seconds:.1f} s"]
        if self.present:
            parts.append(f"{self.present:,} were there already")
        if self.left_out:
            parts.append(f"{self.left_out:,} were left out")
        if self.failures:
            first = self.failures[0]
            parts.append(
                f"{self.count('failures'):,} could not be copied "
                f"({first.id!r}: {printable(first.reason)}); .failed lists "
                f"{'the first 1,000' if self.more.get('failures') else 'them'}"
            )
        if self.different:
            parts.append(
                f"{self.count('different'):,} are already there with different content and "
                f"were not changed ({_name_some(self.different)})"
            )
        if self.outdated:
            parts.append(
                f"{self.count('outdated'):,} are already there with the same content but different "
                f"times and were not changed ({_name_some(self.outdated)})"
            )
        if self.wrong:
            parts.append(
                f"{self.count('wrong'):,} with a mismatch on read-back ({_name_some(self.wrong)})"
            )
        if not (self.times_kept and self.versions_kept):
            lost = "versions" if self.times_kept else "times"
            if not (self.times_kept or self.versions_kept):
                lost = "versions and times"
            parts.append(f"with new {lost}, since the target can't keep them")
        if self.untimed:
            parts.append(f"{self.untimed:,} had no time and have that of the copy")
        if self.unexpiring:
            parts.append(f"{self.unexpiring:,} expire in the source, but not in the target")
        if self.more:
            parts.append(
                "on_failure= of the same copy again is told of all that are not named here"
            )
        return "; ".join([*parts, self.verdict])

    __repr__ = __str__  # what a cell shows that ends with the call


def _name_some(ids: Sequence[str]) -> str:
    return ", ".join(repr(id) for id in ids[:3]) + (", …" if len(ids) > 3 else "")
