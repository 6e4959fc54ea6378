"""The filters that a person set, and the window of time, which moves with the clock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from ...storage.query import EMPTY_FILTERS, FILTERS

__all__ = ["ANY_TIME", "WINDOWS", "Chosen"]

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
ANY_TIME: Final = "at any time"
#: Label of a choice to the seconds; negative for "not since".
WINDOWS: Final[dict[str, int]] = {
    ANY_TIME: 0,
    "in the last 15 minutes": 15 * _MINUTE,
    "in the last hour": _HOUR,
    "in the last day": _DAY,
    "in the last week": 7 * _DAY,
    "not for 15 minutes": -15 * _MINUTE,
    "not for an hour": -_HOUR,
    "not for a day": -_DAY,
    "not for a week": -7 * _DAY,
}


class Chosen(NamedTuple):
    """What a list of sessions is narrowed to.

    Attributes:
        filters: The filters that are set, by name, in the order of ``FILTERS``.
        window: The time of the last save, one of ``WINDOWS``.
    """

    filters: dict[str, Any]
    window: str = ANY_TIME

    @classmethod
    def of(cls, filters: Mapping[str, Any], window: str = ANY_TIME) -> Chosen:
        """Return the choice of these filters; those that select every session are left out."""
        found = {name: filters[name] for name in FILTERS if filters.get(name) is not None}
        for name in EMPTY_FILTERS:
            if not found.get(name, True):
                del found[name]
        for name in ("has", "lacks"):
            if isinstance(found.get(name), str):
                found[name] = (found[name],)
        return cls(found, window)

    @property
    def narrows(self) -> bool:
        """Whether anything is set."""
        return bool(self.filters) or bool(WINDOWS[self.window])

    def now(self) -> dict[str, Any]:
        """Return the filters, with the window of time as it is now."""
        seconds = WINDOWS[self.window]
        if not seconds:
            return self.filters
        edge = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=abs(seconds))
        name = "updated_since" if seconds > 0 else "updated_until"
        return Chosen.of({**self.filters, name: edge}).filters

    def beside_tasks(self) -> Chosen:
        """Return what the numbers at graphs and tasks follow: all but these two filters."""
        named = ("graph", "task")
        others = {name: value for name, value in self.filters.items() if name not in named}
        return Chosen(others, self.window)
