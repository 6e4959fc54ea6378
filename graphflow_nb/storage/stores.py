"""The table of stores: each kind of store that ``connect`` opens, and how to register another.

What the package says and does by kind of store comes from this table: which storage a URL opens,
the URLs in errors and help texts, what is read-only by default, the labels in comparisons. README
and the tests are compared with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from inspect import Parameter, signature
from typing import Any, Final

from ..errors import ReadOnlyError, StorageError
from .memory import InMemorySessionStorage
from .postgres.storage import PostgresSessionStorage
from .protocols import SessionStorage
from .redis.storage import RedisSessionStorage
from .sqlite.location import read_location
from .sqlite.storage import SqliteSessionStorage
from .url import REDIS_SCHEMES, StoreUrl

__all__ = [
    "STORES",
    "StoreKind",
    "check_may_write",
    "example_urls",
    "find_kind",
    "is_server",
    "label_of",
    "register",
]

Opener = Callable[..., Awaitable[SessionStorage]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreKind:
    """A kind of store, by the scheme of its URLs.

    Example:
        >>> from graphflow_nb.storage.stores import find_kind
        >>> kind = find_kind("postgresql://me@db.example/flows")
        >>> kind.label, kind.is_server, kind.example
        ('PostgreSQL', True, 'postgresql://user@host/database')

    Args:
        label: The name that people read, for example in a comparison.
        storage: The class of the storage.
        schemes: The schemes of its URLs, without the colon.
        example: A URL as a user would write it, without a password.
        is_server: Whether the store is a server's, which may not be the user's to change:
            ``graphflow_nb.open`` then opens it for reading only by default, with the option
            ``read_only=`` if there is one, or else by refusing writes itself.
        connect: A coroutine function that takes the URL and options by name, and returns an open
            storage. Default: the class's ``connect``. It imports its driver itself, so that
            ``import graphflow_nb`` stays light.
        extra: The extra of graphflow_nb that installs the driver; None where none is needed.
    """

    label: str
    storage: type[Any]
    schemes: tuple[str, ...]
    example: str
    is_server: bool = False
    connect: Opener | None = None
    extra: str | None = None

    @property
    def opener(self) -> Opener:
        """The coroutine function that opens a storage from a URL and options."""
        found: Opener = self.connect or self.storage.connect
        return found

    @property
    def options(self) -> tuple[str, ...]:
        """The names of the options."""
        return tuple(p.name for p in self._parameters if p.kind is not Parameter.VAR_KEYWORD)

    def takes(self, option: str) -> bool:
        """Return whether there is an option of this name, or any may be given."""
        kinds = {parameter.kind for parameter in self._parameters}
        return option in self.options or Parameter.VAR_KEYWORD in kinds

    @property
    def _parameters(self) -> list[Parameter]:
        return list(signature(self.opener).parameters.values())[1:]

    async def open(self, url: StoreUrl, options: dict[str, Any]) -> SessionStorage:
        """Open the storage of a URL.

        Raises:
            StorageError: An option is unknown, or the store can't be opened.
        """
        unknown = [name for name in options if not self.takes(name)]
        if unknown:
            known = ", ".join(self.options)
            what = f"use {known}" if known else f"{self.label} takes none"
            raise StorageError(f"unknown option {', '.join(unknown)}: {what}")
        # Without its secrets in a variable, which verbose tracebacks would show.
        return await self.opener(url.reveal(), **options)


#: The kinds of stores by label, in the order in which people read them.
STORES: Final[dict[str, StoreKind]] = {}


def register(kind: StoreKind) -> None:
    """Make ``connect`` and ``graphflow_nb.open`` open one more kind of store.

    A second registration with the same label replaces the first, as when a cell is run again.

    Example:
        >>> from graphflow_nb.storage import InMemorySessionStorage, StoreKind, connect, register
        >>> class Shelf(InMemorySessionStorage):
        ...     @classmethod
        ...     async def connect(cls, url, *, read_only=False):
        ...         return cls()
        >>> register(StoreKind(label="Shelf", storage=Shelf, schemes=("shelf",), example="shelf:a"))
        >>> type(await connect("shelf:top")).__name__
        'Shelf'

    Args:
        kind: The kind of store.

    Raises:
        StorageError: Another kind has one of the schemes, or the class has no ``connect``.
    """
    if not isinstance(kind, StoreKind):
        raise StorageError(f"register takes a StoreKind, not {kind!r}")
    for other in STORES.values():
        taken = [scheme for scheme in kind.schemes if scheme in other.schemes]
        if taken and other.label != kind.label:
            raise StorageError(f"{other.label} has the scheme {taken[0]}: already; choose another")
    if kind.connect is None and not callable(getattr(kind.storage, "connect", None)):
        raise StorageError(
            f"{kind.storage.__name__} has no coroutine connect(url, **options); add one as a class "
            "method, or give connect="
        )
    STORES[kind.label] = kind


def find_kind(url: str | StoreUrl) -> StoreKind | None:
    """Return the kind of store that a URL names; None if the scheme is unknown."""
    scheme = StoreUrl(url).scheme
    return next((kind for kind in STORES.values() if scheme in kind.schemes), None)


def is_server(url: str | StoreUrl) -> bool:
    """Return whether a URL names a server's store, read-only by default in ``open``."""
    kind = find_kind(url)
    return kind is not None and kind.is_server


