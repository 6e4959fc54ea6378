"""What would help a store, told from facts of the store and from what was recorded.

The rules are plain functions of both, and none of them asks the store anything.
"""

from .findings import Findings
from .lines import Advice, InOrder, Line, Severity, Unseen
from .rules import advise

__all__ = ["Advice", "Findings", "InOrder", "Line", "Severity", "Unseen", "advise"]
