"""A storage that fails when it is told to."""

from __future__ import annotations

import asyncio

import graphflow_nb as g


class Faulty(g.InMemorySessionStorage):
    """Fails the next ``failures`` calls with ``error``; ``after`` says a write is made first."""

    def __init__(self, name="faulty"):
        super().__init__()
        self.name = name
        self.failures = 0
        self.error: Exception = g.StorageUnavailable("out of reach")
        self.after = False
        self.calls: list[str] = []
        self.pause: asyncio.Event | None = None
        self.closed = False

    async def _fault(self, method):
        self.calls.append(method)
        if self.pause is not None:
            await self.pause.wait()
        if self.failures:
            self.failures -= 1
            raise self.error

    async def save(self, session):
        if self.after and self.failures:
            await super().save(session)
        await self._fault("save")
        await super().save(session)

    async def get(self, id):
        await self._fault("get")
        return await super().get(id)

    async def delete(self, id):
        await self._fault("delete")
        await super().delete(id)

    async def delete_unchanged(self, sessions):
        if self.after and self.failures:
            await super().delete_unchanged(sessions)
        await self._fault("delete_unchanged")
        return await super().delete_unchanged(sessions)

    async def upsert(self, session):
        await self._fault("upsert")
        await super().upsert(session)

    async def count(self, query):
        await self._fault("count")
        return await super().count(query)

    async def close(self):
        self.closed = True

    def __repr__(self):
        return f"<{self.name}>"
