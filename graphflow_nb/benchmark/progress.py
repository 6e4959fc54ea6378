"""How far a benchmark is: a bar and a Stop button in a notebook, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

__all__ = ["Progress"]


class Progress:
    """What a run tells of itself between its turns; nothing is drawn while it measures."""

    @classmethod
    def shown(cls, stop: Callable[[], None]) -> Progress:
        """One that is shown, if there is a notebook.

        Args:
            stop: what the Stop button does.
        """
        ipython = sys.modules.get("IPython")
        shell: Any = ipython.get_ipython() if ipython is not None else None
        return cls() if getattr(shell, "kernel", None) is None else _Widgets(stop)

    def say(self, text: str) -> None:
        """What is being done."""

    def go(self, share: float) -> None:
        """How much of the measuring is done, 0 to 1."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass


class _Widgets(Progress):
    def __init__(self, stop: Callable[[], None]):
        from IPython.display import display
        from ipywidgets import HTML, Button, FloatProgress, HBox

        self._stop = stop
        self._bar = FloatProgress(min=0, max=1)
        self._text = HTML()
        self._button = Button(
            description="Stop", icon="stop", tooltip="Stop, and keep what was measured"
        )
        self._button.on_click(self._stopped)
        # The cell that waits keeps the kernel's main thread busy, and ipykernel 7.4 binds a widget
        # to the thread that made it. Unbound, what is clicked comes by the front end's own way,
        # which JupyterLab 4.4 and later have; elsewhere interrupting the kernel does the same.
        with suppress(AttributeError):
            del self._button.comm._reply_subshell_id
        display(HBox([self._bar, self._button, self._text]))  # type: ignore[no-untyped-call]

    def _stopped(self, _: object) -> None:
        self._button.disabled = True
        self._stop()

    def say(self, text: str) -> None:
        from html import escape

        self._text.value = escape(text)

    def go(self, share: float) -> None:
        self._bar.value = share

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._button.disabled = True
        self._button.layout.display = "none"
        self._text.value = "failed" if error is not None else "done"
