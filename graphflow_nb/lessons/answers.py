"""Answers to an exercise: whether one was attempted, and what it is as text."""

from __future__ import annotations

import ast
import dis
import inspect
import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from textwrap import dedent
from traceback import walk_tb
from types import FunctionType

from ..printable import printable
from .questions import join_choices

__all__ = [
    "describe_failure",
    "find_missing",
    "find_names",
    "show_answer",
    "show_short",
    "show_solution",
]


def find_missing(answer: object, template: object) -> str:
    """Return why an answer was not attempted; empty if it was."""
    if answer is None or answer is ...:
        return f"the answer is still {'...' if answer is ... else 'None'}"
    if isinstance(answer, str) and answer.strip() in ("", "..."):
        return "the answer is an empty text" if not answer.strip() else "the answer is still ..."
    if isinstance(answer, Mapping):
        left = [key for key, value in answer.items() if value is ...]
        return f"{join_choices(left)} is still ..." if left else _find_template(answer, template)
    if isinstance(answer, list | tuple):
        if any(value is ... for value in answer):
            return "a part of the answer is still ..."
        for part in answer:  # several functions are one answer
            if isinstance(part, FunctionType) and (missing := find_missing(part, None)):
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


def show_answer(answer: object) -> str:
    """Return an answer as text, without the addresses that differ from run to run."""
    if isinstance(answer, FunctionType):
        try:
            return dedent(inspect.getsource(answer)).strip()
        except (OSError, TypeError):
            return f"the function {answer.__name__}"
    if isinstance(answer, str):
        return answer
    if isinstance(answer, tuple) and answer and all(isinstance(a, FunctionType) for a in answer):
        return "\n\n\n".join(map(show_answer, answer))
    try:
        return repr(answer)
    except Exception as error:  # an object of a person, which may do anything
        return f"a {type(answer).__name__} whose repr failed: {type(error).__name__}"


def show_short(answer: object) -> str:
    """Return an answer as it is named in a sentence."""
    if isinstance(answer, FunctionType):
        return f"the function {answer.__name__}"
    text = repr(answer) if isinstance(answer, str) else show_answer(answer)
    return printable(text if len(text) <= 100 else f"{text[:100]}…")


def find_names(question: str, solution: object) -> tuple[str, ...]:
    """Return how a question names the functions that are its answer; empty if they are none.

    Example:
        >>> find_names("Write double(number), which returns twice its number.", abs)
        ('double',)
    """
    functions = solution if isinstance(solution, tuple) else (solution,)
    if not all(map(callable, functions)):
        return ()
    names = tuple(re.findall(r"\b([a-z_]\w*)\(", question)[: len(functions)])
    return names if len(names) == len(functions) else ()


def show_solution(answer: object, names: Sequence[str] = ()) -> str:
    """Return an answer as text that runs when it is pasted: functions without their annotations.

    Args:
        answer: The answer.
        names: How the functions are called in the text.
    """
    if isinstance(answer, tuple) and answer and all(isinstance(a, FunctionType) for a in answer):
        each = zip_longest(answer, names[: len(answer)])
        return "\n\n\n".join(show_solution(a, [name] if name else []) for a, name in each)
    text = show_answer(answer)
    if not isinstance(answer, FunctionType) or not text.startswith("def "):
        return text
    (made,) = ast.parse(text).body
    assert isinstance(made, ast.FunctionDef)
    below = text.splitlines()[made.body[0].lineno - 1 :]
    made.body, made.returns = [ast.Pass()], None
    made.name = names[0] if names else made.name
    for argument in ast.walk(made.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    return "\n".join([ast.unparse(made).splitlines()[0], *below])


def describe_failure(error: BaseException, answer: object) -> str:
    """Return in words what was raised while an answer was checked."""
    what = type(error).__name__ + (f": {error}" if str(error) else "")
    if isinstance(answer, FunctionType):
        file = answer.__code__.co_filename
        lines = [n for frame, n in walk_tb(error.__traceback__) if frame.f_code.co_filename == file]
        if lines:
            where = lines[-1] - answer.__code__.co_firstlineno + 1
            return printable(f"your {answer.__name__} failed in its line {where} with {what}")
    return printable(f"the answer could not be checked: {what}")
