"""What each kind of save makes of the time after which a session expires."""

from __future__ import annotations

import pytest

from graphflow_nb.errors import LessonError
from graphflow_nb.lessons import expiry_table, lesson_store


def test_each_way_to_save_in_time_and_too_late():
    with lesson_store("redis") as store:
        frame = expiry_table(store)
        again = expiry_table(store)
    assert frame.equals(again)
    assert frame["saved_in_time"].to_dict() == {
        "SET": "never expires",
        "SET PX": "expires in 60 s",
        "SET KEEPTTL": "expires in 30 s",
        "save": "expires in 30 s",
        "save, ttl=60": "expires in 60 s",
    }
    assert frame["expired_meanwhile"].to_dict() == {
        "SET": "never expires",
        "SET PX": "expires in 60 s",
        "SET KEEPTTL": "never expires",
        "save": "no row",
        "save, ttl=60": "no row",
    }
    refused = frame["error"] == "SessionConflict"
    assert (refused == (frame["expired_meanwhile"] == "no row")).all()


def test_a_store_without_expiry_is_refused():
    with lesson_store("sqlite") as store, pytest.raises(LessonError, match="nothing was done"):
        expiry_table(store)
