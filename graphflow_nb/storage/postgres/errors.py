"""Errors of PostgreSQL and its driver as ours, and values refused before they are sent."""

from __future__ import annotations

import re
from typing import NoReturn

import asyncpg

from ...errors import (
    ReadOnlyError,
    StorageDenied,
    StorageError,
    StorageFull,
    StorageMissing,
    StorageTimeout,
    StorageUnavailable,
)
from ...model.exactjson import too_wide
from ...secret_texts import scrub, scrub_error
from ..url import StoreUrl, advise_unreached, raise_without_secrets

__all__ = [
    "LOST",
    "NOT_SPOKEN",
    "OUTDATED",
    "UNPREPARED",
    "check_jsonb",
    "depends_on_row",
    "describe_error",
    "is_jsonb",
    "raise_read_only",
    "raise_translated",
]

#: The table no longer has the form that the statements were made for, or never had it.
OUTDATED = (
    asyncpg.FeatureNotSupportedError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
    asyncpg.DatatypeMismatchError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.DataError,
)

#: The server's session lacks the statements that were prepared in it: it is another client's, or
#: someone has discarded them.
UNPREPARED = (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError)

#: What is raised by servers that only speak PostgreSQL's protocol, where they lack a catalog, a
#: function or a form of a statement.
NOT_SPOKEN = (asyncpg.SyntaxOrAccessError, asyncpg.FeatureNotSupportedError)

#: The connection was lost, or the server takes none.
LOST = (
    OSError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
)

#: What is shown instead of the server's DETAIL where that quotes a row.
_NO_DETAIL = "not shown, since it quotes the row, in which there may be secrets"

#: That a read, or something else, took too long, and what to do then.
_READ_LATE = (
    "did not answer this read in time",
    "Read less at once (limit=, a filter that an index serves: wb.advise() names one), read in "
    "portions by wb.scan(), or open the store with a longer timeout=",
)
_LATE = ("gave no answer in time", "Try again, or connect with a longer timeout=")

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
# Written out, because it is searched in each save and \d{4} takes twice as long.
_EXPONENT = re.compile(r"[0-9][eE][+-]?[0-9][0-9][0-9][0-9]")


def check_jsonb(text: str) -> None:
    """Raise StorageError if JSON text holds what JSONB can't hold, before it is sent."""
    if "\\u0000" in text and _NUL.search(text):
        raise StorageError(
            "context holds the character U+0000 (\\u0000), which JSONB can't hold",
            nothing_written=True,
        )
    if _EXPONENT.search(text) and (wrong := too_wide(text)):
        raise StorageError(
            f"context holds the number {wrong[:40]}, which JSONB can't hold", nothing_written=True
        )


def is_jsonb(text: str) -> bool:
    """Return whether JSONB can hold a JSON text."""
    try:
        check_jsonb(text)
    except StorageError:
        return False
    return True


def raise_translated(
    error: Exception,
    url: StoreUrl,
    *,
    sent: bool = True,
    writes: bool = True,
    opened: bool = True,
) -> NoReturn:
    """Raise an exception of the driver as one of ours; the only place where that happens.

    Args:
        error: The exception that is being handled.
        url: The URL that was connected to.
        sent: Whether a statement may have been sent; False where there was no connection.
        writes: Whether it may have been a write; the error of a read says nothing about writes.
        opened: Whether it was connected to before.
    """
    _hide_rows(error)
    translated = _translate(error, url, sent, writes, opened)
    if not sent:
        translated.nothing_written = True
    raise_without_secrets(translated, error, url)


