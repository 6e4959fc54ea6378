"""The names that a notebook gave to our objects."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["find_name"]


def find_name(wanted: object) -> str | None:
    """Return a name of an object in the notebook's cells; None if it has none there.

    Args:
        wanted: The object.
    """
    ipython = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return None
    # A copy: a cell may bind names meanwhile, on another thread. IPython's own begin with "_".
    names: dict[str, object] = dict(shell.user_ns)
    for name, value in names.items():
        if value is wanted and not name.startswith("_"):
            return name
    return None
