"""Questions of a lesson: predictions, and exercises that check an answer.

They are small and our own. jupyterquiz shows choices by JavaScript alone, so that Python can
neither keep nor compare them; otter-grader needs files or cell metadata for its tests, and grades.
Here both are plain objects, used by methods in a script and by buttons in a notebook.
"""

from __future__ import annotations

import dis
import inspect
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from textwrap import dedent
from traceback import walk_tb
from types import FunctionType
from typing import Any, Final, Literal

from markupsafe import Markup

from ..cards import card
from ..errors import LessonError
from ..notebook.panel import Action, Panel, show_panel
from ..notebook.saved import show_saved
from ..printable import printable, printable_lines

__all__ = ["Attempt", "Comparison", "Exercise", "Outcome", "Prediction", "Remark", "Solution"]

MAX_ATTEMPTS: Final = 50  # that an exercise keeps, the newest
MAX_ANSWER: Final = 300  # characters of a kept answer

OutcomeKind = Literal["correct", "incorrect", "not attempted"]


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
        return str(card(self.title, _render_text(self.text)))


@dataclass(frozen=True)
class Outcome:
    """What came of an answer; it shows itself.

    It has no truth value of its own, since *not attempted* is neither: compare ``kind``.

    Example:
        >>> from graphflow_nb.lessons import Outcome
        >>> Outcome("incorrect", "3 was the step before")
        incorrect: 3 was the step before

    Attributes:
        kind: ``correct``, ``incorrect`` or ``not attempted``.
        reason: Why, in words; empty for what is correct.
    """

    kind: OutcomeKind
    reason: str = ""

    def __bool__(self) -> bool:
        raise LessonError("an outcome is one of three: compare outcome.kind with 'correct'")

    def __repr__(self) -> str:
        return printable_lines(f"{self.kind}: {self.reason}" if self.reason else self.kind)

    def render(self) -> Markup:
        """Return it as HTML, to be shown in a card."""
        if self.kind == "correct":
            return _render_notice("good", "✓ correct")
        return _render_notice("info" if self.kind == "not attempted" else "warning", repr(self))

    def _repr_html_(self) -> str:
        return str(card("outcome", self.render()))


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
        return _render_notice(kind, f"{said}; {happened}") + _render_text(self.because)

    def _repr_html_(self) -> str:
        return str(card("prediction", self.render()))


class Prediction:
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
        self.question, self.choices, self.name = question, tuple(choices), name
        self._title = f"Predict: {question}"
        self.choice: str | None = None
        self.comparison: Comparison | None = None
        self._panel: Panel | None = None
        _check_choices(self.choices, at_least=2)

    def choose(self, choice: str) -> Remark:
        """Choose what will happen; a later choice replaces this one.

        Args:
            choice: One of the choices.

        Raises:
            LessonError: It is none of the choices; the choice made before is kept.
        """
        if not _is_choice(choice, self.choices):
            raise LessonError(f"{choice!r} is none of the choices: {_join_choices(self.choices)}")
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
        if not _is_choice(actual, self.choices):
            raise LessonError(
                f"what happened, {actual!r}, is none of the choices: {_join_choices(self.choices)}"
            )
        self.comparison = Comparison(self.choice, actual, because)
        self._refresh()
        return self.comparison

    @property
    def panel(self) -> Panel:
        """The panel of buttons as which it shows itself."""
        if self._panel is None:
            self._panel = Panel(self._title, self._draw, self._make_actions)
        return self._panel

    def _refresh(self) -> None:
        if self._panel is not None:
            self._panel.refresh()

    def _make_actions(self) -> list[list[Action]]:
        return [
            [
                Action(
                    choice,
                    f"{self.name}.choose({choice!r})",
                    partial(_call_and_describe, self.choose, choice),
                    enabled=self.comparison is None,
                    style="primary" if choice == self.choice else "",
                )
            ]
            for choice in self.choices
        ]

    def _draw(self) -> Markup:
        if self.comparison is not None:
            said = self.comparison.render()
        elif self.choice is not None:
            said = _render_notice("info", f"you predict: {self.choice}")
        else:
            said = _render_notice("info", "no prediction yet: choose one")
        return said

    def __repr__(self) -> str:
        lines = [f"prediction: {self.question}", *(f"  - {choice}" for choice in self.choices)]
        if self.comparison is not None:
            lines.append(repr(self.comparison))
        else:
            lines.append(f"you predict: {self.choice or 'nothing yet'}")
        return printable_lines("\n".join(lines))

    _ipython_display_ = show_saved

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        html = card(self._title, _render_choices(self.choices) + self._draw())
        return show_panel(self.panel, repr(self), html, **kwargs)


