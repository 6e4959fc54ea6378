"""Opening connections to PostgreSQL: to which host, and whether a pooler is in between.

A pooler such as PgBouncer in transaction mode runs each transaction on any of its server
connections. What a session keeps there (prepared statements, settings, LISTEN) would be lost, or
be met by another client, and no client is informed. Therefore each new connection carries a
setting with a name and value of our own, and is asked for it. PgBouncer refuses the setting, other
poolers leave it out, and only a server connection that no one shares has it.

What is opened for reading only stays so. Our statements find functions, operators and types in
``pg_catalog`` alone, so that nothing that another role created under such a name is run as the
reader. A view, rule, policy or function that belongs to the table does run, and may try to end the
read-only mode of the session: the server reports that, and the connection is closed before its next
statement. Where the server does not report it, each operation is a read-only transaction.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs, urlsplit

import asyncpg
from asyncpg.connect_utils import SessionAttribute
from asyncpg.transaction import Transaction

from ...errors import StorageError
from ..url import StoreUrl, hosts, server_of
from .limits import STATEMENT, find_limits, local_limits, session_limits
from .parameters import read_parameters
from .times import read_times_exactly

__all__ = ["Link", "Opener"]

T = TypeVar("T")

MARK = "graphflow_nb.link"
CACHED_STATEMENTS = 100
CONNECT_SECONDS = 10.0  # for all hosts of a URL together
#: How long the server has to end a cancelled statement before it is asked again, and how often.
CANCEL_SECONDS = 0.3
CANCELS = 3

# Temporary tables come last; without pg_temp in it they would come first.
_FIXED_PATH: Final = "search_path = pg_catalog, pg_temp"
_SAVED: Final = "graphflow_nb"
_READ_ONLY: Final = "SET default_transaction_read_only = on"

# How servers and poolers refuse a setting.
_REFUSED = (
    asyncpg.ProtocolViolationError,
    asyncpg.UndefinedObjectError,
    asyncpg.InvalidParameterValueError,
    asyncpg.InvalidNameError,
    asyncpg.FeatureNotSupportedError,
    asyncpg.CantChangeRuntimeParamError,
)
# After these errors another host may answer.
_NEXT_HOST = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TargetServerAttributeNotMatched,
)


class Link(asyncpg.Connection):
    """A connection that knows what is behind it.

    Attributes:
        shared: Whether a pooler may run each transaction on another server connection.
        guarded: Whether each transaction must be made read-only, because the session can't be.
        holds_snapshot: Whether it is in the one transaction of a snapshot.
        schemas: The schemas in which a name without one is found, where the path is fixed.
    """

    shared = False
    guarded = False
    holds_snapshot = False
    schemas: tuple[str, ...] = ()
    #: Whether what ran on it has ended the read-only mode of the session.
    switched_off = False
    #: Whether it must not be used again: a request to cancel may still be on its way, which would
    #: hit the next statement, or a setting of the user's is left.
    doubtful = False
    #: After how many milliseconds the server ends what runs, see ``limits.py``.
    limits: Mapping[str, int] = MappingProxyType({})
    #: The limits that the URL names, as it names them.
    given: Mapping[str, str] = MappingProxyType({})
    #: What has opened it.
    opener: Opener
    # What each transaction begins with where the session can't keep it, after BEGIN.
    _begin_with = ""

    @property
    def link(self) -> Link:
        """The connection itself, for those who have the pool's proxy of it."""
        return self

    def execute(self, query: str, *args: Any, **named: Any) -> Any:
        """Run statements as asyncpg does; a transaction begins with its limits."""
        if self._begin_with and query.startswith("BEGIN"):
            query += self._begin_with  # in one message: no further round trip
        executing = super().execute(query, *args, **named)
        task = asyncio.current_task()
        if query.startswith("ROLLBACK") and task is not None and task.cancelling():
            return self.end_cancelled(executing)
        return executing

    async def end_cancelled(self, ending: Awaitable[T]) -> T:
        """Await what waits until the server has ended a statement that was cancelled.

        The driver asks the server once. A request that overtakes the statement, which happened to
        1 of 150, is forgotten there. So it is asked again, in words. Through a pooler the process
        has no number that we know: the pooler closes its connection with ours, which the server
        notices within two seconds (``limits.py``).
        """
        task = asyncio.ensure_future(ending)
        for _ in range(CANCELS):
            done, _ = await asyncio.wait([task], timeout=CANCEL_SECONDS)
            if done or self.is_closed():
                break
            self.doubtful = True
            if self.shared:
                self.terminate()
            else:
                with suppress(Exception):  # then the server's own limit ends it
                    await self.opener.cancel(self.get_server_pid())
        return await task

    async def set_limits(self, timeout: float, given: Mapping[str, str]) -> None:
        """Set the limits after which the server ends what runs.

        Args:
            timeout: The seconds that one statement may take.
            given: The limits that the URL names.
        """
        self.given = given
        self.limits = await find_limits(self, timeout, given)
        if self.shared:
            self._begin_with = local_limits(self.limits, given)
        elif wanted := session_limits(self.limits):
            await self.execute(wanted)

    async def allow(self, seconds: float) -> None:
        """Let the statements of the open transaction take so long, if they may not already."""
        if 0 < self.limits.get(STATEMENT, 0) < 1000 * seconds:
            await self.execute(f"SET LOCAL {STATEMENT} = {round(1000 * seconds)}")

    @property
    def scoped(self) -> bool:
        """Whether work runs in transactions, because the session can't keep what it needs."""
        return bool(self._begin_with)

    async def run_scoped(self, work: Callable[[Any], Awaitable[T]], connection: Any) -> T:
        """Return ``work(connection)``, run in a transaction where the session keeps no limits."""
        if self.holds_snapshot:
            return await self._run_in_snapshot(work, connection)
        if not self._begin_with or self.is_in_transaction():
            return await work(connection)
        async with self.transaction():
            return await work(connection)

    async def begin_snapshot(self) -> Transaction:
        """Begin a transaction all of whose reads see the same, and return it."""
        transaction = self.transaction(isolation="repeatable_read", readonly=True)
        await transaction.start()
        self.holds_snapshot = True
        return transaction

    async def _run_in_snapshot(self, work: Callable[[Any], Awaitable[T]], connection: Any) -> T:
        """Return ``work(connection)``, after whose errors the transaction goes on."""
        await self.execute(f"SAVEPOINT {_SAVED}")
        try:
            result = await work(connection)
        except asyncpg.PostgresError:
            if not self.is_closed():
                await self.execute(f"ROLLBACK TO SAVEPOINT {_SAVED}")
            raise
        try:
            await self.execute(f"RELEASE SAVEPOINT {_SAVED}")
        except asyncpg.InFailedSQLTransactionError:  # the work itself has answered an error
            await self.execute(f"ROLLBACK TO SAVEPOINT {_SAVED}")
        return result

    async def run_as_user(self, work: Callable[[Any], Awaitable[T]], connection: Any) -> T:
        """Return ``work(connection)``, for which names are found as in the user's own sessions.

        What it sets for the session, or resets, lasts no longer, and neither does a transaction
        that it leaves open, in which later writes would be lost.
        """
        began_inside = self.is_in_transaction()
        try:
            result = await work(connection)
        except BaseException:
            # It keeps its settings. It is not closed here, or the server would go on with a
            # statement that was cancelled.
            self.doubtful = True
            raise
        if self.is_closed():
            return result
        if self.is_in_transaction() and not began_inside:
            self.doubtful = True
        elif restore := self._after_user():
            await self.execute(restore)
        return result

    def _after_user(self) -> str:
        """Return the statements that set again what a user's statements may have changed."""
        return "" if self.shared else session_limits(self.limits)

    async def is_standby(self) -> bool:
        """Return whether the server is a replica now.

        The server is asked only where it does not report this by itself.
        """
        reported = None if self.shared else getattr(self.get_settings(), "in_hot_standby", None)
        if reported is not None:
            return bool(reported == "on")
        # Servers that only speak PostgreSQL's protocol may lack the function.
        with suppress(asyncpg.UndefinedFunctionError, asyncpg.FeatureNotSupportedError):
            return bool(await self.fetchval("SELECT pg_catalog.pg_is_in_recovery()"))
        return False


