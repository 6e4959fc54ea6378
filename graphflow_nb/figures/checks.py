"""What figures refuse, in words that say what they take."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from ..errors import QueryError

__all__ = ["choice", "need"]


def choice(value: str, *options: str) -> None:
    """Raise unless the value is one of these."""
    if value not in options:
        raise QueryError(f"{value!r} is none of the choices here: {', '.join(map(repr, options))}")


def need(frame: pd.DataFrame, columns: Iterable[str]) -> None:
    """Raise unless the frame has these columns."""
    lacking = [name for name in columns if name not in frame.columns]
    if lacking:
        raise QueryError(
            f"the frame has no column {', '.join(map(repr, lacking))}; it has "
            f"{', '.join(map(str, frame.columns)) or 'none'}"
        )
