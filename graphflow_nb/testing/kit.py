"""Kit: storages on the same data, with which a property is checked; and the properties."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple

from ..errors import GraphflowError
from ..model import Session, exactjson
from ..storage.attributes import ATTRIBUTES, attributes_of
from ..storage.capabilities import CAPABILITIES
from ..storage.protocols import SessionStorage, SupportsClose

__all__ = [
    "PROPERTIES",
    "Deviation",
    "Kit",
    "Missing",
    "NotTested",
    "Open",
    "Property",
    "Traits",
    "add_property",
    "expect_all_same",
    "expect_error",
    "expect_same",
    "expect_same_json",
    "resolve",
]

#: A function, or coroutine function, that opens a storage.
Open = Callable[[], Any]

#: The seconds that one property may take.
PATIENCE: Final = 60.0


class Deviation(AssertionError):
    """The error for a storage that does not do what it should; its text reports what it did."""


class NotTested(Exception):
    """The error of a property that can't be checked on this storage; its text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """Facts that a storage can't report about itself.

    Example:
        >>> from graphflow_nb import InMemorySessionStorage
        >>> from graphflow_nb.testing import Traits, check
        >>> traits = Traits(make_id=lambda name: f"test:{name}")
        >>> check(InMemorySessionStorage, traits=traits).ok
        True

    Args:
        make_id: A function that makes an id which the store accepts from a short name; the ids
            must have the order of the names.
        cannot: The reasons why properties can't hold here, by name. The checks expect them to fail.
        outage: Returns an asynchronous context manager in which the store is out of reach.
        open_read_only: Opens a storage on the data of the given one, for reading only.
        open_elsewhere: Returns, for a storage, a function without arguments that opens another
            one on the same data in another process, to which it is sent by pickle; e.g.
            ``lambda storage: functools.partial(connect, url)``.
    """

    make_id: Callable[[str], str] = str
    cannot: Mapping[str, str] = field(default_factory=dict)
    outage: Callable[[], AbstractAsyncContextManager[Any]] | None = None
    open_read_only: Callable[[Any], Any] | None = None
    open_elsewhere: Callable[[Any], Callable[[], Any]] | None = None


#: The traits without which a property is not checked, and how to give each.
_TRAITS: Final = {
    "outage": "give traits=Traits(outage=…), a way to put the store out of reach for a while",
    "open_read_only": "give traits=Traits(open_read_only=…), which opens it for reading only",
    "open_elsewhere": "give traits=Traits(open_elsewhere=…), which opens it in another process",
}


async def resolve(storage: Any) -> Any:
    """Return a storage that a plain function or a coroutine function opened."""
    return await storage if inspect.isawaitable(storage) else storage


class Kit:
    """A storage on data that are empty at first, and the helpers that a property needs.

    Args:
        open: Opens a storage, each time on the same data.
        traits: The traits of the store.

    Attributes:
        open, traits: As given.
        storage: The storage that is checked.
    """

    def __init__(self, open: Open, traits: Traits):
        self.traits = traits
        self.open = open
        self._opened: list[Any] = []
        self.storage: Any = None

    async def __aenter__(self) -> Kit:
        self.storage = await self.reopen()
        return self

    async def __aexit__(self, *_: object) -> None:
        for storage in self._opened:
            if isinstance(storage, SupportsClose):
                await storage.close()

    async def reopen(self) -> Any:
        """Open one more storage on the same data; it is closed at the end."""
        return await self.keep(self.open())

    async def keep(self, storage: Any) -> Any:
        """Return a storage, awaited if necessary, and close it at the end."""
        storage = await resolve(storage)
        if storage not in self._opened:
            self._opened.append(storage)
        return storage

    def id(self, name: str) -> str:
        """Return the id for a short name."""
        return self.traits.make_id(name)

    def new(self, name: str = "a", task: str = "t", **more: Any) -> Session:
        """Return a new session."""
        return Session(self.id(name), task, **more)

    async def save_new(self, name: str = "a", task: str = "t", **more: Any) -> Session:
        """Save a new session and return it."""
        session = self.new(name, task, **more)
        await self.storage.save(session)
        return session

    async def read(self, name: str = "a") -> Session:
        """Return the stored session of a name, which must be there."""
        found: Session | None = await self.storage.get(self.id(name))
        if found is None:
            raise Deviation(f"get returned None for session {self.id(name)!r}, which was saved")
        return found


Check = Callable[[Kit], Awaitable[None]]


class Missing(NamedTuple):
    """The methods or attributes that a storage lacks for a property, or the trait.

    Attributes:
        optional: The reason why it may lack them; None for a trait, without which nothing is known.
        remedy: The way to add them.
    """

    optional: str | None
    remedy: str

    def __str__(self) -> str:
        if self.optional is None:
            return f"not tested: {self.remedy}"
        return f"not offered (optional: {self.optional}); {self.remedy}"


@dataclass(frozen=True, slots=True)
class Property:
    """Something that holds for every complete storage.

    Example:
        >>> from graphflow_nb.testing import PROPERTIES
        >>> PROPERTIES[0].name, PROPERTIES[0].statement
        ('absence', 'An unknown id is None for get and no error for delete.')

    Attributes:
        name: The name, e.g. ``absence``.
        capability: The part of a storage that it is about, e.g. ``save, get, delete``.
        statement: The sentence that holds.
        remedy: The advice for a storage in which it does not hold.
        check: A coroutine function that raises an exception if it does not hold.
        protocols: The capabilities that it needs.
        attribute: The attribute of the storage that it is about; None for none.
        trait: The trait that it needs; None for none.
    """

    name: str
    capability: str
    statement: str
    remedy: str
    check: Check
    protocols: tuple[type, ...] = ()
    attribute: str | None = None
    trait: str | None = None

    def find_missing(self, storage: SessionStorage, traits: Traits) -> Missing | None:
        """Return what it needs and the storage lacks; None if nothing is missing."""
        lacks = [
            capability
            for capability in CAPABILITIES
            if capability.protocol in self.protocols
            and not isinstance(storage, capability.protocol)
        ]
        if lacks:
            optional = "; ".join(capability.optional for capability in lacks)
            methods = ", ".join(
                f"async def {name}(…)" for capability in lacks for name in capability.methods
            )
            return Missing(optional, f"add {methods}, as graphflow_nb.storage describes")
        if self.attribute is not None and not attributes_of(storage).sets(self.attribute):
            return Missing(
                ATTRIBUTES[self.attribute],
                f"set the attribute {self.attribute}, as graphflow_nb.storage.StorageAttributes "
                "describes",
            )
        if self.trait is not None and getattr(traits, self.trait) is None:
            return Missing(None, _TRAITS[self.trait])
        return None

    async def hold(self, open: Open, traits: Traits) -> None:
        """Check it on fresh data.

        Raises:
            Deviation: It does not hold.
            NotTested: It can't be checked on this storage.
        """
        try:
            async with asyncio.timeout(PATIENCE), Kit(open, traits) as kit:
                await self.check(kit)
        except (Deviation, NotTested):
            raise
        except TimeoutError as error:
            raise Deviation(f"no answer within {PATIENCE:.0f} s") from error
        except GraphflowError as error:
            raise Deviation(f"raised {type(error).__name__}: {error}") from error
        except Exception as error:
            raise Deviation(
                f"raised {type(error).__name__}: {error}, which is none of graphflow_nb.errors"
            ) from error


PROPERTIES: Final[list[Property]] = []


def add_property(
    capability: str,
    remedy: str,
    *protocols: type,
    attribute: str | None = None,
    trait: str | None = None,
) -> Callable[[Check], Check]:
    """Add a property, whose statement is the docstring of its check, to ``PROPERTIES``.

    Args:
        capability, remedy, protocols, attribute, trait: As for ``Property``.
    """

    def add(check: Check) -> Check:
        assert check.__doc__ is not None
        statement = " ".join(check.__doc__.split())
        PROPERTIES.append(
            Property(
                check.__name__, capability, statement, remedy, check, protocols, attribute, trait
            )
        )
        return check

    return add


def expect_same(found: Any, wanted: Any, what: str) -> None:
    """Raise Deviation unless both are equal."""
    if found != wanted:
        raise Deviation(f"{what}: {_shorten(found)}, but should be {_shorten(wanted)}")


def expect_same_json(found: str | bytes, wanted: str | bytes, what: str) -> None:
    """Raise Deviation unless both are the same JSON, digit by digit."""
    if not _same_digits(exactjson.decode_exact(found), exactjson.decode_exact(wanted)):
        raise Deviation(f"{what}: {_shorten(found)}, but should be {_shorten(wanted)}")


def _same_digits(a: Any, b: Any) -> bool:
    return exactjson.equal(a, b) and _with_digits(a) == _with_digits(b)


def _with_digits(value: Any) -> Any:
    """Return a value with the digits of its numbers: 1.10 is not 1.1, but 1e5 is 100000."""
    if isinstance(value, int) and not isinstance(value, bool):
        return (value, 0)
    if isinstance(value, dict):
        return {key: _with_digits(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_digits(item) for item in value]
    if isinstance(value, Decimal) and value.is_finite():
        exponent = value.as_tuple().exponent
        return (value, min(int(exponent), 0))
    return value


async def expect_error(
    call: Awaitable[Any], kinds: type[Exception] | tuple[type[Exception], ...], what: str
) -> Any:
    """Return the error that a call raises.

    Raises:
        Deviation: The call raises no error, or one of another kind.
    """
    try:
        answer = await call
    except kinds as error:
        return error
    except Exception as error:
        raise Deviation(f"{what} raised {type(error).__name__}: {error}") from error
    names = " or ".join(k.__name__ for k in (kinds if isinstance(kinds, tuple) else (kinds,)))
    raise Deviation(
        f"{what} was accepted (it returned {_shorten(answer)}), but should raise {names}"
    )


def expect_all_same(pairs: Iterable[tuple[Any, Any, str]]) -> None:
    """Raise Deviation unless the two of each pair are equal; it names those that differ."""
    wrong = []
    for found, wanted, what in pairs:
        try:
            expect_same(found, wanted, what)
        except Deviation as deviation:
            wrong.append(str(deviation))
    if wrong:
        more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise Deviation("; ".join(wrong[:3]) + more)


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:200]} … {text[-60:]} ({len(text):,} characters)"
