"""The report: what fails, what it takes, and what is not offered."""

from __future__ import annotations

import pytest

import graphflow_nb as g
from graphflow_nb.storage.attributes import ATTRIBUTES
from graphflow_nb.storage.capabilities import CAPABILITIES
from graphflow_nb.testing import PROPERTIES, Traits, check

from .kit import Broken
from .test_conflicts import LastWriteWins


def test_nothing_fails_in_memory():
    report = check(g.InMemorySessionStorage)
    assert report.ok
    missing = {f.prop.name for f in report.findings if f.outcome == "missing"}
    assert missing == {
        "phases_are_reported",
        "loop_is_where_it_was_opened",
        "server_version_has_a_number",
        "limits_are_a_line_of_text",
        "what_is_deleted_can_be_put_back",
        "a_split_divides_all",
        "slow_orders_are_orders",
        "migrating_loses_nothing",
        "an_index_changes_no_answer",
        "watching_reports_changes",
        "a_trigger_changes_no_session",
    }
    untested = {f.prop.name for f in report.findings if f.outcome == "untested"}
    assert untested == {"outages_pass", "read_only_refuses_writes", "two_processes_race"}


def test_the_report():
    class Folder(LastWriteWins):
        table = None

    report = check(Folder)
    text = str(report)
    assert text.startswith("Folder: ")
    assert "✗ A new session never replaces one that exists" in text
    assert "what it takes: under a lock" in text
    assert (
        "not offered (optional: only wb.sessions() and the browser need it); add async def" in text
    )
    assert "add async def table(…)" in text
    html = report._repr_html_()
    offered, optional = html.split("<details>")
    assert "under a lock" in offered
    assert "add async def" not in offered
    assert "add async def table(…)" in optional
    assert report.by_capability()["save, get, delete"][0].outcome == "holds"


def test_the_report_escapes():
    class Evil(Broken):
        async def get(self, id):
            raise g.StorageError("<script>alert(1)</script>")

    assert "<script>" not in check(Evil)._repr_html_()


def test_a_factory_that_fails():
    def factory():
        raise OSError("no such folder")

    with pytest.raises(OSError, match="no such folder"):
        check(factory)


def test_a_coroutine_function_as_factory():
    async def factory():
        return g.InMemorySessionStorage()

    assert check(factory).ok


def test_what_was_announced_fails_still():
    report = check(LastWriteWins, traits=Traits(cannot={"a_lost_race_conflicts": "by design"}))
    (finding,) = (f for f in report.findings if f.prop.name == "a_lost_race_conflicts")
    assert finding.outcome == "fails"
    assert "as announced: by design" in finding.detail


class Bare:
    """The three coroutines that every storage has, and nothing else."""

    def __init__(self):
        self.memory = g.InMemorySessionStorage()

    async def save(self, session):
        await self.memory.save(session)

    async def get(self, id):
        return await self.memory.get(id)

    async def delete(self, id):
        await self.memory.delete(id)


def test_of_a_bare_storage_the_report_says_all_that_it_may_offer():
    report = check(Bare)
    assert report.ok
    text = str(report)
    assert "are not offered (all optional)" in text.splitlines()[0]
    missing = [f for f in report.findings if f.outcome == "missing"]
    for capability in CAPABILITIES:
        for method in capability.methods:
            (found, *_) = (f for f in missing if f"async def {method}(…)" in f.detail)
            assert "not offered (optional: " in found.detail
            assert capability.optional in found.detail
    for attribute, optional in ATTRIBUTES.items():
        if attribute == "read_only":
            continue  # which is asked of another storage, opened so
        (found, *_) = (f for f in missing if f.prop.attribute == attribute)
        if attribute != "atomic_batches":  # where save_many is missing too
            assert f"optional: {optional})" in found.detail
            assert f"set the attribute {attribute}" in found.detail


def test_every_capability_and_attribute_has_a_property():
    asked = {protocol for prop in PROPERTIES for protocol in prop.protocols}
    assert asked == {capability.protocol for capability in CAPABILITIES}
    asked = {prop.attribute for prop in PROPERTIES if prop.attribute is not None}
    assert asked == set(ATTRIBUTES) - {"read_only"}
    assert {prop.trait for prop in PROPERTIES} == {
        None,
        "outage",
        "open_read_only",
        "open_elsewhere",
    }
