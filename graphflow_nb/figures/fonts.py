"""Fonts for characters that matplotlib's usual one lacks, such as Chinese and Japanese ones."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from matplotlib.artist import Artist
from matplotlib.font_manager import (
    FontEntry,
    FontProperties,
    findfont,
    fontManager,
    get_font,
    weight_dict,
)
from matplotlib.text import Text

__all__ = ["find_undrawable", "use_other_fonts"]

MAX_FONTS: Final = 60  # of one machine, which are looked into
#: Families with many characters, on Linux, Windows and macOS; they are looked into first.
_FIRST: Final = (
    *(f"Noto Sans CJK {place}" for place in ("SC", "JP", "KR", "TC", "HK")),
    "Source Han Sans",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "IPAGothic",
    "NanumGothic",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "SimHei",
    "PingFang SC",
    "PingFang HK",
    "Hiragino Sans",
    "Apple SD Gothic Neo",
    "Arial Unicode MS",
)
# Of TeX, with other characters where they should be, and one that draws a box for everything.
_UNFIT: Final = ("cmb10", "cmex10", "cmmi10", "cmr10", "cmss10", "cmsy10", "cmtt10", "Last Resort")
# Regular and medium: of a family with others alone matplotlib reports that it has no normal one.
_WEIGHTS: Final = (400, 500)


def find_undrawable(text: str) -> set[str]:
    """Return the characters of a text that are not printable, or in no font of this machine.

    Args:
        text: The text.
    """
    usual = get_font(findfont(FontProperties()))
    return {
        each
        for each in set(text)
        if not each.isprintable()
        or (not usual.get_char_index(ord(each)) and _find_family(each) is None)
    }


def use_other_fonts(artist: Artist) -> None:
    """Give the texts of an artist the other fonts that their characters need.

    Args:
        artist: The artist, with all its texts.
    """
    if not _found:
        return  # the usual case, which takes no time
    for text in artist.findobj(Text):
        needed = {_found[each] for each in set(text.get_text()) & _found.keys()}
        if needed:
            now = text.get_fontfamily()
            text.set_fontfamily([*now, *sorted(needed.difference(now))])


_found: dict[str, str] = {}  # the family of each character that only another font has


@cache
def _find_family(character: str) -> str | None:
    """Return the first family with a character that the usual font lacks."""
    for family, font in _open_fonts():
        if font.get_char_index(ord(character)):
            _found[character] = family
            return family
    return None


@cache
def _open_fonts() -> list[tuple[str, Any]]:
    """Return one font of each family, of at most ``MAX_FONTS``."""
    installed = {entry.name: entry.fname for entry in fontManager.ttflist if _is_fit(entry)}
    first = [family for family in _FIRST if family in installed]
    families = [*first, *sorted(installed.keys() - {*first})][:MAX_FONTS]
    return [(family, get_font(installed[family])) for family in families]


def _is_fit(entry: FontEntry) -> bool:
    weight = entry.weight if isinstance(entry.weight, int) else weight_dict.get(entry.weight, 0)
    normal = entry.style == "normal" and _WEIGHTS[0] <= weight <= _WEIGHTS[1]
    return normal and not entry.name.startswith(_UNFIT)
