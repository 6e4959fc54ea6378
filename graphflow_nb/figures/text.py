"""Durations and names as figures show them."""

from __future__ import annotations

from matplotlib.font_manager import FontProperties, findfont, get_font

__all__ = ["clean", "duration_text", "literal", "percent"]

LONGEST = 36  # characters of a name


def duration_text(micros: float) -> str:
    """Microseconds for people: 850 ns, 3.2 µs, 1.5 ms, 2 s."""
    for unit, size in (("ns", 1e-3), ("µs", 1), ("ms", 1e3), ("s", 1e6)):
        text = f"{micros / size:.3g}"
        if abs(float(text)) < 1000:
            return f"{text} {unit}"
    return f"{micros / 1e6:,.0f} s"


def percent(share: float) -> str:
    """``25 %`` for a quarter."""
    return f"{100 * share:.0f} %"


def clean(name: object) -> str:
    """A name of any origin in one short line, with escapes for what the font has no sign for."""
    font = get_font(findfont(FontProperties()))
    text = "".join(
        sign
        if sign.isprintable() and font.get_char_index(ord(sign))
        else sign.encode("unicode_escape").decode()
        for sign in str(name)[: 10 * LONGEST]
    )
    # The middle is what names of the same making differ in least.
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 13]}…{text[-12:]}"


def literal(text: str) -> str:
    """The text for matplotlib, which would take what stands between two ``$`` for a formula."""
    return text.replace("$", r"\$")
