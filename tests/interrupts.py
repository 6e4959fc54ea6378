"""Interrupts, as Jupyter's stop button makes them, at the moment that a test waits for."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupted_when(event: threading.Event) -> Iterator[threading.Event]:
    """Interrupt the main thread once the event is set, which is inside the block.

    Yields:
        An event that is set when the interrupt was sent.
    """
    sent = threading.Event()

    def interrupt() -> None:
        if event.wait(20):
            os.kill(os.getpid(), signal.SIGINT)
            sent.set()

    # A program that was started in the background ignores interrupts otherwise.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        yield sent
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)
