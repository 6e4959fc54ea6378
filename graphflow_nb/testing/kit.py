"""What a property is checked with: storages on the same data, and words for what went wrong."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Final

from ..errors import GraphflowError
from ..model import Session, exactjson
from ..storage.protocols import SessionStorage, SupportsClose

__all__ = [
    "PROPERTIES",
    "Deviation",
    "Kit",
    "Open",
    "Property",
    "Traits",
    "holds",
    "refused",
    "same",
]

#: Opens a storage; a plain function or a coroutine function.
Open = Callable[[], Any]

#: Seconds that one property may take.
PATIENCE: Final = 60.0


class Deviation(AssertionError):
    """A storage does not do what it should; the text says what it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a storage can't tell of itself.

    Attributes:
        make_id: an id that the store takes, for a short name; where ids are ordered, in the order
            of the names.
        cannot: why a property can't hold here, by its name. It is checked that it does not.
        outage: an asynchronous context manager within which the store is out of reach.
    """

    make_id: Callable[[str], str] = str
    cannot: Mapping[str, str] = field(default_factory=dict)
    outage: Callable[[], AbstractAsyncContextManager[Any]] | None = None


class Kit:
    """A storage on data that are empty at first, and what else a property needs.

    Args:
        open: opens a storage; each one on the same data.
        traits: of the store.
    """

    def __init__(self, open: Open, traits: Traits):
        self.traits = traits
        self._open = open
        self._opened: list[Any] = []
        self.storage: Any = None

    async def __aenter__(self) -> Kit:
        self.storage = await self.again()
        return self

    async def __aexit__(self, *_: object) -> None:
        for storage in self._opened:
            if isinstance(storage, SupportsClose):
                await storage.close()

    async def again(self) -> Any:
        """One more storage on the same data; it is closed at the end."""
        storage = self._open()
        if inspect.isawaitable(storage):
            storage = await storage
        if storage not in self._opened:
            self._opened.append(storage)
        return storage

    def id(self, name: str) -> str:
        return self.traits.make_id(name)

    def new(self, name: str = "a", task: str = "t", **more: Any) -> Session:
        """A new session."""
        return Session(self.id(name), task, **more)

    async def saved(self, name: str = "a", task: str = "t", **more: Any) -> Session:
        """A new session that was saved."""
        session = self.new(name, task, **more)
        await self.storage.save(session)
        return session

    async def read(self, name: str = "a") -> Session:
        """The stored session of a name, which must be there."""
        found = await self.storage.get(self.id(name))
        if found is None:
            raise Deviation(f"get says None for session {self.id(name)!r}, which was saved")
        return found  # type: ignore[no-any-return]


Check = Callable[[Kit], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Property:
    """Something that holds for every complete storage.

    Attributes:
        name: e.g. ``absence``.
        capability: the part of a storage that it is about, e.g. ``save, get, delete``.
        statement: what holds, in words.
        remedy: what it takes.
        needs: methods without which it means nothing; ``outage`` for a way to cause one.
        check: raises an exception if it does not hold.
    """

    name: str
    capability: str
    statement: str
    remedy: str
    needs: tuple[str, ...]
    check: Check

    def missing(self, storage: SessionStorage, traits: Traits) -> list[str]:
        """What it needs and the storage lacks."""
        lacks = [n for n in self.needs if n != "outage" and getattr(storage, n, None) is None]
        return lacks + ["outage"] * ("outage" in self.needs and traits.outage is None)

    async def hold(self, open: Open, traits: Traits) -> None:
        """Check it on fresh data.

        Raises:
            Deviation: it does not hold.
        """
        try:
            async with asyncio.timeout(PATIENCE), Kit(open, traits) as kit:
                await self.check(kit)
        except Deviation:
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


def holds(capability: str, remedy: str, *needs: str) -> Callable[[Check], Check]:
    """Note a property; its statement is the docstring."""

    def note(check: Check) -> Check:
        assert check.__doc__ is not None
        statement = " ".join(check.__doc__.split())
        name = check.__name__
        PROPERTIES.append(Property(name, capability, statement, remedy, needs, check))
        return check

    return note


def same(found: Any, wanted: Any, what: str) -> None:
    """Raise Deviation unless both are equal."""
    if found != wanted:
        raise Deviation(f"{what}: {_short(found)}, but should be {_short(wanted)}")


def same_json(found: str | bytes, wanted: str | bytes, what: str) -> None:
    """Raise Deviation unless both are the same JSON, to the last digit of every number."""
    if not _same_digits(exactjson.decode_exact(found), exactjson.decode_exact(wanted)):
        raise Deviation(f"{what}: {_short(found)}, but should be {_short(wanted)}")


def _same_digits(a: Any, b: Any) -> bool:
    return exactjson.equal(a, b) and _digits(a) == _digits(b)


def _digits(value: Any) -> Any:
    """Numbers as written: 1.10 is not 1.1, but 1e5 is 100000."""
    if isinstance(value, int) and not isinstance(value, bool):
        return (value, 0)
    if isinstance(value, dict):
        return {key: _digits(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_digits(item) for item in value]
    if hasattr(value, "as_tuple") and value.is_finite():
        return (value, min(value.as_tuple().exponent, 0))
    return value


async def refused(
    call: Awaitable[Any], kinds: type[Exception] | tuple[type[Exception], ...], what: str
) -> Any:
    """The error that a call raises; raises Deviation if it raises none, or one of another kind."""
    try:
        answer = await call
    except kinds as error:
        return error
    except Exception as error:
        raise Deviation(f"{what} raised {type(error).__name__}: {error}") from error
    names = " or ".join(k.__name__ for k in (kinds if isinstance(kinds, tuple) else (kinds,)))
    raise Deviation(f"{what} was accepted (it said {_short(answer)}), but should raise {names}")


def all_same(pairs: Iterable[tuple[Any, Any, str]]) -> None:
    """As ``same`` for several, naming all that differ."""
    wrong = []
    for found, wanted, what in pairs:
        try:
            same(found, wanted, what)
        except Deviation as deviation:
            wrong.append(str(deviation))
    if wrong:
        more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise Deviation("; ".join(wrong[:3]) + more)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:200]} … {text[-60:]} ({len(text):,} characters)"