def _hide_rows(error: Exception) -> None:
    """Take out of a driver's exception what it quotes of rows: their contexts may hold secrets."""
    scrub_error(error)
    if not isinstance(error, asyncpg.PostgresError):
        return
    for name, said in error.as_dict().items():  # the hint too, and what a function of theirs says
        if isinstance(said, str) and (scrubbed := scrub(said)) != said:
            setattr(error, name, scrubbed)
    if not (detail := error.detail):
        return
    # By the class, since a server says it in its own language.
    quoted = isinstance(error, (asyncpg.CheckViolationError, asyncpg.NotNullViolationError))
    quoted = quoted or (
        isinstance(error, asyncpg.IntegrityConstraintViolationError) and ("context" in detail)
    )
    if quoted:
        error.detail = _NO_DETAIL


def raise_read_only(error: Exception, url: StoreUrl, *, sought: bool = False) -> NoReturn:
    """Raise ReadOnlyError for a write that a replica refused.

    Args:
        error: The exception that is being handled.
        url: The URL that was connected to.
        sought: Whether a primary was looked for among several hosts.
    """
    what_to_do = (
        "None of the hosts that answer is a primary now: is another about to take over? The next "
        "write looks for it again"
        if sought
        else "Connect to its primary, or name all hosts in the URL, with "
        "target_session_attrs=read-write"
    )
    refused = ReadOnlyError(
        f"{url} is a replica, which takes no writes: nothing was written. {what_to_do}"
    )
    raise_without_secrets(refused, error, url)


def depends_on_row(error: Exception) -> bool:
    """Return whether a right is lacking for some rows only, by row-level security."""
    # By the server's function, since it says it in its own language.
    return getattr(error, "server_source_function", None) == "ExecWithCheckOptions"


def describe_error(error: Exception, url: StoreUrl) -> str:
    """Return what an error says; of a lost connection, what the server or the network said of it.

    The driver's own words are about its state then, or about a method that it can't call any more.

    Args:
        error: The exception of the driver.
        url: The URL that was connected to, whose password is left out.
    """
    if isinstance(error, (asyncpg.InternalClientError, asyncpg.InterfaceError)):
        earlier = error.__context__
        while earlier is not None:
            if isinstance(earlier, (OSError, asyncpg.PostgresError)):
                return url.mask(earlier) or type(earlier).__name__
            earlier = earlier.__context__
        if "cannot switch to state" in str(error) or "cannot call" in str(error):
            return "the connection was lost"
    return url.mask(error) or type(error).__name__


