"""``get_or_create``: what others do at the same time."""

from __future__ import annotations

import asyncio

import pytest

import graphflow_nb as g
from graphflow_nb.storage.creating import get_or_create


def test_a_session_that_others_create_and_delete_again_and_again():
    class Restless:
        async def get(self, id):
            return None

        async def save(self, session):
            raise g.SessionConflict(session, None)

        async def delete(self, id): ...

    with pytest.raises(g.StorageError, match="ten times in a row"):
        asyncio.run(get_or_create(Restless(), "a", "start"))
