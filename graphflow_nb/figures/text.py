"""Numbers and names as figures show them."""

from __future__ import annotations

import math

from ..printable import describe_count
from .fonts import find_undrawable

__all__ = [
    "about_text",
    "bytes_text",
    "change_text",
    "column_text",
    "compact_text",
    "count_text",
    "duration_text",
    "escape_formulas",
    "fine_share_text",
    "long_text",
    "nanos_text",
    "number_text",
    "percentile_name",
    "percentile_text",
    "rate_text",
    "ratio_text",
    "share_text",
    "short_name",
]

LONGEST = 36  # characters of a name

_COLUMNS = {"op": "operation", "storage": "store"}


def duration_text(micros: float) -> str:
    """Return microseconds in words: 850 ns, 3.2 µs, 1.5 ms, 2 s.

    Args:
        micros: The duration in microseconds, with three digits at most in what is returned.

    Example:
        >>> from graphflow_nb.figures import duration_text
        >>> duration_text(3200)
        '3.2 ms'
    """
    for unit, size in (("ns", 1e-3), ("µs", 1), ("ms", 1e3), ("s", 1e6)):
        text = f"{micros / size:.3g}"
        if abs(float(text)) < 1000:
            return f"{text} {unit}"
    return f"{micros / 1e6:,.0f} s"


def nanos_text(nanos: float) -> str:
    """Return nanoseconds in words, ``unknown`` for NaN."""
    return "unknown" if math.isnan(nanos) else duration_text(nanos / 1000)


def long_text(nanos: float) -> str:
    """Return a duration that may be of days, with its unit: ``3.8 h``.

    Args:
        nanos: The duration in nanoseconds.
    """
    seconds = nanos / 1e9
    for limit, unit, size in ((7_200, "min", 60), (172_800, "h", 3_600)):
        if 120 <= seconds < limit:
            return f"{seconds / size:.3g} {unit}"
    return nanos_text(nanos) if seconds < 120 else f"{seconds / 86_400:,.3g} days"


def change_text(nanos: float) -> str:
    """Return a difference of durations in words, with its sign: +1.5 ms, −2 µs."""
    return ("+" if nanos > 0 else "") + nanos_text(nanos).replace("-", "−")


def ratio_text(ratio: float, digits: int = 3) -> str:
    """Return a ratio in words: ×1.5."""
    return f"×{ratio:.{digits}g}"


def bytes_text(count: float) -> str:
    """Return a number of bytes in words: ``64 bytes``, ``4 KiB``, ``1.2 GiB``."""
    for power, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if count >= 1024**power:
            return f"{count / 1024**power:,.3g} {unit}"
    return describe_count(round(count), "byte")


def about_text(number: float, share: float) -> str:
    """Return a number that was multiplied up from a share: ``about 1,230,000`` for less than all.

    Args:
        number: The number.
        share: The part of the whole that was counted.
    """
    if share == 1 or not number:
        return number_text(number)
    return f"about {round(number, 2 - math.floor(math.log10(number))):,.0f}"


def compact_text(number: float) -> str:
    """Return a number in few characters, with three digits at most: ``950``, ``1.2 k``, ``3 M``."""
    for unit, size in (("", 1), (" k", 1e3), (" M", 1e6)):
        text = f"{number / size:.3g}"
        if abs(float(text)) < 1000:
            return text + unit
    return f"{number / 1e9:,.3g} G"


def number_text(number: float) -> str:
    """Return a whole number with its thousands apart: 12,345."""
    return f"{number:,.0f}"


def rate_text(rate: float) -> str:
    """Return a rate as a number, whole from 10 on: 12,345 or 0.25."""
    return number_text(rate) if rate >= 10 else f"{rate:.3g}"


def share_text(share: float) -> str:
    """Return a share in per cent: ``25 %`` for a quarter."""
    return f"{100 * share:.0f} %"


def fine_share_text(share: float) -> str:
    """Return a small share in per cent: ``0.07 %``, and ``< 0.01 %`` for less than that."""
    if 0 < share < 1e-4:
        return "< 0.01 %"
    return f"{100 * share:.2f} %" if share else "0 %"


def percentile_text(tail: int) -> str:
    """Return the share of operations that a percentile covers: ``50 %`` for 2, ``99.9 %`` for 1000.

    Args:
        tail: One operation in so many lies beyond the percentile.
    """
    return f"{100 - 100 / tail:.12g} %"


def percentile_name(tail: int) -> str:
    """Return the name of a percentile: ``p50`` for 2, ``p99.9`` for 1000.

    Args:
        tail: One operation in so many lies beyond the percentile.
    """
    return f"p{100 - 100 / tail:.12g}"


def count_text(n: int, failed: int = 0) -> str:
    """Return how many operations there are, and how many of them failed: n = 1,234, 5 failed."""
    if not failed:
        return f"n = {n:,}"
    return f"n = {n:,}, {'all' if failed == n > 1 else f'{failed:,}'} failed"


def short_name(name: object, longest: int = LONGEST) -> str:
    """Return any name in one short line, with escapes for characters that no font has.

    Args:
        name: The name.
        longest: The number of characters that are kept; of more, some in the middle are left out.
    """
    text = str(name)[: 10 * LONGEST]
    escapes = {ord(each): each.encode("unicode_escape").decode() for each in find_undrawable(text)}
    text = text.translate(escapes)
    # Similar names differ least in the middle.
    end = longest // 3
    return text if len(text) <= longest else f"{text[: longest - end - 1]}…{text[-end:]}"


def column_text(column: str) -> str:
    """Return the name of a column of operations as a person would say it: ``store``."""
    return _COLUMNS.get(column, column)


def escape_formulas(text: str) -> str:
    """Return a text for matplotlib, which would take what is between two ``$`` for a formula."""
    return text.replace("$", r"\$")
