"""Warnings to the person at a cell or a script."""

from __future__ import annotations

import warnings

from .secret_texts import scrub

__all__ = ["warn"]


def warn(text: str) -> None:
    """Warn of something that the person who called should know of, without a place in a file.

    The call may run on another thread, and the path of this package would be noise. Secrets in the
    text are hidden.
    """
    warnings.warn_explicit(scrub(text), UserWarning, "graphflow_nb", 0)
