"""DataFrames as a person reads them: durations with their unit, nothing where one is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd
from markupsafe import Markup

from ..cards import breakable
from ..printable import printable

__all__ = ["print_frame", "render_frame", "short_id", "word_frame"]

MAX_ROWS: Final = 200  # of a table for people
MAX_NAME: Final = 60  # characters of an id or a task in a sentence
MAX_CELL: Final = 300  # characters of a text in it

# Of a text, and of a number.
HEADS: Final = Markup("<th>%s</th>"), Markup('<th class="n">%s</th>')
CELLS: Final = Markup("<td>%s</td>"), Markup('<td class="n">%s</td>')


def short_id(text: str) -> str:
    """Return an id or the name of a task as it is named in a sentence."""
    shown = printable(text)
    return f"{shown[:MAX_NAME]}…" if len(shown) > MAX_NAME else shown or "''"


def word_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame for people: durations with their unit, nothing where something is missing."""
    from ..figures.text import long_text  # which takes its time: only when it is wanted

    def word(value: pd.Timedelta, *, signed: bool) -> str:
        sign = "" if not signed or not value else "+" if value > pd.Timedelta(0) else "−"
        return sign + long_text(abs(value).value)

    shown = frame.astype(object).where(frame.notna(), "")
    for name, column in frame.select_dtypes("timedelta").items():
        signed = name == "difference"
        shown[name] = ["" if pd.isna(v) else word(v, signed=signed) for v in column]
    for name, column in frame.select_dtypes("float").items():
        shown[name] = ["" if pd.isna(v) else f"{v:.3g}" for v in column]
    return shown


def print_frame(frame: pd.DataFrame) -> str:
    """Return the first rows of a frame for people as plain text, and how many there are."""
    shown = word_frame(frame.head(MAX_ROWS)).map(_cut)
    return "\n".join(filter(None, (shown.to_string(), _describe_rest(frame))))


def render_frame(frame: pd.DataFrame, names: Mapping[str, str]) -> Markup:
    """Return the first rows of a frame for people as an HTML table.

    Args:
        frame: The frame.
        names: What the columns are called there, where that is not their name.
    """
    shown = word_frame(frame.head(MAX_ROWS))
    right = [frame[name].dtype.kind in "iufm" for name in frame.columns]
    head = _row(HEADS, [names.get(str(name), str(name)) for name in shown.columns], right)
    rows = shown.itertuples(index=False, name=None)
    body = Markup("").join(
        _row(CELLS, [breakable(_cut(value)) for value in row], right) for row in rows
    )
    table = Markup(
        '<div style="overflow-x:auto" tabindex="0"><table class="gfnb-steps">%s%s</table></div>'
    )
    rest = _describe_rest(frame)
    return table % (head, body) + (Markup("<p>%s</p>") % rest if rest else Markup(""))


def _row(cells: tuple[Markup, Markup], values: Sequence[object], right: Sequence[bool]) -> Markup:
    shown = (cells[n] % value for n, value in zip(right, values, strict=True))
    return Markup("<tr>%s</tr>") % Markup("").join(shown)


def _cut(value: Any) -> str:
    text = printable(str(value))
    return text if len(text) <= MAX_CELL else f"{text[:MAX_CELL]}…"


def _describe_rest(frame: pd.DataFrame) -> str:
    if len(frame) <= MAX_ROWS:
        return ""
    return f"the first {MAX_ROWS:,} of {len(frame):,} rows; the DataFrame has all"
