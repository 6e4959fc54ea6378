"""Every registered rule keeps the house rules that the package's docstring states."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module

import pytest

from graphflow_nb.advice import Advice, InOrder, Unseen
from graphflow_nb.advice.lines import SEVERITIES
from graphflow_nb.advice.registry import RULES, Rule
from graphflow_nb.advice.seen import Operations, Seen
from graphflow_nb.storage.facts import PostgresFacts, StoreFacts

from .kit import Case
from .rules.postgres.kit import HOSTILE, QUOTED

MARKUP = re.compile(r"</?[a-z][^>]*>|&[a-z]+;", re.IGNORECASE)
SENTENCE = re.compile(r"[A-Z0-9].*\.", re.DOTALL)
OTHERS = ("CONFIG ", "Ok(TaskResult")  # Redis' commands, and a step's result in Rust


def case_of(rule: Rule) -> Case | None:
    """Return the case in the test that mirrors the rule's module; None if it never advises."""
    test = rule.find.__module__.replace("graphflow_nb.", "tests.")
    package, _, module = test.rpartition(".")
    cases = import_module(f"{package}.test_{module}").CASES
    assert rule.find in cases, f"add {rule.find.__name__} to CASES in {package}.test_{module}"
    return cases[rule.find]


def apply(rule: Rule, case: Case) -> Iterator[object]:
    facts = case.subject if isinstance(case.subject, StoreFacts) else None
    recorded = case.subject if isinstance(case.subject, Operations) else Operations(case.operations)
    return rule.find(case.subject, Seen(facts=facts, operations=recorded, filters=case.filters))


def statements(remedy: str) -> list[str]:
    """Return the lines that do something, without comments."""
    lines = [re.sub(r"\s*(--|//|(?<!\S)#) .*", "", line) for line in remedy.splitlines()]
    return [line for line in lines if line.strip()]


def is_sql(remedy: str) -> bool:
    return all(line.rstrip().endswith(";") for line in statements(remedy))


def is_python(lines: list[str]) -> bool:
    try:
        ast.parse("\n".join(lines))
    except SyntaxError:
        return False
    return True


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.find.__name__)
def test_a_rule_keeps_the_house_rules(rule):
    assert rule.find.__name__.startswith("find_")
    assert (rule.find.__doc__ or "").startswith("Find ")
    case = case_of(rule)
    if case is None:
        return
    assert isinstance(case.subject, rule.subject)
    lines = list(apply(rule, case))
    assert all(isinstance(line, (Advice, InOrder, Unseen)) for line in lines)
    found = [line for line in lines if isinstance(line, Advice)]
    assert found, "its case has no advice"
    for advice in found:
        assert advice.severity in SEVERITIES
        assert advice.subject
        assert not advice.subject.endswith(".")
        for text in (advice.finding, advice.cost):
            assert SENTENCE.fullmatch(text), f"not whole sentences: {text}"
            assert not MARKUP.search(text.replace(HOSTILE, "").replace(QUOTED, ""))
        assert advice.evidence
        for name, value in advice.evidence.items():
            assert name
            assert isinstance(value, (int, float)) or (isinstance(value, str) and value)
        check_remedy(advice.remedy)


def check_remedy(remedy: str) -> None:
    lines = statements(remedy)
    assert lines, "only comments"
    if is_sql(remedy):
        # Nothing of a name from the store is outside of quotes.
        bare = re.sub(r"""("([^"]|"")*"|'([^']|'')*')""", "", "\n".join(lines))
        assert "<" not in bare
        assert bare.count(";") == len(lines)
    else:
        rest = [line for line in lines if not line.startswith(OTHERS)]
        assert is_python(rest), f"neither SQL nor Python: {rest}"


@pytest.mark.parametrize(
    "rule",
    [rule for rule in RULES if rule.subject is PostgresFacts],
    ids=lambda rule: rule.find.__name__,
)
def test_statements_are_for_the_primary(rule):
    case = case_of(rule)
    assert case is not None
    on_standby = case._replace(subject=replace(case.subject, standby=True))
    for line in apply(rule, on_standby):
        if isinstance(line, Advice) and is_sql(line.remedy):
            assert line.remedy.startswith("-- on the primary\n")
