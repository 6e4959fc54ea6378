"""Ten tasks of a day, done by the labels on the screen: how many clicks and entries each takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from ..scope import only_complete
from .person import Person, cells, change, do_as_peer, stored

pytestmark = pytest.mark.timeout(240)

#: How many each task took before values were edited where they are read and filters were typed;
#: counted by the same script with the labels of then, at 14a653d.
BEFORE: Final = {
    "find the stuck": 2,
    "find by value": 2,
    "read a chat": 2,
    "change a nested number": 7,
    "add a message": 7,
    "resolve a conflict": 8,
    "copy": 5,
    "delete three": 6,
    "undo": 3,
    "compare two": 3,
}
#: What is known to be stored, beside the sample sessions.
STUCK, NESTED, OPENED = "claim-0014", "claim-0118", "claim-0116"


@only_complete
def test_ten_tasks_take_no_more_interactions_than_before(person: Person, store: str) -> None:
    _prepare(store)
    person.run(cells(store, writable=True))
    person.sees("showing 1 to 50 of 120")
    counts: dict[str, int] = {}

    def task(name: str, do: Callable[[], None]) -> None:
        before = person.interactions
        do()
        counts[name] = person.interactions - before

    def find_stuck() -> None:
        person.choose("Updated", "not for a day")
        person.sees("showing 1 to 1 of 1")
        person.open(STUCK)

    def find_by_value() -> None:
        person.type("Filter", "risk.score = 7")
        person.sees("showing 1 to 1 of 1")

    def read_chat() -> None:
        person.open(OPENED)
        person.click("Chat")
        person.sees("messages, newest first")

    def change_number() -> None:
        person.open(NESTED)
        tree = person.page.get_by_role("tree", name="Context")
        person.interactions += 2  # a click, and what is typed with Enter
        tree.get_by_role("treeitem").filter(has_text="score").locator(".gfnb-value").last.click()
        box = person.page.get_by_role("textbox", name="Value of risk.score")
        box.fill("8")
        box.press("Enter")
        person.click("Save 1 change")
        person.sees(f"Saved '{NESTED}'")

    def add_message() -> None:
        person.open(OPENED)
        person.click("Edit")
        person.click("Chat message")
        person.type("Message", "We called back.")
        person.click("Add message")
        person.click("Preview changes")
        person.click("Save 1 change")
        person.sees(f"Saved '{OPENED}'")

    def resolve_conflict() -> None:
        person.open(NESTED)
        person.click("Edit")
        person.type("Status", "mine")
        person.click("Preview changes")
        change(store, NESTED, status_message="theirs")
        person.click("Save 1 change")
        person.interactions += 1
        person.page.get_by_role("radio", name="take mine").check()
        person.click("Preview the merged session")
        person.click("Save 1 change")
        person.sees(f"Saved '{NESTED}'")

    def copy() -> None:
        person.open(OPENED)
        person.click("Create…")
        person.click("Copy of the open session")
        person.click("Preview new session")
        person.click("Create this session")
        person.sees(f"Created '{OPENED}-copy'")

    def delete_three() -> None:
        select(3)
        person.click("Delete…")
        person.type("Number", "3")
        person.click("Delete 3 sessions")
        person.sees("Deleted 3 sessions")

    def undo() -> None:
        person.click("Undo…")
        person.interactions += 1
        person.page.get_by_role("grid", name="journal").locator("tbody tr").first.click()
        person.click("Undo selected")
        person.sees("Undone: 1 write")

    def compare() -> None:
        select(2)
        person.click("Compare")
        person.sees("before: the first, after: the second")

    def select(count: int) -> None:
        person.interactions += count
        person.rows().first.click()  # opens it, too
        for number in range(1, count):
            person.rows().nth(number).get_by_role("checkbox").click()
        person.sees(f"{count} selected")

    def reset() -> None:
        person.click("Clear filters")
        person.sees("of 12")

    task("find the stuck", find_stuck)
    reset()
    task("find by value", find_by_value)
    reset()
    task("read a chat", read_chat)
    person.click("Context")
    task("change a nested number", change_number)
    task("add a message", add_message)
    person.click("Context")
    task("resolve a conflict", resolve_conflict)
    person.click("Context")
    task("copy", copy)
    session = stored(store, NESTED)
    assert (session.status_message, session.context["risk"]) == ("mine", {"score": 8})
    person.click("Refresh")
    task("delete three", delete_three)
    task("undo", undo)
    person.click("Close")
    task("compare two", compare)

    print("", *(f"{name:24}{BEFORE[name]:8}{count:6}" for name, count in counts.items()), sep="\n")
    assert counts.keys() == BEFORE.keys()
    assert {name: count for name, count in counts.items() if count > BEFORE[name]} == {}
    assert counts["change a nested number"] <= 4


def _prepare(store: str) -> None:
    """Store a nested number, and a session that nobody has saved for two days."""
    change(store, NESTED, context={"risk": {"score": 7}})

    async def age(storage: Any) -> None:
        aged = "UPDATE sessions SET updated_at = now() - interval '2 days' WHERE id = $1"
        await storage.run(lambda connection: connection.execute(aged, STUCK))

    do_as_peer(store, age)
