"""Lesson 4: each exercise with the right answer, wrong ones and untouched; its claims on stores."""

from __future__ import annotations

import pytest

from graphflow_nb.lessons import Finding, wilson_interval
from graphflow_nb.lessons.course import durability as lesson

EXERCISES = {
    "power": lesson.power,
    "count_lost": lesson.count_lost,
    "confidence": lesson.confidence,
}


@pytest.mark.parametrize("name", EXERCISES)
def test_the_solution_is_correct_and_nothing_is_not_attempted(name):
    exercise = EXERCISES[name]
    assert exercise.check(...).kind == "not attempted"
    assert exercise.check(exercise.solution()).kind == "correct"


@pytest.mark.parametrize(
    ("name", "answer", "reason"),
    [
        ("power", "PostgreSQL, synchronous_commit=on", "forced the save to the disk"),
        ("power", "PostgreSQL, synchronous_commit=off", "a kill takes that"),
        ("count_lost", lambda acknowledged, stored: acknowledged - stored, "returned -1"),
        ("count_lost", lambda acknowledged, stored: stored < acknowledged, "returned False"),
        ("count_lost", 20, "check(count_lost), not check(count_lost(…)); what was passed is 20"),
        ("confidence", 50, "ends at 7.13%"),
        ("confidence", 1000, "fewer are, too"),
        ("confidence", "many", "an integer"),
    ],
)
def test_a_wrong_answer_is_told_why(name, answer, reason):
    outcome = EXERCISES[name].check(answer)
    assert outcome.kind == "incorrect"
    assert reason in outcome.reason


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        (Finding(50, 50), lesson.ALL),
        (Finding(50, 51), lesson.ALL),
        (Finding(50, 20), lesson.LAST),
        (Finding(50, 0), lesson.NONE),
        (Finding(50, None), lesson.NONE),
    ],
)
def test_a_finding_is_one_of_the_predictions(finding, said):
    assert lesson.describe(finding) == said
    for prediction in (lesson.survivors, lesson.early):
        prediction.choose(said)
        assert prediction.compare(lesson.describe(finding)).matches


def test_what_the_solution_says_of_five_kills():
    assert 0.4 < wilson_interval(0, 5)[1] < 0.5
