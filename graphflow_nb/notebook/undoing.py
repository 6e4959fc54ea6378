"""``wb.undo_all`` with its progress shown, and a button that stops it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from .progress import Bar, show_bar

__all__ = ["MANY", "UndoAll", "show_undo"]

#: Writes from which on a bar is shown: fewer are undone before one could read it.
MANY: Final = 500


class UndoAll(Protocol):
    """The undo of all writes; see ``Client.undo_all``."""

    def __call__(
        self,
        *,
        progress: Callable[[int, int], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Coroutine[Any, Any, list[str]]:
        """Return the undo to be awaited."""
        ...


def show_undo(undo: UndoAll, stop: Callable[[], bool] | None) -> Coroutine[Any, Any, list[str]]:
    """Show a bar if there is a notebook, and return the undo to be awaited.

    Args:
        undo: The undo.
        stop: A function that is asked before each batch as well; None for none.
    """
    pressed = threading.Event()
    bar = show_bar("undoing …", pressed.set, "Stop, and keep what was undone")
    return undo(stop=stop) if bar is None else _undo(undo, bar, pressed, stop)


async def _undo(
    undo: UndoAll, bar: Bar, pressed: threading.Event, stop: Callable[[], bool] | None
) -> list[str]:
    counted = (0, 0)

    def show(done: int, total: int) -> None:
        nonlocal counted
        counted = (done, total)
        bar.show_count(done, total, "writes")

    with bar:
        left = await undo(
            progress=show, stop=lambda: pressed.is_set() or (stop is not None and stop())
        )
    done, total = counted
    if done < total or pressed.is_set():
        bar.show_step(f"stopped at {done:,} of {total:,} writes: wb.undo_all() continues")
    return left
