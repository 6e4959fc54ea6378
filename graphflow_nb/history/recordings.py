"""Recordings of graphflow-stream: what happened within the tasks of one run, token by token.

The crate graphflow-stream (0.3.0, ``Recording`` in its ``stream.rs``) saves
``{"events": [{"event": {"Token": {"task_id": …, "delta": …}}, "at": {"secs": 0, "nanos": 1}}]}``:
times since the recording began, no clock and no session id. Which events there are depends on what
a task emits, so a start without an end is no error, nor an end without a start.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from ..errors import RecordingError
from ..files import as_path
from ..printable import printable

__all__ = ["KINDS", "Event", "read_events"]

MAX_BYTES: Final = 500_000_000
#: The kinds of events, by the name of their variant in the crate.
KINDS: Final = ("TaskStarted", "Token", "TaskFinished", "TaskFailed")


class Event(NamedTuple):
    """One event of a recording.

    Attributes:
        at: When it happened, in nanoseconds since the recording began.
        kind: One of ``KINDS``, or the name of a kind that this version does not know.
        task: The id of the task; ``""`` if the event names none.
        text: The text of a token, or of an error; ``""`` for other kinds.
    """

    at: int
    kind: str
    task: str
    text: str


class _At(msgspec.Struct):
    secs: int
    nanos: int


class _Event(msgspec.Struct):
    event: dict[str, dict[str, Any]] | str
    at: _At


class _Recording(msgspec.Struct):
    events: list[_Event]


_decoder: Final = msgspec.json.Decoder(_Recording)


def read_events(path: str | os.PathLike[str]) -> list[Event]:
    """Return the events of a recording, in the order in which they were saved.

    Args:
        path: The JSON file.

    Raises:
        QueryError: ``path`` is not the path of a file.
        RecordingError: The file can't be read, is larger than 500 MB, or is not a recording.
    """
    path = as_path(path)
    name = printable(repr(str(path)))
    try:
        if (size := os.stat(path).st_size) > MAX_BYTES:
            raise RecordingError(f"the recording {name} has {size:,} bytes; at most {MAX_BYTES:,}")
        with open(path, "rb") as file:
            recording = _decoder.decode(file.read())
    except OSError as error:
        raise RecordingError(f"the recording {name} can't be read: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise RecordingError(
            f"{name} is not a recording of graphflow-stream, which is JSON with a list of events: "
            f"{error}"
        ) from error
    return list(_read(recording))


def _read(recording: _Recording) -> Iterator[Event]:
    for entry in recording.events:
        at = entry.at.secs * 1_000_000_000 + entry.at.nanos
        if isinstance(entry.event, str):  # a variant without fields
            yield Event(at, entry.event, "", "")
        else:
            for kind, fields in entry.event.items():
                yield Event(at, kind, _text(fields, "task_id"), _text(fields, "delta", "error"))


def _text(fields: Mapping[str, Any], *names: str) -> str:
    """Return the first of these fields that is a text; empty for none."""
    return next((v for name in names if isinstance(v := fields.get(name), str)), "")
