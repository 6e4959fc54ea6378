"""What a crash shows below its buttons: the process, the row, the ledger and the story, as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from markupsafe import Markup

from ..cards import code, fact_table
from ..client import StoredRow
from .ledger import Effect
from .story import Story

__all__ = ["draw_crash"]

MAX_CELL: Final = 300  # characters of a value of the row
MAX_EFFECTS: Final = 100

_HEADING: Final = Markup("<p><b>%s</b></p>")
_NOTHING: Final = Markup('<p class="q">%s</p>')


def draw_crash(
    facts: Iterable[tuple[str, str]],
    row: Mapping[str, object],
    effects: Sequence[Effect],
    story: Story,
) -> Markup:
    """Return the HTML of a crash.

    Args:
        facts: Names and values that come first.
        row: What is stored, by column; empty for nothing.
        effects: What the ledger has.
        story: What happened.
    """
    parts = [fact_table([(name, code(value)) for name, value in facts])]
    parts.append(_HEADING % "The row in the store")
    if row:
        parts.append(
            fact_table(
                [(name, code(_cut(value))) for name, value in StoredRow(row).shown().items()]
            )
        )
    else:
        parts.append(_NOTHING % "nothing is stored")
    parts.append(_HEADING % "The ledger: what happened outside")
    parts.append(_draw_effects(effects) if effects else _NOTHING % "nothing was sent")
    parts.append(_HEADING % "What happened")
    parts.append(story.table())
    return Markup("").join(parts)


def _draw_effects(effects: Sequence[Effect]) -> Markup:
    cell = Markup("<td>%s</td>")
    names = Markup("").join(
        Markup("<th>%s</th>") % name for name in ("process", "task", "effect", "key", "")
    )
    rows = Markup("").join(
        Markup("<tr>%s</tr>")
        % Markup("").join(
            cell % value
            for value in (
                code(each.process),
                code(each.task),
                code(each.effect),
                "none" if each.key is None else code(each.key),
                "sent" if each.sent else "ignored: the key was known",
            )
        )
        for each in effects[-MAX_EFFECTS:]
    )
    left = len(effects) - MAX_EFFECTS
    note = f"{left:,} effects before these are not shown; .ledger has all" if left > 0 else ""
    return Markup("<table><tr>%s</tr>%s</table>") % (names, rows) + _NOTHING % note


def _cut(value: object) -> str:
    text = str(value)
    return text if len(text) <= MAX_CELL else f"{text[:MAX_CELL]} … {len(text):,} characters"
