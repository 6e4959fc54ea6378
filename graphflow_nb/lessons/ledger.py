"""Ledger: what a workflow did in the world outside, noted beside the store.

An e-mail that was sent can't be taken back by a store. The ledger is the outside world of a lesson:
a file to which each effect of a task is added as a line. It survives the process and the store, so
it shows what was done twice.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import pandas as pd

from ..errors import LessonError

__all__ = ["TASK", "Effect", "Ledger", "can_be_encoded", "send"]

MAX_EFFECTS: Final = 10_000
MAX_TEXT: Final = 2_000  # characters of an effect or a key
_TEXT: Final = pd.StringDtype(na_value=pd.NA)


class Effect(NamedTuple):
    """Something that was sent to the outside world, or that the receiver ignored.

    Example:
        >>> from pathlib import Path
        >>> from graphflow_nb.lessons import Ledger, send
        >>> ledger = Ledger(Path("outside.jsonl"))
        >>> with ledger.in_use("process 1"):
        ...     send("e-mail to Ana")
        True
        >>> ledger.read()[0].effect
        'e-mail to Ana'

    Attributes:
        at: The time, UTC.
        process: The name of the process that sent it.
        task: The id of the task that sent it.
        effect: What was sent.
        key: The idempotency key; None for none.
        sent: False where the receiver had an effect with this key already, and did nothing.
    """

    at: datetime
    process: str
    task: str
    effect: str
    key: str | None
    sent: bool


class Ledger:
    """The outside world of a lesson: a file of the effects that tasks had there.

    Each effect is a line of JSON, which is on the disk before ``send`` returns. Where an effect has
    a key, the file takes it once: that is what a receiver does which knows idempotency keys.

    Example:
        >>> from pathlib import Path
        >>> from graphflow_nb.lessons import Ledger, send
        >>> ledger = Ledger(Path("outside.jsonl"))
        >>> with ledger.in_use("process 1"):
        ...     send("e-mail to Ana", key="order-1"), send("e-mail to Ana", key="order-1")
        (True, False)
        >>> [effect.sent for effect in ledger.read()]
        [True, False]

    Args:
        path: The file, which is created with the first effect.

    Attributes:
        path: As passed.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)

    @contextmanager
    def in_use(
        self, process: str, on_effect: Callable[[Effect], None] | None = None
    ) -> Iterator[None]:
        """Make ``send`` note effects here, for as long as a ``with`` block lasts.

        Args:
            process: The name of the process, for the ledger.
            on_effect: The function that is called with each effect after it was noted.
        """
        token = _CURRENT.set(_Use(self, process, on_effect))
        try:
            yield
        finally:
            _CURRENT.reset(token)

    def add(self, process: str, task: str, effect: str, key: str | None = None) -> Effect:
        """Note an effect on the disk, unless one with the same key is there.

        Args:
            process: The name of the process that sends it.
            task: The id of the task that sends it.
            effect: What is sent.
            key: The idempotency key; None for none.

        Returns:
            The effect, with ``sent=False`` if the key was known.

        Raises:
            LessonError: A text is not one or too long, the ledger is full, or the file can't be
                written; nothing was sent.
        """
        _check("an effect", effect)
        if key is not None:
            _check("a key", key)
        try:
            with self._locked() as file:
                before = self._parse(file)
                if len(before) >= MAX_EFFECTS:
                    raise LessonError(
                        f"the ledger is full: it takes {MAX_EFFECTS:,} effects, and nothing was "
                        "sent. Does a task send without end? Begin with a new ledger"
                    )
                known = key is not None and any(each.key == key for each in before)
                added = Effect(datetime.now(UTC), process, task, effect, key, not known)
                _append(file, added)
        except OSError as error:
            raise LessonError(
                f"the ledger {self.path} can't be written ({error.strerror}): nothing was sent"
            ) from error
        return added

    def read(self) -> list[Effect]:
        """Return the effects in the order in which they came.

        Raises:
            LessonError: The file can't be read, or is not a ledger.
        """
        try:
            with open(self.path, "rb") as file:
                return self._parse(file)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise LessonError(f"the ledger {self.path} can't be read ({error.strerror})") from error

    def frame(self) -> pd.DataFrame:
        """Return the effects as a DataFrame.

        Returns:
            A row for each effect, in order: ``at`` (UTC), ``process``, ``task``, ``effect`` and
            ``key`` (string), ``sent`` (bool).

        Raises:
            LessonError: The file can't be read, or is not a ledger.
        """
        effects = self.read()
        return pd.DataFrame(
            {
                "at": pd.Series([each.at for each in effects], dtype="datetime64[us, UTC]"),
                "process": pd.Series([each.process for each in effects], dtype=_TEXT),
                "task": pd.Series([each.task for each in effects], dtype=_TEXT),
                "effect": pd.Series([each.effect for each in effects], dtype=_TEXT),
                "key": pd.Series([each.key for each in effects], dtype=_TEXT),
                "sent": pd.Series([each.sent for each in effects], dtype=bool),
            }
        )

    @contextmanager
    def _locked(self) -> Iterator[Any]:
        """Open the file for one process at a time; the lock ends with the process, too."""
        import fcntl  # which Windows lacks, where no lesson can kill a process

        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with open(fd, "r+b", buffering=0) as file:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield file

    def _parse(self, file: Any) -> list[Effect]:
        file.seek(0)
        # The last piece is empty, or was begun and not sent.
        lines = file.read().split(b"\n")[:-1]
        try:
            return [_read_line(line) for line in lines]
        except (ValueError, TypeError, KeyError) as error:
            raise LessonError(f"{self.path} is not a ledger: choose another file") from error

    def __repr__(self) -> str:
        return f"<Ledger of {len(self.read()):,} effects>"


