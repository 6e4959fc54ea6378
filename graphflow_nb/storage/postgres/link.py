"""Opening connections to PostgreSQL: to which host, and whether a pooler is in between.

A pooler such as PgBouncer in transaction mode runs each transaction on any of its server
connections. What a session keeps there (prepared statements, settings, LISTEN) would be lost, or
be met by another client, and no client is informed. Therefore each new connection carries a
setting with a name and value of our own, and is asked for it. PgBouncer refuses the setting, other
poolers leave it out, and only a server connection that no one shares has it.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from ..url import StoreUrl, hosts, server_of
from .parameters import read_parameters
from .times import read_times_exactly

__all__ = ["Link", "Opener"]

MARK = "graphflow_nb.link"
CACHED_STATEMENTS = 100
CONNECT_SECONDS = 10.0  # for all hosts of a URL together

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
    """

    shared = False
    guarded = False

    async def is_standby(self) -> bool:
        """Return whether the server is a replica now.

        The server is asked only where it does not report this by itself.
        """
        reported = None if self.shared else getattr(self.get_settings(), "in_hot_standby", None)
        if reported is not None:
            return bool(reported == "on")
        # Servers that only speak PostgreSQL's protocol may lack the function.
        with suppress(asyncpg.UndefinedFunctionError, asyncpg.FeatureNotSupportedError):
            return bool(await self.fetchval("SELECT pg_is_in_recovery()"))
        return False


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
        on_open: Called for each new connection with whether its server is a replica, and with the
            server's version.

    Attributes:
        guards: Whether it has opened a guarded link.
    """

    def __init__(
        self,
        url: StoreUrl,
        *,
        read_only: bool,
        timeout: float,
        statement_cache_size: int | None,
        on_open: Callable[[bool, str], None],
    ):
        self._parameters = parameters = read_parameters(url)
        url = parameters.url
        self._read_only = read_only
        self._timeout = timeout
        cached = parameters.statement_cache_size if statement_cache_size is None else None
        self._cached = statement_cache_size if cached is None else cached
        self._on_open = on_open
        self.guards = False
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
        self._wanted = ("standby", "any") if wanted == "prefer-standby" else (wanted,)

    async def __call__(self, *_: object, **__: object) -> Link:
        """Return a new connection to the first host that answers and is what the URL asks for."""
        total = self._parameters.connect_timeout or min(self._timeout, CONNECT_SECONDS)
        share = total / len(self._places)
        failed: Exception | None = None
        for wanted in self._wanted:
            for number in range(len(self._places)):
                try:
                    async with asyncio.timeout(share):
                        link = await self._open(number, wanted)
                except _NEXT_HOST as error:
                    # "Not a primary" helps more than the error of a host that does not answer.
                    if not isinstance(failed, asyncpg.TargetServerAttributeNotMatched):
                        failed = error
                else:
                    return link
        assert failed is not None
        raise failed

    async def _open(self, number: int, wanted: Any) -> Link:
        link = None
        if self._cached != 0 and number not in self._pooled:
            link = await self._open_unshared(number, wanted)
        unshared = link is not None
        if link is None:
            link = await self._connect(number, wanted, {}, self._cached or 0)
            link.shared = not self._cached
            link.guarded = self._read_only
            self.guards |= self._read_only
        try:
            if self._read_only and unshared:
                # Not in the URL's own settings: asyncpg would take such a server for a replica.
                await link.execute("SET default_transaction_read_only = on")
            await read_times_exactly(link)
            version = getattr(link.get_settings(), "server_version", "")
            self._on_open(await link.is_standby(), version)
        except BaseException:
            link.terminate()
            raise
        return link

    async def _open_unshared(self, number: int, wanted: Any) -> Link | None:
        """Return a connection that has the server's session for itself, None behind a pooler."""
        cached = CACHED_STATEMENTS if self._cached is None else self._cached
        try:
            link = await self._connect(number, wanted, {MARK: self._mark}, cached)
        except _REFUSED:
            self._pooled.add(number)
            return None
        try:
            # Without a name, because behind a pooler other clients would meet the statement.
            question = await link.prepare(f"SELECT current_setting('{MARK}', true)", name="")
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
            server_settings={"application_name": self._parameters.application_name}
            | self._parameters.settings
            | settings,
            connection_class=Link,
        )
