"""Advice on a store, derived from its facts and from the recorded operations.

A rule is a function that judges one subject and yields lines: ``Advice`` where something would
help, ``InOrder`` where nothing is needed, ``Unseen`` where it could not be judged. No rule asks the
store anything, because ``storage.facts()`` has asked before, and none changes anything. A rule is
registered where it is defined, and nowhere else::

    @rule(SqliteFacts)
    def find_free_space(facts: SqliteFacts, seen: Seen) -> Iterator[Line]:
        \"\"\"Find a file most of which holds nothing.\"\"\"

- The argument of ``rule`` is the subject that the function judges: a kind of ``StoreFacts``,
  ``Operations`` (what the workbench recorded) or ``ResettingPool`` (a pool of a custom storage).
  ``advise`` calls the function for each such subject that it has.
- ``seen`` is everything else that is known: the facts of the store if there are any, the
  operations, and the orders in which pages are requested.
- It belongs in a module of ``advice/rules/``. A new module there is found by itself.

House rules for an ``Advice``:

- ``finding`` and ``cost`` are whole sentences in plain text, without markup; the finding names the
  numbers.
- ``evidence`` has the figures of this store from which the finding follows, units in the names.
- ``remedy`` can be copied as it is: SQL ends with ``;``, everything else is a Python call, a Redis
  command or a line of Rust. Names from the store are quoted, as ``facts`` already has them. On a
  replica, SQL says that it belongs on the primary (``on_primary``).
- ``cost`` names what the remedy needs and what it gives up, even if that is nothing.
- ``severity`` is ``risk`` if sessions can be lost, ``slow`` if operations take longer than they
  need, ``waste`` if space or work is spent for nothing, ``choice`` if it is a trade.

The test of a rule is in the mirror of its module, such as ``tests/advice/rules/test_sqlite.py``.
``CASES`` there maps each rule of the module to a case in which it gives advice. On these cases
``tests/advice/test_registry.py`` checks the house rules, and it fails for a rule without a case.
"""

from .advising import advise
from .findings import Findings
from .lines import Advice, InOrder, Line, Severity, Unseen

__all__ = ["Advice", "Findings", "InOrder", "Line", "Severity", "Unseen", "advise"]
