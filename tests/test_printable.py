"""Texts from elsewhere, as a terminal can show them, and numbers of things in words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import graphflow_nb as g
from graphflow_nb.printable import describe_count, inflect, printable, printable_lines

from .hostile import TEXTS


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_all_is_printable_and_nothing_is_lost(text: str):
    assert printable(text).isprintable()
    lines = printable_lines(text)
    assert lines.count("\n") == text.count("\n")
    assert all(line.isprintable() for line in lines.split("\n"))
    if "\\" not in text:
        assert (
            printable(text).encode("latin-1", "backslashreplace").decode("unicode_escape") == text
        )


def test_other_scripts_and_signs_stay_as_they_are():
    text = "مرحبا 𝕳 é µs → …"
    assert printable(text) is text
    assert printable_lines(f"{text}\n{text}\x1b") == f"{text}\n{text}\\x1b"


def test_a_number_of_things_agrees_with_their_name():
    assert [describe_count(n, "key") for n in (0, 1, 2, 1_000)] == [
        "0 keys",
        "1 key",
        "2 keys",
        "1,000 keys",
    ]
    assert [describe_count(n, "entry is", "entries are") for n in (0, 1, 2)] == [
        "0 entries are",
        "1 entry is",
        "2 entries are",
    ]
    assert [inflect(n, "task") for n in (0, 1, 2)] == ["tasks", "task", "tasks"]


NOUNS = "session|operation|version|message|key|write|change|row|file|graph|value|byte"
WRONG = re.compile(rf"(?<![\d,.])(1 ({NOUNS})s|[02-9] ({NOUNS}))\b")


@pytest.mark.parametrize("count", [0, 1, 2])
def test_what_shows_a_number_of_things_names_them_so(count: int, tmp_path: Path):
    shown: dict[str, str] = {}
    with g.open("memory:") as wb:
        wb.install_history()
        for number in range(count):
            session = wb.create(f"s{number}", "t", graph_id="g")
            session.context["k"] = 1
            session.context.chat_history.add(g.Message("User", "hello"))
            wb.save(session)
            shown[f"session {number}"] = repr(session.context.chat_history)
        report = wb.prune_history(versions=1, age=None)
        exported = wb.export(tmp_path / "all.csv")
        for thing in (wb, wb.storage.inner, wb.journal, wb.recorder, wb.latency, wb.overview()):
            shown[type(thing).__name__] = f"{thing!r} {getattr(thing, '_repr_html_', str)()}"
        shown |= {"report": str(report), "export": str(exported)}
        shown["browser"] = str(wb.browse()._repr_mimebundle_())
    for place, text in shown.items():
        assert not (found := WRONG.search(re.sub(r"<[^>]*>", "", text))), (place, found)
