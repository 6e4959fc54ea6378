"""Predictions and exercises: three outcomes, and nothing that misleads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphflow_nb.errors import LessonError
from graphflow_nb.lessons import Exercise, Outcome, Prediction, Solution
from graphflow_nb.lessons.exercise import MAX_ATTEMPTS


def check_three(answer: Any) -> str | None:
    return None if answer == 3 else f"it is not {answer}"


def check_doubling(answer: Any) -> str | None:
    return None if answer(4) == 8 else f"it makes {answer(4)} of 4"


def double(n: int) -> int:
    return 2 * n


@pytest.fixture
def three() -> Exercise:
    return Exercise("How many?", check_three, "count them", 3, because="there are three")


@pytest.fixture
def doubling() -> Exercise:
    return Exercise("Write double(n).", check_doubling, "n + n", double)


# Exercises


def test_an_answer_is_correct_or_incorrect_with_the_reason(three: Exercise):
    assert three.check(3) == Outcome("correct")
    assert three.check(4) == Outcome("incorrect", "it is not 4")
    assert three.outcome == Outcome("incorrect", "it is not 4")


def empty(n: int) -> int: ...  # type: ignore[empty-body]


def passing(n: int) -> None:
    """Return nothing yet."""


def returning(n: int) -> Any:
    return ...


async def waiting(n: int) -> None: ...


@pytest.mark.parametrize(
    "answer",
    [
        ...,
        None,
        "",
        "  ",
        "...",
        [1, ...],
        (2, ...),
        {"b": ...},
        empty,
        passing,
        returning,
        waiting,
    ],
)
def test_what_was_left_as_it_was_is_not_attempted(answer: Any, three: Exercise):
    outcome = three.check(answer)
    assert outcome.kind == "not attempted"
    assert outcome.reason
    assert not three.attempts
    assert three.outcome.kind == "not attempted"


def test_without_an_answer_it_is_not_attempted(three: Exercise):
    assert three.check().kind == "not attempted"


@pytest.mark.parametrize("answer", [0, False, [], {}, 0.0, np.zeros(3)], ids=repr)
def test_an_answer_that_is_false_is_an_answer(answer: Any):
    exercise = Exercise("What is it?", lambda answer: None)
    assert exercise.check(answer).kind == "correct"


@pytest.mark.parametrize("body", [lambda n: n, lambda n: None if n else n, double])
def test_a_function_with_a_body_is_an_answer(body: Any, doubling: Exercise):
    assert doubling.check(body).kind != "not attempted"


class Refusing:
    def __eq__(self, other: object) -> bool:
        raise TypeError("not comparable")

    __hash__ = None  # type: ignore[assignment]


def template(n: int) -> int:
    for _ in range(n):
        n += 1
    return n


def same_as_template(n: int) -> int:
    for _ in range(n):
        n += 1
    return n


@pytest.mark.parametrize(
    ("given", "untouched", "answer"),
    [
        (template, same_as_template, double),
        ("SELECT …\nFROM sessions", "SELECT … FROM sessions ", "SELECT id FROM sessions"),
        ({"a": 0}, {"a": 0}, {"a": 1}),
        (np.zeros(2), None, np.zeros(2)),  # whose == is no truth value
        (Refusing(), None, Refusing()),
    ],
    ids=["function", "text", "dict", "array", "refusing"],
)
def test_a_template_that_is_untouched_is_not_attempted(given: Any, untouched: Any, answer: Any):
    exercise = Exercise("Fill it in.", lambda answer: None, template=given)
    assert exercise.check(untouched).kind == "not attempted"
    assert exercise.check(answer).kind == "correct"


def test_what_a_function_of_the_learner_raises_is_said_in_words_with_its_line(doubling: Exercise):
    def divide(n: int) -> float:
        zero = n - n
        return n / zero

    assert doubling.check(divide) == Outcome(
        "incorrect", "your divide failed in its line 3 with ZeroDivisionError: division by zero"
    )


def test_a_function_that_ends_the_program_is_incorrect(doubling: Exercise):
    def leave(n: int) -> int:
        raise SystemExit(3)

    assert "your leave failed in its line 2 with SystemExit: 3" in doubling.check(leave).reason


def test_an_answer_of_the_wrong_kind_is_incorrect_and_no_traceback() -> None:
    outcome = Exercise("Which is it?", check_doubling).check(8)
    assert outcome.kind == "incorrect"
    assert outcome.reason.startswith("the answer could not be checked: TypeError: 'int' object")


def test_who_passes_what_a_function_returns_is_told_to_pass_the_function() -> None:
    def _solve(number: int) -> int:
        return 2 * number

    def check(answer: Any) -> str | None:
        return None if answer(4) == 8 else "wrong"

    exercise = Exercise("Write double(number), which doubles it.", check, solution=_solve)
    asked = "pass the function itself: check(double), not check(double(…))"
    assert exercise.check(8) == Outcome("incorrect", f"{asked}; what was passed is 8")
    assert exercise.check("a").reason.endswith("what was passed is 'a'")
    assert exercise.check(None) == Outcome("not attempted", f"the answer is still None; {asked}")
    assert exercise.check(lambda number: number + number).kind == "correct"
    # The solution has the name that the question uses.
    assert "def double(number):" in repr(exercise.solution())
    assert "_solve" not in repr(exercise) + exercise.solution()._repr_html_()


def test_what_a_click_says_is_not_said_twice() -> None:
    prediction: Any = Prediction("How often?", ["once", "twice"])
    prediction.panel.click("once")
    assert prediction.panel.said == "your choice is kept"
    assert prediction.panel.view.value.count("you predict: once") == 1
    exercise: Any = Exercise("Which?", lambda answer: f"not {answer}", choices=["a", "b"])
    exercise.panel.click("a")
    assert exercise.panel.said == "incorrect"
    assert exercise.panel.view.value.count("incorrect: not a") == 1


def test_a_closed_panel_is_made_anew() -> None:
    """`Widget.close_all()` in a notebook closes those of a lesson's module too."""
    prediction: Any = Prediction("How often?", ["once", "twice"])
    prediction.panel.click("once")
    prediction.panel.close()
    assert "you predict: once" in prediction._repr_mimebundle_()["text/plain"]
    prediction.panel.click("twice")
    assert "you predict: twice" in prediction.panel.view.value


