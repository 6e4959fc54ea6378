"""Colours can be told from the background."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from graphflow_nb.figures.theme import THEMES


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_colours_stand_out_from_the_ground(theme):
    def light(colour):
        parts = np.array(to_rgb(colour))
        parts = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return parts @ [0.2126, 0.7152, 0.0722]

    def contrast(one, other):
        high, low = sorted((light(one), light(other)), reverse=True)
        return (high + 0.05) / (low + 0.05)

    assert contrast(theme.ink, theme.paper) > 7
    assert contrast(theme.quiet, theme.paper) > 4.5
    assert contrast(theme.rest, theme.paper) > 3
    assert min(contrast(colour, theme.paper) for colour in theme.colours) > 2
