"""The card of a copy's report."""

from __future__ import annotations

from html import escape

from ..storage.copying import CopyReport
from .parts import card

__all__ = ["report_html"]


def report_html(report: CopyReport) -> str:
    """Return the report of a copy as a card."""
    rows = [
        ("selected", f"{report.read:,}"),
        ("copied", f"{report.copied:,} ({report.bytes:,} bytes of contexts)"),
        ("there already, the same", f"{report.present:,}"),
        ("there with another content, left alone", _render_ids(report.different)),
        ("left out by redact", f"{report.left_out:,}"),
        ("read back otherwise", _render_ids(report.wrong)),
        ("time", f"{report.seconds:.1f} s"),
        ("versions and times", "kept" if report.times_kept else "new"),
        ("SHA-256 of the content", f"<code>{report.sha256[:16]}…</code>"),
    ]
    cells = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows)
    verdict = "verified by count and content" if report.verified else "not the same content"
    return card(f"copy: {verdict}", f"<table>{cells}</table>")


def _render_ids(ids: tuple[str, ...]) -> str:
    names = ", ".join(f"<code>{escape(id)}</code>" for id in ids[:5])
    more = ", …" if len(ids) > 5 else ""
    return f"{len(ids):,}" + (f": {names}{more}" if ids else "")
