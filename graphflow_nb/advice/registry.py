"""The registry of the rules of advice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

from .lines import Line
from .seen import Seen

__all__ = ["RULES", "Rule", "rule"]

S = TypeVar("S")


class Rule(NamedTuple):
    """A registered rule.

    Attributes:
        subject: The type that the rule judges: a kind of ``StoreFacts``, ``HistorySize``,
            ``Operations`` or ``ResettingPool``.
        find: The function that judges: given such a subject and all that was seen, it yields
            lines.
    """

    subject: type[Any]
    find: Callable[[Any, Seen], Iterator[Line]]


#: Every rule, in the order of registration.
RULES: list[Rule] = []


def rule(
    subject: type[S],
) -> Callable[[Callable[[S, Seen], Iterator[Line]]], Callable[[S, Seen], Iterator[Line]]]:
    """Register the decorated function as a rule.

    Args:
        subject: The type that the function judges. It is called once for each subject of this
            type: the facts of the store, the recorded operations, a pool.

    Returns:
        A decorator that leaves the function unchanged.
    """

    def register(
        find: Callable[[S, Seen], Iterator[Line]],
    ) -> Callable[[S, Seen], Iterator[Line]]:
        RULES.append(Rule(subject, find))
        return find

    return register
