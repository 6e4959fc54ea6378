"""Lesson 7, second half: what two versions of a task do to rows of the first one."""

from __future__ import annotations

import pytest

import graphflow_nb as g
from graphflow_nb.lessons.course import two_versions as lesson


def test_new_code_that_meets_an_old_row_fails_and_leaves_the_row(wb: g.Workbench):
    lesson.create_old_rows(wb)
    with pytest.raises(g.TaskExecutionFailed, match="'amount_cents'"):
        wb.run(lesson.strict, "expense-1")
    row = wb.get("expense-1")
    assert (row.version, dict(row.context)) == (1, dict(lesson.EXPENSES["expense-1"]))


def test_a_default_hides_that_the_amount_was_not_read(wb: g.Workbench):
    lesson.create_old_rows(wb)
    run = wb.run(lesson.hopeful, "expense-1")
    assert (run.status.kind, run.response) == ("completed", "0.00 EUR paid to the customer")
    row = wb.get("expense-1")
    assert (row.status_message, row.context["amount"]) == ("paid 0 cents", "19.99")


def test_a_tolerant_task_migrates_the_rows_that_it_runs(wb: g.Workbench):
    lesson.create_old_rows(wb)
    assert lesson.count_versions(wb) == {"version 1": 4, "version 2": 0}
    assert wb.run(lesson.tolerant, "expense-2").response == "120.50 EUR paid to Ben"
    assert lesson.count_versions(wb) == {"version 1": 3, "version 2": 1}
    wanted = {"note": "taxi", "customer": "Ben", "amount_cents": 12050, "currency": "EUR"}
    assert dict(wb.get("expense-2").context) == wanted


def test_a_plan_changes_nothing_until_it_is_applied_and_then_only_what_is_as_read(
    wb: g.Workbench,
):
    ids = lesson.create_old_rows(wb)
    plan = lesson.plan_patches(wb, ids, lesson.by_patch)
    assert [wb.get(id).version for id in ids] == [1, 1, 1, 1]
    assert repr(plan).startswith("4 of 4 sessions would change")
    assert 'remove /context/data/amount: "1.15"' in repr(plan)
    wb.run(lesson.tolerant, "expense-2")  # a worker, between the preview and the change
    report = plan.apply()
    assert report.pop("expense-2") == "not changed: someone saved it since the preview"
    assert set(report.values()) == {"changed"}
    assert lesson.count_versions(wb) == {"version 1": 0, "version 2": 4}
    assert wb.get("expense-2").status_message == "paid 12050 cents"
    assert not lesson.plan_patches(wb, ids, lesson.by_patch).patches


def test_a_row_of_neither_version_is_named_in_the_plan(wb: g.Workbench):
    ids = lesson.create_old_rows(wb)
    wb.patch(ids[0], [{"op": "remove", "path": "/context/data/amount"}])
    plan = lesson.plan_patches(wb, ids, lesson.by_patch)
    assert plan.failed == {ids[0]: "KeyError: 'amount'"}
    assert "KeyError" in repr(plan)


def test_a_plan_of_many_shows_the_first_and_says_how_many_more():
    with g.open("memory:") as wb:
        ids = [f"many-{n}" for n in range(30)]
        for id in ids:
            wb.create(id, "pay", context={"applicant": "Ana", "amount": "5"})
        plan = lesson.plan_patches(wb, ids, lesson.by_patch)
        assert repr(plan).endswith("10 more sessions, not shown")
        wide = lesson.plan_patches(
            wb,
            ids[:1],
            lambda _: [{"op": "add", "path": f"/context/data/{n}", "value": n} for n in range(25)],
        )
        assert "5 more changes, not shown" in repr(wide)


def read_by_float(data):
    new = "amount_cents" in data
    cents = data["amount_cents"] if new else int(float(data["amount"]) * 100)
    customer = data["customer"] if "customer" in data else data["applicant"]
    return {"customer": customer, "cents": cents, "currency": data.get("currency", "EUR")}


def read_by_default(data):
    if "amount" in data or "amount_cents" in data:
        return lesson.read_both(data)
    return {"customer": "", "cents": 0, "currency": "EUR"}


def read_truth(data):
    cents = data.get("amount_cents") or int(data["amount"].replace(".", ""))
    return lesson.read_both(data) | {"cents": cents}


def migrate_all(session):
    return [{"op": "replace", "path": "/context/data", "value": lesson.read_both(session.context)}]


def migrate_always(session):
    data = dict(session.context)
    steps = lesson.migrate(session)
    return steps or [{"op": "add", "path": "/context/data/currency", "value": data["customer"]}]


def migrate_by_copy(session):
    return [
        step | {"op": "copy"} if step["op"] == "move" else step for step in lesson.migrate(session)
    ]


def migrate_in_place(session):
    lesson.to_version_2(session.context)
    return []


def migrate_once(session):
    steps = lesson.migrate(session)
    if not steps:
        raise KeyError("applicant")
    return steps


def untouched(_): ...


@pytest.mark.parametrize(
    ("name", "answer", "reason"),
    [
        ("reader", lesson.read_both, None),
        ("reader", read_by_float, "'cents': 1998"),
        ("reader", read_by_default, "has no amount"),
        ("reader", read_truth, "is read as"),
        ("migration", lesson.migrate, None),
        ("migration", lesson.by_patch, None),
        ("migration", migrate_all, "is not as it should be"),
        ("migration", migrate_by_copy, "remove /context/data/applicant"),
        ("migration", migrate_always, "A second migration changes expense-1 again"),
        ("migration", migrate_in_place, "To correct it: remove /context/data/a"),
        ("migration", migrate_once, "A second migration of expense-1 fails: KeyError"),
    ],
)
def test_an_exercise_tells_right_from_wrong(exercise_wb: g.Workbench, name, answer, reason):
    exercise = getattr(lesson, name)(exercise_wb)
    assert exercise.check(untouched).kind == "not attempted"
    outcome = exercise.check(answer)
    assert outcome.kind == ("correct" if reason is None else "incorrect"), outcome
    assert (reason or "") in outcome.reason
    assert exercise.check(exercise.solution()).kind == "correct"
