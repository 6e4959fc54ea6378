"""A step of a workflow: the session in memory beside its row in the store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from markupsafe import Markup
from msgspec import Raw

from ..cards import card, code, fact_table, patch_html
from ..changes import Patch, diff, document, value_at
from ..errors import GraphflowError
from ..figures.text import duration_text
from ..model import Session, exactjson
from ..monitoring import Operation
from ..printable import describe_count, printable_lines
from ..storage.paths import DATA
from ..workflow import ExecutionResult

__all__ = ["Step", "ValuePair", "compare_sessions"]

MAX_ROWS: Final = 40  # of the values side by side
MAX_VALUE: Final = 200  # characters of one of them
MAX_OPERATIONS: Final = 20
MAX_CHANGES: Final = 20  # of a text


class ValuePair(NamedTuple):
    """A value in memory beside the one in the store.

    Attributes:
        name: What the value is.
        memory, store: The value as text; None where there is none.
        differs: Whether the two differ.
    """

    name: str
    memory: str | None
    store: str | None
    differs: bool


@dataclass(frozen=True)
class Step:
    """One step of a session, with what the runner held and what the store holds; it shows itself.

    Example:
        >>> import graphflow_nb
        >>> from graphflow_nb.lessons import Stepper
        >>> from graphflow_nb.workflow import GraphBuilder, NextAction, TaskResult, task
        >>> @task("pay")
        ... def pay(context):
        ...     context["paid"] = 30
        ...     raise RuntimeError("the bank is closed")
        >>> wb = graphflow_nb.open("memory:")
        >>> session = wb.create("claim-1", "pay")
        >>> step = Stepper(wb, GraphBuilder("claims").add_task(pay).build(), "claim-1").step()
        >>> step.unsaved
        add /context/data/paid: 30

    Attributes:
        number: The number of the step; 0 is the row before the first step.
        before: The session as the runner read it; None if it could not.
        memory: The session that the runner held when the step ended; None if no task ran.
        stored: The row, read again after the step; None if there is none, or it could not be read.
        result: What the step came to; None if it failed.
        error: Why the step failed; None if it did not.
        tasks: The ids of the tasks that ran, in order.
        operations: The calls on the storage, without the one that read the row again.
        note: A remark, such as that someone else saved the session before; empty for none.
    """

    number: int
    before: Session | None
    memory: Session | None
    stored: Session | None
    result: ExecutionResult | None
    error: GraphflowError | None
    tasks: tuple[str, ...]
    operations: tuple[Operation, ...]
    note: str = ""

    @cached_property  # compared once: a context may be large
    def changes(self) -> Patch:
        """The changes of the row from before the step to after it; none without both."""
        if self.before is None or self.stored is None:
            return Patch(())
        return diff(self.before, self.stored)

    @cached_property
    def unsaved(self) -> Patch:
        """The changes in memory that the row does not have; none without both."""
        if self.memory is None or self.stored is None:
            return Patch(())
        return diff(self.stored, self.memory)

    @property
    def outcome(self) -> str:
        """What the step came to, in words."""
        if self.error is not None:
            return f"failed: {self.error}"
        if self.result is None:
            return "no step has run yet"
        kind, target, reason = self.result.status
        words = kind.replace("_", " ")
        return words if target is None else f"{words} at {target}: {reason}"

    @property
    def saving(self) -> str:
        """What of the step was saved, in words."""
        if self.number == 0:
            return "nothing was run"
        if self.before is None:
            return "nothing: no task ran"
        if self.stored is None:
            return "not known: the row is gone, or could not be read again"
        if self.error is None:
            times = sum(o.op == "save" and o.outcome == "ok" for o in self.operations)
            saved = describe_count(times, "time")
            return f"saved {saved}; the row is at version {self.stored.version}"
        if self.stored.version == self.before.version and not self.changes:
            kept = (
                "nothing: the row is as it was before the step. What the tasks did elsewhere stays"
            )
            return f"{kept}; changes in memory only: {len(self.unsaved):,}"
        return f"the row is not the one that was read: it is at version {self.stored.version} now"

    def __repr__(self) -> str:
        lines = [f"step {self.number}"]
        lines += [f"  {name}: {value}" for name, value in self._collect_facts()]
        pairs = compare_sessions(self.memory, self.stored)
        for pair in pairs[:MAX_ROWS]:
            mark = "≠" if pair.differs else " "
            shown = (_shorten("nothing" if v is None else v) for v in (pair.memory, pair.store))
            lines.append("  %s %s: memory %s | store %s" % (mark, pair.name, *shown))
        if len(pairs) > MAX_ROWS:
            lines.append(f"  {describe_count(len(pairs) - MAX_ROWS, 'more value')}, not shown")
        changes = self.changes
        lines += [f"  {change}" for change in changes[:MAX_CHANGES]]
        if len(changes) > MAX_CHANGES:
            lines.append(
                f"  {describe_count(len(changes) - MAX_CHANGES, 'more change')}, not shown"
            )
        return printable_lines("\n".join(lines))

    def _collect_facts(self) -> Iterator[tuple[str, str]]:
        yield "outcome", self.outcome
        if self.number == 0:
            return
        if self.result is not None and self.result.response is not None:
            yield "response", self.result.response
        yield "tasks that ran", " → ".join(self.tasks) or "none"
        yield "saved", self.saving
        yield "operations", self._describe_operations()
        if self.note:
            yield "note", self.note

    def _describe_operations(self) -> str:
        shown = [
            f"{o.op} {duration_text(o.duration_ns / 1000)}"
            + ("" if o.outcome == "ok" else f" ({o.outcome})")
            for o in self.operations[:MAX_OPERATIONS]
        ]
        if len(self.operations) > MAX_OPERATIONS:
            shown.append(f"{len(self.operations) - MAX_OPERATIONS:,} more")
        return ", ".join(shown) or "none"

    def render(self) -> Markup:
        """Return it as HTML, to be shown in a card."""
        body = fact_table([(name, code(value)) for name, value in self._collect_facts()])
        body += _render_pairs(compare_sessions(self.memory, self.stored), self.number > 0)
        if self.number:
            summary = Markup(
                "<details open><summary><b>changes of the row</b></summary>%s</details>"
            )
            body += summary % patch_html(self.changes)
        return body

    def _repr_html_(self) -> str:
        return str(card(f"step {self.number}", self.render()))


_IN_DATA: Final = "data: "


def compare_sessions(memory: Session | None, stored: Session | None) -> list[ValuePair]:
    """Return the values of a session in memory beside those of its row.

    Args:
        memory: The session in memory; None for none.
        stored: The row; None for none.

    Returns:
        Task, status, version, each value of the context's data, and the number of messages.
    """
    mine, theirs = _collect_values(memory), _collect_values(stored)
    both = memory is not None and stored is not None
    pairs = []
    for name in [*mine, *(name for name in theirs if name not in mine)]:
        one, other = mine.get(name), theirs.get(name)
        differs = both and not exactjson.same(one, other)
        mine_shown, stored_shown = _hide(name, one, memory), _hide(name, other, stored)
        pairs.append(ValuePair(name, _decode(mine_shown), _decode(stored_shown), differs))
    return pairs


def _collect_values(session: Session | None) -> dict[str, Raw]:
    if session is None:
        return {}
    values = {
        "task": Raw(exactjson.encode(session.current_task_id)),
        "status": Raw(exactjson.encode(session.status_message)),
        "version": Raw(exactjson.encode(session.version)),
    }
    text = document(session)
    try:
        data = exactjson.split_object(value_at(text, ("context", "data")), "data")
        messages = value_at(text, ("context", "chat_history", "messages"))
        count = len(exactjson.split_array(messages, "messages"))
    except GraphflowError:  # a context of another form is one value
        return values | {"context": value_at(text, ("context",))}
    values |= {f"{_IN_DATA}{key}": value for key, value in data.items()}
    return values | ({"messages": Raw(exactjson.encode(count))} if count else {})


def _hide(name: str, raw: Raw | None, session: Session | None) -> Raw | None:
    """Return a value as it is shown, with secrets masked."""
    if raw is None or session is None:
        return raw
    if not name.startswith(_IN_DATA):
        return session.mask.hide(raw, (name,))
    key = name.removeprefix(_IN_DATA)  # which another one may name
    place = session.mask.place_within(value_at(document(session), DATA), (key,))
    return session.mask.hide(raw, (*DATA, key), place=place)


def _decode(raw: Raw | None) -> str | None:
    return None if raw is None else bytes(raw).decode(errors="replace")


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}… ({len(text):,} characters)"


def _render_pairs(pairs: list[ValuePair], ran: bool) -> Markup:
    row = Markup("<tr%s><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>")
    differs, nothing = Markup(' class="gfnb-differs"'), Markup('<span class="q">nothing</span>')
    rows = Markup("").join(
        row
        % (
            differs if pair.differs else "",
            "≠ differs" if pair.differs else "",
            code(pair.name),
            nothing if pair.memory is None else code(_shorten(pair.memory)),
            nothing if pair.store is None else code(_shorten(pair.store)),
        )
        for pair in pairs[:MAX_ROWS]
    )
    if len(pairs) > MAX_ROWS:
        more = f"{describe_count(len(pairs) - MAX_ROWS, 'more value')}, not shown"
        rows += Markup('<tr><td class="q" colspan="4">%s</td></tr>') % more
    return Markup(
        '<table class="gfnb-diff gfnb-beside-store"><thead><tr><th></th><th></th><th>%s</th>'
        "<th>in the store</th></tr></thead><tbody>%s</tbody></table>"
    ) % ("in memory, when the step ended" if ran else "in memory: no step has run", rows)