def example_urls() -> str:
    """Return an example URL of each kind of store, as one phrase.

    Example:
        >>> from graphflow_nb.storage.stores import example_urls
        >>> example_urls().startswith("memory:, ")
        True
    """
    urls = [kind.example for kind in STORES.values()]
    return f"{', '.join(urls[:-1])} or {urls[-1]}"


def label_of(storage: object) -> str:
    """Return the label of a storage's kind; the name of its class where that is not registered."""
    labels = (kind.label for kind in STORES.values() if type(storage) is kind.storage)
    return next(labels, type(storage).__name__)


async def _open_memory(url: str) -> InMemorySessionStorage:
    return InMemorySessionStorage()


@wraps(SqliteSessionStorage.connect)  # whose options it takes
async def _open_sqlite(url: str, **options: Any) -> SqliteSessionStorage:
    path, asked = read_location(url)
    return await SqliteSessionStorage.connect(path, **(options | asked))


register(
    StoreKind(
        label="memory",
        storage=InMemorySessionStorage,
        schemes=("memory",),
        example="memory:",
        connect=_open_memory,
    )
)
register(
    StoreKind(
        label="SQLite",
        storage=SqliteSessionStorage,
        schemes=("sqlite",),
        example="sqlite:sessions.db",
        connect=_open_sqlite,
    )
)
register(
    StoreKind(
        label="PostgreSQL",
        storage=PostgresSessionStorage,
        schemes=("postgresql", "postgres"),
        example="postgresql://user@host/database",
        is_server=True,
    )
)
register(
    StoreKind(
        label="Redis",
        storage=RedisSessionStorage,
        schemes=tuple(REDIS_SCHEMES),
        example="redis://host:6379/0",
        is_server=True,
        extra="redis",
    )
)


def check_may_write(url: str | StoreUrl, writable: bool | None) -> None:
    """Raise ReadOnlyError if a URL is that of a server's database and writing was not asked for.

    Every function that writes to a store which it opens by URL asks here.

    Args:
        url: The URL of the store.
        writable: What the caller was told: True to write; None or False if nobody said so.

    Raises:
        ReadOnlyError: Nothing may be written there.
    """
    if not writable and is_server(url):
        raise ReadOnlyError(
            f"{StoreUrl(url)} is a server's database, where nothing is written unless you ask for "
            "it: nothing was changed. Pass writable=True to write there"
        )