@dataclass(frozen=True, slots=True)
class _Use:
    """The ledger that this process uses, and its own name there."""

    ledger: Ledger
    process: str
    on_effect: Callable[[Effect], None] | None


_CURRENT: ContextVar[_Use | None] = ContextVar("graphflow_nb_ledger", default=None)

#: The id of the task that runs, for the ledger.
TASK: ContextVar[str] = ContextVar("graphflow_nb_task", default="")


def send(effect: str, key: str | None = None) -> bool:
    """Send something to the outside world, which no store can take back.

    A lesson's tasks call it where a real one would send an e-mail or charge a card. The ledger that
    is in use notes it.

    Args:
        effect: What is sent.
        key: The idempotency key, by which the receiver recognises what it has already; None for
            none.

    Returns:
        Whether the receiver took it; False if it had an effect with this key already.

    Raises:
        LessonError: No ledger is in use, or it can't note the effect; nothing was sent.
    """
    use = _CURRENT.get()
    if use is None:
        raise LessonError(
            "no ledger is in use here, so nothing was sent: run the graph by Crash, or inside of "
            '`with ledger.in_use("process 1"):`'
        )
    noted = use.ledger.add(use.process, TASK.get(), effect, key)
    if use.on_effect is not None:
        use.on_effect(noted)
    return noted.sent


def can_be_encoded(text: str) -> bool:
    """Return whether UTF-8 has each character of a text, which half of a pair is not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check(what: str, text: object) -> None:
    if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT or not can_be_encoded(text):
        raise LessonError(
            f"{what} is a text of 1 to {MAX_TEXT:,} characters, not {text!r:.100}: nothing was sent"
        )


def _read_line(line: bytes) -> Effect:
    values = json.loads(line)
    return Effect(datetime.fromisoformat(values.pop("at")), **values)


def _append(file: Any, effect: Effect) -> None:
    line = json.dumps(effect._asdict() | {"at": effect.at.isoformat()}).encode() + b"\n"
    # What a process began and did not finish, because it was killed or the disk was full, goes.
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    whole = file.read().rfind(b"\n") + 1
    if whole != size:
        file.truncate(whole)
    try:
        if file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file.fileno())
    except OSError:
        file.truncate(whole)
        raise