def test_what_a_check_asserts_is_the_reason():
    def check(answer: int) -> None:  # by raise, since pytest rewrites assert
        raise AssertionError(*["it has to be positive"][answer:])

    exercise = Exercise("Which?", check)
    assert exercise.check(0) == Outcome("incorrect", "it has to be positive")
    assert exercise.check(1).reason.startswith("the answer could not be checked: AssertionError")


@pytest.mark.parametrize("returned", [True, False, "", 3])
def test_a_check_that_is_wrong_itself_judges_nothing(returned: Any):
    exercise = Exercise("Which?", lambda answer: returned)
    with pytest.raises(LessonError, match="a fault of the lesson, not of the answer"):
        exercise.check(1)
    assert exercise.outcome.kind == "not attempted"


def test_an_outcome_has_no_truth_value():
    with pytest.raises(LessonError, match="one of three"):
        bool(Outcome("not attempted"))


def test_answers_are_kept_up_to_a_bound_that_is_said(three: Exercise):
    for n in range(MAX_ATTEMPTS + 5):
        three.check(n)
    assert three.attempted == MAX_ATTEMPTS + 5
    assert len(three.attempts) == MAX_ATTEMPTS
    assert three.attempts[-1].answer == str(MAX_ATTEMPTS + 4)
    three.check("x" * 100_000)
    assert len(three.attempts[-1].answer) < 1000


def test_an_answer_whose_repr_fails_is_checked():
    class Odd:
        def __repr__(self) -> str:
            raise ValueError("no repr")

    exercise = Exercise("Which?", lambda answer: None)
    assert exercise.check(Odd()).kind == "correct"
    assert exercise.attempts[-1].answer == "a Odd whose repr failed: ValueError"


def test_hint_and_solution_are_shown_only_when_asked_for(three: Exercise):
    assert "count" not in repr(three)
    assert "there are three" not in repr(three)
    three.hint()
    assert "count" in repr(three)
    assert "there are three" not in repr(three)
    assert repr(three.solution()) == "solution: 3\nthere are three"
    assert three.check(three.solution()).kind == "correct"


def test_a_solution_in_code_has_its_own_lines_and_no_names_that_a_notebook_lacks():
    def double(n: Solution, *more: Solution, by: Solution | None = None) -> Solution:
        # What is asked for.
        return n

    assert repr(Solution(double)) == "solution:\ndef double(n, *more, by=None):\n    return n"
    assert repr(Solution(lambda n: n, "why")).endswith("\nwhy")


