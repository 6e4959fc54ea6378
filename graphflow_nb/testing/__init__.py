"""Conformance: the properties of a complete storage, for which any storage can be checked.

    graphflow_nb.testing.check(factory)      in a notebook: a report by capability
    graphflow_nb.testing.StorageSuite        in pytest: a base class that needs one or two fixtures
    graphflow_nb.testing.state_machine(…)    a Hypothesis state machine against a plain dict

``check`` needs nothing beyond graphflow_nb; the others need pytest and hypothesis.

A property is a coroutine function whose docstring is the statement that must hold, as the report
shows it (``basic.py``, ``conflicts.py``, ``safety.py``, ``queries.py``, ``batches.py``,
``attributes.py``, ``extras.py``, ``races.py``). Each capability and each attribute that a storage
may have is in one; a storage without it does not fail, and the report says why it is optional. The
report, the pytest class and this project's own tests run the same list, and for each property the
tests have a broken storage that fails it.
"""

from typing import TYPE_CHECKING, Any

# These add their properties as they are imported, in this order.
from . import basic, conflicts, safety

# isort: split
from . import batches, queries

# isort: split
from . import attributes, extras, races
from .kit import PROPERTIES, Deviation, Property, Traits
from .report import Finding, Report, check

if TYPE_CHECKING:
    from .machine import state_machine
    from .suite import StorageSuite

__all__ = [
    "PROPERTIES",
    "Deviation",
    "Finding",
    "Property",
    "Report",
    "StorageSuite",
    "Traits",
    "attributes",
    "basic",
    "batches",
    "check",
    "conflicts",
    "extras",
    "queries",
    "races",
    "safety",
    "state_machine",
]

_LATER = {"StorageSuite": "suite", "state_machine": "machine"}


def __getattr__(name: str) -> Any:
    # pytest and hypothesis are loaded only where they are used.
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_LATER[name]}", __name__), name)
