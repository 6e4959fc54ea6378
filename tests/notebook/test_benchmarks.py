"""Benchmarks as a person starts them."""

from __future__ import annotations

import pytest

import graphflow_nb as g
from graphflow_nb import Run, compare

from ..benchmark.kit import QUICK


def test_it_can_be_awaited(run):
    wb = g.open("memory:")

    async def awaited() -> Run:
        return await wb.benchmark.aio("A", **QUICK)

    assert len(run(awaited()).requests()) > 10


@pytest.mark.parametrize("stores", [[], {}, "memory:", [3], {"a": None}])
def test_what_can_not_be_compared(stores):
    with pytest.raises(g.BenchmarkError):
        compare(stores, **QUICK)