class ReadOnlyLink(Link):
    """A connection on which nothing can be written, and no name finds what others have created."""

    _watched = False  # whether the server reports the end of the session's read-only mode
    # Reads a setting as the server reported it last: a fifth of the time of an attribute.
    _reported: Callable[[str], str]
    _path = ""  # the search path of the user
    _begins_fixed = False  # whether a transaction begins with our search path

    @property
    def switched_off(self) -> bool:  # type: ignore[override]
        """Whether what ran on it has ended the read-only mode of the session."""
        return self._watched and self._reported("default_transaction_read_only") != "on"

    # Not coroutine functions, which would take longer.

    def fetch(self, *args: Any, **named: Any) -> Any:
        """Run a statement as asyncpg does, unless the session is no longer read-only."""
        self._check()
        return super().fetch(*args, **named)

    def fetchrow(self, *args: Any, **named: Any) -> Any:
        """Run a statement as asyncpg does, unless the session is no longer read-only."""
        self._check()
        return super().fetchrow(*args, **named)

    def fetchval(self, *args: Any, **named: Any) -> Any:
        """Run a statement as asyncpg does, unless the session is no longer read-only."""
        self._check()
        return super().fetchval(*args, **named)

    def execute(self, query: str, *args: Any, **named: Any) -> Any:
        """Run statements as asyncpg does, unless the session is no longer read-only."""
        self._check()
        if self._begins_fixed and query.startswith("BEGIN"):
            query += f" SET LOCAL {_FIXED_PATH};"  # in one message: no further round trip
        return super().execute(query, *args, **named)

    def _check(self) -> None:
        if self.switched_off:
            self.terminate()
            raise StorageError(
                "something that belongs to the table (a view, rule, policy or function of another "
                "role) has ended the read-only mode of the connection, which was closed before its "
                "next statement; nothing was written. Look at what \\d+ shows of the table",
                nothing_written=True,
            )

    async def make_read_only(self) -> None:
        """Make the session read-only, or see to it that each transaction will be."""
        self._path, schemas = await self.fetchrow(
            "SELECT pg_catalog.current_setting('search_path'), "
            "pg_catalog.current_schemas(false)::pg_catalog.text[]"
        )
        self.schemas = tuple(schemas)
        if not self.shared:
            await self.execute(f"{_READ_ONLY}; SET {_FIXED_PATH}")
            settings = self.get_settings()
            reported = getattr(settings, "default_transaction_read_only", None)
            self._watched = reported == "on"
            if self._watched:
                self._reported = settings.__getattr__
        self.guarded = not self._watched

    @property
    def scoped(self) -> bool:
        """Whether work runs in transactions, because the session can't keep what it needs."""
        return self.guarded or super().scoped

    async def run_scoped(self, work: Callable[[Any], Awaitable[T]], connection: Any) -> T:
        """Return ``work(connection)``, in a transaction where the session is not read-only."""
        if not self.guarded or self.holds_snapshot:
            return await super().run_scoped(work, connection)
        self._begins_fixed = self.shared
        try:
            async with self.transaction(readonly=True):
                self._begins_fixed = False
                return await work(connection)
        finally:
            self._begins_fixed = False

    async def begin_snapshot(self) -> Transaction:
        """Begin a transaction all of whose reads see the same, and return it."""
        self._begins_fixed = self.shared
        try:
            return await super().begin_snapshot()
        finally:
            self._begins_fixed = False

    async def run_as_user(self, work: Callable[[Any], Awaitable[T]], connection: Any) -> T:
        """Return ``work(connection)``, for which names are found as in the user's own sessions."""

        async def run_guarded(connection: Any) -> T:
            async with self.transaction(readonly=True):
                if not self.shared:
                    await self._restore_path(local=True)
                return await work(connection)

        if self.guarded:
            return await super().run_as_user(run_guarded, connection)
        await self._restore_path(local=False)
        return await super().run_as_user(work, connection)

    def _after_user(self) -> str:
        """Return the statements that set again what a user's statements may have changed."""
        return "" if self.shared else f"SET {_FIXED_PATH}; {super()._after_user()}"

    async def _restore_path(self, *, local: bool) -> None:
        await self.execute("SELECT pg_catalog.set_config('search_path', $1, $2)", self._path, local)


