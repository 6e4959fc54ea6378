"""The parts of a card: texts, ages and sizes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest

from graphflow_nb.cards import CARD_CSS, MAX_TEXT, age, breakable, code, moment_text
from graphflow_nb.cards.parts import size


def test_a_text_is_escaped_and_cut():
    assert code("<&>") == "<code>&lt;&amp;&gt;</code>"
    html = code("x" * (MAX_TEXT + 1))
    assert "x" * MAX_TEXT in html
    assert "2,001 characters in all" in html


def test_a_long_name_breaks_between_its_words_and_nowhere_else():
    assert code("await_the_<b>_docs", name=True) == ("<code>await_<wbr>the_&lt;b&gt;_docs</code>")
    assert breakable("_a__b c") == "_a__b c"


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=5), "5 s ago"),
        (timedelta(minutes=5), "5 min ago"),
        (timedelta(hours=5), "5 h ago"),
        (timedelta(days=5), "5 days ago"),
        (timedelta(days=5000), "5,000 days ago"),
        (-timedelta(hours=1), "0 s ago"),
    ],
)
def test_an_age_in_words(ago, text):
    assert age(datetime.now(UTC) - ago) == text


def test_an_age_that_is_not_known():
    assert age(None) == age(datetime.max) == "at an unknown time"


def test_a_time_has_its_age_beside_it():
    time = datetime.now(UTC) - timedelta(days=3)
    assert moment_text(time) == f"{time:%Y-%m-%d %H:%M:%S} UTC, 3 days ago"
    assert moment_text(datetime.max) == "9999-12-31 23:59:59 UTC, at an unknown time"


def test_a_size_in_words():
    assert [size(9_999), size(10_000)] == ["9,999 bytes", "10 kB"]


def test_the_css_of_each_card_is_short_and_has_every_rule():
    written = files("graphflow_nb.cards").joinpath("card.css").read_text()
    assert CARD_CSS.count("{") == CARD_CSS.count("}") == written.count("{")
    assert len(CARD_CSS) < 4_500, "a notebook has it in each output"
    assert "/*" not in CARD_CSS
