"""Form: a person's answer to a session that waits, checked and written by compare-and-swap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from ..cards import card, code, fact_table, patch_html
from ..changes import Patch, diff, pointer
from ..client import Client
from ..errors import ContextError, LessonError, SessionConflict
from ..model import Session, exactjson
from ..notebook.formpanel import FormPanel, Input
from ..notebook.panel import Action
from ..printable import describe_count, printable_lines
from ..storage.paths import DATA
from .shown import ShownAsPanel

__all__ = ["Field", "Form"]

MAX_ITEMS: Final = 20  # of the context
MAX_TEXT: Final = 200  # characters of one value


@dataclass(frozen=True)
class Field:
    """A field of a form.

    Example:
        >>> from graphflow_nb.lessons import Field
        >>> Field("amount", "Amount", number=True).parse("120")
        120

    Attributes:
        name: The key of its value in the answer.
        label: The text beside it.
        choices: The values to choose from; none for a field to type in.
        number: Whether what is typed is an integer.
    """

    name: str
    label: str
    choices: Sequence[str] = ()
    number: bool = False

    def parse(self, text: str) -> Any:
        """Return the value of what a person typed; the text itself where it is not a number."""
        try:
            return int(text) if self.number else text
        except ValueError:
            return text


class Form(ShownAsPanel[FormPanel]):
    """A form that answers one session: its fields become one value of the context.

    The session is read when the form is opened. The answer is written if the session is still the
    one that was read, so that of two forms on one session one is refused.

    Example:
        >>> import graphflow_nb
        >>> from graphflow_nb.lessons import Field, Form
        >>> wb = graphflow_nb.open("memory:")
        >>> session = wb.create("expense-1", "approve", context={"amount": 120})
        >>> form = Form(wb, "expense-1", [Field("verdict", "Verdict", ("approve", "reject"))])
        >>> form.submit(verdict="approve").context["decision"]
        {'verdict': 'approve'}

    Args:
        wb: The store.
        id: The id of the session.
        fields: The fields.
        key: The key in ``data`` that gets the answer.
        fixed: What is in each answer beside the fields, such as who gave it.
        check: The function that is called with the answer and the session that was read; it returns
            what is wrong, or None. A wrong answer is not written.
        title: The title in a notebook.
        name: The variable that has the form, for the lines of Python that its buttons show.

    Raises:
        SessionNotFound: No session has this id.

    Attributes:
        session: The session as the form read it, and after ``submit`` as it was saved.
        values: What was filled in, by the names of the fields.
        conflict: The error of the last ``submit`` that came too late; None for none.
    """

    def __init__(
        self,
        wb: Client,
        id: str,
        fields: Sequence[Field],
        *,
        key: str = "decision",
        fixed: Mapping[str, Any] | None = None,
        check: Callable[[Mapping[str, Any], Session], str | None] | None = None,
        title: str = "form",
        name: str = "form",
    ):
        self._wb, self._id, self._fields, self._key = wb, id, list(fields), key
        self._fixed, self._check = dict(fixed or {}), check
        self._title, self._name = title, name
        self.session = wb.get(id)
        self.values: dict[str, Any] = {}
        self.conflict: SessionConflict | None = None
        self._sent = False

    @property
    def answer(self) -> dict[str, Any]:
        """The answer as it would be written."""
        return {**self.values, **self._fixed}

    def fill(self, **values: Any) -> None:
        """Fill in fields; nothing is written.

        Args:
            values: The values by the names of the fields.

        Raises:
            LessonError: There is no such field.
        """
        known = [field.name for field in self._fields]
        for name in values:
            if name not in known:
                raise LessonError(f"the form has no field {name!r}, only {', '.join(known)}")
        self.values.update(values)
        self._refresh()

    def find_problem(self) -> str | None:
        """Return what is wrong with the answer; None if it can be sent."""
        for field in self._fields:
            value = self.values.get(field.name, "")
            if value == "":
                return f"{field.label} is missing"
            if field.choices and value not in field.choices:
                return f"{field.label} is {value!r}, but must be {' or '.join(field.choices)}"
            if field.number and type(value) is not int:
                return f"{field.label} is {value!r}, but must be an integer"
        return None if self._check is None else self._check(self.answer, self.session)

    def submit(self, **values: Any) -> Session:
        """Write the answer if it is right and the session is still the one that was read.

        Args:
            values: What is filled in before.

        Returns:
            The session as it was saved.

        Raises:
            LessonError: The answer is wrong; nothing was written.
            SessionConflict: Someone else saved the session meanwhile; nothing was written.
            StorageError: The store failed, or can't hold a value.
        """
        self.fill(**values)
        if problem := self.find_problem():
            raise LessonError(
                f"{problem}; nothing was written. Change the answer and send it again"
            )
        path = pointer(("context", "data", self._key))
        patch = Patch([{"op": "add", "path": path, "value": self.answer}])
        try:
            self.session = self._wb.patch(self._id, patch, version=self.session)
        except SessionConflict as conflict:
            self.conflict = conflict
            raise
        finally:
            self._refresh()
        self._sent, self.conflict = True, None
        self._refresh()
        return self.session

    def changes_since(self) -> Patch:
        """Return what others changed since the form read the session.

        Raises:
            SessionNotFound: The session was deleted.
        """
        return diff(self.session, self._wb.get(self._id))

    def reload(self) -> None:
        """Read the session again, and keep what was filled in.

        Raises:
            SessionNotFound: The session was deleted.
        """
        self.session = self._wb.get(self._id)
        self._sent, self.conflict = False, None
        self._refresh()

    # Showing

    def _call(self) -> str:
        filled = ", ".join(f"{name}={value!r}" for name, value in self.values.items())
        return f"{self._name}.submit({filled})"

    def _collect_facts(self) -> Iterator[tuple[str, str]]:
        session = self.session
        known = "saved" if self._sent else "read"
        yield "session", f"{self._id}, as {known} at version {session.version}"
        yield "status", session.mask.hide_in(session.status_message or "none")
        yield from self._collect_data()
        if self._sent:
            yield "answer", f"sent; version {session.version}"
        elif self.conflict is not None:
            yield "answer", "not sent: someone else saved the session meanwhile"
        else:
            yield "answer", self.find_problem() or "can be sent"

    def _collect_data(self) -> Iterator[tuple[str, str]]:
        try:
            items = list(self.session.mask.hide_object(dict(self.session.context), DATA).items())
        except ContextError as error:
            yield "context", f"can't be read: {error}"
            return
        for key, value in items[:MAX_ITEMS]:
            text = exactjson.show(value)
            more = f" … ({len(text):,} characters)" if len(text) > MAX_TEXT else ""
            yield key, text[:MAX_TEXT] + more
        if len(items) > MAX_ITEMS:
            yield "more", f"{describe_count(len(items) - MAX_ITEMS, 'key')}, not shown"

    def _draw(self) -> Markup:
        facts = fact_table([(name, code(value)) for name, value in self._collect_facts()])
        if self.conflict is None or self.conflict.stored is None:
            return facts
        changed = patch_html(diff(self.session, self.conflict.stored))
        return facts + Markup("<p>What changed since the form was opened:</p>%s") % changed

    def _make_panel(self) -> FormPanel:
        def make_input(field: Field) -> Input:
            return Input(
                field.label,
                lambda: str(self.values.get(field.name, "")),
                lambda text: self.fill(**{field.name: field.parse(text)}),
                field.choices,
            )

        def list_actions() -> list[list[Action]]:
            return [
                [
                    Action("Send", self._call(), self.submit, not self._sent, "primary"),
                    Action("Read again", f"{self._name}.reload()", self.reload),
                ]
            ]

        inputs = [make_input(field) for field in self._fields]
        return FormPanel(self._title, self._draw, list_actions, inputs)

    def __repr__(self) -> str:
        lines = [f"{self._title}: {self._call()}"]
        lines += [f"  {name}: {value}" for name, value in self._collect_facts()]
        return printable_lines("\n".join(lines))

    def _to_html(self) -> str:
        rows = [(field.label, code(self._describe(field))) for field in self._fields]
        return str(card(self._title, fact_table(rows) + self._draw()))

    def _describe(self, field: Field) -> str:
        """Return what a field holds, for where it can't be filled in."""
        value = self.values.get(field.name, "")
        return str(value) if value != "" else f"({' or '.join(field.choices) or 'not filled in'})"
