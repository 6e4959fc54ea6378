"""Predictions: questions about what will happen, whose choices are compared with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from ..cards import card
from ..errors import LessonError
from ..notebook.panel import Action
from ..printable import printable_lines
from .questions import Question, Remark, join_choices, render_notice, render_text

__all__ = ["Comparison", "Prediction"]


@dataclass(frozen=True)
class Comparison:
    """A prediction beside what happened; it shows itself.

    Example:
        >>> from graphflow_nb.lessons import Comparison
        >>> Comparison("once", "twice").matches
        False

    Attributes:
        predicted: The choice; None if none was made.
        happened: What happened.
        because: Why, in words.
    """

    predicted: str | None
    happened: str
    because: str = ""

    @property
    def matches(self) -> bool:
        """Whether what was predicted happened."""
        return self.predicted == self.happened

    def __repr__(self) -> str:
        said = "you made no prediction"
        if self.predicted is not None:
            ending = "it happened" if self.matches else "not what happened"
            said = f"you predicted: {self.predicted} ({ending})"
        lines = [said, f"what happened: {self.happened}"]
        return printable_lines("\n".join([*lines, self.because] if self.because else lines))

    def render(self) -> Markup:
        """Return it as HTML, to be shown in a card."""
        kind: Literal["good", "warning", "info"] = "good" if self.matches else "warning"
        if self.predicted is None:
            kind = "info"
        said, happened, *_ = repr(self).split("\n")
        return render_notice(kind, f"{said}; {happened}") + render_text(self.because)

    def _repr_html_(self) -> str:
        return str(card("prediction", self.render()))


class Prediction(Question):
    """A question about what will happen, with a choice that is kept and compared with it.

    The choice is kept as long as the kernel runs.

    Example:
        >>> from graphflow_nb.lessons import Prediction
        >>> sent = Prediction("How often is the e-mail sent?", ["once", "twice"])
        >>> sent.choose("once")
        you predict: once
        >>> sent.compare("twice", because="The process died before it saved that it was sent.")
        you predicted: once (not what happened)
        what happened: twice
        The process died before it saved that it was sent.

    Args:
        question: The question.
        choices: What may happen, two or more.
        name: How the notebook names the prediction, for the lines of code that it shows.

    Attributes:
        question, choices, name: As passed.
        choice: The choice that was made; None before that.
        comparison: The last comparison with what happened; None before that.

    Raises:
        LessonError: There are fewer than two choices, or two are equal.
    """

    def __init__(self, question: str, choices: Sequence[str], *, name: str = "prediction"):
        super().__init__(f"Predict: {question}", question, choices, name, at_least=2)
        self.choice: str | None = None
        self.comparison: Comparison | None = None

    def choose(self, choice: str) -> Remark:
        """Choose what will happen; a later choice replaces this one.

        Args:
            choice: One of the choices.

        Raises:
            LessonError: It is none of the choices; the choice made before is kept.
        """
        if not self._is_choice(choice):
            raise LessonError(f"{choice!r} is none of the choices: {join_choices(self.choices)}")
        self.choice, self.comparison = choice, None
        self._refresh()
        return Remark("you predict", choice)

    def compare(self, actual: str, because: str = "") -> Comparison:
        """Compare the choice with what happened, and keep the comparison.

        Args:
            actual: What happened, one of the choices.
            because: Why it happened, in words.

        Raises:
            LessonError: What happened is none of the choices.
        """
        if not self._is_choice(actual):
            raise LessonError(
                f"what happened, {actual!r}, is none of the choices: {join_choices(self.choices)}"
            )
        self.comparison = Comparison(self.choice, actual, because)
        self._refresh()
        return self.comparison

    def _make_actions(self) -> list[list[Action]]:
        return self._offer_choices(
            self.choose,
            lambda choice: choice == self.choice,
            lambda _: "your choice is kept",
            enabled=self.comparison is None,
        )

    def _draw(self) -> Markup:
        if self.comparison is not None:
            said = self.comparison.render()
        elif self.choice is not None:
            said = render_notice("info", f"you predict: {self.choice}")
        else:
            said = render_notice("info", "no prediction yet: choose one")
        return said

    def __repr__(self) -> str:
        lines = [f"prediction: {self.question}", *(f"  - {choice}" for choice in self.choices)]
        if self.comparison is not None:
            lines.append(repr(self.comparison))
        else:
            lines.append(f"you predict: {self.choice or 'nothing yet'}")
        return printable_lines("\n".join(lines))