@dataclass(frozen=True)
class Solution:
    """An answer that is correct, and why; it shows itself.

    Example:
        >>> from graphflow_nb.lessons import Solution
        >>> Solution(1, "A later save replaces the row.")
        solution: 1
        A later save replaces the row.

    Attributes:
        answer: The answer.
        because: Why it is correct.
    """

    answer: Any
    because: str = ""

    def __repr__(self) -> str:
        text = f"solution: {_show_answer(self.answer)}"
        return printable_lines(f"{text}\n{self.because}" if self.because else text)

    def _repr_html_(self) -> str:
        answer = Markup("<pre>%s</pre>") % _show_answer(self.answer)
        return str(card("solution", answer + _render_text(self.because)))


@dataclass(frozen=True)
class Attempt:
    """An answer that was checked.

    Example:
        >>> from graphflow_nb.lessons import Exercise
        >>> rows = Exercise("How many?", lambda answer: None if answer == 1 else "too many")
        >>> rows.check(2)
        incorrect: too many
        >>> rows.attempts[-1].answer
        '2'

    Attributes:
        answer: The answer as text, cut after 300 characters.
        outcome: What came of it.
    """

    answer: str
    outcome: Outcome


class Exercise:
    """A question whose answer is checked: correct, incorrect with the reason, or not attempted.

    Not attempted is an answer that was left at ``...``, None, an empty text, a function without a
    body, or at the template. What was answered is kept as long as the kernel runs.

    Example:
        >>> from graphflow_nb.lessons import Exercise
        >>> def check_rows(answer):
        ...     return None if answer == 1 else f"graph-flow keeps one row, not {answer}"
        >>> rows = Exercise("How many rows has a session after 3 steps?", check_rows, hint="count")
        >>> rows.check(...)
        not attempted: the answer is still ...
        >>> rows.check(3)
        incorrect: graph-flow keeps one row, not 3
        >>> rows.check(1)
        correct

    Args:
        question: The question.
        check: The function that returns None for a correct answer, else the reason in words. An
            exception that it raises makes the answer incorrect.
        hint: A text that helps.
        solution: An answer that is correct.
        because: Why it is correct.
        choices: The answers from which to choose, for a question that is answered by a button.
        template: The answer as the notebook gives it to be filled in.
        name: How the notebook names the exercise, for the lines of code that it shows.

    Attributes:
        question, choices, name: As passed.
        attempts: The newest 50 attempts, oldest first.
        attempted: The number of all attempts.

    Raises:
        LessonError: Two choices are equal, or there is only one.
    """

    def __init__(
        self,
        question: str,
        check: Callable[[Any], str | None],
        hint: str = "",
        solution: Any = None,
        *,
        because: str = "",
        choices: Sequence[str] = (),
        template: Any = None,
        name: str = "exercise",
    ):
        self.question, self.choices, self.name = question, tuple(choices), name
        self._title = f"Exercise: {question}"
        self.attempts: deque[Attempt] = deque(maxlen=MAX_ATTEMPTS)
        self.attempted = 0
        self._check, self._template = check, template
        self._hint = Remark("hint", hint or "this exercise has none")
        self._solution = Solution(solution, because)
        self._hinted = self._solved = False  # whether a person asked for it
        self._panel: Panel | None = None
        _check_choices(self.choices, at_least=2 if self.choices else 0)

    def check(self, answer: Any = ...) -> Outcome:
        """Check an answer, and keep it.

        Args:
            answer: The answer.

        Raises:
            LessonError: The check itself is wrong: it returned neither None nor a text.
        """
        answer = answer.answer if isinstance(answer, Solution) else answer
        missing = _find_missing(answer, self._template)
        outcome = Outcome("not attempted", missing) if missing else self._judge(answer)
        if outcome.kind != "not attempted":
            self.attempts.append(Attempt(_show_answer(answer)[:MAX_ANSWER], outcome))
            self.attempted += 1
        self._refresh()
        return outcome

    @property
    def outcome(self) -> Outcome:
        """The outcome of the last attempt."""
        return self.attempts[-1].outcome if self.attempts else Outcome("not attempted")

    def hint(self) -> Remark:
        """Return a text that helps, without the answer."""
        self._hinted = True
        self._refresh()
        return self._hint

    def solution(self) -> Solution:
        """Return an answer that is correct, and why."""
        self._solved = True
        self._refresh()
        return self._solution

    def _judge(self, answer: Any) -> Outcome:
        if self.choices and not _is_choice(answer, self.choices):
            return Outcome("incorrect", f"it is none of the choices: {_join_choices(self.choices)}")
        try:
            reason = self._check(answer)
        except AssertionError as error:
            return Outcome("incorrect", str(error) or _describe_failure(error, answer))
        except (Exception, SystemExit) as error:
            return Outcome("incorrect", _describe_failure(error, answer))
        if reason is None:
            return Outcome("correct")
        if not isinstance(reason, str) or not reason:
            raise LessonError(
                f"the check of this exercise returned {reason!r} instead of None or a reason, so "
                "the answer was not judged. This is a fault of the lesson, not of the answer"
            )
        return Outcome("incorrect", reason)

    @property
    def panel(self) -> Panel:
        """The panel of buttons as which it shows itself."""
        if self._panel is None:
            self._panel = Panel(self._title, self._draw, self._make_actions)
        return self._panel

    def _refresh(self) -> None:
        if self._panel is not None:
            self._panel.refresh()

    def _make_actions(self) -> list[list[Action]]:
        chosen = self.attempts[-1].answer if self.attempts else None
        rows = [
            [
                Action(
                    choice,
                    f"{self.name}.check({choice!r})",
                    partial(_call_and_describe, self.check, choice),
                    style="primary" if _show_answer(choice) == chosen else "",
                )
            ]
            for choice in self.choices
        ]
        hint = Action("Show a hint", f"{self.name}.hint()", self.hint)
        solution = Action("Show the solution", f"{self.name}.solution()", self.solution)
        return [*rows, [hint, solution]]

    def _draw(self) -> Markup:
        parts = []
        if not self.choices:
            line = Markup("<p>Answer in a cell: <code>%s.check(your answer)</code></p>")
            parts.append(line % self.name)
        if self.attempts:
            again = f", attempt {self.attempted:,}" if self.attempted > 1 else ""
            answered = Markup("<p>you answered%s: <code>%s</code></p>")
            parts.append(answered % (again, self.attempts[-1].answer))
        parts.append(self.outcome.render())
        if self._hinted:
            parts.append(_render_text(repr(self._hint)))
        if self._solved:
            parts.append(Markup("<pre>%s</pre>") % repr(self._solution))
        return Markup("").join(parts)

    def __repr__(self) -> str:
        lines = [f"exercise: {self.question}", *(f"  - {choice}" for choice in self.choices)]
        lines += [f"you answered: {attempt.answer}" for attempt in list(self.attempts)[-1:]]
        lines.append(repr(self.outcome))
        lines += [repr(self._hint)] if self._hinted else []
        lines += [repr(self._solution)] if self._solved else []
        return printable_lines("\n".join(lines))

    _ipython_display_ = show_saved

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        html = card(self._title, _render_choices(self.choices) + self._draw())
        return show_panel(self.panel, repr(self), html, **kwargs)


