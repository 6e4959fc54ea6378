"""Lesson 6: what it claims is in the row, and each exercise tells right from wrong."""

from __future__ import annotations

import pytest

import graphflow_nb as g
from graphflow_nb.lessons import LessonStore
from graphflow_nb.lessons.course import person_in_the_loop as lesson


def wait(wb: g.Workbench, id: str = "expense-1") -> g.Session:
    lesson.start(wb, id)
    wb.run(lesson.approvals, id, until="input")
    return wb.get(id)


def test_what_waits_is_a_row_and_nothing_else(store: LessonStore):
    with store.open() as wb:
        lesson.start(wb, "expense-1")
        run = wb.run(lesson.approvals, "expense-1", until="input")
        assert run.status.kind == "waiting_for_input"
    wb = store.open()  # as another process does
    row = wb.get("expense-1")
    assert (row.current_task_id, row.status_message) == ("approve", "waiting for a reviewer")
    assert "decision" not in row.context
    # Running it again without an answer saves the same once more, at a higher version.
    again = wb.run(lesson.approvals, "expense-1")
    assert (list(again.changes), again.after.version) == ([], row.version + 1)
    with pytest.raises(g.SessionConflict):
        wb.save(row)


def test_an_answer_moves_it_on_and_a_wrong_one_is_not_written(wb: g.Workbench):
    version = wait(wb).version
    form = lesson.open_form(wb, "expense-1", "Ana")
    with pytest.raises(g.LessonError, match="from 1 to 120, not 500"):
        form.submit(verdict="approve", amount=500)
    with pytest.raises(g.LessonError, match="expense of their own"):
        lesson.open_form(wb, "expense-1", "Cem").submit(verdict="approve", amount=1)
    assert wb.get("expense-1").version == version
    form.submit(verdict="approve", amount=100)
    run = wb.run(lesson.approvals, "expense-1", until="input")
    assert (run.status.kind, run.response) == ("completed", "paid 100 EUR, approved by Ana")
    assert wb.get("expense-1").status_message == run.response


def test_of_two_reviewers_the_second_is_told_and_his_answer_is_not_written(wb: g.Workbench):
    wait(wb)
    ana, ben = (lesson.open_form(wb, "expense-1", name) for name in ("Ana", "Ben"))
    ana.submit(verdict="approve", amount=100)
    with pytest.raises(g.SessionConflict):
        ben.submit(verdict="reject", amount=0)
    assert [change.path[-1] for change in ben.changes_since()] == ["decision"]
    assert wb.get("expense-1").context["decision"]["by"] == "Ana"
    ben.reload()
    with pytest.raises(g.LessonError, match="Ana has decided already"):
        ben.submit()


def test_without_versions_the_first_answer_is_lost_without_a_trace(wb: g.Workbench):
    read = wait(wb)
    lesson.answer_without_looking(wb, read, {"verdict": "approve", "amount": 100, "by": "Ana"})
    lesson.answer_without_looking(wb, read, {"verdict": "reject", "amount": 0, "by": "Ben"})
    row = wb.get("expense-1")
    assert row.context["decision"]["by"] == "Ben"
    assert "Ana" not in row.to_json()
    assert "decision" not in read.context


def test_what_waits_is_found_and_what_was_answered_waits_until_it_is_run(wb: g.Workbench):
    lesson.fill_inbox(wb)
    waiting = wb.sessions(
        graph="approvals", task="approve", status="waiting", id_prefix="inbox-", order="created_at"
    )
    assert waiting["id"].tolist() == [f"inbox-{n}" for n in (1, 2, 3, 5, 6)]
    answered = wb.sessions(task="approve", has=["decision"], id_prefix="inbox-")
    assert answered["id"].tolist() == ["inbox-3"]
    assert wb.get("inbox-7").current_task_id == "refuse"


def accept_all(answer, session):
    return None if answer else "empty"


def forget_booleans(answer, session):
    if answer.get("verdict") not in ("approve", "reject") or answer["by"] == "Cem":
        return "wrong"
    amount = answer.get("amount")
    least, most = (1, 120) if answer["verdict"] == "approve" else (0, 0)
    good = isinstance(amount, int) and least <= amount <= most
    return None if good else "wrong"


def refuse_all(answer, session):
    return "no"


def answer_by_truth(answer, session):
    return lesson.find_problem(answer, session) is not None


def find_a_frame(wb, reviewer):
    return wb.sessions(graph="approvals", status="waiting")


def find_by_status(wb, reviewer):
    return wb.sessions(graph="approvals", status="waiting", order="created_at")["id"]


def find_newest_first(wb, reviewer):
    return lesson.find_mine(wb, reviewer)[::-1]


def find_unclaimed(wb, reviewer):
    return [i for i in lesson.find_mine(wb, reviewer) if "reviewer" not in wb.get(i).context]


def claim_by_patch(wb, id, reviewer):
    if wb.get(id).context.get("reviewer") not in (None, reviewer):
        return False
    wb.patch(id, [{"op": "add", "path": "/context/data/reviewer", "value": reviewer}])
    return True


def claim_without_looking(wb, id, reviewer):
    session = wb.get(id)
    session.context["reviewer"] = reviewer
    wb.save(session)
    return True


def claim_without_catching(wb, id, reviewer):
    session = wb.get(id)
    if session.context.get("reviewer") not in (None, reviewer):
        return False
    session.context["reviewer"] = reviewer
    wb.save(session)
    return True


def claim_by_patch_of_what_was_read(wb, id, reviewer):
    session = wb.get(id)
    if session.context.get("reviewer") not in (None, reviewer):
        return False
    change = {"op": "add", "path": "/context/data/reviewer", "value": reviewer}
    try:
        wb.patch(id, [change], version=session)
    except g.SessionConflict:
        return False
    return True


def untouched(*_): ...


@pytest.mark.parametrize(
    ("name", "answer", "reason"),
    [
        ("check_answer", lesson.find_problem, None),
        ("check_answer", accept_all, "it is wrong: {'verdict': 'approve', 'amount': 121"),
        ("check_answer", forget_booleans, "it is wrong: {'verdict': 'approve', 'amount': True"),
        ("check_answer", refuse_all, "A right answer was refused"),
        ("check_answer", answer_by_truth, "it returned False, which is neither a text nor None"),
        ("inbox", lesson.find_mine, None),
        ("inbox", find_a_frame, "must return a list of ids, not a DataFrame"),
        ("inbox", find_by_status, "Ana may not take inbox-1"),
        ("inbox", find_newest_first, "the oldest comes first"),
        ("inbox", find_unclaimed, "inbox-6 waits for Ana and is missing"),
        ("claiming", lesson.claim, None),
        ("claiming", claim_by_patch_of_what_was_read, None),
        ("claiming", claim_by_patch, "Ben claims it after Ana read and before she writes: the row"),
        ("claiming", claim_without_looking, "Ana has it, and Ben claims it: the row"),
        ("claiming", claim_without_catching, "claim raises SessionConflict"),
    ],
)
def test_an_exercise_tells_right_from_wrong(exercise_wb: g.Workbench, name, answer, reason):
    exercise = getattr(lesson, name)(exercise_wb)
    assert exercise.check(untouched).kind == "not attempted"
    outcome = exercise.check(answer)
    assert outcome.kind == ("correct" if reason is None else "incorrect"), outcome
    assert (reason or "") in outcome.reason
    assert exercise.check(exercise.solution()).kind == "correct"
