"""Progress is a bar in a notebook, and nothing elsewhere."""

from __future__ import annotations

from types import SimpleNamespace

import IPython
import IPython.display
import pytest
from ipywidgets import HTML, Button, FloatProgress, Widget

from graphflow_nb import ChangeRefused
from graphflow_nb.notebook.progress import show_count, show_progress


@pytest.fixture
def shown(monkeypatch) -> list[Widget]:
    """What is displayed of a bar, in a process that looks like a kernel's."""
    displayed: list[Widget] = []
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    monkeypatch.setattr(IPython.display, "display", lambda bar: displayed.append(bar.box))
    return displayed


def part(shown: list[Widget], kind: type[Widget]) -> Widget:
    (box,) = shown
    (found,) = (child for child in box.children if isinstance(child, kind))
    return found


def test_a_bar_shows_steps_and_shares(shown):
    with show_progress(lambda: None) as progress:
        progress.show_step("turn <1> of 3")
        progress.show_share(0.25)
        assert part(shown, HTML).value == "turn &lt;1&gt; of 3"
        assert part(shown, FloatProgress).value == 0.25
    assert part(shown, HTML).value == "done"
    assert part(shown, Button).layout.display == "none"


def test_a_failure_is_shown(shown):
    with pytest.raises(ZeroDivisionError), show_progress(lambda: None):
        raise ZeroDivisionError
    assert part(shown, HTML).value == "failed"


def test_work_that_is_refused_before_it_begins_leaves_no_bar(shown):
    with pytest.raises(ChangeRefused), show_progress(lambda: None) as bar:
        raise ChangeRefused("2,999 sessions would be deleted", count=2999)
    assert bar.view.comm is None


def test_the_button_stops_once(shown):
    stopped = []
    with show_progress(lambda: stopped.append(True)):
        button = part(shown, Button)
        assert button.description == "Stop"
        button.click()
        assert button.disabled
    assert stopped == [True]


def test_what_cannot_stop_has_no_button(shown):
    show_progress()
    (box,) = shown
    assert not any(isinstance(child, Button) for child in box.children)


def test_a_count_is_shown(shown):
    show = show_count("copying …", "sessions")
    assert show is not None
    text, bar = part(shown, HTML), part(shown, FloatProgress)
    assert text.value == "copying …"
    show(1_000, 4_000)
    assert (text.value, bar.value) == ("1,000 of 4,000 sessions", 0.25)
    show(5_000, 4_000)  # others created some meanwhile
    assert bar.value == 1
    show(7, None)
    assert text.value == "7 sessions"
    assert bar.layout.display == "none", "a full bar would say that it is done"
    show(8, 9)
    assert (text.value, bar.layout.display) == ("8 of 9 sessions", "")


def test_nothing_is_shown_elsewhere(capsys):
    assert show_count("copying …", "sessions") is None
    with show_progress(lambda: None) as progress:
        progress.show_step("turn 1 of 3")
        progress.show_share(0.5)
    assert capsys.readouterr() == ("", "")
