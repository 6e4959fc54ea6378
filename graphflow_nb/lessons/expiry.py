"""Sessions that expire: what each kind of save makes of the time that Redis was given."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final

import pandas as pd

from ..bridge import LoopThread
from ..errors import LessonError, SessionConflict, SessionNotFound
from ..model import Session
from ..notebook.workbench import Workbench, open
from .stores import LessonStore

__all__ = ["expiry_table"]

#: The seconds after which a session expires at first, and after a save that gives a time.
FIRST, LATER = 30, 60

#: The ways to save.
WAYS: Final = ("SET", "SET PX", "SET KEEPTTL", "save", "save, ttl=60")


def expiry_table(store: LessonStore) -> pd.DataFrame:
    """Save a session that expires in 30 seconds, in each way, in time and too late.

    In each round a worker loads the session. In the second half it expires before the worker
    saves: it is told to expire at once, which does what the end of its time does.

    Example:
        >>> from graphflow_nb.lessons import expiry_table, lesson_store
        >>> with lesson_store("redis") as store:
        ...     expiry_table(store).loc["SET", "saved_in_time"]
        'never expires'

    Args:
        store: A Redis of ``lesson_store``.

    Returns:
        Indexed by ``way`` (text: ``SET``, ``SET PX`` and ``SET KEEPTTL`` are commands of workers
        that store JSON as graph-flow's documentation does, ``save`` is this package's storage):
        ``saved_in_time`` (text, in how many seconds the session expires now), ``expired_meanwhile``
        (text, the same where it had expired before the save; ``no row`` where it stays expired),
        ``error`` (text, what the late save raised; empty for none).

    Raises:
        LessonError: The store is not Redis, and sessions in the others do not expire.
        StorageError: The server failed.
    """
    if store.kind != "redis":
        raise LessonError(
            f"sessions don't expire by themselves in {store.label}, so nothing was done: take "
            "lesson_store('redis')"
        )
    from ..storage.redis.documented import DocumentedSaves

    run = LoopThread.shared().run
    assert store.url is not None
    worker = run(DocumentedSaves.connect(store.url))
    try:
        with (
            closing(open(store.url, writable=True)) as keeping,
            closing(open(store.url, writable=True, ttl=LATER)) as renewing,
        ):
            saves: dict[str, Callable[[Session], object]] = {
                "SET": lambda session: run(worker.save(session)),
                "SET PX": lambda session: run(worker.save(session, seconds=LATER)),
                "SET KEEPTTL": lambda session: run(worker.save(session, keep_ttl=True)),
                "save": keeping.save,
                "save, ttl=60": renewing.save,
            }
            rows = []
            for way, save in saves.items():
                bench = renewing if way == "save, ttl=60" else keeping
                in_time, _ = _play(worker, bench, save, f"in-time-{way}", late=False)
                late, error = _play(worker, bench, save, f"late-{way}", late=True)
                rows.append({"saved_in_time": in_time, "expired_meanwhile": late, "error": error})
    finally:
        run(worker.close())
    return pd.DataFrame(rows, index=pd.Index(WAYS, name="way"))


def _play(
    worker: Any, bench: Workbench, save: Callable[[Session], object], id: str, *, late: bool
) -> tuple[str, str]:
    """Return what is stored after a load and a save, and the error of the save."""
    run = LoopThread.shared().run
    run(worker.save(Session(id, "review", graph_id="claims"), seconds=FIRST))
    session = bench.get(id)
    if late:
        run(worker.expire_now(id))
    error = ""
    try:
        save(session)
    except SessionConflict as conflict:
        error = type(conflict).__name__
    try:
        bench.get(id)
    except SessionNotFound:
        return "no row", error
    left = run(worker.expires_in(id))
    # Rounded up, since some of the time has passed; the ways differ by half a minute.
    return "never expires" if left is None else f"expires in {math.ceil(left / 30) * 30} s", error
