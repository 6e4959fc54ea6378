"""Lessons: a workflow that one can step through, crash, and race against another.

The apparatus is here, the questions and checks of each notebook of ``notebooks/lessons/`` are in
``course/``. An object of the apparatus is used by its methods; in a notebook it shows itself as a
panel of buttons, each of which calls one of these methods.
"""

from .crash import Crash
from .durability import Durability, Finding, durability_table, tabulate, wilson_interval
from .events import Change, Event, add, put
from .exercise import Attempt, Exercise, Outcome, Solution
from .expiry import expiry_table
from .form import Field, Form
from .ledger import Effect, Ledger, send
from .prediction import Comparison, Prediction
from .questions import Remark
from .race import Race
from .rounds import Round
from .step import Step
from .stepper import Stepper
from .stores import LessonStore, StoreName, lesson_store
from .story import Story, StoryLine
from .turns import StoreView

__all__ = [
    "Prediction",
    "Comparison",
    "Exercise",
    "Outcome",
    "Attempt",
    "Remark",
    "Solution",
    "Field",
    "Form",
    "Stepper",
    "Step",
    "LessonStore",
    "StoreName",
    "lesson_store",
    "Race",
    "Round",
    "Event",
    "Change",
    "add",
    "put",
    "StoreView",
    "expiry_table",
    "Durability",
    "Finding",
    "durability_table",
    "tabulate",
    "wilson_interval",
    "Crash",
    "Ledger",
    "Effect",
    "send",
    "Story",
    "StoryLine",
]
