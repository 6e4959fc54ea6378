"""Work in batches that is shown with its progress, and ends after a batch when one stops it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol, TypeVar

from .progress import Bar, show_bar

__all__ = ["MANY", "Stoppable", "show_work"]

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

#: Things from which on a bar is shown: fewer are done before one could read it.
MANY: Final = 500


class Stoppable(Protocol[T_co]):
    """Work in batches, such as ``Client.undo_all``."""

    def __call__(
        self,
        *,
        progress: Callable[[int, int | None], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Coroutine[Any, Any, T_co]:
        """Return the work to be awaited."""
        ...


def show_work(
    work: Stoppable[T],
    stop: Callable[[], bool] | None,
    *,
    step: str,
    unit: str,
    done: str,
    again: str,
) -> Coroutine[Any, Any, T]:
    """Show a bar with a Stop button if there is a notebook, and return the work to be awaited.

    Called on the cell's thread, to which the bar belongs.

    Args:
        work: The work.
        stop: A function that is asked before each batch as well; None for none.
        step: The step that is shown until something is counted: ``copying …``.
        unit: The things that are counted: ``sessions``.
        done: What was done to them: ``copied``.
        again: The call that goes on after a stop: ``wb.undo_all() continues``.
    """
    pressed = threading.Event()
    bar = show_bar(step, pressed.set, f"Stop, and keep what was {done}")
    if bar is None:
        return work(stop=stop)

    def is_stopped() -> bool:
        return pressed.is_set() or (stop is not None and stop())

    return _run(work, bar, is_stopped, unit, again)


async def _run(work: Stoppable[T], bar: Bar, stop: Callable[[], bool], unit: str, again: str) -> T:
    counted: tuple[int, int | None] = (0, None)
    stopped = False

    def show(done: int, total: int | None) -> None:
        nonlocal counted
        counted = (done, total)
        bar.show_count(done, total, unit)

    def ask() -> bool:
        nonlocal stopped
        stopped = stop()
        return stopped

    try:
        with bar:
            result = await work(progress=show, stop=ask)
    except (asyncio.CancelledError, KeyboardInterrupt):
        stopped = True
        raise
    finally:
        if stopped:
            done, total = counted
            count = f"{done:,}" if total is None else f"{done:,} of {total:,}"
            bar.show_step(f"stopped at {count} {unit}: {again}")
    return result
