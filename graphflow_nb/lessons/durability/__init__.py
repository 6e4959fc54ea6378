"""What a store keeps of what it acknowledged, when it is killed in the middle of a save.

``apparatus.py`` has the object of the lesson and the table of many kills, ``child.py`` is what the
process that writes does, ``writer.py`` is the kernel's hold on it with the ledger, and
``findings.py`` compares the ledger with the store.
"""

from .apparatus import SETTINGS, Durability, durability_table
from .findings import Finding, tabulate, wilson_interval
from .writer import Writer, read_row

__all__ = [
    "SETTINGS",
    "Durability",
    "Finding",
    "Writer",
    "durability_table",
    "read_row",
    "tabulate",
    "wilson_interval",
]
