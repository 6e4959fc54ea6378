"""DataFrames as a person reads them: durations with their unit, nothing where one is missing."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from ..frames import frame_html

__all__ = ["render_frame", "word_frame"]


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


def render_frame(frame: pd.DataFrame) -> Markup:
    table = frame_html(word_frame(frame))
    return Markup('<div class="whole" style="overflow-x:auto">%s</div>') % table
