"""The parts of a card: its box, tables, texts from a store, ages and sizes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from typing import Final

__all__ = ["CARD_CSS", "MAX_TEXT", "age", "card", "code", "fact_table", "size"]

MAX_TEXT: Final = 2_000  # characters of one text

CARD_CSS: Final = files(__package__).joinpath("card.css").read_text()
_STYLE: Final = f"<style>{CARD_CSS}</style>"


def card(title: str, body: str) -> str:
    """Return a box with a title; both are HTML."""
    return f'{_STYLE}<div class="gfnb"><h4>{title}</h4>{body}</div>'


def fact_table(rows: Iterable[tuple[str, str]]) -> str:
    """Return a table of names and values; the values are HTML."""
    cells = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows)
    return f"<table>{cells}</table>"


def code(text: str) -> str:
    """Return a text from a store as HTML: escaped, and cut where it is long."""
    shown = escape(text[:MAX_TEXT])
    if len(text) > MAX_TEXT:
        shown += f'</code> <span class="q">… {len(text):,} characters in all</span><code>'
    return f"<code>{shown}</code>"


def age(time: datetime | None) -> str:
    """Return the age of a time, for people: ``3 min ago``."""
    if time is None or time.tzinfo is None:  # PostgreSQL's infinities are naive
        return "at a time unknown"
    seconds = (datetime.now(UTC) - time).total_seconds()
    for limit, unit, size in ((120, "s", 1), (7200, "min", 60), (172_800, "h", 3600)):
        if seconds < limit:
            return f"{max(0, seconds) / size:.0f} {unit} ago"
    return f"{seconds / 86_400:,.0f} days ago"


def size(count: int) -> str:
    """Return a number of bytes, for people."""
    return f"{count:,} bytes" if count < 10_000 else f"{count / 1000:,.0f} kB"
