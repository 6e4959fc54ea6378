"""What predictions and exercises share: choices, and texts that show themselves.

They are small and our own. jupyterquiz shows choices by JavaScript alone, so that Python can
neither keep nor compare them; otter-grader needs files or cell metadata for its tests, and grades.
Here both are plain objects, used by methods in a script and by buttons in a notebook.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from ..cards import card
from ..errors import LessonError
from ..printable import printable_lines

__all__ = [
    "Remark",
    "call_and_describe",
    "check_choices",
    "is_choice",
    "join_choices",
    "render_choices",
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


def check_choices(choices: Sequence[str], *, at_least: int) -> None:
    if len(choices) < at_least:
        raise LessonError(f"a question has two choices or more, not {len(choices)}")
    if len(set(choices)) < len(choices):
        raise LessonError(f"two choices are equal: {join_choices(choices)}")


def is_choice(answer: object, choices: Sequence[str]) -> bool:
    # Not by "in" alone: what some answers give for == is no truth value.
    return isinstance(answer, str) and answer in choices


def join_choices(choices: Sequence[str]) -> str:
    return ", ".join(map(repr, choices))


def render_text(text: str) -> Markup:
    return Markup('<p class="gfnb-prose">%s</p>') % text if text else Markup("")


def render_notice(kind: Literal["good", "warning", "info"], text: str) -> Markup:
    return Markup('<div class="gfnb-notice gfnb-%s">%s</div>') % (kind, text)


def call_and_describe(call: Callable[[str], object], choice: str) -> str:
    """Choose, and return what the button's place says."""
    return repr(call(choice))


def render_choices(choices: Sequence[str]) -> Markup:
    if not choices:
        return Markup("")
    return Markup("<ul>%s</ul>") % Markup("").join(Markup("<li>%s</li>") % c for c in choices)
