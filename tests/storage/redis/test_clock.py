"""The version and the time of a save."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from graphflow_nb.model.times import micros_of
from graphflow_nb.storage.redis.clock import next_time, next_version
from graphflow_nb.storage.redis.form import UNCOUNTED


def test_versions_count_on_and_begin_at_one_where_nothing_counted():
    assert next_version(7) == 8
    assert next_version(0) == next_version(UNCOUNTED) == next_version(UNCOUNTED + 5) == 1


def test_times_grow_also_when_the_clock_was_set_back():
    before = time.time_ns() // 1000
    assert before <= next_time() <= time.time_ns() // 1000
    future = datetime.now(UTC) + timedelta(days=1)
    assert next_time(future) == next_time(micros_of(future)) == micros_of(future) + 1
    assert before <= next_time(datetime.max) <= time.time_ns() // 1000  # an infinity is unknown
