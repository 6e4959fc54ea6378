"""Texts from elsewhere, as a terminal can show them, and numbers of things in words."""

from __future__ import annotations

__all__ = ["describe_count", "inflect", "printable", "printable_lines"]


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


def describe_count(number: int, one: str, many: str | None = None) -> str:
    """Return a number of things in words.

    Args:
        number: How many there are.
        one: What one of them is called; words around it may follow, such as a verb.
        many: What several or none are called; None adds an s.

    Example:
        >>> from graphflow_nb.printable import describe_count
        >>> describe_count(1, "key is missing", "keys are missing"), describe_count(1200, "key")
        ('1 key is missing', '1,200 keys')
    """
    return f"{number:,} {inflect(number, one, many)}"


def inflect(number: int, one: str, many: str | None = None) -> str:
    """Return what so many things are called: ``one``, or ``many``, which is ``one`` with an s."""
    if number == 1:
        return one
    return f"{one}s" if many is None else many
