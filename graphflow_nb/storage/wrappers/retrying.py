"""A storage that tries again what can be done twice."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Any, ClassVar, Final

from ...errors import StorageError, StorageTimeout, StorageUnavailable
from .base import READS, Wrapper

__all__ = ["RetryingStorage"]

log = logging.getLogger("graphflow_nb")

#: Writes after which the store is the same, whether they were made once or twice.
REPEATABLE: Final = frozenset(("delete", "upsert"))


class RetryingStorage(Wrapper):
    """Tries reads, ``delete`` and ``upsert`` again when the store is out of reach or too slow.

    Either of these writes may undo what someone wrote between two attempts, as it may at any time.
    Nothing else is repeated: whether a save that got no answer was made is not known, and the
    second one would conflict with the first. The pauses are random, up to a bound that doubles
    each time (full jitter), so that many clients don't come back at once.

    Args:
        storage: any storage.
        attempts: in all, 1 or more.
        first_delay: seconds at most before the second attempt.
        max_delay: seconds at most before any.

    Attributes:
        retries: how many attempts were made again so far.
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
            raise StorageError(f"attempts= is a count of 1 or more, not {attempts!r}")
        if not 0 <= first_delay <= max_delay:
            raise StorageError("first_delay= and max_delay= are seconds, the first not the greater")
        self.retries = 0
        self._attempts = attempts
        self._delays = first_delay, max_delay

    async def _call(self, method: str, /, *arguments: Any, **named: Any) -> Any:
        attempts = self._attempts if method in READS or method in REPEATABLE else 1
        bound, most = self._delays
        for attempt in range(1, attempts):
            try:
                return await super()._call(method, *arguments, **named)
            except (StorageUnavailable, StorageTimeout) as error:
                pause = random.uniform(0, bound)
                bound = min(most, 2 * bound)
                self.retries += 1
                log.warning(
                    "%s failed (%s); attempt %d of %d in %.2f s",
                    *(method, error, attempt + 1, attempts, pause),
                )
            await asyncio.sleep(pause)
        return await super()._call(method, *arguments, **named)
