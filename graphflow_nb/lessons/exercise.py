"""Exercises: questions whose answers are checked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from markupsafe import Markup

from ..cards import card
from ..errors import LessonError
from ..notebook.panel import Action
from ..printable import printable_lines
from .answers import (
    describe_failure,
    find_missing,
    find_names,
    show_answer,
    show_short,
    show_solution,
)
from .questions import Question, Remark, join_choices, render_notice, render_text

__all__ = ["Attempt", "Exercise", "Outcome", "Solution"]

MAX_ATTEMPTS: Final = 50  # that an exercise keeps, the newest
MAX_ANSWER: Final = 300  # characters of a kept answer

OutcomeKind = Literal["correct", "incorrect", "not attempted"]


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
            return render_notice("good", "✓ correct")
        return render_notice("info" if self.kind == "not attempted" else "warning", repr(self))

    def _repr_html_(self) -> str:
        return str(card("outcome", self.render()))


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
        names: How the question names the functions that are the answer; empty for other answers.
    """

    answer: Any
    because: str = ""
    names: tuple[str, ...] = ()

    def __repr__(self) -> str:
        answer = show_solution(self.answer, self.names)
        text = f"solution:\n{answer}" if "\n" in answer else f"solution: {answer}"
        return printable_lines(f"{text}\n{self.because}" if self.because else text)

    def _repr_html_(self) -> str:
        answer = Markup("<pre>%s</pre>") % show_solution(self.answer, self.names)
        return str(card("solution", answer + render_text(self.because)))


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


class Exercise(Question):
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
        title = f"Exercise: {question}"
        super().__init__(title, question, choices, name, at_least=2 if choices else 0)
        self.attempts: deque[Attempt] = deque(maxlen=MAX_ATTEMPTS)
        self.attempted = 0
        self._check, self._template = check, template
        self._hint = Remark("hint", hint or "this exercise has none")
        self._names = find_names(question, solution)
        self._solution = Solution(solution, because, self._names)
        self._hinted = self._solved = False  # whether a person asked for it

    def check(self, answer: Any = ...) -> Outcome:
        """Check an answer, and keep it.

        Args:
            answer: The answer.

        Raises:
            LessonError: The check itself is wrong: it returned neither None nor a text.
        """
        answer = answer.answer if isinstance(answer, Solution) else answer
        missing = find_missing(answer, self._template)
        if missing and answer is None and self._names:
            missing += f"; {self._ask_for_functions()}"
        outcome = Outcome("not attempted", missing) if missing else self._judge(answer)
        if outcome.kind != "not attempted":
            self.attempts.append(Attempt(show_answer(answer)[:MAX_ANSWER], outcome))
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
        if self.choices and not self._is_choice(answer):
            return Outcome("incorrect", f"it is none of the choices: {join_choices(self.choices)}")
        given = answer if isinstance(answer, (tuple, list)) else [answer]
        if self._names and not (len(given) == len(self._names) and all(map(callable, given))):
            passed = f"what was passed is {show_short(answer)}"
            return Outcome("incorrect", f"{self._ask_for_functions()}; {passed}")
        try:
            reason = self._check(answer)
        except AssertionError as error:
            return Outcome("incorrect", str(error) or describe_failure(error, answer))
        except (Exception, SystemExit) as error:
            return Outcome("incorrect", describe_failure(error, answer))
        if reason is None:
            return Outcome("correct")
        if not isinstance(reason, str) or not reason:
            raise LessonError(
                f"the check of this exercise returned {reason!r} instead of None or a reason, so "
                "the answer was not judged. This is a fault of the lesson, not of the answer"
            )
        return Outcome("incorrect", reason)

    def _ask_for_functions(self) -> str:
        """Return what is to be passed, for who passed what a function returned."""
        names = ", ".join(self._names)
        if len(self._names) > 1:
            return f"pass the functions themselves: check(({names}))"
        return f"pass the function itself: check({names}), not check({names}(…))"

    def _make_actions(self) -> list[list[Action]]:
        chosen = self.attempts[-1].answer if self.attempts else None
        rows = self._offer_choices(
            self.check,
            lambda choice: show_answer(choice) == chosen,
            lambda outcome: str(outcome.kind),
        )
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
            parts.append(render_text(repr(self._hint)))
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
