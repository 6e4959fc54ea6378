"""The machine and the versions that a benchmark runs on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final

__all__ = ["describe_machine"]

_PACKAGES: Final = ("graphflow_nb", "asyncpg", "redis", "msgspec", "numpy", "pandas")


def describe_machine() -> dict[str, str]:
    """Return processor, system and versions by name; nothing in it identifies the owner."""
    found = {
        "processors": f"{os.cpu_count()} × {_read_processor()}",
        "system": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _read_processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
