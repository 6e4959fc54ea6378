"""The HTML of a patch."""

from __future__ import annotations

from msgspec import Raw

from graphflow_nb import Session, diff
from graphflow_nb.cards import patch_html, value_html


def test_a_change_shows_its_path_and_both_values():
    before = Session("a", "t", status_message="old", context={"gone": 1})
    after = Session("a", "t", status_message="new <b>", context={"came": [2]})
    html = patch_html(diff(before, after))
    for text in ("± change", "+ add", "− remove", "the field status_<wbr>message", ">came<"):
        assert text in html
    assert "new &lt;b&gt;" in html
    assert '<span class="q">nothing</span>' in html


def test_changes_are_bounded_and_none_is_said():
    before = Session("a", "t")
    after = Session("a", "t", context={f"k{n}": n for n in range(250)})
    html = patch_html(diff(before, after))
    assert "50 more changes, not shown" in html
    assert html.count("+ add") == 200
    assert patch_html(diff(before, before), "Nothing <new>.") == "<p>Nothing &lt;new&gt;.</p>"


def test_short_values_are_indented_and_long_ones_shown_as_they_are():
    assert value_html(Raw(b'{"a":1}')) == "<code>{\n  &#34;a&#34;: 1\n}</code>"
    long = b"[" + b",".join(b"1" for _ in range(200)) + b"]"
    assert long.decode() in value_html(Raw(long))
    assert value_html(None) == '<span class="q">nothing</span>'
