"""A notice about what was done, and the call that did it."""

from __future__ import annotations

from typing import Final, Literal

from markupsafe import Markup

__all__ = ["NoticeKind", "code_html", "notice_html"]

NoticeKind = Literal["error", "warning", "good", "info"]

MAX_NOTICE: Final = 2000  # characters of a notice, and ten times as many of its details
MAX_CODE: Final = 20_000  # characters of a call
_WORDS: Final[dict[NoticeKind, str]] = {"error": "Error: ", "warning": "Note: "}


def notice_html(kind: NoticeKind, text: str, detail: str = "") -> Markup:
    """Return a notice; empty without a text.

    Args:
        kind: ``error``, ``warning``, ``good`` or ``info``.
        text: The notice.
        detail: A text that is shown on demand, such as a traceback.
    """
    if not text:
        return Markup("")
    more = Markup("<details><summary>details</summary><pre>%s</pre></details>")
    # An alert is read at once wherever it comes in, anything else where its place is live.
    return Markup('<div class="gfnb-notice gfnb-%s"%s><b>%s</b>%s%s</div>') % (
        kind,
        Markup(' role="alert"') if kind == "error" else "",
        _WORDS.get(kind, ""),
        text if len(text) <= MAX_NOTICE else f"{text[:MAX_NOTICE]}…",
        more % detail[: 10 * MAX_NOTICE] if detail else "",
    )


def code_html(code: str) -> Markup:
    """Return a call that was made, to be copied into a cell."""
    if not code:
        return Markup("")
    shown = code if len(code) <= MAX_CODE else f"{code[:MAX_CODE]} … ({len(code):,} characters)"
    return (
        Markup('<div class="gfnb-code"><span class="q">in a cell:</span> <code>%s</code></div>')
        % shown
    )
