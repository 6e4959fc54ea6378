"""What "complete" means for a storage, as checks that any storage can be put to.

    graphflow_nb.testing.check(factory)      in a notebook: a report by capability
    graphflow_nb.testing.StorageSuite        in pytest: a base class, with two fixtures it runs
    graphflow_nb.testing.state_machine(…)    a Hypothesis state machine against a plain dict

``check`` needs nothing beyond graphflow_nb, the others pytest and hypothesis.
"""

from typing import TYPE_CHECKING, Any

from . import basic, batches, queries  # their properties are noted as they are imported
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
    "basic",
    "batches",
    "check",
    "queries",
    "state_machine",
]

_LATER = {"StorageSuite": "suite", "state_machine": "machine"}


def __getattr__(name: str) -> Any:
    # pytest and hypothesis are loaded only by whoever tests with them.
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_LATER[name]}", __name__), name)
