"""A follower says what went wrong by its own name, and that it is over."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError, Future

import pytest

import graphflow_nb as g
from graphflow_nb.notebook import following
from graphflow_nb.notebook.following import Follower


@pytest.mark.parametrize(
    ("error", "said", "after"),
    [
        (
            g.StorageUnavailable("no server"),
            "connection lost, trying again: no server",
            "connected again, ",
        ),
        (
            g.StorageTimeout("after 5 s"),
            "no answer in time, trying again: after 5 s",
            "the store answers again, ",
        ),
        (
            g.SessionFormatError("odd row"),
            "not read (SessionFormatError), trying again: odd row",
            "read again, ",
        ),
        (asyncio.CancelledError(), "not read (CancelledError), trying again", "read again, "),
    ],
)
def test_an_error_is_called_what_it_is(error, said, after, monkeypatch):
    monkeypatch.setattr(following, "QUIET", 0.0)
    errors, reports, ended = [error], [], threading.Event()

    def poll() -> None:
        if errors:
            raise errors.pop()

    def report(text: str, wrong: bool) -> None:
        reports.append((text, wrong))
        if not wrong:
            follower.stop()
            ended.set()

    follower = Follower(poll, report, interval=0.001)
    follower.start()
    assert ended.wait(30)
    (first, second) = reports
    assert first == (said, True)
    assert second[0].startswith(f"{after}following, every ")


def test_a_watch_ends_with_its_follower_whenever_that_is_stopped():
    """Stopped before there is a watch, or by itself: else its connection would be held for ever."""
    watch: Future[None]
    reported = threading.Event()

    def watching(*_: object) -> Future[None]:
        if follower_stops_early:
            follower.stop()
        return watch

    for follower_stops_early in (True, False):
        watch = Future()
        follower = Follower(
            lambda: None,
            lambda *_: reported.set(),
            watching,
            limit=None if follower_stops_early else -1.0,
        )
        follower.start()
        with pytest.raises(CancelledError):
            watch.result(20)
        assert not follower.running
