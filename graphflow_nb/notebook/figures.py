"""The old path of ``graphflow_nb.figures``, kept for notebooks that import it."""

from __future__ import annotations

import warnings
from typing import Any

__all__: list[str] = []


def __getattr__(name: str) -> Any:
    if name.startswith("__"):  # what Python and its tools look for in any module
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .. import figures

    value = getattr(figures, name)
    warnings.warn(
        f"graphflow_nb.notebook.figures is graphflow_nb.figures now: import {name} from there",
        DeprecationWarning,
        stacklevel=2,
    )
    return value
