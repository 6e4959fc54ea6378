"""Connections for queries: how many are opened, and when."""

from __future__ import annotations

import asyncio
import threading

import pytest

from graphflow_nb.storage.sqlite.connection import SqliteConnection
from graphflow_nb.storage.sqlite.readers import Readers


def test_a_call_cancelled_while_it_opens_a_connection_leaves_no_job_behind(tmp_path, run):
    path, made, opened = str(tmp_path / "a.db"), [], asyncio.Event()

    class Slow(SqliteConnection):
        async def open(self) -> None:
            if len(made) == 2:
                opened.set()
                await asyncio.sleep(60)
            await super().open()

    def make() -> SqliteConnection:
        made.append(Slow(path, 5, read_only=False, create=True))
        return made[-1]

    async def cancel() -> None:
        readers, release = Readers(make), threading.Event()
        await readers.open()
        first = asyncio.create_task(readers.run(lambda _: release.wait(20)))
        await asyncio.sleep(0)
        second = asyncio.create_task(readers.run(lambda _: None))
        await opened.wait()
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        release.set()
        await first
        await readers.run(lambda _: None)
        assert len(made) == 2  # the first is free again, so a third is not opened
        await readers.close()

    run(cancel())
