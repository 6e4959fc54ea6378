"""Report: the properties of a storage that hold, and those that do not, by capability."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from markupsafe import Markup

from ..printable import printable_lines
from ..storage.protocols import SupportsClose
from .kit import PROPERTIES, Deviation, NotTested, Open, Property, Traits, resolve

__all__ = ["Finding", "Report", "check"]

_SIGNS = {"holds": "✓", "fails": "✗", "missing": "–", "untested": "?"}
_COLOURS = {"holds": "#1b7f4b", "fails": "#b3261e", "missing": "#6b6b6b", "untested": "#8a5a00"}

_CAPABILITY: Final = Markup(
    '<tr><th colspan="2" style="text-align:left;padding-top:.8em">%s '
    '<span style="font-weight:normal;opacity:.7">%s</span></th></tr>'
)
_REPORT: Final = Markup('<div class="mathjax_ignore tex2jax_ignore"><p><b>%s</b></p>%s</div>')
_MISSING: Final = Markup("<details><summary>%s not offered (all optional)</summary>%s</details>")
_FINDING: Final = Markup(
    '<tr><td style="color:%s;font-weight:bold;vertical-align:top" title="%s">%s</td>'
    '<td style="text-align:left">%s%s</td></tr>'
)

Outcome = Literal["holds", "fails", "missing", "untested"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one property: it holds, it fails, it is not offered or not tested.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage
        >>> from graphflow_nb.testing import check
        >>> finding = check(InMemorySessionStorage).findings[0]
        >>> finding.prop.name, finding.outcome
        ('absence', 'holds')

    Attributes:
        prop: The property.
        outcome: ``holds``, ``fails``, ``missing`` (the storage does not offer it) or ``untested``.
        detail: A text on what the storage did, what it lacks, or what it takes to test it.
    """

    prop: Property
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A report of the properties of a storage that hold and that do not; a table in a notebook.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage
        >>> from graphflow_nb.testing import check
        >>> report = check(InMemorySessionStorage)
        >>> report.ok, report.storage
        (True, 'InMemorySessionStorage')

    Attributes:
        storage: The name of the storage's class.
        findings: A finding for each property.
    """

    storage: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether no property fails; what the storage does not offer is optional."""
        return all(f.outcome != "fails" for f in self.findings)

    def by_capability(self) -> dict[str, list[Finding]]:
        """Return the findings by the part of a storage that they are about."""
        return _group(self.findings)

    def _render_title(self) -> str:
        count = {o: sum(f.outcome == o for f in self.findings) for o in _SIGNS}
        text = f"{self.storage}: {count['holds']} of {len(self.findings)} properties hold"
        if count["fails"]:
            text += f", {count['fails']} do not"
        if count["missing"]:
            text += f", {count['missing']} are not offered (all optional)"
        return text + (f", {count['untested']} were not tested" if count["untested"] else "")

    def __str__(self) -> str:
        lines = [self._render_title()]
        for capability, findings in self.by_capability().items():
            lines.append(f"\n{capability}")
            for f in findings:
                lines.append(f"  {_SIGNS[f.outcome]} {f.prop.statement}")
                if f.outcome != "holds":
                    lines.append(f"      {f.detail}")
                if f.outcome == "fails":
                    lines.append(f"      what it takes: {f.prop.remedy}")
        return printable_lines("\n".join(lines))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        missing = [f for f in self.findings if f.outcome == "missing"]
        shown = _render_table([f for f in self.findings if f.outcome != "missing"])
        if missing:
            # Most of the text, and all of it is optional: it is there for who looks for it.
            shown += _MISSING % (len(missing), _render_table(missing))
        return str(_REPORT % (self._render_title(), shown))


def _group(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    parts: dict[str, list[Finding]] = {}
    for finding in findings:
        parts.setdefault(finding.prop.capability, []).append(finding)
    return parts


def _render_table(findings: Iterable[Finding]) -> Markup:
    rows = []
    for capability, of_it in _group(findings).items():
        offered = [f.outcome for f in of_it if f.outcome != "missing"]
        count = f"{offered.count('holds')} of {len(offered)}" if offered else ""
        rows.append(_CAPABILITY % (capability, count))
        for f in of_it:
            more = Markup("")
            if f.outcome != "holds":
                more += Markup("<br><code>%s</code>") % f.detail
            if f.outcome == "fails":
                more += Markup("<br><b>What it takes:</b> %s") % f.prop.remedy
            sign, colour = _SIGNS[f.outcome], _COLOURS[f.outcome]
            rows.append(_FINDING % (colour, f.outcome, sign, f.prop.statement, more))
    return Markup("<table>%s</table>") % Markup("").join(rows)


def check(
    factory: Callable[[], Any],
    *,
    reopen: Callable[[Any], Any] | None = None,
    traits: Traits | None = None,
) -> Report:
    """Check every property of a storage; for a notebook, where it shows the report.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage
        >>> from graphflow_nb.testing import check
        >>> print(str(check(InMemorySessionStorage)).splitlines()[0])
        InMemorySessionStorage: ... properties hold, ... are not offered (all optional)...

    Args:
        factory: A function, or coroutine function, that opens a storage on data of its own that
            are empty; called once for each property.
        reopen: Opens another storage on the data of the given one. Default: the same one is used
            again, as for a storage in memory.
        traits: Facts that a storage can't report about itself.

    Returns:
        A report: what holds, what does not, and what to do about it.

    Raises:
        Exception: What ``factory`` raises, if it can't open the storage.
    """
    found: list[Report | BaseException] = []

    def run_checks() -> None:
        try:
            found.append(asyncio.run(_check(factory, reopen, traits or Traits())))
        except BaseException as error:
            found.append(error)

    # A notebook's own loop is running already, and waiting on it would stop it.
    thread = threading.Thread(target=run_checks, name="graphflow_nb-check")
    thread.start()
    thread.join()
    (report,) = found
    if isinstance(report, BaseException):
        raise report
    return report


async def _check(
    factory: Callable[[], Any], reopen: Callable[[Any], Any] | None, traits: Traits
) -> Report:
    findings = []
    name = ""
    for prop in PROPERTIES:
        storage = await resolve(factory())
        name = type(storage).__name__
        missing = prop.find_missing(storage, traits)
        if missing is not None:
            outcome: Outcome = "untested" if missing.optional is None else "missing"
            findings.append(Finding(prop, outcome, str(missing)))
            if isinstance(storage, SupportsClose):
                await storage.close()
            continue
        try:
            await prop.hold(_opener(storage, reopen), traits)
        except NotTested as error:
            findings.append(Finding(prop, "untested", f"not tested: {error}"))
        except Deviation as deviation:
            reason = traits.cannot.get(prop.name)
            detail = f"{deviation}" + (f" (as announced: {reason})" if reason else "")
            findings.append(Finding(prop, "fails", detail))
        else:
            findings.append(Finding(prop, "holds"))
    return Report(name, tuple(findings))


def _opener(storage: Any, reopen: Callable[[Any], Any] | None) -> Open:
    """Return a function that returns the storage first, and then more on the same data."""
    first = True

    def open() -> Any:
        nonlocal first
        if first or reopen is None:
            first = False
            return storage
        return reopen(storage)

    return open
