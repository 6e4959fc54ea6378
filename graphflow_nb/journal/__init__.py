"""What was changed by hand, so that it can be undone."""

from .entries import Entry, Journal
from .storage import JournaledStorage

__all__ = ["Entry", "Journal", "JournaledStorage"]
