"""Errors of calls: no text of them, and no frame, shows a secret.

Verbose tracebacks (``%xmode Verbose``, rich's ``show_locals=True``, a service that collects errors)
show the variables of each frame. Those of ours and of the drivers have contexts as texts, so such
frames are left out of what a call raises. The debug log has them, without their variables.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Final, ParamSpec, TypeVar

from .errors import GraphflowError
from .secret_texts import Scrubber, scrubbing_by

__all__ = ["hide_frames", "scrub_by"]

P = ParamSpec("P")
T = TypeVar("T")

_OURS: Final = __name__.partition(".")[0]
_HIDDEN: Final = frozenset((_OURS, "asyncio", "asyncpg", "concurrent", "redis"))
_log: Final = logging.getLogger(__name__)


def hide_frames(error: BaseException, scrubber: Scrubber | None) -> None:
    """Leave our frames and those of drivers out of the tracebacks of an error and its causes.

    Those of a task, a callback or a storage that is not ours stay. An error that is not
    ``GraphflowError`` and was raised by us or a driver is a fault of ours, and keeps all.

    Args:
        error: What a call raised.
        scrubber: What the call's errors hide; None for what looks secret.
    """
    if scrubber is not None and not scrubber.is_on:
        return
    if not isinstance(error, GraphflowError) and _is_hidden(_last(error.__traceback__)):
        return
    if error.__traceback__ is not None:
        _log.debug("raised to the caller, who sees no frames of ours", exc_info=error)
    for each in _with_causes(error):
        each.__traceback__ = _without_ours(each.__traceback__)


async def scrub_by(
    scrubber: Scrubber | None,
    method: Callable[P, Coroutine[Any, Any, T]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Return the result of a coroutine method, whose errors show nothing that one mask hides.

    Args:
        scrubber: The mask; None for what looks secret.
        method, args, kwargs: What is called.
    """
    try:
        with scrubbing_by(scrubber):
            return await method(*args, **kwargs)
    except Exception as error:
        hide_frames(error, scrubber)
        raise


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            waiting += [each.__cause__, each.__context__]
            yield each


def _last(traceback: TracebackType | None) -> TracebackType | None:
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback


def _is_hidden(traceback: TracebackType | None) -> bool:
    if traceback is None:
        return False
    return str(traceback.tb_frame.f_globals.get("__name__")).partition(".")[0] in _HIDDEN


def _without_ours(traceback: TracebackType | None) -> TracebackType | None:
    kept: list[TracebackType] = []
    while traceback is not None:
        if not _is_hidden(traceback):
            kept.append(traceback)
        traceback = traceback.tb_next
    following = None
    for each in reversed(kept):
        each.tb_next, following = following, each
    return following