class Opener:
    """A function that opens connections to what a URL names; asyncpg's pool calls it.

    Hosts are tried in the URL's order, each with a share of the time, so that a silent host does
    not use up the time of the next.

    Args:
        url: The URL, with one or several hosts.
        read_only: Make the sessions read-only, or mark the links as guarded.
        timeout: Seconds for one statement; connecting to all hosts takes at most ten.
        statement_cache_size: The number of prepared statements to keep per connection; None for
            as many as the connection allows.
        on_open: Called for each new connection with whether its server is a replica, with the
            server's version, with the limits after which it ends what runs, and with whether a
            pooler shares it.

    Attributes:
        scopes: Whether it has opened a link on which work runs in transactions.
        seeks_primary: Whether the primary is looked for first, each time.
        application_name: The name under which the server lists the connections.
    """

    def __init__(
        self,
        url: StoreUrl,
        *,
        read_only: bool,
        timeout: float,
        statement_cache_size: int | None,
        on_open: Callable[[bool, str, Mapping[str, int], bool], None],
    ):
        self._parameters = parameters = read_parameters(url)
        url = parameters.url
        self._read_only = read_only
        self._timeout = timeout
        self.application_name = parameters.application_name
        cached = parameters.statement_cache_size if statement_cache_size is None else None
        self._cached = statement_cache_size if cached is None else cached
        self._on_open = on_open
        self.scopes = False
        self._mark = secrets.token_hex(8)
        self._places: list[dict[str, Any]] = [
            {"host": host, "port": port} for host, port in hosts(url)
        ] or [{}]
        if parameters.shuffled:
            random.shuffle(self._places)
        self._pooled: set[int] = set()  # the numbers of the places at which a pooler was found
        asked = parse_qs(urlsplit(url.reveal()).query).get("target_session_attrs", [None])[-1]
        # What the environment says of TLS and of replicas is not about a server on a socket here.
        self._local = (server_of(url)[0] or "").startswith("/")
        wanted: Any = asked or (None if self._local else os.getenv("PGTARGETSESSIONATTRS"))
        # What the user says comes first; else who writes looks for the primary before the others.
        self.seeks_primary = not (wanted or read_only) and len(self._places) > 1
        self._wanted = ("standby", "any") if wanted == "prefer-standby" else (wanted,)
        if self.seeks_primary:
            self._wanted = ("primary", "any")

    async def __call__(self, *_: object, **__: object) -> Link:
        """Return a new connection to the first host that answers and is what the URL asks for."""
        total = self._parameters.connect_timeout or min(self._timeout, CONNECT_SECONDS)
        share = total / len(self._places)
        failed: Exception | None = None
        numbers = list(range(len(self._places)))
        for wanted in self._wanted:
            answering = []
            for number in numbers:
                try:
                    async with asyncio.timeout(share):
                        link = await self._open(number, wanted)
                except _NEXT_HOST as error:
                    # "Not a primary" helps more than the error of a host that does not answer.
                    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
                        answering.append(number)
                    if not isinstance(failed, asyncpg.TargetServerAttributeNotMatched):
                        failed = error
                else:
                    return link
            numbers = answering  # the others have had their time
        assert failed is not None
        raise failed

    async def cancel(self, pid: int) -> None:
        """Ask the server, on another connection, to end the statement that a process runs."""
        async with asyncio.timeout(self._timeout):
            link = await self()
            try:
                await link.execute(f"SELECT pg_catalog.pg_cancel_backend({pid:d})")
            finally:
                link.terminate()

    async def _open(self, number: int, wanted: Any) -> Link:
        link = None
        if self._cached != 0 and number not in self._pooled:
            link = await self._open_unshared(number, wanted)
        if link is None:
            link = await self._connect(number, wanted, {}, self._cached or 0)
            link.shared = not self._cached
        link.opener = self
        try:
            if type(link) is ReadOnlyLink:  # isinstance would be true of any connection
                await link.make_read_only()
            await link.set_limits(self._timeout, self._parameters.limits)
            self.scopes |= link.scoped
            await read_times_exactly(link)
            version = getattr(link.get_settings(), "server_version", "")
            self._on_open(await link.is_standby(), version, link.limits, link.shared)
        except BaseException:
            link.terminate()
            raise
        return link

    async def _open_unshared(self, number: int, wanted: Any) -> Link | None:
        """Return a connection that has the server's session for itself, None behind a pooler."""
        cached = CACHED_STATEMENTS if self._cached is None else self._cached
        settings = {MARK: self._mark} | self._parameters.limits
        if self._read_only and wanted in (None, SessionAttribute.any):
            # A trigger of the login runs before any statement. Where a kind of host is asked for,
            # asyncpg would take such a server for a replica.
            settings["default_transaction_read_only"] = "on"
        try:
            link = await self._connect(number, wanted, settings, cached)
        except _REFUSED:
            self._pooled.add(number)
            return None
        try:
            # Without a name, because behind a pooler other clients would meet the statement.
            question = await link.prepare(
                f"SELECT pg_catalog.current_setting('{MARK}', true)", name=""
            )
            found = await question.fetchval()
        except asyncpg.PostgresError:
            found = None
        except BaseException:
            link.terminate()
            raise
        if found == self._mark:
            return link
        self._pooled.add(number)
        await link.close()
        return None

    async def _connect(
        self, number: int, wanted: Any, settings: dict[str, str], cached: int
    ) -> Link:
        return await asyncpg.connect(
            self._parameters.url.reveal(),
            **self._places[number],
            ssl=False if self._local else None,
            target_session_attrs=wanted or (SessionAttribute.any if self._local else None),
            command_timeout=self._timeout,
            statement_cache_size=cached,
            # As the server spells it: what the driver sends, 'utf-8', PgBouncer takes for another
            # encoding and sets again before each transaction.
            server_settings={"application_name": self.application_name, "client_encoding": "UTF8"}
            | self._parameters.settings
            | settings,
            connection_class=ReadOnlyLink if self._read_only else Link,
        )
