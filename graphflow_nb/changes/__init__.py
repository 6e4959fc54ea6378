"""Changes to a session as objects: patches, three-way merges, drafts. No I/O.

Patches (RFC 6902) and merges work on JSON text member by member, so a change never touches the
digits of another value. ``document.py`` is a session as one JSON text, ``comparing.py`` finds the
changes between two, ``applying.py`` makes them, ``merge.py`` joins those of two people
(``lists.py`` those of one list), and ``draft.py`` collects what one person enters.
"""

from .applying import apply
from .comparing import diff
from .document import document, value_at, with_document
from .draft import KINDS, Draft, json_value
from .merge import Choice, Clash, Merge
from .patch import Change, Patch, Path, pointer, python

__all__ = [
    "KINDS",
    "Change",
    "Choice",
    "Clash",
    "Draft",
    "Merge",
    "Patch",
    "Path",
    "apply",
    "diff",
    "document",
    "json_value",
    "pointer",
    "python",
    "value_at",
    "with_document",
]
