"""Fonts for characters that matplotlib's usual one lacks, such as Chinese and Japanese ones."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from matplotlib.artist import Artist
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text

__all__ = ["can_draw", "use_other_fonts"]

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


def can_draw(character: str) -> bool:
    """Return whether a font of this machine has a character.

    Args:
        character: The character, which is printable.
    """
    return _usual_has(character) or _find_family(character) is not None


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


def _usual_has(character: str) -> bool:
    return bool(get_font(findfont(FontProperties())).get_char_index(ord(character)))


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
    installed = {entry.name for entry in fontManager.ttflist if not entry.name.startswith(_UNFIT)}
    first = [family for family in _FIRST if family in installed]
    families = [*first, *sorted(installed.difference(first))][:MAX_FONTS]
    return [(family, get_font(findfont(family))) for family in families]
