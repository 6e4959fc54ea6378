"""Contact sheets of the pictures that the browser tests take: every state at one look."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw

__all__ = ["WIDTHS", "join_pictures"]

#: Of the window, in pixels: a large screen, a small one, and half of a large one.
WIDTHS: Final = (1440, 1100, 800)
_COLUMNS: Final = 6
_WIDTH, _HEIGHT, _TITLE = 400, 500, 18  # pixels of a picture on a sheet, and of its name


def join_pictures(folder: Path) -> None:
    """Write ``sheet-<width>.png`` for each width: all pictures of that width in the folder."""
    for width in WIDTHS:
        if paths := sorted(folder.glob(f"*-{width}-[dl]*.png")):
            _make_sheet(paths).save(folder / f"sheet-{width}.png")


def _make_sheet(paths: list[Path]) -> Image.Image:
    rows = -(-len(paths) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * _WIDTH, rows * (_HEIGHT + _TITLE)), "#888")
    draw = ImageDraw.Draw(sheet)
    for number, path in enumerate(paths):
        left, top = number % _COLUMNS * _WIDTH, number // _COLUMNS * (_HEIGHT + _TITLE)
        draw.text((left + 4, top + 3), path.stem, "white")
        with Image.open(path) as picture:
            small = picture.convert("RGB")
        small.thumbnail((_WIDTH - 6, _HEIGHT - 6))
        sheet.paste(small, (left + 3, top + _TITLE))
    return sheet
