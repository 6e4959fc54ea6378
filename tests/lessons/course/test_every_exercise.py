"""What holds for each prediction and exercise of each lesson."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from graphflow_nb.lessons import Exercise, Prediction, course


def find_questions() -> Iterator[Any]:
    """Yield each question of each module of the course, with its module and its name there."""
    for found in pkgutil.iter_modules(course.__path__):
        module = import_module(f"{course.__name__}.{found.name}")
        for name, value in vars(module).items():
            if isinstance(value, Exercise | Prediction):
                yield pytest.param(module, name, value, id=f"{found.name}.{name}")


QUESTIONS = list(find_questions())


@pytest.mark.parametrize(("module", "name", "question"), QUESTIONS)
def test_its_lines_of_code_work_in_the_notebook(module: Any, name: str, question: Any):
    assert question.name.partition(".")[2] == name
    assert name in module.__all__
    assert question.question.strip()


@pytest.mark.parametrize(
    ("module", "name", "exercise"),
    [q for q in QUESTIONS if isinstance(q.values[2], Exercise)],
)
def test_untouched_it_is_not_attempted_and_its_solution_is_correct(
    module: Any, name: str, exercise: Exercise
):
    for untouched in (..., None, "", "..."):
        assert exercise.check(untouched).kind == "not attempted"
    assert exercise.check().kind == "not attempted"
    outcome = exercise.check(exercise.solution())
    assert (outcome.kind, outcome.reason) == ("correct", "")
    assert exercise.hint().text
    assert "def _" not in repr(exercise.solution())


@pytest.mark.parametrize(
    ("module", "name", "prediction"),
    [q for q in QUESTIONS if isinstance(q.values[2], Prediction)],
)
def test_each_choice_can_be_made_and_can_happen(module: Any, name: str, prediction: Prediction):
    for choice in prediction.choices:
        prediction.choose(choice)
        assert prediction.compare(choice).matches
