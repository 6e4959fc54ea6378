"""Texts from elsewhere, as a terminal can show them."""

from __future__ import annotations

__all__ = ["printable", "printable_lines"]


def printable(text: str) -> str:
    r"""Return a text in one line, with escapes for what is not printable.

    Control characters can drive a terminal, and marks of the direction of writing can make a text
    read as another one.

    Example:
        >>> from graphflow_nb.printable import printable
        >>> print(printable("a\x1b[31m\u202eb\n"))
        a\x1b[31m\u202eb\n
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable_lines(text: str) -> str:
    """Return a text of several lines, with escapes for what is not printable in each."""
    return "\n".join(map(printable, text.split("\n")))
