"""Which values are numbers, where an argument has to be one."""

from __future__ import annotations

import math
from numbers import Integral, Real

__all__ = ["is_number", "is_whole"]


def is_whole(value: object, least: int = 0) -> bool:
    """Return whether a value is a whole number: one of numpy is, True and 2.0 are not.

    Example:
        >>> [is_whole(value) for value in (2, 2.0, True, -1, "2", None)]
        [True, False, False, False, False, False]

    Args:
        value: The value.
        least: The least number.
    """
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def is_number(value: object, least: float = 0.0) -> bool:
    """Return whether a value is a number, at least this one: NaN, infinity and True are none.

    Args:
        value: The value.
        least: The least number.
    """
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        number = float(value)
    except OverflowError:
        return False
    return math.isfinite(number) and number >= least