def _check_choices(choices: Sequence[str], *, at_least: int) -> None:
    if len(choices) < at_least:
        raise LessonError(f"a question has two choices or more, not {len(choices)}")
    if len(set(choices)) < len(choices):
        raise LessonError(f"two choices are equal: {_join_choices(choices)}")


def _is_choice(answer: object, choices: Sequence[str]) -> bool:
    # Not by "in" alone: what some answers give for == is no truth value.
    return isinstance(answer, str) and answer in choices


def _join_choices(choices: Sequence[str]) -> str:
    return ", ".join(map(repr, choices))


def _render_text(text: str) -> Markup:
    return Markup('<p class="gfnb-prose">%s</p>') % text if text else Markup("")


def _render_notice(kind: Literal["good", "warning", "info"], text: str) -> Markup:
    return Markup('<div class="gfnb-notice gfnb-%s">%s</div>') % (kind, text)


def _call_and_describe(call: Callable[[str], object], choice: str) -> str:
    """Choose, and return what the button's place says."""
    return repr(call(choice))


def _render_choices(choices: Sequence[str]) -> Markup:
    if not choices:
        return Markup("")
    return Markup("<ul>%s</ul>") % Markup("").join(Markup("<li>%s</li>") % c for c in choices)


# Answers


def _find_missing(answer: object, template: object) -> str:
    """Return why an answer was not attempted; empty if it was."""
    if answer is None or answer is ...:
        return f"the answer is still {'...' if answer is ... else 'None'}"
    if isinstance(answer, str) and answer.strip() in ("", "..."):
        return "the answer is an empty text" if not answer.strip() else "the answer is still ..."
    if isinstance(answer, Mapping):
        left = [key for key, value in answer.items() if value is ...]
        return f"{_join_choices(left)} is still ..." if left else _find_template(answer, template)
    if isinstance(answer, list | tuple):
        if any(value is ... for value in answer):
            return "a part of the answer is still ..."
        for part in answer:  # several functions are one answer
            if isinstance(part, FunctionType) and (missing := _find_missing(part, None)):
                return missing
    if isinstance(answer, FunctionType) and _does_nothing(answer):
        return f"the function {answer.__name__} has no body yet"
    return _find_template(answer, template)


