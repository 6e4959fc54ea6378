"""What the catalog of a PostgreSQL server says about a table of sessions."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, NamedTuple

import asyncpg

from ...errors import StorageError, StorageMissing
from ..address import Address
from ..checks import WRITABLE, describe_not_kept
from ..url import StoreUrl, server_of
from . import sql as sql
from .connections import Connection
from .errors import NOT_SPOKEN

__all__ = ["RIGHTS", "Found", "Inspector", "find_missing_rights", "has_triggers"]

#: What the work of this package takes, and what to do without it.
RIGHTS: Final = (
    "Reading takes SELECT on the table, writing also INSERT, UPDATE and DELETE, both USAGE on its "
    "schema; ask for the right, or open it as another user"
)
_ID_TYPES: Final = {"uuid", "text", "character varying"}
_OURS: Final = ["id", "version", *sql.COLUMNS]


class Found(NamedTuple):
    """The result of an inspection of the table."""

    form: sql.TableForm
    name: str  # quoted, with a schema if the user named one
    address: Address
    identity: str
    no_restore: str  # why what is deleted could not be put back as it was; empty where it can be


class Inspector:
    """Finds out what form a table has, and why it can't be used.

    Args:
        name: The table's name as the user wrote it.
        url: The URL of the server.
        read_only: Whether the table is opened for reading only.

    Attributes:
        lacks_xmin: Whether rows have no ``xmin``, whatever the catalog says.
    """

    def __init__(self, name: str, url: StoreUrl, *, read_only: bool):
        self._name = name
        self._url = url
        self._read_only = read_only
        self._statement = ""
        self.lacks_xmin = False

    async def choose_statement(self, attempt: Callable[[], Awaitable[Found]]) -> Found:
        """Find out how the server can be identified, and return what the first inspection found.

        Args:
            attempt: The function that inspects the table, and undoes what fails.
        """
        for system in sql.SYSTEMS[:-1]:
            self._statement = sql.inspect_statement(system)
            with suppress(*NOT_SPOKEN):
                return await attempt()
        self._statement = sql.inspect_statement(sql.SYSTEMS[-1])
        return await attempt()

    async def inspect(
        self, connection: Connection, *, create: bool = False, standby: bool
    ) -> Found:
        """Return what the catalog says about the table.

        Args:
            connection: The connection.
            create: Whether to create the table if there is none and this user may write.
            standby: Whether the server is a replica.

        Raises:
            StorageError: There is no such table, or it is not one of sessions.
        """
        parts = sql.parse_name(self._name)
        if parts is None:
            raise StorageError(
                f"{self._name!r} is not the name of a table: write 'table' or 'schema.table', and "
                "put double quotes around what is not lower case"
            )
        # Where the path is fixed, a name without a schema is found by the user's own.
        schemas = list(connection.schemas) if len(parts) == 1 else []
        row = await connection.fetchrow(self._statement, parts, schemas, _OURS)
        if row["present"] and row["columns"] is None:
            # Created after this statement began: its name is visible before its columns are.
            row = await connection.fetchrow(self._statement, parts, schemas, _OURS)
        if not row["present"]:
            if self._read_only or standby or not create:
                hidden = await self.find_hidden_schemas(connection)
                raise self._missing(row["quoted"], hidden, standby=standby)
            # Another client may be creating it at this moment.
            races = (asyncpg.UniqueViolationError, asyncpg.DuplicateObjectError)
            with suppress(*races, asyncpg.DuplicateTableError):
                await self._create(connection, row["quoted"])
            return await self.inspect(connection, standby=standby)
        form = _form_of(row)
        if self.lacks_xmin:
            form = replace(form, xmin=False)
        # Materialized views and foreign tables have no keys, and can only be read.
        keyless = row["keyless"] and self._read_only
        if not (row["unique_id"] or keyless or await self._keeps_ids_unique(connection, form)):
            raise StorageError(f"{form.table} has no unique index on id, so no save would be safe")
        if row["nullable"] and await connection.fetchval(sql.HAS_NULL.format(form.table)):
            raise StorageError(
                f"{form.table} has rows whose id is NULL, which no call could name: nothing was "
                f"read. Give them ids, or delete them: DELETE FROM {form.table} WHERE id IS NULL"
            )
        server = server_of(self._url)
        system = row["system"] or ":".join(str(part) for part in server if part is not None)
        return Found(
            form,
            row["name"],
            Address("postgresql", *server, row["namespace"] or None, self._name),
            f"postgresql:{system}/{row['database']}/{row['relation']}",
            _find_no_restore(row),
        )

    async def _create(self, connection: Connection, table: str) -> None:
        try:
            async with connection.transaction():  # or what comes after an error would fail too
                await connection.execute(sql.create_statement(table))
        except (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidSchemaNameError) as error:
            hidden = await self.find_hidden_schemas(connection)
            if not hidden and isinstance(error, asyncpg.InvalidSchemaNameError):
                raise
            lacking = f"USAGE on the schema {hidden}" if hidden else "CREATE on the schema"
            raise StorageError(
                f"table {table} does not exist in {self._url}, and this user may not create one "
                f"({self._url.mask(error)}): it lacks {lacking}. Nothing was created. {RIGHTS}",
                nothing_written=True,
            ) from error

    async def find_hidden_schemas(self, connection: Connection) -> str | None:
        """Return the schemas that may hide the table, since the user may not use them."""
        *schema, name = sql.parse_name(self._name) or [self._name]
        with suppress(*NOT_SPOKEN):
            found: str | None = await connection.fetchval(
                sql.HIDDEN_SCHEMAS, schema[-1] if schema else None, name
            )
            return found
        return None

    async def _keeps_ids_unique(self, connection: Connection, form: sql.TableForm) -> bool:
        """Return whether no id has a second row, where the catalog does not say."""
        try:
            await connection.fetch(sql.Statements(form).explain_unique)
        except asyncpg.InvalidColumnReferenceError:
            return False
        except asyncpg.InsufficientPrivilegeError:
            return True  # the server does not answer users who may not write
        except (asyncpg.ObjectNotInPrerequisiteStateError, asyncpg.WrongObjectTypeError) as error:
            if self._read_only:
                return True  # a view that can only be read
            raise StorageError(
                f"{form.table} can only be read ({error}): leave writable=True out",
                nothing_written=True,
            ) from error
        return True

    def _missing(self, table: str, hidden: str | None, *, standby: bool) -> StorageError:
        return StorageError(
            f"table {table} does not exist in {self._url}"
            + (
                f", as far as this user sees, who lacks USAGE on the schema {hidden}"
                if hidden
                else ""
            )
            + (", and a replica can't create one" if standby else "")
            + (", and a read-only workbench creates none" if self._read_only else "")
            + "; graphflow_nb.open(url, table='schema.table') opens another"
            + (f", {WRITABLE} creates it" if self._read_only and not standby else "")
        )


async def find_missing_rights(
    connection: Connection, tables: Sequence[str], text: str
) -> str | None:
    """Return the rights that the user lacks on a table; None where that is not known.

    Args:
        connection: The connection.
        tables: The quoted names of the tables that were used.
        text: The error of the server, which names the one that it is about.
    """
    for table in tables:
        if _is_named(table, text):
            found = await connection.fetchval(sql.MISSING_RIGHTS, table)
            return f"{found} on {table}" if found else None
    return None


async def has_triggers(connection: Connection, table: str) -> bool:
    """Return whether triggers may change or skip rows of a table.

    Args:
        connection: The connection.
        table: The quoted name of the table.
    """
    with suppress(*NOT_SPOKEN):
        async with connection.transaction():
            return bool(await connection.fetchval(sql.HAS_TRIGGERS, table))
    return False


def _form_of(row: Any) -> sql.TableForm:
    """Return the form that the catalog describes.

    Raises:
        StorageMissing: It is not a table of sessions.
    """
    columns = json.loads(row["columns"] or "{}")
    wrong = [name for name, types in sql.COLUMNS.items() if columns.get(name) not in types]
    if columns.get("id") not in _ID_TYPES:
        wrong.insert(0, "id")
    if columns.get("version", "bigint") != "bigint":
        wrong.append("version")
    if wrong:
        raise StorageMissing(
            f"{row['quoted']} is not a graph-flow sessions table: "
            + ", ".join(f"{name} is {columns.get(name, 'missing')}" for name in wrong)
        )
    return sql.TableForm(
        row["quoted"], columns["id"] == "uuid", "version" in columns, bool(row["xmin"])
    )


def _find_no_restore(row: Any) -> str:
    """Return why what is deleted could not be put back as it was; empty where it can be."""
    if not row["inserts"]:
        return f"this user lacks INSERT on {row['quoted']}"
    return describe_not_kept(row["quoted"], row["others"], row["tied"])


def _is_named(table: str, text: str) -> bool:
    """Return whether a text of the server names a table, and not another one that begins so."""
    name = (sql.parse_name(table) or [table])[-1]
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None
