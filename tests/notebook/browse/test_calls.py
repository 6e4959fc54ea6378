"""The calls that the browser shows run as they are pasted, in any notebook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import graphflow_nb as g

from .kit import find_button, save_theirs, send, settle


@pytest.fixture
def user_ns(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names of a notebook's cells."""
    import IPython

    names: dict[str, Any] = {}
    shell = type("Shell", (), {"user_ns": names})()
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    return names


@pytest.mark.parametrize("named", ["store", "view"])
def test_each_call_runs_as_pasted(
    wb: g.Workbench,
    user_ns: dict[str, Any],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    browser = wb.browse(session="claim-0014")
    user_ns[named] = wb if named == "store" else browser
    settle(browser)
    listing, calls = browser.listing, []
    for window in ("in the last day", "not for an hour", "at any time"):
        listing.filter(window=window)
        calls.append(listing.call)
    save_theirs(wb, "claim-0014", status_message="theirs")
    send(browser.table, "select", [0, 1])
    browser.actions.compare.click()
    monkeypatch.chdir(tmp_path)
    find_button(browser, "Export…").click()
    export: Any = browser.actions.export.get()
    export.without.value = True
    export.confirm.click()
    (tmp_path / export.path.value).unlink()  # an export replaces no file
    browser.open_session(listing.ids()[0])
    find_button(browser, "Create…").click()
    dialog: Any = browser.actions.create.get()
    dialog.mode.value = "Copy of the open session"
    dialog.confirm.click()
    browser.reader.saving.save.click()
    created = browser.calls[-1]
    assert browser.session is not None
    calls += [call for call in browser.calls if call != created]
    assert len(calls) >= 6
    for call in calls:
        assert "wb.get" not in call.replace("view.wb", "view")
        exec(call, dict(user_ns))
    wb.delete(browser.session.id)
    exec(created, dict(user_ns))
    assert wb.get(browser.session.id).context == browser.session.context


def test_a_workbench_without_a_name_is_called_wb(wb: g.Workbench, user_ns: dict[str, Any]):
    user_ns["_12"] = wb  # a name of IPython's own
    assert wb.browse(session="claim-0014").calls == ["wb.get('claim-0014')"]
