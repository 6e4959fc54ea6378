"""The progress of a benchmark: not shown, unless a subclass draws it.

A notebook draws a bar and a Stop button, see ``graphflow_nb.notebook.progress``.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeAlias

__all__ = ["Progress", "ShowProgress"]


class Progress:
    """A progress that is not shown, and the base class of those that are.

    It is a context manager around the work. A benchmark calls it between its turns, never while it
    measures.
    """

    def show_step(self, text: str) -> None:
        """Show what is being done.

        Args:
            text: The step, as plain text.
        """

    def show_share(self, share: float) -> None:
        """Show how much of the work is done.

        Args:
            share: From 0 to 1.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass


#: Given what a Stop button does, it makes and shows a progress.
ShowProgress: TypeAlias = Callable[[Callable[[], None]], Progress]
