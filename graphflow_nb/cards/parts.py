"""The parts of a card: its box, tables, texts from a store, ages and sizes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.resources import files
from typing import Final

from markupsafe import Markup

from ..printable import describe_count

__all__ = [
    "CARD_CSS",
    "MAX_TEXT",
    "age",
    "breakable",
    "card",
    "code",
    "duration",
    "fact_table",
    "moment_text",
    "plain_box",
    "size",
]

_WORDS: Final = re.compile(r"(?<=[^\W_]_)(?=[^\W_])")  # what is between those of a_long_name
MAX_TEXT: Final = 2_000  # characters of one text


def _shorten_css(text: str) -> str:
    """Return CSS without comments and needless space: each card in a notebook carries it."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"\s+", " ", text)
    return re.sub(r" ?([{},;]) ?|(:) ", r"\1\2", text).replace(";}", "}").strip()


CARD_CSS: Final = _shorten_css(files(__package__).joinpath("card.css").read_text())
_STYLE: Final = Markup("<style>%s</style>") % Markup(CARD_CSS)  # noqa: S704  our own file


def card(title: str, body: str) -> Markup:
    """Return a box with a title; of both, what is not Markup is escaped.

    What is between dollars in it is shown as it is, which JupyterLab takes for a formula elsewhere.
    """
    return _STYLE + Markup(
        '<div class="gfnb mathjax_ignore tex2jax_ignore"><h4>%s</h4>%s</div>'
    ) % (title, body)


def plain_box(body: str) -> Markup:
    """Return a box without a border, for a widget; what is not Markup is escaped."""
    return Markup('<div class="gfnb gfnb-plain">%s</div>') % body


def fact_table(rows: Iterable[tuple[str, str]]) -> Markup:
    """Return a table of names and values; what is not Markup is escaped."""
    row = Markup("<tr><th>%s</th><td>%s</td></tr>")
    return Markup("<table>%s</table>") % Markup("").join(row % each for each in rows)


def code(text: str, *, name: bool = False) -> Markup:
    """Return a text from a store as HTML: escaped, and cut where it is long.

    Args:
        text: The text.
        name: Whether it is a name, whose lines may break between its words.
    """
    kept = text[:MAX_TEXT]
    shown = Markup("<code>%s</code>") % (breakable(kept) if name else kept)
    if len(text) > MAX_TEXT:
        shown += Markup(' <span class="q">… %s characters in all</span>') % f"{len(text):,}"
    return shown


def breakable(text: str) -> Markup:
    """Return a text as HTML, escaped, whose lines may break between the words of a name.

    A browser breaks after a hyphen by itself, but breaks ``a_long_name`` in the middle of a word.
    """
    return Markup("<wbr>").join(_WORDS.split(text))


def age(time: datetime | None) -> str:
    """Return the age of a time, for people: ``3 min ago``."""
    if time is None or time.tzinfo is None:  # PostgreSQL's infinities are naive
        return "at an unknown time"
    return f"{duration((datetime.now(UTC) - time).total_seconds())} ago"


def duration(seconds: float) -> str:
    """Return a duration, for people: ``3 min``."""
    for limit, unit, size in ((120, "s", 1), (7200, "min", 60), (172_800, "h", 3600)):
        if seconds < limit:
            return f"{max(0, seconds) / size:.0f} {unit}"
    return f"{seconds / 86_400:,.0f} days"


def moment_text(time: datetime) -> str:
    """Return a UTC time with its age, for people: ``2026-11-24 10:00:00 UTC, 2 days ago``."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC, {age(time)}"


def size(count: int) -> str:
    """Return a number of bytes, for people."""
    return describe_count(count, "byte") if count < 10_000 else f"{count / 1000:,.0f} kB"
