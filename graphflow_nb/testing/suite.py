"""StorageSuite: the properties as pytest tests of any storage."""

from __future__ import annotations

import asyncio

import pytest

from ..storage.protocols import SupportsClose
from .kit import PROPERTIES, NotTested, Open, Property, Traits, resolve

__all__ = ["StorageSuite"]


class StorageSuite:
    """A base class of tests, one for each property of a storage.

    A subclass has one or two fixtures. ``open_storage`` returns a function, or coroutine function,
    that opens a storage; within one test all that it opens are on the same data, which are empty at
    first. ``traits`` (``Traits``) returns what a storage can't report about itself; it is optional.
    What the storage does not offer, and what ``traits.cannot`` names, is a strict xfail with its
    reason.

    Example:
        >>> import pytest
        >>> from graphflow_nb import InMemorySessionStorage
        >>> from graphflow_nb.testing import StorageSuite
        >>> class TestMemory(StorageSuite):
        ...     @pytest.fixture
        ...     def open_storage(self):
        ...         storage = InMemorySessionStorage()
        ...         return lambda: storage
    """

    @pytest.fixture
    def traits(self) -> Traits:
        """Return the facts that the storage can't report about itself."""
        return Traits()

    @pytest.mark.parametrize("prop", PROPERTIES, ids=lambda prop: prop.name)
    def test_property(
        self,
        prop: Property,
        open_storage: Open,
        traits: Traits,
        request: pytest.FixtureRequest,
    ) -> None:
        """Check one property on fresh data."""

        async def check() -> None:
            storage = await resolve(open_storage())
            missing = prop.find_missing(storage, traits)
            if isinstance(storage, SupportsClose):
                await storage.close()
            reason = str(missing) if missing is not None else traits.cannot.get(prop.name)
            if reason is not None:
                request.applymarker(pytest.mark.xfail(strict=True, reason=reason))
            if missing is not None:
                raise NotImplementedError(reason)
            try:
                await prop.hold(open_storage, traits)
            except NotTested as error:
                reason = f"not tested: {error}"
                request.applymarker(pytest.mark.xfail(strict=True, reason=reason))
                raise

        asyncio.run(check())
