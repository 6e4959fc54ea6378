"""Form: what is wrong is not written, and of two answers the first one is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.lessons import Field, Form

FIELDS = [
    Field("verdict", "Verdict", ("approve", "reject")),
    Field("amount", "Amount", number=True),
]


@pytest.fixture
def wb() -> Iterator[g.Workbench]:
    with g.open("memory:") as wb:
        wb.create("expense-1", "approve", context={"amount": 120, "note": "<b>taxi</b>"})
        yield wb


def open_form(wb: g.Workbench, **more: Any) -> Form:
    return Form(wb, "expense-1", FIELDS, fixed={"by": "Ana"}, name="ana", **more)


def test_an_answer_becomes_one_value_and_the_rest_of_the_row_stays(wb: g.Workbench):
    session = open_form(wb).submit(verdict="approve", amount=100)
    assert session.version == 2
    decision = {"verdict": "approve", "amount": 100, "by": "Ana"}
    assert dict(wb.get("expense-1").context) == {
        "amount": 120,
        "note": "<b>taxi</b>",
        "decision": decision,
    }


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "Verdict is missing"),
        ({"verdict": "maybe", "amount": 1}, "must be approve or reject"),
        ({"verdict": "approve", "amount": "much"}, "must be an integer"),
        ({"verdict": "approve", "amount": 500}, "too much"),
        ({"verdikt": "approve"}, "has no field 'verdikt'"),
    ],
)
def test_a_wrong_answer_is_refused_before_anything_is_written(
    wb: g.Workbench, values: dict[str, object], reason: str
):
    form = open_form(wb, check=lambda answer, _: "too much" if answer["amount"] > 120 else None)
    with pytest.raises(g.LessonError, match=reason):
        form.submit(**values)
    assert wb.get("expense-1").version == 1
    assert form.submit(verdict="approve", amount=120).version == 2  # the form still works


def test_of_two_forms_the_second_is_refused_and_sees_what_changed(wb: g.Workbench):
    ana, ben = open_form(wb), open_form(wb)
    ana.submit(verdict="approve", amount=100)
    with pytest.raises(g.SessionConflict):
        ben.submit(verdict="reject", amount=0)
    assert wb.get("expense-1").context["decision"]["verdict"] == "approve"
    assert [change.path[-1] for change in ben.changes_since()] == ["decision"]
    assert ben.conflict is not None
    assert "not sent: someone else saved" in repr(ben)
    ben.reload()
    assert ben.values == {"verdict": "reject", "amount": 0}
    assert ben.submit().version == 3


def test_the_panel_fills_in_and_sends_by_the_same_methods(wb: g.Workbench):
    form = open_form(wb)
    html = form._repr_mimebundle_()["text/html"]
    assert "<b>taxi" not in html
    assert "&lt;b&gt;taxi" in html
    panel = form.panel
    verdict, amount = panel.fields
    verdict.value, amount.value = "approve", "many"
    panel.click("Send")
    assert "must be an integer" in panel.said
    assert wb.get("expense-1").version == 1
    amount.value = "100"
    panel.click("Send")
    assert "ana.submit(verdict=&#39;approve&#39;, amount=100)" in panel.to_html()
    assert wb.get("expense-1").context["decision"]["amount"] == 100
    form.reload()
    form.fill(amount=7)
    assert amount.value == "7"  # what a cell wrote is shown in the field


def test_a_form_that_came_too_late_shows_the_conflict_beside_its_button(wb: g.Workbench):
    form = open_form(wb)
    panel = form.panel
    form.fill(verdict="reject", amount=0)
    open_form(wb).submit(verdict="approve", amount=100)
    panel.click("Send")
    assert "saved by someone else meanwhile" in panel.said
    assert "What changed since the form was opened" in panel.to_html()


def test_what_is_odd_or_long_or_gone_is_said():
    with g.open("memory:") as wb:
        wb.create("long", "approve", context={f"key-{n}": "x" * 300 for n in range(30)})
        text = repr(Form(wb, "long", FIELDS))
        assert "(302 characters)" in text
        assert "10 keys, not shown" in text
        odd = g.Session("odd", "approve").with_context_json('{"data": [1]}')
        wb.save(odd)
        form = Form(wb, "odd", FIELDS)
        assert "can't be read" in repr(form)
        assert "can&#39;t be read" in form.panel.to_html()
        form = Form(wb, "long", FIELDS)
        wb.delete("long")
        with pytest.raises(g.SessionNotFound):
            form.submit(verdict="approve", amount=1)
        assert "answer: can be sent" in repr(form)
