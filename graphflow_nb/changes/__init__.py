"""Changes to a session as things of their own: what they are, drafting them, merging them."""

from .draft import KINDS, Draft, json_value
from .merge import Clash, Merge
from .patch import Change, Patch, apply, diff, python

__all__ = [
    "KINDS",
    "Change",
    "Clash",
    "Draft",
    "Merge",
    "Patch",
    "apply",
    "diff",
    "json_value",
    "python",
]
