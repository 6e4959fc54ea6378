"""Upkeep of a store: its form, its trigger and its index."""

from __future__ import annotations

from collections.abc import Callable

from ..dual import dual
from ..storage import Migration
from ..storage.capabilities import require
from ..storage.checks import check_callables
from ..storage.protocols import SupportsIndex, SupportsMigration, SupportsTrigger
from .connected import Connected

__all__ = ["Upkeep"]


class Upkeep(Connected):
    """A store that can be migrated, can announce changes and be indexed."""

    @dual
    async def plan_migration(self) -> Migration:
        """Return the SQL that brings an older PostgreSQL table to graph-flow 0.6's form.

        Runs nothing.
        """
        return await require(self.storage, SupportsMigration).plan_migration()

    @dual
    async def migrate(self) -> Migration:
        """Run what ``plan_migration`` shows, in one transaction."""
        return await require(self.storage, SupportsMigration).migrate()

    @dual
    async def plan_trigger(self) -> Migration:
        """Return the SQL of a trigger by which PostgreSQL announces each change; runs nothing.

        With it ``browse()`` follows changes as they happen instead of polling every two seconds.
        Each write costs some 10 µs more with it.
        """
        return await require(self.storage, SupportsTrigger).plan_trigger()

    @dual
    async def install_trigger(self) -> Migration:
        """Run what ``plan_trigger`` shows."""
        return await require(self.storage, SupportsTrigger).install_trigger()

    @dual
    async def remove_trigger(self) -> Migration:
        """Remove the trigger, if there is one."""
        return await require(self.storage, SupportsTrigger).remove_trigger()

    @dual
    async def build_index(
        self,
        *,
        progress: Callable[[int, int | None], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> int:
        """Build or update Redis' index; see ``Workbench.build_index``, which shows its progress."""
        check_callables(progress=progress, stop=stop)
        build = require(self.storage, SupportsIndex).build_index
        return await build(progress=progress, stop=stop)

    @dual
    async def drop_index(self) -> None:
        """Remove the index of ``build_index``, if there is one."""
        await require(self.storage, SupportsIndex).drop_index()