def test_the_solution_of_a_function_is_its_source(doubling: Exercise):
    assert "return 2 * n" in repr(doubling.solution())
    assert doubling.check(doubling.solution()).kind == "correct"


def test_an_exercise_with_choices_takes_one_of_them():
    exercise = Exercise(
        "Which?", lambda a: None if a == "b" else "that is an event log", choices=["a", "b"]
    )
    assert exercise.check("c").reason == "it is none of the choices: 'a', 'b'"
    assert exercise.check("a").reason == "that is an event log"
    assert exercise.check("b").kind == "correct"
    for choices in (["a"], ["a", "a"]):
        with pytest.raises(LessonError):
            Exercise("Which?", check_three, choices=choices)


# Predictions


@pytest.fixture
def sent() -> Prediction:
    return Prediction("How often is it sent?", ["once", "twice"], name="lesson.sent")


def test_a_choice_is_kept_and_compared_with_what_happened(sent: Prediction):
    sent.choose("once")
    assert sent.choice == "once"
    compared = sent.compare("twice", because="it died before the save")
    assert (compared.predicted, compared.happened, compared.matches) == ("once", "twice", False)
    assert sent.comparison == compared
    assert repr(compared).splitlines() == [
        "you predicted: once (not what happened)",
        "what happened: twice",
        "it died before the save",
    ]
    sent.choose("twice")
    assert sent.comparison is None
    assert sent.compare("twice").matches


def test_what_happened_is_shown_to_who_predicted_nothing(sent: Prediction):
    compared = sent.compare("twice")
    assert not compared.matches
    assert "you made no prediction" in repr(compared)
    assert "what happened: twice" in repr(compared)


@pytest.mark.parametrize("odd", [np.zeros(3), ["once"], None, 1, b"once"], ids=repr)
def test_an_odd_answer_is_none_of_the_choices(odd: Any, sent: Prediction):
    chosen = Exercise("Which?", lambda answer: None, choices=["once", "twice"])
    assert chosen.check(odd).kind in ("incorrect", "not attempted")
    for call in (sent.choose, sent.compare):
        with pytest.raises(LessonError, match="none of the choices"):
            call(odd)


def test_what_is_none_of_the_choices_is_refused(sent: Prediction):
    sent.choose("once")
    with pytest.raises(LessonError, match="none of the choices: 'once', 'twice'"):
        sent.choose("thrice")
    with pytest.raises(LessonError, match="none of the choices"):
        sent.compare("thrice")
    assert (sent.choice, sent.comparison) == ("once", None)
    for choices in (["once"], ["once", "once"], []):
        with pytest.raises(LessonError):
            Prediction("?", choices)


# In a notebook


def shown(thing: Any) -> dict[str, Any]:
    bundle = thing._repr_mimebundle_()
    data: dict[str, Any] = bundle[0] if isinstance(bundle, tuple) else bundle
    return data


def test_a_choice_is_a_button(sent: Prediction):
    assert "no prediction yet" in shown(sent)["text/html"]
    panel: Any = sent.panel
    panel.click("once")
    assert sent.choice == "once"
    assert "lesson.sent.choose(&#39;once&#39;)" in panel.line.value
    assert "you predict: once" in panel.view.value
    sent.compare("twice")  # in another cell
    assert "what happened: twice" in panel.view.value
    assert not any(button["enabled"] for row in panel.bar.page["rows"] for button in row)


def test_an_exercise_is_answered_by_buttons_or_in_a_cell(three: Exercise):
    data = shown(three)
    assert "exercise.check(your answer)" in data["text/html"]
    panel: Any = three.panel
    panel.click("Show a hint")
    assert "count them" in panel.view.value
    assert "there are three" not in panel.view.value
    three.check(4)
    assert "it is not 4" in panel.view.value
    chosen = Exercise("Which?", lambda a: None, choices=["a", "b"], name="lesson.which")
    shown(chosen)
    panel = chosen.panel
    panel.click("b")
    assert chosen.outcome.kind == "correct"
    assert "lesson.which.check(&#39;b&#39;)" in panel.line.value


def test_several_functions_are_one_answer():
    def write(order):
        return order

    def read(data): ...

    both = Exercise("Write both.", lambda answer: "no", solution=(write, write))
    assert both.check((write, read)).reason == "the function read has no body yet"
    both.check((write, write))
    assert both.attempts[-1].answer.count("def write(order):") == 2
    assert "0x" not in repr(both.solution())