def _find_template(answer: object, template: object) -> str:
    if template is None:
        return ""
    if isinstance(answer, FunctionType) and isinstance(template, FunctionType):
        mine, given = answer.__code__, template.__code__
        same = (mine.co_code, mine.co_consts, mine.co_names) == (
            given.co_code,
            given.co_consts,
            given.co_names,
        )
    elif isinstance(answer, str) and isinstance(template, str):
        same = answer.split() == template.split()
    else:
        same = type(answer) is type(template) and _are_equal(answer, template)
    return "the answer is still the one that the notebook gives" if same else ""


def _are_equal(answer: object, template: object) -> bool:
    try:
        return (answer == template) is True
    except Exception:  # an object of a person, which may do anything
        return False


def _does_nothing(function: FunctionType) -> bool:
    """Return whether the body of a function is only ``...``, ``pass`` or a docstring."""
    steps = [
        step
        for step in dis.get_instructions(function)
        if step.opname not in ("RESUME", "NOP", "RETURN_GENERATOR", "POP_TOP")
    ]
    ended = next((n for n, step in enumerate(steps) if step.opname.startswith("RETURN_")), 0)
    loads, last = steps[:ended], steps[ended]
    values = [step.argval for step in loads]
    if last.opname == "RETURN_CONST":
        values.append(last.argval)
    return all(step.opname == "LOAD_CONST" for step in loads) and values in ([None], [...])


def _show_answer(answer: object) -> str:
    """Return an answer as text, without the addresses that differ from run to run."""
    if isinstance(answer, FunctionType):
        try:
            return dedent(inspect.getsource(answer)).strip()
        except (OSError, TypeError):
            return f"the function {answer.__name__}"
    if isinstance(answer, str):
        return answer
    if isinstance(answer, tuple) and answer and all(isinstance(a, FunctionType) for a in answer):
        return "\n\n\n".join(map(_show_answer, answer))
    try:
        return repr(answer)
    except Exception as error:  # an object of a person, which may do anything
        return f"a {type(answer).__name__} whose repr failed: {type(error).__name__}"


def _describe_failure(error: BaseException, answer: object) -> str:
    """Return in words what was raised while an answer was checked."""
    what = type(error).__name__ + (f": {error}" if str(error) else "")
    if isinstance(answer, FunctionType):
        file = answer.__code__.co_filename
        lines = [n for frame, n in walk_tb(error.__traceback__) if frame.f_code.co_filename == file]
        if lines:
            where = lines[-1] - answer.__code__.co_firstlineno + 1
            return printable(f"your {answer.__name__} failed in its line {where} with {what}")
    return printable(f"the answer could not be checked: {what}")
