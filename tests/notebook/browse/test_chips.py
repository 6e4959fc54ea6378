"""Conditions as chips, and named views."""

from __future__ import annotations

from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.notebook.browse.chips import chips_of, parse_condition
from graphflow_nb.notebook.browse.listing import Listing

from .kit import find_button, said, settle


def chips(browser: Any) -> list[Any]:
    """The buttons of the conditions that are set."""
    classes = "gfnb-chip"
    return [c for c in browser.bar.box.children if classes in c.get_state()["_dom_classes"]]


@pytest.mark.parametrize(
    ("typed", "changes"),
    [
        ("amount > 100", {"compare": [("amount", ">", 100)]}),
        ("a.b<=-1.5", {"compare": [("a.b", "<=", -1.5)]}),
        ("tier != gold", {"compare": [("tier", "!=", "gold")]}),
        ("day >= 2026-11-01", {"compare": [("day", ">=", "2026-11-01")]}),
        ("customer.tier = gold", {"where": {"customer.tier": "gold"}}),
        ('code == "12"', {"where": {"code": "12"}}),
        ("paid = true", {"where": {"paid": True}}),
        ("note = is missing", {"where": {"note": "is missing"}}),
        ("iban missing", {"lacks": ["iban"]}),
        ("iban is missing", {"lacks": ["iban"]}),
        ("iban exists", {"has": ["iban"]}),
        ("iban", {"has": ["iban"]}),
        ("('a.b', 'c > d') >= 7", {"compare": [(("a.b", "c > d"), ">=", 7)]}),
        ("('a.b',) missing", {"lacks": [("a.b",)]}),
    ],
)
def test_a_condition_is_read_as_it_is_written_and_written_as_it_is_read(
    typed: str, changes: dict[str, Any]
) -> None:
    assert parse_condition(typed, {}) == changes
    (chip,) = chips_of(changes)
    assert parse_condition(chip.text, {}) == changes
    assert chip.removal == dict.fromkeys(changes)


@pytest.mark.parametrize(
    "typed", ["", "a b", "> 7", "amount >", "('a'", "(1) = 2", "a..b ==", "()"]
)
def test_what_is_not_a_condition_says_how_one_is_written(typed: str) -> None:
    with pytest.raises(g.QueryError, match="write"):
        parse_condition(typed, {})


def test_conditions_are_chips_that_are_removed_one_by_one(wb: g.Workbench) -> None:
    browser = wb.browse(status="a", compare=[("amount", "<", 2000)])
    for typed in ("amount > 100", "customer.tier = gold", "nothing missing"):
        browser.bar.condition.value = typed
        assert browser.bar.condition.value == "", "ready for the next one"
    assert [chip.description for chip in chips(browser)] == [
        "status contains a",
        "customer.tier = gold",
        "nothing missing",
        "amount < 2000",
        "amount > 100",
    ]
    wanted = wb.sessions(
        status="a",
        where={"customer.tier": "gold"},
        compare=[("amount", "<", 2000), ("amount", ">", 100)],
    )
    assert browser.listing.ids() == wanted["id"].tolist() != []
    assert eval(browser.listing.call, {"wb": wb})["id"].tolist() == wanted["id"].tolist()
    for chip in chips(browser)[:4]:
        chip.click()
    assert [chip.description for chip in chips(browser)] == ["amount > 100"]
    assert browser.listing.filters == {"compare": [("amount", ">", 100)]}


def test_an_invalid_condition_changes_nothing_and_stays_to_be_mended(wb: g.Workbench) -> None:
    browser = wb.browse(where={"customer.tier": "gold"})
    before = browser.listing.ids()
    for typed in ("amount >", "amount > true", "a b"):
        browser.bar.condition.value = typed
        assert said(browser)
        assert browser.bar.condition.value == typed
    assert browser.listing.ids() == before
    assert len(chips(browser)) == 1


def test_text_is_found_in_upper_and_lower_case_by_choice(wb: g.Workbench) -> None:
    browser = wb.browse(text="PAID")
    assert browser.listing.ids() == []
    browser.bar.ignore_case.value = True
    assert browser.listing.ids() == wb.sessions(text="paid", limit=50)["id"].tolist() != []
    browser.bar.clear.click()
    assert not browser.bar.ignore_case.value


def test_numbers_at_graphs_and_tasks_follow_the_other_filters(wb: g.Workbench) -> None:
    browser = wb.browse()
    settle(browser)
    browser.bar.condition.value = "customer.tier = gold"
    settle(browser)
    gold = wb.sessions(where={"customer.tier": "gold"})
    counts = gold["graph_id"].value_counts()
    labels = [label for label, _ in browser.bar.graph.options]
    assert labels == ["all", *(f"{name} ({counts[name]})" for name in ("claims", "support"))]
    browser.bar.graph.value = "claims"
    settle(browser)
    assert [label for label, _ in browser.bar.graph.options] == labels, "its own choice does not"
    tasks = gold[gold["graph_id"] == "claims"]["current_task_id"].value_counts()
    assert f"payout ({tasks['payout']})" in [label for label, _ in browser.bar.task.options]


def test_suggestions_come_from_some_sessions_of_the_page_and_say_so(wb: g.Workbench) -> None:
    browser = wb.browse()
    settle(browser)
    assert {"customer.tier = gold", "customer.tier missing", "amount exists"} <= set(
        browser.bar.condition.options
    )
    assert browser.bar.condition.tooltip.endswith("Suggested: what 50 of the sessions have")


def test_large_sessions_are_not_read_for_suggestions() -> None:
    wb = g.open("memory:")
    wb.create("large", "t", context={"large": "x" * 70_000})
    wb.create("small", "t", context={"n": "007", "long": "y" * 100})
    listing = Listing(wb)
    listing.start()
    listing.count()
    assert listing.paths.paths == ("long", "n")
    assert listing.paths.values == {"long": (), "n": ("007",)}


def test_a_view_is_kept_by_name_while_the_workbench_is_there(wb: g.Workbench) -> None:
    browser = wb.browse(context=["amount"], compare=[("amount", ">", 100)], order="id")
    browser.bar.window.value = "not for 15 minutes"
    bar, ids = browser.views, browser.listing.ids()
    bar.open.value = True
    find_button(bar.box, "Keep view").click()
    assert "a view needs a name" in said(browser)
    bar.name.value = "large <b>"
    find_button(bar.box, "Keep view").click()
    call = bar.call()
    assert call == (
        "wb.browse(compare=[('amount', '>', 100)], updated_until='15 minutes', "
        "context=['amount'], order='id')"
    )
    assert eval(call, {"wb": wb}).listing.ids() == ids
    other = wb.browse()
    other.views.name.value = "large"
    find_button(other.views.box, "Show view").click()
    assert "there is no view 'large'; views: 'large <b>'" in said(other)
    other.views.name.value = "large <b>"
    find_button(other.views.box, "Show view").click()
    assert other.listing.ids() == ids
    assert [column["label"] for column in other.table.columns][-1] == "amount"
    assert other.bar.window.value == "not for 15 minutes"
    find_button(other.views.box, "Forget view").click()
    assert other.views.name.options == ()
