"""Pictures on a budget: one at a time, and a last one when the work stops."""

from __future__ import annotations

import threading

from graphflow_nb.notebook.painting import LEAST, Painter


class Clock:
    """A time that passes when a test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_picture_waits_for_its_budget_and_the_last_one_comes_at_once():
    clock, made = Clock(), []
    painter = Painter(lambda: made.append(clock.now), clock)

    def offer(news: bool, idle: bool) -> int:
        painter.offer(news, idle=idle)
        painter.join()
        return len(made)

    assert offer(False, False) == 0  # nothing to show
    assert offer(True, False) == 1
    assert offer(True, False) == 1  # too early
    assert offer(True, True) == 2  # the work has stopped
    assert offer(True, True) == 2  # a second one before its time would be over the budget
    clock.now += LEAST
    assert offer(True, True) == 2  # the last one was before its time, so the next one is later
    clock.now += 2 * LEAST
    assert offer(True, False) == 3


def test_no_picture_is_begun_while_one_is_being_made():
    go, begun = threading.Event(), threading.Semaphore(0)

    def paint() -> None:
        begun.release()
        go.wait()

    clock = Clock()
    painter = Painter(paint, clock)
    painter.offer(True, idle=False)
    begun.acquire()
    clock.now += 1e6
    painter.offer(True, idle=True)
    go.set()
    painter.join()
    assert not begun.acquire(blocking=False)


def test_a_picture_that_fails_is_paid_for_and_another_one_comes(monkeypatch):
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    clock, tries = Clock(), []

    def paint() -> None:
        tries.append(clock.now)
        raise ValueError

    painter = Painter(paint, clock)
    painter.offer(True, idle=False)
    painter.join()
    painter.offer(True, idle=False)
    painter.join()
    assert len(tries) == 1
    clock.now += 1e6
    painter.offer(True, idle=False)
    painter.join()
    assert len(tries) == 2
