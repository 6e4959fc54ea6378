"""The picture of a round: two writers as lanes, the row between them, time downwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from ..cards import card
from ..printable import printable_lines
from .events import Event

__all__ = ["Lanes"]

MAX_EVENTS: Final = 60
_WIDTH, _HEIGHT, _TOP = 860, 46, 62  # of the picture, of an event, above the first one
_LANES: Final = {"A": 150, "row": 430, "B": 710}
_BOX: Final = 104  # half of a box's width
_LETTERS: Final = 25  # of a box
_BOLD_LETTERS: Final = 22
_COLUMN: Final = 30  # letters of a column of the text

# The colours of Okabe and Ito that the cards have, darker or lighter where text needs it.
_STYLE: Final = Markup("""<style>
.gfnb-lanes { max-width: 100%; width: 54em; height: auto; font: 15px system-ui, sans-serif; }
.gfnb-lanes text { fill: currentColor; text-anchor: middle; }
.gfnb-lanes .small { font-size: 13px; }
.gfnb-lanes .start { text-anchor: start; }
.gfnb-lanes .end { text-anchor: end; }
.gfnb-lanes .head { font-weight: 600; font-size: 16px; }
.gfnb-lanes .lane { stroke: currentColor; opacity: .3; stroke-dasharray: 2 5; }
.gfnb-lanes rect { fill: var(--jp-layout-color1, Canvas); stroke: currentColor; rx: 4; }
.gfnb-lanes path { stroke: currentColor; stroke-width: 2; fill: none; }
.gfnb-lanes .load path, .gfnb-lanes .row { color: #0072b2; }
.gfnb-lanes .bad { color: #b94a00; }
.gfnb-lanes .bad text, .gfnb-lanes .lost { fill: #b94a00; font-weight: 600; }
.gfnb-lanes .bad rect { stroke-width: 3; stroke: #b94a00; }
.gfnb-lanes .dashed path { stroke-dasharray: 7 5; }
.gfnb-lanes .dashed rect { stroke-dasharray: 5 4; }
:is([data-jp-theme-light="false"], .vscode-dark, [theme="dark"])
 .gfnb-lanes .load path,
:is([data-jp-theme-light="false"], .vscode-dark, [theme="dark"])
 .gfnb-lanes .row { color: #56b4e9; }
:is([data-jp-theme-light="false"], .vscode-dark, [theme="dark"])
 .gfnb-lanes .bad { color: #f0a060; }
:is([data-jp-theme-light="false"], .vscode-dark, [theme="dark"])
 .gfnb-lanes .bad text,
:is([data-jp-theme-light="false"], .vscode-dark, [theme="dark"])
 .gfnb-lanes .lost { fill: #f0a060; }
:is([data-jp-theme-light="false"], .vscode-dark, [theme="dark"])
 .gfnb-lanes .bad rect { stroke: #f0a060; }
</style>""")
_TEXT: Final = Markup('<text x="%s" y="%s" class="%s">%s</text>')
_PATH: Final = Markup('<path d="%s"/>')


@dataclass(frozen=True)
class Lanes:
    """The picture of a round, as HTML, as SVG and as text.

    Attributes:
        title: The store and the rule.
        changes: What each writer does, in words.
        start: The state of the row at the beginning, in words.
        events: What happened, in order.
        said: What came out, as a sentence.
    """

    title: str
    changes: Mapping[str, str]
    start: str
    events: Sequence[Event]
    said: str

    def to_card(self) -> Markup:
        """Return the picture in a box with a title, and what came out below it."""
        return card(self.title, self.to_html())

    def to_html(self) -> Markup:
        """Return the picture, and what came out below it."""
        return self.to_svg() + Markup("<p><b>%s</b></p>") % self.said

    def to_svg(self) -> Markup:
        """Return the picture as SVG."""
        first = max(0, len(self.events) - MAX_EVENTS)
        shown = self.events[first:]
        bottom = _TOP + _HEIGHT * len(shown)
        parts = [
            Markup('<line class="lane" x1="%s" x2="%s" y1="58" y2="%s"/>') % (x, x, bottom + 8)
            for x in _LANES.values()
        ]
        parts += [
            _TEXT % (_LANES[writer], 20, "head", f"writer {writer}")
            + _TEXT % (_LANES[writer], 39, "small", _cut(self.changes[writer], 34))
            for writer in ("A", "B")
        ]
        parts.append(_TEXT % (_LANES["row"], 20, "head", "the row"))
        parts.append(
            Markup('<g class="row">%s</g>') % _box(_LANES["row"], 46, self.start or "no row")
        )
        for place, event in enumerate(shown):
            parts.append(_draw_event(first + place + 1, event, _TOP + _HEIGHT * place + 34))
        if first:
            earlier = f"{first:,} earlier steps, not shown"
            parts.append(_TEXT % (_LANES["row"], bottom + 22, "small", earlier))
        return _STYLE + Markup(
            '<svg class="gfnb-lanes" viewBox="0 0 %s %s" role="img"><title>%s</title>%s</svg>'
        ) % (_WIDTH, bottom + 32, self.said, Markup("").join(parts))

    def to_text(self) -> str:
        """Return the picture as lines of text, with a column for each writer and the row."""
        a, b = (f"({self.changes[name]})" for name in ("A", "B"))
        lines = [self.title, _line("", "writer A", "the row", "writer B")]
        lines.append(_line("", a, self.start or "no row", b))
        first = max(0, len(self.events) - MAX_EVENTS)
        if first:
            lines.append(f"    {first:,} earlier steps, not shown")
        for number, event in enumerate(self.events[first:], first + 1):
            said = {
                "load": f"load {event.held or '(no row)'}",
                "change": f"change: {event.held}",
                "merge": f"merge: {event.held}",
                "begin": "begin",
                "save": f"save {event.held}",
                "delete": "delete",
                "create": f"create {event.held}",
            }[event.action]
            row = ""
            if event.action in ("save", "delete", "create") or event.ending == "clash":
                row = {
                    "refused": "x refused (conflict)",
                    "skipped": "x skipped, no error",
                    "clash": "x clash",
                }.get(event.ending, event.row or "no row")
            row += f" ! {', '.join(event.lost)} lost" if event.lost else ""
            row += " ! came back" if event.back else ""
            cells = (said, row, "") if event.writer == "A" else ("", row, said)
            lines.append(_line(str(number), *cells))
        return printable_lines("\n".join([*lines, self.said]))


def _draw_event(number: int, event: Event, y: int) -> Markup:
    lane, row = _LANES[event.writer], _LANES["row"]
    toward = 1 if row > lane else -1  # from the writer to the row
    near, far = lane + toward * (_BOX + 2), row - toward * (_BOX + 4)
    middle = (near + far) // 2
    parts, kinds = [_TEXT % (14, y + 5, "small", number)], []
    bad = event.ending in ("refused", "skipped", "clash") or bool(event.lost) or event.back
    held = _cut(event.held or "", _BOLD_LETTERS if bad else _LETTERS)
    if event.action == "load":
        kinds.append("load")
        parts.append(_arrow(far, near, y) + _TEXT % (middle, y - 6, "small", "load"))
        parts.append(_box(lane, y, held or "no row"))
    elif event.action in ("change", "merge"):
        parts.append(_box(lane, y, held))
        parts.append(_TEXT % (middle, y + 5, "small", event.action))
        if event.ending == "clash":
            parts.append(_TEXT % (row, y - 2, "", "both changed"))
            parts.append(_TEXT % (row, y + 15, "", "the same place"))
    elif event.action == "begin":
        parts.append(_box(lane, y, "BEGIN: its time is now"))
    else:
        parts.append(_box(lane, y, held or "delete"))
        parts += _draw_write(event, (near, far, y))
    if bad:
        kinds.append("bad")
    if event.ending == "skipped":
        kinds.append("dashed")
    return Markup('<g class="%s">%s</g>') % (" ".join(kinds), Markup("").join(parts))


def _draw_write(event: Event, place: tuple[int, int, int]) -> Iterator[Markup]:
    near, far, y = place
    row, middle = _LANES["row"], (near + far) // 2
    step = 1 if far > near else -1
    if event.ending == "refused":
        stop = far - 16 * step
        yield _PATH % f"M{near} {y}H{stop}"
        yield _PATH % f"M{stop - 7} {y - 7}l14 14m0 -14l-14 14"
        yield _TEXT % (row, y - 2, "", "refused:")
        yield _TEXT % (row, y + 15, "", "SessionConflict")
    elif event.ending == "skipped":
        yield _arrow(near, far, y)
        yield _TEXT % (row, y - 2, "", "nothing written,")
        yield _TEXT % (row, y + 15, "", "no error")
    else:
        yield _arrow(near, far, y)
        bad = bool(event.lost) or event.back
        box = _box(row, y, _cut(event.row or "no row", _BOLD_LETTERS if bad else _LETTERS))
        yield box if bad else Markup('<g class="row">%s</g>') % box
    yield _TEXT % (middle, y - 6, "small", event.action)
    said = [f"{name}'s change is lost" for name in event.lost]
    said += ["it came back"] if event.back else []
    if said:  # on the other side of the row, where there is room
        side = "lost start" if step > 0 else "lost end"
        yield _TEXT % (row + step * (_BOX + 10), y + 5, side, ", ".join(said))


def _box(x: int, y: int, text: str) -> Markup:
    box = Markup('<rect x="%s" y="%s" width="%s" height="28"/>') % (x - _BOX, y - 14, 2 * _BOX)
    return box + _TEXT % (x, y + 5, "", _cut(text, _LETTERS))


def _arrow(start: int, end: int, y: int) -> Markup:
    back = 8 if start < end else -8
    return _PATH % f"M{start} {y}H{end}m{-back} -5l{back} 5l{-back} 5"


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def _line(number: str, a: str, row: str, b: str) -> str:
    cells = (f"{_cut(cell, _COLUMN):{_COLUMN}}" for cell in (a, row, b))
    return f"{number:>3} {' | '.join(cells)}".rstrip()
