"""What the tests of properties share: a storage to break, and which properties then fail."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import graphflow_nb as g
from graphflow_nb.testing import PROPERTIES, Deviation, Traits


class Broken(g.InMemorySessionStorage):
    """Shares its data with those opened later; what is wrong with it is told by its subclass."""

    def __init__(self) -> None:
        super().__init__()
        self.open = True


def find_failing(make: Any, names: Iterable[str], traits: Traits | None = None) -> set[str]:
    """Return which of these properties fail, each on a storage of its own."""
    return {name for name in names if fails(make(), name, traits or Traits())}


def fails(storage: Any, name: str, traits: Traits) -> bool:
    (prop,) = (prop for prop in PROPERTIES if prop.name == name)
    assert prop.find_missing(storage, traits) is None
    try:
        asyncio.run(prop.hold(lambda: storage, traits))
    except Deviation:
        return True
    return False


def properties_of(module: ModuleType) -> set[str]:
    """Return the names of the properties of a module."""
    return {prop.name for prop in PROPERTIES if prop.check.__module__ == module.__name__}
