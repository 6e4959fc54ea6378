"""A coroutine within a time, as tokio does it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from graphflow_nb.workflow.timeout import TimedOut, finish_within, format_duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (300, "300s"),
        (1.5, "1.5s"),
        (1.000_000_001, "1.000000001s"),
        (0.05, "50ms"),
        (0.0025, "2.5ms"),
        (0.000_007, "7µs"),
        (0.000_000_1, "100ns"),
        (0, "0ns"),
    ],
)
def test_durations_in_rusts_form(seconds, text):
    assert format_duration(seconds) == text


async def run_within(coroutine: Coroutine[Any, Any, Any], seconds: float) -> Any:
    return await finish_within(coroutine, coroutine.send(None), seconds)


def test_results_errors_and_cancellation_pass_through():
    async def add(one: int) -> int:
        for _ in range(3):
            await asyncio.sleep(0)
        return one + 1

    async def fail(kind: type[BaseException]) -> None:
        await asyncio.sleep(0)
        raise kind("inside")

    async def swallow() -> str:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            return "swallowed"

    async def run() -> None:
        assert await run_within(add(1), 30) == 2
        for kind in (ValueError, TimeoutError, KeyError):
            with pytest.raises(kind, match="inside"):
                await run_within(fail(kind), 30)
        with pytest.raises(TimedOut):
            await run_within(asyncio.Event().wait(), 0)
        with pytest.raises(TimedOut):
            await run_within(run_within(asyncio.Event().wait(), 30), 0.01)
        assert await run_within(swallow(), 0.01) == "swallowed"
        waiting: asyncio.Task[Any] = asyncio.create_task(run_within(asyncio.Event().wait(), 30))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(run())
