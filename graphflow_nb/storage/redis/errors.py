"""The driver's exceptions as ours; the only place where that happens for Redis."""

from __future__ import annotations

import re
from typing import Final, NoReturn

from ...errors import (
    ReadOnlyError,
    StorageDenied,
    StorageError,
    StorageFull,
    StorageTimeout,
    StorageUnavailable,
)
from ..url import StoreUrl, advise_unreached, raise_without_secrets

__all__ = ["find_refused_command", "is_refused", "raise_translated"]


def raise_translated(
    error: Exception, url: StoreUrl, *, writes: bool = True, opened: bool = True
) -> NoReturn:
    """Raise the StorageError for a driver's exception.

    Its cause is the exception itself, unless its text would show the password.

    Args:
        error: The exception that redis-py or asyncio raised.
        url: The URL of the storage, whose password is kept out of every text.
        writes: Whether it may have been a write; the error of a read says nothing about writes.
        opened: Whether it was connected to before.
    """
    raise_without_secrets(_translate(error, url, writes, opened), error, url)


def is_refused(error: StorageError, what: str = "") -> bool:
    """Return whether the user lacked a right.

    Args:
        error: The error.
        what: A part of the server's text, which names the command or says that it is about a key.
    """
    from redis.exceptions import NoPermissionError

    cause = error.__cause__
    return isinstance(cause, NoPermissionError) and what in str(cause)


#: How the server begins what it says while it can't take a command, whatever session it is about.
_NOT_NOW: Final = ("BUSY ", "MISCONF ", "NOREPLICAS ")
_LINE: Final = re.compile(r"can't run this command.*user_script:(\d+)", re.DOTALL)
_CALL: Final = re.compile(r"redis\.p?call\(\s*['\"](\w+)")


def find_refused_command(error: StorageError, script: str) -> str | None:
    """Return the command that a script could not run, since the user may not; None for another.

    The server names the line of the script alone.

    Args:
        error: The error.
        script: The script.
    """
    if (match := _LINE.search(str(error))) is None:
        return None
    lines = script.splitlines()[: int(match[1])]
    calls = _CALL.findall("\n".join(lines))
    return str(calls[-1]) if calls else "a command of the script"


def _translate(error: Exception, url: StoreUrl, writes: bool, opened: bool) -> StorageError:
    from redis import exceptions as driver

    place = url
    text = url.mask(error) or type(error).__name__
    unknown = "; whether a write took place is not known" if writes else ""
    if isinstance(error, driver.ReadOnlyError):
        return ReadOnlyError(
            f"{place} is a replica and takes no writes, so this one was not made. Open its "
            "primary, or try again when it is promoted"
        )
    if isinstance(error, (TimeoutError, driver.TimeoutError)):
        return StorageTimeout(
            f"{place} did not answer in time{unknown}. Try again, or connect with a longer timeout="
        )
    if isinstance(error, driver.AuthenticationError):
        return StorageDenied(f"{place} refused the user or password: check the URL")
    if isinstance(error, driver.NoPermissionError):
        return (StorageError if " key" in text else StorageDenied)(
            f"{place}: {text}; ask for this right or open it as another user", nothing_written=True
        )
    if "WRONGTYPE" in text:
        return StorageError(
            f"{place}: the key holds something that is not a session; nothing was changed. Keep "
            "sessions apart from other keys with prefix=",
            nothing_written=True,
        )
    if isinstance(error, driver.OutOfMemoryError) or text.startswith("OOM"):
        return StorageFull(
            f"{place} is full (maxmemory): nothing was written. Make room or raise its maxmemory, "
            "then repeat the call",
            nothing_written=True,
        )
    waits = (driver.BusyLoadingError, driver.MasterDownError, driver.TryAgainError)
    if isinstance(error, waits) or text.startswith(_NOT_NOW):
        return StorageUnavailable(
            f"{place} refuses it for now ({text}){'; nothing was written' if writes else ''}. Try "
            "again later; if it lasts, ask who looks after the server",
            nothing_written=True,
        )
    lost = (OSError, driver.ConnectionError, driver.ClusterError, driver.RedisClusterException)
    if isinstance(error, lost):
        # So redis-py words that it could not connect, for which it has no class of its own.
        unsent = " connecting to " in text
        if unsent:
            unknown = "; nothing was sent"
        return StorageUnavailable(
            f"{place} is out of reach ({text}){unknown}. {advise_unreached(opened)}",
            nothing_written=unsent,
        )
    # A server that answers with an error did not carry the command out.
    refused = isinstance(error, driver.ResponseError)
    return StorageError(f"{place}: {text}", nothing_written=refused)
