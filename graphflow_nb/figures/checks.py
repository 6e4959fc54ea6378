"""Checks of the arguments of figures; their errors name what a figure takes."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from ..errors import QueryError

__all__ = ["check_choice", "check_columns"]


def check_choice(value: str, *options: str) -> None:
    """Raise unless a value is one of the options.

    Raises:
        QueryError: The value is not one of them.
    """
    if value not in options:
        raise QueryError(f"{value!r} is not one of the choices: {', '.join(map(repr, options))}")


def check_columns(frame: pd.DataFrame, columns: Iterable[str]) -> None:
    """Raise unless a frame has these columns.

    Raises:
        QueryError: The frame lacks one of them.
    """
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise QueryError(
            f"the frame has no column {', '.join(map(repr, missing))}; it has "
            f"{', '.join(map(str, frame.columns)) or 'none'}"
        )
