"""A process of a lesson ends when it is killed, however far it is, and can be killed again."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any

import pytest

from graphflow_nb.lessons.children import ENDED, Child


def messages_of(child: Child) -> Iterator[Any]:
    """Return what a process sends, to its end."""
    while True:
        try:
            message = child.messages.get(timeout=20)
        except queue.Empty:
            pytest.fail("the process neither spoke nor ended")
        yield message
        if message is ENDED:
            return


def test_a_process_that_has_said_nothing_yet_can_be_killed():
    child = Child("process 1", {"path": [], "life": 60}, "graphflow_nb")
    child.kill()
    assert child.kill() == []
    child.say(go=True)  # to nobody


def test_a_plan_that_fails_is_told_and_ends_the_process():
    child = Child("process 1", {"path": [], "life": 60, "folder": "/no/such"}, "no_such_module")
    said = list(messages_of(child))
    assert "pid" in said[0]
    assert "FileNotFoundError" in said[1]["failed"]
    assert said[2:] == [ENDED]
    child.kill()
