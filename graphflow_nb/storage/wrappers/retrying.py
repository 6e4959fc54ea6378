"""RetryingStorage: a storage that repeats what can be done twice."""

from __future__ import annotations

import asyncio
import logging
import random
from itertools import count
from typing import Any, ClassVar, Final

from ...arguments import is_number
from ...errors import GraphflowError, StorageError, StorageTimeout, StorageUnavailable
from .base import READS, Wrapper

__all__ = ["RetryingStorage"]

log = logging.getLogger("graphflow_nb")

#: Writes that have the same effect once or twice.
REPEATABLE: Final = frozenset(("delete", "upsert"))


class RetryingStorage(Wrapper):
    """A storage that repeats reads, ``delete`` and ``upsert`` while the store is out of reach.

    Either of these writes may overwrite a change that another client made between two attempts, as
    it may at any time. Nothing else is repeated: it is not known whether a save without an answer
    took place, and a second one would conflict with the first. The pauses are random, up to a bound
    that doubles each time (full jitter), so that many clients don't come back at once.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage, RetryingStorage
        >>> storage = RetryingStorage(InMemorySessionStorage(), attempts=3)
        >>> await storage.get("claim-1")
        >>> storage.retries
        0

    Args:
        storage: The storage to call.
        attempts: The number of attempts, 1 or more.
        first_delay: The longest pause before the second attempt, in seconds.
        max_delay: The longest pause before any attempt, in seconds.

    Attributes:
        retries: The number of attempts after a first one so far.
    """

    suspends: ClassVar[bool] = True

    def __init__(
        self,
        storage: Any,
        *,
        attempts: int = 4,
        first_delay: float = 0.1,
        max_delay: float = 5.0,
    ):
        super().__init__(storage)
        if type(attempts) is not int or attempts < 1:
            raise StorageError(f"attempts= must be an integer >= 1, not {attempts!r}")
        if not (is_number(first_delay) and is_number(max_delay, first_delay)):
            raise StorageError(
                "first_delay= and max_delay= must be seconds, with 0 <= first_delay <= max_delay, "
                f"not {first_delay!r} and {max_delay!r}"
            )
        self.retries = 0
        self._attempts = attempts
        self._delays = first_delay, max_delay

    async def _call(self, method: str, /, *arguments: Any, **named: Any) -> Any:
        attempts = self._attempts if method in READS or method in REPEATABLE else 1
        bound, most = self._delays
        lost = False  # whether an attempt had no answer, so that it may have written
        for attempt in count(1):
            try:
                return await super()._call(method, *arguments, **named)
            except GraphflowError as error:
                if lost:
                    error.nothing_written = False
                passes = isinstance(error, (StorageUnavailable, StorageTimeout))
                if attempt == attempts or not passes:
                    raise
                lost = lost or not error.nothing_written
                pause = random.uniform(0, bound)
                bound = min(most, 2 * bound)
                self.retries += 1
                log.warning(
                    "%s failed (%s); attempt %d of %d in %.2f s",
                    *(method, error, attempt + 1, attempts, pause),
                )
            await asyncio.sleep(pause)
        raise AssertionError("unreachable")
