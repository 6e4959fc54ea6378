"""A diagram as an SVG picture.

It has a background of its own, since it is shown on pages of both colours, in a page or as an image
in it: the page's colours where it has some, else those of the reader's system. No font is measured:
the width of a text is estimated from its characters, generously.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final
from unicodedata import east_asian_width

from markupsafe import Markup

from .layout import Layout, Place, Size, place_boxes
from .scene import Arrow, Node, Scene, shorten, shorten_children

__all__ = ["render_svg"]

MARGIN: Final = 22.0
PAD: Final = 12.0
LINE: Final = 17.0  # the height of a line
LABEL: Final = 9.0  # the width of a character of a label, of a lesser text
SMALL: Final = 6.9
CHIP: Final = 24.0  # the height of a box inside a box
CHIPS: Final = 360.0  # the width of such boxes side by side
LANE: Final = 14.0  # between arrows that lead up
NOTE: Final = 90  # characters of a line of a note
LOOP: Final = 26.0  # the width of an arrow from a box to itself

_STYLE: Final = Markup("""<style>
.gfnb-graph { color-scheme: light dark; max-width: 100%; height: auto;
  --paper: var(--jp-layout-color0, var(--vscode-editor-background, Canvas));
  --ink: var(--jp-content-font-color1, var(--vscode-editor-foreground, CanvasText));
  --mark: light-dark(#0072b2, #56b4e9); font: 14px system-ui, sans-serif; }
:is([data-jp-theme-light="false"], .vscode-dark, [theme="dark"]) .gfnb-graph { color-scheme: dark; }
[data-jp-theme-light="true"] .gfnb-graph { color-scheme: light; }
.gfnb-graph .paper { fill: var(--paper); }
.gfnb-graph .box { fill: var(--paper); stroke: var(--ink); stroke-width: 1.5; }
.gfnb-graph .strange, .gfnb-graph .broken { stroke-dasharray: 5 4; }
.gfnb-graph .marked { stroke: var(--mark); stroke-width: 4; }
.gfnb-graph .line { fill: none; stroke: var(--ink); stroke-width: 1.5; stroke-opacity: .75; }
.gfnb-graph .head, .gfnb-graph .start { fill: var(--ink); }
.gfnb-graph text { fill: var(--ink); text-anchor: middle; unicode-bidi: isolate; }
.gfnb-graph .name { font-weight: 600; }
.gfnb-graph .small { font-size: 12px; }
.gfnb-graph .left { text-anchor: start; }
.gfnb-graph .halo { paint-order: stroke; stroke: var(--paper); stroke-width: 5; }
</style>""")


def render_svg(scene: Scene) -> Markup:
    """Return the picture of a scene."""
    boxes = {node.key: _Box(node) for node in scene.nodes}
    arrows = _merge(scene.arrows)
    sizes = {key: box.size for key, box in boxes.items()}
    for arrow in arrows:
        if arrow.source == arrow.target:  # room for it, on both sides
            width, height = sizes[arrow.source]
            room = LOOP + _width(shorten(arrow.label), SMALL)
            sizes[arrow.source] = Size(width + 2 * room, height)
    pairs = [(arrow.source, arrow.target) for arrow in arrows]
    layout = place_boxes(sizes, pairs, scene.start)
    for key, place in layout.places.items():
        layout.places[key] = place._replace(width=boxes[key].size.width)
    lines, right = _draw_arrows(arrows, layout)
    drawn = [boxes[key].draw(place) for key, place in layout.places.items()]
    if scene.start is not None:
        drawn.append(_draw_start(layout.places[scene.start]))
    bottom = max((p.y + p.height / 2 for p in layout.places.values()), default=0.0)
    notes, width = [], right
    for note in scene.notes:
        for line in _wrap(shorten(note, 400), NOTE):
            bottom += LINE
            notes.append(_text("small left", 0, bottom + 14, line))
            width = max(width, _width(line, SMALL))
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" class="gfnb-graph" role="img" '
        'width="%d" height="%d" viewBox="%d %d %d %d"><title>%s</title>%s'
        '<rect class="paper" x="%d" y="%d" width="100%%" height="100%%"/>%s%s%s</svg>'
    ) % (
        *(width + 2 * MARGIN, bottom + 2 * MARGIN + 8),
        *(-MARGIN, -MARGIN, width + 2 * MARGIN, bottom + 2 * MARGIN + 8),
        *(shorten(scene.title, 200), _STYLE, -MARGIN, -MARGIN),
        *(_join(lines), _join(drawn), _join(notes)),
    )


class _Box:
    """A box with its texts, cut and measured."""

    def __init__(self, node: Node):
        self.node = node
        self.label = f"{'▶ ' if node.marked else ''}{shorten(node.label, 40)}"
        self.lines = [shorten(line) for line in node.lines]
        self.rows = _break_rows([shorten(child, 24) for child in shorten_children(node)])
        chips = max(
            (sum(map(_chip_width, row)) + 6 * (len(row) - 1) for row in self.rows), default=0
        )
        text = max([_width(self.label, LABEL), *(_width(line, SMALL) for line in self.lines)])
        height = LINE * (1 + len(self.lines)) + 2 * PAD - 4 + (CHIP + 6) * len(self.rows)
        self.size = Size(max(70.0, text, chips) + 2 * PAD, height)

    def draw(self, place: Place) -> Markup:
        left, top = place.x - place.width / 2, place.y - place.height / 2
        names = "box" + " strange" * self.node.strange + " marked" * self.node.marked
        parts = [_rect(names, left, top, place.width, place.height, 6)]
        y = top + PAD + 11
        parts.append(_text("name", place.x, y, self.label))
        for line in self.lines:
            y += LINE
            parts.append(_text("small", place.x, y, line))
        y += 10
        for row in self.rows:
            x = place.x - _row_width(row) / 2
            for chip in row:
                width = _chip_width(chip)
                parts.append(_rect("box", x, y, width, CHIP, 4))
                parts.append(_text("small", x + width / 2, y + 16, chip))
                x += width + 6
            y += CHIP + 6
        return Markup("<g><title>%s</title>%s</g>") % (shorten(self.node.label, 300), _join(parts))


def _draw_arrows(arrows: Sequence[Arrow], layout: Layout) -> tuple[list[Markup], float]:
    """Return the arrows, and how far to the right they and the boxes reach."""
    places = layout.places
    right = max((place.x + place.width / 2 for place in places.values()), default=0.0)
    back = set(layout.back)
    leaving, arriving = _find_ports(layout)
    lines, labels = [], []
    taken: list[tuple[float, float, float]] = []
    far = right
    for arrow in arrows:
        pair = arrow.source, arrow.target
        one, other = places[arrow.source], places[arrow.target]
        edge = one.x + one.width / 2
        name = "line broken" if arrow.broken else "line"
        if pair in layout.paths:
            x, y = one.x + leaving[pair], one.y + one.height / 2
            end, tip = other.x + arriving[pair], other.y - other.height / 2
            points = [(x, y), *layout.paths[pair], (end, tip - 8)]
            lines += [_curve(name, points), _head(end, tip, "0,0 -4.5,-9 4.5,-9")]
            (x1, y1), (x2, y2) = points[0], points[1]
            at, level, css = (x1 + x2) / 2, (y1 + y2) / 2 + 4, "small halo"
        elif pair in back:
            lane = _find_lane(layout, one, other) + LANE * (1 + layout.back.index(pair))
            far = max(far, lane)
            x, tip = other.x + other.width / 2, other.y + 6
            d = f"M{edge:.0f},{one.y:.0f} H{lane - 8:.0f} Q{lane:.0f},{one.y:.0f} {lane:.0f},"
            d += f"{one.y - 8:.0f} V{tip + 8:.0f} Q{lane:.0f},{tip:.0f} {lane - 8:.0f},{tip:.0f} "
            lines.append(_path(name, f"{d}H{x + 8:.0f}"))
            lines.append(_head(x, tip, "0,0 9,-4.5 9,4.5"))
            at, level, css = edge + 8, one.y - 5, "small left halo"
        else:  # to itself
            y = one.y - min(10, one.height / 4)
            d = f"M{edge:.0f},{y:.0f} c26,-14 26,{20 + 14} 8,20"
            lines += [_path(name, d), _head(edge, y + 20, "0,0 9,-4.5 9,4.5")]
            at, level, css = edge + LOOP, one.y + 4, "small left"
            far = max(far, edge + LOOP)
        if arrow.label:
            label = shorten(arrow.label)
            reach = _width(label, SMALL)
            left = at if "left" in css else at - reach / 2
            level = _find_level(taken, left, left + reach, level)
            labels.append(_text(css, at, level, label))
            far = max(far, left + reach)
    return lines + labels, far


def _find_level(
    taken: list[tuple[float, float, float]], left: float, right: float, level: float
) -> float:
    """Return where a label does not lie on another one, close to its own level; and take it."""
    for down in (0, 14, -14, 24):
        free = all(
            right < other_left or left > other_right or abs(level + down - other) >= 13
            for other_left, other_right, other in taken
        )
        if free:
            level += down
            break
    taken.append((left, right, level))
    return level


def _find_lane(layout: Layout, one: Place, other: Place) -> float:
    """Return where everything ends to the right of the way from one box up to another."""
    reach = [
        (place.x + place.width / 2, place.y, place.height / 2) for place in layout.places.values()
    ]
    reach += [(x, y, 0.0) for points in layout.paths.values() for x, y in points]
    top, bottom = other.y - other.height / 2, one.y + one.height / 2
    return max(x for x, y, half in reach if y + half >= top and y - half <= bottom)


def _find_ports(
    layout: Layout,
) -> tuple[dict[tuple[str, str], float], dict[tuple[str, str], float]]:
    """Return how far from the middle of its boxes each arrow begins and ends."""
    found = []
    for own, other, near in ((0, 1, 0), (1, 0, -1)):
        towards = {
            pair: points[near][0] if points else layout.places[pair[other]].x
            for pair, points in layout.paths.items()
        }
        count = Counter(pair[own] for pair in towards)
        seen: Counter[str] = Counter()
        offsets = {}
        for pair in sorted(towards, key=towards.__getitem__):
            key = pair[own]
            step = min(26.0, layout.places[key].width / (count[key] + 1))
            offsets[pair] = (seen[key] - (count[key] - 1) / 2) * step
            seen[key] += 1
        found.append(offsets)
    return found[0], found[1]


def _merge(arrows: Iterable[Arrow]) -> list[Arrow]:
    """Return one arrow for all between the same two boxes."""
    groups: dict[tuple[str, str], list[Arrow]] = {}
    for arrow in arrows:
        groups.setdefault((arrow.source, arrow.target), []).append(arrow)
    return [
        Arrow(
            *pair,
            ", ".join(arrow.label for arrow in group if arrow.label),
            all(arrow.broken for arrow in group),
        )
        for pair, group in groups.items()
    ]


def _draw_start(place: Place) -> Markup:
    left, top = place.x - place.width / 2, place.y - place.height / 2
    line = _path("line", f"M{left - 8:.0f},{top - 12:.0f} L{left + 3:.0f},{top - 1:.0f}")
    dot = Markup('<circle class="start" cx="%.0f" cy="%.0f" r="6"><title>start</title></circle>')
    return line + dot % (left - 8, top - 12)


def _curve(name: str, points: Sequence[tuple[float, float]]) -> Markup:
    """Return a line that leaves and reaches each point from above."""
    d = f"M{points[0][0]:.0f},{points[0][1]:.0f}"
    for (x1, y1), (x2, y2) in pairwise(points):
        middle = (y1 + y2) / 2
        d += f" C{x1:.0f},{middle:.0f} {x2:.0f},{middle:.0f} {x2:.0f},{y2:.0f}"
    return _path(name, d)


def _path(name: str, d: str) -> Markup:
    return Markup('<path class="%s" d="%s"/>') % (name, d)


def _head(x: float, y: float, points: str) -> Markup:
    place = f"translate({x:.0f},{y:.0f})"
    return Markup('<polygon class="head" transform="%s" points="%s"/>') % (place, points)


def _rect(name: str, x: float, y: float, width: float, height: float, radius: int) -> Markup:
    return Markup('<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="%d"/>') % (
        name,
        x,
        y,
        width,
        height,
        radius,
    )


def _text(name: str, x: float, y: float, text: str) -> Markup:
    return Markup('<text class="%s" x="%.1f" y="%.1f">%s</text>') % (name, x, y, text)


def _join(parts: Iterable[Markup]) -> Markup:
    return Markup("").join(parts)


def _width(text: str, each: float) -> float:
    return sum(1.8 if east_asian_width(c) in "WF" else 1.0 for c in text) * each


def _chip_width(text: str) -> float:
    return _width(text, SMALL) + 14


def _row_width(chips: Sequence[str]) -> float:
    return sum(map(_chip_width, chips)) + 6 * (len(chips) - 1)


def _break_rows(chips: Iterable[str]) -> list[list[str]]:
    """Return the boxes inside a box in rows that are not too wide."""
    rows: list[list[str]] = []
    room = 0.0
    for chip in chips:
        room -= _chip_width(chip) + 6
        if room < 0:
            rows.append([])
            room = CHIPS - _chip_width(chip)
        rows[-1].append(chip)
    return rows


def _wrap(text: str, most: int) -> list[str]:
    """Return a text in lines of so many characters at most, broken between words."""
    lines = [""]
    for word in text.split(" "):
        if len(lines[-1]) + len(word) >= most and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".lstrip()
    return lines