def _translate(
    error: Exception, url: StoreUrl, sent: bool, writes: bool, opened: bool
) -> StorageError:
    place = url
    reason = describe_error(error, url)
    unknown = "; whether a write took place is not known" if writes else ""
    if not sent:
        unknown = "; nothing was sent"
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        return ReadOnlyError(f"{place} takes no writes: {reason}")
    if isinstance(error, asyncpg.DiskFullError):
        return StorageFull(
            f"{place} has no room left: {reason}"
            f"{'; nothing was written' if writes else ''}. Who looks after the server must make "
            "room; then repeat the call",
            nothing_written=True,
        )
    if isinstance(error, asyncpg.LockNotAvailableError):
        return StorageTimeout(
            f"{place}: {reason}, because another transaction holds the lock"
            f"{'; nothing was written' if writes else ''}. Try again when it has ended: pg_locks "
            "and pg_stat_activity show it",
            nothing_written=True,
        )
    if isinstance(error, asyncpg.QueryCanceledError) and "user request" in reason:
        return StorageError(
            f"{place}: another user ended the statement in the server (pg_cancel_backend)"
            f"{unknown}. Ask who looks after the database before you try it again"
        )
    late, what_to_do = _READ_LATE if sent and not writes else _LATE
    if isinstance(error, asyncpg.QueryCanceledError):
        return StorageTimeout(
            f"{place} {late} ({reason}){unknown}. {what_to_do}, unless the role or the database "
            "has a shorter statement_timeout"
        )
    if isinstance(error, TimeoutError):
        return StorageTimeout(f"{place} {late}{unknown}. {what_to_do}")
    if isinstance(error, asyncpg.SerializationError) and not writes:
        return StorageError(
            f"{place}: the server ended this read, since rows that it needed are to be removed "
            f"({reason}): nothing was read. Replicas do so with long reads (their "
            "max_standby_streaming_delay). Try again, read less, or in portions by wb.scan()",
            nothing_written=True,
        )
    if isinstance(
        error, (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError)
    ):
        return StorageDenied(f"{place} refused the user or password: check the URL")
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        # A trigger may raise it too, of some sessions.
        denied = (getattr(error, "server_source_function", None) or "").startswith("aclcheck_error")
        return (StorageDenied if denied else StorageError)(
            f"{place}: {reason}; ask for this right or open it with another user",
            nothing_written=True,
        )
    gone = (
        asyncpg.UndefinedTableError,
        asyncpg.UndefinedColumnError,
        asyncpg.InvalidSchemaNameError,
    )
    # What has a context is in a function of theirs, which may run for some sessions only.
    if isinstance(error, gone) and not getattr(error, "context", None):
        return StorageMissing(
            f"{place}: {reason}: was it dropped or renamed meanwhile? Nothing was read or written. "
            "Open the table under its name of now (table=), or put back what is missing"
        )
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return StorageError(f"{place}: {reason}; check the last part of the URL")
    if isinstance(error, asyncpg.TooManyConnectionsError):
        return StorageUnavailable(f"{place}: {reason}; try again later or with max_connections=1")
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return StorageUnavailable(
            f"{place}: no host that answers is what target_session_attrs asks for ({reason}). "
            f"{advise_unreached(opened, 'is another host about to take over?')}"
        )
    if isinstance(error, UNPREPARED):
        return StorageError(
            f"{place}: {reason.splitlines()[0]}; nothing was read or written. Try again if DISCARD "
            "ALL or DEALLOCATE was run on the connection; else a pooler shares its connections: "
            "connect with statement_cache_size=0",
            nothing_written=True,
        )
    if "not supported on distributed tables" in reason:
        return StorageError(
            f"{place}: {reason}: Citus divides this one among servers. Nothing was changed. The "
            "browser looks every two seconds without a trigger, and HistoryStorage(storage, "
            "archive=…) keeps a history elsewhere",
            nothing_written=True,
        )
    if isinstance(error, asyncpg.InternalServerError) and "is not distributed" in reason:
        return StorageError(
            f"{place}: {reason}: Citus keeps all of this table on each server, where no save can "
            "be compared with what is stored. Nothing was written. Distribute it by id "
            "(create_distributed_table), or only read it",
            nothing_written=True,
        )
    if "statement pooling" in reason:  # of PgBouncer, which then closes the connection
        return StorageError(
            f"{place}: the pooler is in statement mode, which takes no transactions; nothing was "
            "written. Connect through a pooler in transaction or session mode, or to the server "
            "itself",
            nothing_written=True,
        )
    # asyncpg raises InterfaceError when the connection broke in the middle of something.
    broken = isinstance(error, asyncpg.InterfaceError) and not isinstance(error, ValueError)
    if broken or isinstance(error, LOST):
        return StorageUnavailable(
            f"{place} is out of reach ({reason}){unknown}. {advise_unreached(opened)}"
        )
    if isinstance(error, asyncpg.UntranslatableCharacterError):
        what = url.mask(error.detail or reason).rstrip(".")
        return StorageError(
            f"{place}: the encoding of this database lacks a character ({what}), so nothing was "
            "read or written. Leave the character out, or move the sessions to a database with "
            "ENCODING 'UTF8'",
            nothing_written=True,
        )
    # After an error, unlike a FATAL one, the server has rolled the transaction back.
    refused = isinstance(error, asyncpg.PostgresError) and _severity(error) == "ERROR"
    return StorageError(f"{place}: {reason}", nothing_written=refused)


def _severity(error: asyncpg.PostgresError) -> str:
    """Return how severe an error is, in English whatever the server's language is."""
    return str(getattr(error, "severity_en", None) or getattr(error, "severity", ""))
