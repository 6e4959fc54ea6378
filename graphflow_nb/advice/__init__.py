"""What would help a store, found in facts about the store and in the recorded operations.

The rules are plain functions of these facts and records. No rule asks the store anything, none
changes anything, and what could not be examined is listed too.
"""

from .findings import Findings
from .lines import Advice, InOrder, Line, Severity, Unseen
from .rules import advise

__all__ = ["Advice", "Findings", "InOrder", "Line", "Severity", "Unseen", "advise"]
