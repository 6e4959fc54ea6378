"""Texts from elsewhere, as a terminal can show them."""

from __future__ import annotations

import pytest

from graphflow_nb.printable import printable, printable_lines

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
