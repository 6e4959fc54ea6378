"""Changes to a session as objects: patches, three-way merges, drafts.

Patches (RFC 6902) and merges work on JSON text member by member, so a change never touches the
digits of another value. No I/O.
"""

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
