"""What predictions and exercises share: choices, and texts that show themselves.

They are small and our own. jupyterquiz shows choices by JavaScript alone, so that Python can
neither keep nor compare them; otter-grader needs files or cell metadata for its tests, and grades.
Here both are plain objects, used by methods in a script and by buttons in a notebook.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from markupsafe import Markup

from ..cards import card
from ..errors import LessonError
from ..notebook.panel import Action, Panel
from ..printable import printable_lines
from .shown import ShownAsPanel

__all__ = [
    "Question",
    "Remark",
    "join_choices",
    "render_notice",
    "render_text",
]


@dataclass(frozen=True)
class Remark:
    """A text with a title, which shows itself: a hint, for one.

    Example:
        >>> from graphflow_nb.lessons import Remark
        >>> Remark("hint", "look at the row")
        hint: look at the row

    Attributes:
        title: What the text is.
        text: The text.
    """

    title: str
    text: str

    def __repr__(self) -> str:
        return printable_lines(f"{self.title}: {self.text}")

    def _repr_html_(self) -> str:
        return str(card(self.title, render_text(self.text)))


def join_choices(choices: Sequence[str]) -> str:
    """Return choices as a list in a sentence."""
    return ", ".join(map(repr, choices))


def render_text(text: str) -> Markup:
    """Return a text as a paragraph of HTML; empty for none."""
    return Markup('<p class="gfnb-prose">%s</p>') % text if text else Markup("")


def render_notice(kind: Literal["good", "warning", "info"], text: str) -> Markup:
    """Return what came of an answer as HTML, in the colour of its kind."""
    return Markup('<div class="gfnb-notice gfnb-%s">%s</div>') % (kind, text)


def _call_and_describe(
    choose: Callable[[str], Any], choice: str, describe: Callable[[Any], str]
) -> str:
    return describe(choose(choice))


class Question(ShownAsPanel[Panel]):
    """A question with choices, each a button: what predictions and exercises have in common.

    Args:
        title: The title of its panel and card.
        question: The question.
        choices: The answers from which to choose.
        name: How the notebook names it, for the lines of code that it shows.
        at_least: The number of choices that it needs.

    Raises:
        LessonError: There are fewer choices, or two are equal.
    """

    def __init__(
        self, title: str, question: str, choices: Sequence[str], name: str, *, at_least: int
    ):
        if len(choices) < at_least:
            raise LessonError(f"a question has two choices or more, not {len(choices)}")
        if len(set(choices)) < len(choices):
            raise LessonError(f"two choices are equal: {join_choices(choices)}")
        self.question, self.choices, self.name = question, tuple(choices), name
        self._title = title

    def _is_choice(self, answer: object) -> bool:
        """Return whether an answer is one of the choices."""
        # Not by "in" alone: what some answers give for == is no truth value.
        return isinstance(answer, str) and answer in self.choices

    def _make_panel(self) -> Panel:
        return Panel(self._title, self._draw, self._make_actions)

    @abstractmethod
    def _draw(self) -> Markup:
        """Return what is shown below the buttons."""

    @abstractmethod
    def _make_actions(self) -> list[list[Action]]:
        """Return the rows of buttons."""

    def _offer_choices(
        self,
        choose: Callable[[str], object],
        is_chosen: Callable[[str], bool],
        describe: Callable[[Any], str],
        *,
        enabled: bool = True,
    ) -> list[list[Action]]:
        """Return a button for each choice.

        Args:
            choose: The method that takes a choice.
            is_chosen: Whether a choice is the one that was chosen last.
            describe: Returns what is said beside the button of what the method returned; in few
                words, since the question shows it below.
            enabled: Whether the buttons can be pressed now.
        """
        return [
            [
                Action(
                    choice,
                    f"{self.name}.{choose.__name__}({choice!r})",
                    partial(_call_and_describe, choose, choice, describe),
                    enabled,
                    "primary" if is_chosen(choice) else "",
                )
            ]
            for choice in self.choices
        ]

    def _to_html(self) -> str:
        choices = Markup("").join(Markup("<li>%s</li>") % choice for choice in self.choices)
        listed = Markup("<ul>%s</ul>") % choices if choices else choices
        return str(card(self._title, listed + self._draw()))
