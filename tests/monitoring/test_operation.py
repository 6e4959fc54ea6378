"""An operation says what a call cost, when, and who caused it."""

from __future__ import annotations

import threading
import time

import pytest

from graphflow_nb import Operation
from graphflow_nb.monitoring.operation import KINDS, ORIGINS, kind_of


def test_there_is_one_object_for_a_kind_and_its_code_leads_to_it():
    kinds = [kind_of("get", "test_operation", origin=origin) for origin in ORIGINS]
    assert len({kind.code for kind in kinds}) == len(ORIGINS)
    for kind, origin in zip(kinds, ORIGINS, strict=True):
        assert kind_of("get", "test_operation", origin=origin) is kind is KINDS[kind.code]
        assert kind.background == (origin == "background")
    assert [kind.label for kind in kinds] == ["get", "get (journal)", "get"]


def test_threads_that_meet_a_kind_first_get_the_same_object():
    barrier, found = threading.Barrier(8), []

    def ask() -> None:
        barrier.wait()
        found.append(kind_of("get", "test_operation's threads"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1


@pytest.mark.parametrize("origin", ORIGINS)
def test_an_operation_of_a_kind_has_what_the_kind_has(origin):
    kind = kind_of("save", "X", "error", "StorageError", origin)
    operation = kind.operation("a", 5, 7, (1, 2, 3, 4, 5, 6))
    assert operation == Operation(
        "save", "X", "a", 5, 7, 1, 2, 3, 4, 5, 6, "error", "StorageError", origin
    )
    assert operation.background == (origin == "background")
    assert kind.operation("a", 5, 7, None).wait_ns == 0


def test_an_operation_is_dated_by_the_wall_clock():
    before = time.time_ns()
    operation = Operation("get", "X", None, time.perf_counter_ns(), 1)
    assert abs(operation.started_at_ns - before) < 1e9
