"""The card of a copy's report."""

from __future__ import annotations

from markupsafe import Markup

from ..printable import describe_count
from ..storage.copy_report import CopyFailure, CopyReport
from .parts import card, fact_table

__all__ = ["report_html"]


def report_html(report: CopyReport) -> Markup:
    """Return the report of a copy as a card."""
    rows: list[tuple[str, str]] = [
        ("selected", f"{report.read:,}"),
        ("copied", f"{report.copied:,} ({describe_count(report.bytes, 'byte')} of contexts)"),
        ("already there, same content", f"{report.present:,}"),
        (
            "already there, different content, not changed",
            _render_ids(report.different, report.count("different")),
        ),
        ("left out by redact", f"{report.left_out:,}"),
        (
            "already there, same content, different times, not changed",
            _render_ids(report.outdated, report.count("outdated")),
        ),
        ("could not be copied", _render_failures(report.failures, report.count("failures"))),
        ("mismatch on read-back", _render_ids(report.wrong, report.count("wrong"))),
        ("time", f"{report.seconds:.1f} s"),
        ("versions", "kept" if report.versions_kept else "new, since the target keeps none"),
        ("times", _render_times(report)),
        ("expire in the source, but not in the target", f"{report.unexpiring:,}"),
        ("SHA-256 of the content", Markup("<code>%s…</code>") % report.sha256[:16]),
    ]
    return card(f"copy: {report.verdict}", fact_table(rows))


def _render_ids(ids: tuple[str, ...], count: int) -> Markup:
    names = Markup(", ").join(Markup("<code>%s</code>") % id for id in ids[:5])
    more = ", …" if len(ids) > 5 else ""
    return Markup("%s: %s%s") % (f"{count:,}", names, more) if ids else Markup("0")


def _render_failures(failures: tuple[CopyFailure, ...], count: int) -> Markup:
    line = Markup("<br><code>%s</code>: %s")
    lines = Markup("").join(line % (id, why) for id, why in failures[:5])
    what = "all" if count == len(failures) else f"the first {len(failures):,}"
    more = Markup("<br>… <code>.failed</code> lists %s") % what if len(failures) > 5 else ""
    return Markup("%s%s%s") % (f"{count:,}", lines, more)


def _render_times(report: CopyReport) -> str:
    if not report.times_kept:
        return "new, since the target can't keep them"
    return "kept" + (
        f"; {report.untimed:,} had none and have that of the copy" if report.untimed else ""
    )
