"""How an optional part of this package is installed into the running Python."""

from __future__ import annotations

import sys
from importlib.util import find_spec

__all__ = ["install_command"]


def install_command(extra: str) -> str:
    """Return the command that installs an extra into the environment of this process.

    README's environments have no pip of their own: there a plain ``pip install`` would fail, or
    install the extra for another Python.

    Args:
        extra: The name of the extra, as in ``pyproject.toml``.
    """
    pip = "pip" if find_spec("pip") is not None else f"python3 -m pip --python {sys.prefix}"
    return f"{pip} install 'graphflow_nb[{extra}]'"
