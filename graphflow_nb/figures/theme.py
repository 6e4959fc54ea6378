"""Grounds and inks, dashes and shapes: for a white ground, a black one, or either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from matplotlib.colors import Colormap, LinearSegmentedColormap

from .checks import check_choice

__all__ = ["DASHES", "HATCHES", "MARKERS", "THEMES", "Theme", "ThemeName", "theme_named"]

ThemeName = Literal["light", "dark", "both"]

# They distinguish groups without colour: in print, and for colour-blind people.
DASHES: tuple[Any, ...] = (
    "-",
    "--",
    "-.",
    (0, (1, 1)),
    (0, (5, 1, 1, 1, 1, 1)),
    (0, (8, 2)),
    (0, (2, 2)),
)
MARKERS = ("o", "s", "^", "D", "v", "*", "h")
HATCHES = ("", "////", "....", "\\\\\\\\", "")


@dataclass(frozen=True)
class Theme:
    """The colours that a figure is drawn with.

    Attributes:
        paper: The background; ``none`` is transparent.
        edge: Lines within what is coloured: hatches, and around marks.
        ink: Text and marks.
        quiet: Lesser text, and the lines of the axes.
        rest: The colour of everything that has none of its own.
        grid: The lines behind.
        colours: Colours of tasks, which colour-blind people can distinguish. Those that differ
            most from the background come first. What else has a name has a look: see ``looks``.
        shades: The colours from few to many.
    """

    paper: str
    edge: str
    ink: str
    quiet: str
    rest: str
    grid: str
    colours: tuple[str, ...]
    shades: Colormap


THEMES = {
    "light": Theme(
        paper="#ffffff",
        edge="#ffffff",
        ink="#111111",
        quiet="#595959",
        rest="#808080",
        grid="#e2e2e2",
        colours=("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"),
        shades=LinearSegmentedColormap.from_list("few_to_many", ["#8cc5e6", "#0072B2", "#06182b"]),
    ),
    "dark": Theme(
        paper="#111111",
        edge="#111111",
        ink="#f2f2f2",
        quiet="#b3b3b3",
        rest="#8a8a8a",
        grid="#333333",
        colours=("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#D55E00"),
        shades=LinearSegmentedColormap.from_list("few_to_many", ["#1d5379", "#56B4E9", "#f3fbff"]),
    ),
    # Nothing is as legible on white and on JupyterLab's #111111 as on one of them: no ink has more
    # than 4.35 to 1 on both.
    "both": Theme(
        paper="none",
        edge="#ffffffb0",
        ink="#757a83",
        quiet="#757a83",
        rest="#8a8a8a",
        grid="#757a8340",
        colours=("#2b7fc4", "#d9730d", "#1f9a63", "#c64f9f", "#12a0b5", "#8c8400"),
        shades=LinearSegmentedColormap.from_list("few_to_many", ["#9db9d6", "#2b7fc4", "#5b1f8f"]),
    ),
}


def theme_named(name: str) -> Theme:
    """Return the theme with this name.

    Raises:
        QueryError: The theme is unknown.
    """
    check_choice(name, *THEMES)
    return THEMES[name]
