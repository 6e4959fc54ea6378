"""The properties as pytest tests of any storage."""

from __future__ import annotations

import asyncio

import pytest

from ..storage.protocols import SupportsClose
from .kit import PROPERTIES, Open, Property, Traits

__all__ = ["StorageSuite"]


class StorageSuite:
    """Every property of a storage as a test; subclass it and give it two fixtures.

    ``open_storage`` is a function, or coroutine function, that opens a storage; within one test
    all that it opens are on the same data, which are empty at first. ``traits`` (``Traits``) says
    what a storage can't tell of itself; leave it out if there is nothing to say.

        class TestFolder(StorageSuite):
            @pytest.fixture
            def open_storage(self, tmp_path):
                return lambda: FolderStorage(tmp_path)

    A method that the storage lacks, and what ``traits.cannot`` names, is a strict xfail with its
    reason.
    """

    @pytest.fixture
    def traits(self) -> Traits:
        return Traits()

    @pytest.mark.parametrize("prop", PROPERTIES, ids=lambda prop: prop.name)
    def test_property(
        self,
        prop: Property,
        open_storage: Open,
        traits: Traits,
        request: pytest.FixtureRequest,
    ) -> None:
        async def check() -> None:
            storage = open_storage()
            if asyncio.iscoroutine(storage):
                storage = await storage
            missing = prop.missing(storage, traits)
            if isinstance(storage, SupportsClose):
                await storage.close()
            reason = traits.cannot.get(prop.name)
            if missing:
                reason = f"has no {', '.join(missing)}"
            if missing == ["outage"]:
                reason = "nothing can put it out of reach, or traits.outage would say how"
            if reason is not None:
                request.applymarker(pytest.mark.xfail(strict=True, reason=reason))
            if missing:
                raise NotImplementedError(reason)
            await prop.hold(open_storage, traits)

        asyncio.run(check())
