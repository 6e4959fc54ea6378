"""Colours can be told from the ground and from each other; a name has the same everywhere."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from matplotlib.colors import same_color, to_rgb

from graphflow_nb.figures import plot_percentiles, plot_timeline
from graphflow_nb.figures.groups import group_operations
from graphflow_nb.figures.looks import LOOKS, OPERATIONS, PHASE_COLOURS, STORES, look_of
from graphflow_nb.figures.theme import THEMES

from .data import lines, measured

# What protanopia and deuteranopia make of linear RGB (Machado, Oliveira and Fernandes, 2009).
SEEN = {
    "by most": np.eye(3),
    "with protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "with deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}


def linear(colour):
    parts = np.array(to_rgb(colour))
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    light = [linear(colour) @ [0.2126, 0.7152, 0.0722] for colour in (one, other)]
    return (max(light) + 0.05) / (min(light) + 0.05)


def distance(one, other, seen=SEEN["by most"]):
    """How different two colours look: 2 is just noticed, 100 is black and white (CIE76)."""
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )

    def lab(colour):
        xyz = to_xyz @ np.clip(seen @ linear(colour), 0, 1) / [0.9505, 1, 1.089]
        x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
        return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])

    return np.linalg.norm(lab(one) - lab(other))


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_colours_stand_out_from_the_ground(theme):
    grounds = ["#ffffff", "#111111"] if theme.paper == "none" else [theme.paper]
    for ground in grounds:
        # On two grounds at once no more than 4.35 to 1 is possible.
        assert contrast(theme.ink, ground) > (7 if len(grounds) == 1 else 4.3)
        assert contrast(theme.quiet, ground) > (4.5 if len(grounds) == 1 else 4.3)
        assert contrast(theme.rest, ground) > 3
        assert min(contrast(colour, ground) for colour in theme.colours) > 2
        for colour in (*OPERATIONS, *STORES):
            assert contrast(colour, ground) > 2.95


@pytest.mark.parametrize("seen", SEEN.values(), ids=SEEN)
def test_colours_can_be_told_from_each_other(seen):
    for palette in (OPERATIONS[:4], STORES[:4]):
        assert min(distance(*pair, seen) for pair in combinations(palette, 2)) > 12
    # Phases lie beside each other in this order, and are hatched.
    assert min(distance(*pair, seen) for pair in pairwise(PHASE_COLOURS.values())) > 12


def test_no_colour_means_two_kinds_of_things():
    for one, other in combinations((OPERATIONS, STORES, PHASE_COLOURS.values()), 2):
        assert min(distance(a, b) for a in one for b in other) > 18


def test_a_name_has_one_look_whatever_else_is_shown():
    frame = measured(400, ops=["zebra", "get", "ant"])
    alone = frame[frame["op"] == "zebra"]
    looks = {group.name: group.look for group in group_operations(frame, "op")}
    (zebra,) = group_operations(alone, "op")
    assert zebra.look == looks["zebra"]
    before = look_of("op", "zebra")
    group_operations(measured(400, ops=["aardvark", "zebra"]), "op")
    assert look_of("op", "zebra") == before
    for ax in (
        plot_percentiles(frame),
        plot_percentiles(alone, theme="dark"),
        plot_timeline(alone),
    ):
        assert any(same_color(line.get_color(), before.colour) for line in lines(ax))


def test_the_usual_names_have_fixed_colours_and_others_do_not_share_a_look():
    assert look_of("op", "get").colour == look_of("op", "read").colour == OPERATIONS[0]
    assert look_of("storage", "postgres").colour == STORES[0]
    assert len({look_of("a column", f"name {i}") for i in range(LOOKS)}) == LOOKS
    (group, _) = group_operations(measured(50, ops=["get"]), ["storage", "op"])
    assert group.name == "A · get"
    assert group.colour == look_of("storage", "A").colour
    assert group.marker == look_of("op", "get").marker
