"""A panel of buttons, without a browser: what a click is, as the front end reports it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from markupsafe import Markup

from graphflow_nb.errors import QueryError, StorageError
from graphflow_nb.notebook.panel import Action, Panel, show_panel


class Counter:
    """An object with a method to click, and one that can be clicked once."""

    def __init__(self) -> None:
        self.count = 0
        self.ended = False

    def add(self) -> None:
        self.count += 1

    def end(self) -> None:
        self.ended = True

    def actions(self) -> list[list[Action]]:
        return [
            [Action("Add", "counter.add()", self.add, style="primary")],
            [Action("End", "counter.end()", self.end, enabled=not self.ended, style="danger")],
        ]

    def draw(self) -> Markup:
        return Markup("<p>%s</p>") % f"count <{self.count}>"


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def panel(counter: Counter) -> Panel:
    return Panel("a counter", counter.draw, counter.actions)


def make_panel(run: Callable[[], object]) -> Panel:
    return Panel("one button", lambda: Markup("<p>text</p>"), lambda: [[Action("Go", "go()", run)]])


def clicked(panel: Panel, row: int = 0, at: int = 0) -> dict[str, Any]:
    """Return what the front end reports of a click on what is shown now."""
    return {"stamp": panel.bar.page["stamp"], "row": row, "at": at}


def test_a_click_calls_the_method_and_shows_the_call_and_what_it_changed(
    panel: Panel, counter: Counter
):
    panel.click("Add")
    assert counter.count == 1
    assert "count &lt;1&gt;" in panel.view.value
    assert "<code>counter.add()</code>" in panel.line.value
    assert panel.bar.page["notice"]["text"] == "Add: done"


def test_the_second_click_of_a_double_click_does_not_run(panel: Panel, counter: Counter):
    click = clicked(panel)
    panel.receive(click)
    panel.receive(click)
    assert counter.count == 1
    panel.receive(clicked(panel))
    assert counter.count == 2


def test_a_click_that_is_not_run_is_answered_with_a_page(panel: Panel, counter: Counter):
    panel.click("End")
    for content in (clicked(panel, 1), clicked(panel, 9), {"row": "x"}, {}):
        before = panel.bar.page["stamp"]
        panel.receive(content)
        assert panel.bar.page["stamp"] > before
    assert counter.count == 0


def test_buttons_are_disabled_while_one_works_and_other_clicks_do_not_run():
    began, go_on, runs = threading.Event(), threading.Event(), []

    def work() -> None:
        runs.append(1)
        began.set()
        assert go_on.wait(60)

    panel = make_panel(work)
    click = clicked(panel)
    thread = threading.Thread(target=panel.receive, args=(click,))
    thread.start()
    assert began.wait(60)
    page = panel.bar.page
    assert page["working"]
    assert not page["rows"][0][0]["enabled"]
    assert panel.said == "Go: working …"
    panel.receive(click)
    panel.receive(clicked(panel))
    panel.refresh()  # what another cell does
    assert not panel.bar.page["rows"][0][0]["enabled"]
    go_on.set()
    thread.join(60)
    assert runs == [1]
    assert panel.bar.page["rows"][0][0]["enabled"]
    assert not panel.bar.page["working"]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (StorageError("the store <failed>"), "the store <failed>"),
        (ValueError("no \x1b[31m number"), "ValueError: no \\x1b[31m number"),
    ],
)
def test_an_error_is_shown_beside_its_button(error: Exception, text: str):
    def fail() -> None:
        raise error

    panel = Panel(
        "two rows",
        lambda: Markup("<p>text</p>"),
        lambda: [[Action("Keep", "keep()", int)], [Action("Fail", "fail()", fail)]],
    )
    panel.click("Fail")
    notice = panel.bar.page["notice"]
    assert (notice["kind"], notice["row"], notice["text"]) == ("error", 1, text)
    assert panel.bar.page["rows"][1][0]["enabled"]
    assert "gfnb-notice gfnb-error" in panel.to_html()
    panel.click("Keep")
    assert "gfnb-notice gfnb-error" not in panel.to_html()


def test_a_text_that_a_call_returns_is_said_beside_its_button():
    panel = make_panel(lambda: "incorrect: \x1b[31m3")
    panel.click("Go")
    assert panel.said == "incorrect: \\x1b[31m3"
    assert panel.bar.page["notice"]["kind"] == "info"


def test_the_cause_of_an_error_of_ours_is_shown_on_demand():
    def fail() -> None:
        raise StorageError("the store failed") from OSError("the socket")

    panel = make_panel(fail)
    panel.click("Go")
    assert panel.bar.page["notice"]["detail"] == "OSError('the socket')"


def test_an_interrupt_leaves_buttons_that_can_be_pressed():
    def interrupt() -> None:
        raise KeyboardInterrupt

    panel = make_panel(interrupt)
    with pytest.raises(KeyboardInterrupt):
        panel.click("Go")
    assert panel.bar.page["rows"][0][0]["enabled"]
    assert panel.said == "Go: interrupted before it finished"


def test_what_cannot_be_drawn_says_so_and_the_buttons_still_work(counter: Counter):
    def draw() -> Markup:
        raise StorageError("the store is out of reach")

    panel = Panel("a lost store", draw, counter.actions)
    for shown in (panel.view.value, panel.to_html()):
        assert "this can&#39;t be shown: the store is out of reach" in shown
    panel.click("Add")
    assert counter.count == 1


def test_actions_that_cannot_be_made_leave_those_of_before(counter: Counter):
    broken = [False]

    def actions() -> list[list[Action]]:
        if broken[0]:
            raise StorageError("the store is out of reach")
        return counter.actions()

    panel = Panel("a lost store", counter.draw, actions)
    broken[0] = True
    panel.click("Add")
    assert panel.said == "the store is out of reach"
    broken[0] = False
    panel.click("Add")
    assert counter.count == 2


def test_a_click_on_what_is_not_there_is_refused(panel: Panel):
    with pytest.raises(QueryError, match=r"'Sub' does not exist; those that work: 'Add', 'End'"):
        panel.click("Sub")
    panel.click("End")
    with pytest.raises(QueryError, match=r"'End' is disabled now; those that work: 'Add'$"):
        panel.click("End")


def test_it_is_shown_as_a_widget_as_html_and_as_text(panel: Panel):
    bundle = show_panel(panel, "a counter at \x1b[31m0")
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "count &lt;0&gt;" in data["text/html"]
    assert "<style>" in data["text/html"]
    assert data["text/plain"] == "a counter at \\x1b[31m0"


def test_what_others_wrote_is_no_markup_in_any_of_its_texts():
    text = "<img src=x onerror=alert(1)>"

    def fail() -> None:
        raise ValueError(text)

    panel = Panel(text, lambda: Markup("<p>%s</p>") % text, lambda: [[Action(text, text, fail)]])
    panel.click(text)
    texts = [part.value for part in panel.children if part not in (panel.bar, panel.watch)]
    for shown in (panel.to_html(), *texts):
        assert "<img" not in shown
