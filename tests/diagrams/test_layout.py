"""Where the boxes of a diagram are."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from graphflow_nb.diagrams.layout import Layout, Size, place_boxes

SIZE = Size(80, 40)


def place(arrows: str, start: str | None = None, keys: str = "") -> Layout:
    """Return the layout of arrows as in ``"ab bc"``."""
    pairs = [(arrow[0], arrow[1]) for arrow in arrows.split()]
    return place_boxes(dict.fromkeys(keys or sorted(arrows.replace(" ", "")), SIZE), pairs, start)


def test_a_chain_goes_down():
    layout = place("ab bc")
    assert [layout.places[key].y for key in "abc"] == sorted(layout.places[k].y for k in "abc")
    assert len({layout.places[key].x for key in "abc"}) == 1
    assert layout.paths == {("a", "b"): [], ("b", "c"): []}
    assert layout.back == []


def test_an_arrow_back_does_not_change_the_order():
    assert place("ab bc ca", start="a").back == [("c", "a")]
    assert place("ab bc ca", start="b").back == [("a", "b")]
    assert place("ab ba cd dc").back == [("b", "a"), ("d", "c")]
    assert place("aa ab").back == []
    # Not all of what has an arrow to an earlier box leads back.
    assert place("ab ac bd cd da", start="a").back == [("d", "a")]


def test_a_long_arrow_passes_beside_the_boxes():
    layout = place("ab bc ac")
    ((x, y),) = layout.paths["a", "c"]
    assert y == layout.places["b"].y
    assert abs(x - layout.places["b"].x) > SIZE.width / 2


def test_branches_do_not_cross():
    layout = place("ab ac bd ce", start="a")
    x = {key: place.x for key, place in layout.places.items()}
    assert (x["b"] < x["c"]) == (x["d"] < x["e"])


def test_boxes_without_arrows_are_in_rows_below():
    layout = place("ab", keys="abcdefghij")
    below = [layout.places[key].y for key in "cdefghij"]
    assert len(set(below)) == 2
    assert min(below) > layout.places["b"].y


def test_nothing_at_all():
    assert place_boxes({}, [], None) == Layout()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh"))))
def test_boxes_never_overlap_and_all_arrows_are_there(pairs: list[tuple[str, str]]):
    sizes = {key: Size(40 + 10 * n, 20 + 5 * n) for n, key in enumerate("abcdefgh")}
    layout = place_boxes(sizes, pairs, "a")
    for one, other in combinations(layout.places.values(), 2):
        beside = abs(one.x - other.x) >= (one.width + other.width) / 2
        assert beside or abs(one.y - other.y) >= (one.height + other.height) / 2
    for source, target in layout.paths:
        assert layout.places[source].y < layout.places[target].y
    shown = set(layout.paths) | set(layout.back)
    assert shown == {(one, other) for one, other in pairs if one != other}
    assert min(place.x - place.width / 2 for place in layout.places.values()) >= -1e-6
