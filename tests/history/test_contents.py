"""Hostile contents in the history of each store: what was saved comes back to the letter."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from graphflow_nb import Session
from graphflow_nb.history import HistoryStorage, history_of

from .. import hostile
from ..scope import one_in, size
from ..stores import Store, empty_store
from .test_archive import row
from .test_encoding import histories

Run = Callable[[Coroutine[Any, Any, Any]], Any]

FORMS = ("documented", "crate-0.5", "crate-0.6")
KEPT = [
    *((kind, "storage") for kind in ("memory", "sqlite", "redis", *FORMS)),
    *((kind, "trigger") for kind in ("sqlite", *FORMS)),
]
HISTORIES = size(400, 10)  # of each of six stores


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with empty_store(request.param, request, tmp_path) as store:
        yield store


def parts_of(session: Session) -> tuple[Any, ...]:
    text = session.context_json()
    context = text if isinstance(text, str) else text.decode()
    names = (session.graph_id, session.current_task_id, session.status_message)
    return (session.id, *names, context, session.extra)


@one_in(5)
@pytest.mark.parametrize(("store", "keeper"), KEPT, indirect=["store"])
def test_what_is_hostile_is_kept_as_it_is_stored(run: Run, store: Store, keeper: str) -> None:
    async def work() -> None:
        storage = await store.open()
        if keeper == "trigger":
            await storage.history_table.create_trigger(None)
        else:
            await history_of(storage).create()
            storage = HistoryStorage(storage, retention=None)
        archive = history_of(storage)
        stored: dict[str, list[tuple[Any, ...]]] = {}
        for number, case in enumerate(hostile.SAMPLE):
            if not case.postgres and store.about.form:
                continue
            session = case.session()
            if store.about.form == "crate-0.5":
                session = session.copy(store.id(f"{number}"))
            await storage.upsert(session)
            first = await storage.get(session.id)
            changed = first.copy()
            changed.context["more"] = "x" * 40
            changed.current_task_id += " next"
            await storage.upsert(changed)
            second = await storage.get(session.id)
            await storage.delete(session.id)
            stored.setdefault(session.id, []).extend(map(parts_of, (first, second, second)))
        await archive.compact_all()
        for id, expected in stored.items():
            found = (await archive.sessions(id, 1, 10**9))[::-1]
            assert [parts_of(session) for _, session in found] == expected
            assert [v.deleted for v, _ in found] == [False, False, True] * (len(expected) // 3)
        await storage.close()

    run(work())


@one_in(3)
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("store", ["memory", "sqlite", "redis", *FORMS], indirect=True)
def test_any_history_is_rebuilt_from_the_patches_in_the_table(run: Run, store: Store) -> None:
    storage = run(store.open())
    archive = history_of(storage)
    run(archive.create())
    numbers, patches = count(), 0

    async def keep(history: list[str]) -> None:
        nonlocal patches
        id = store.id(f"{next(numbers)}")
        half, spelled = len(history) // 2, list[str | None]()
        for texts in (history[:half], history[half:]):
            await archive.append([row(text, id=id) for text in texts])
            kept = await archive.table.read(id, first=len(spelled) + 1)
            spelled += [version.context for version in kept[::-1]]
            await archive.compact(id)
        found = (await archive.sessions(id, 1, 10**9))[::-1]
        assert [session.context_json() for _, session in found] == spelled
        if store.about.form is None:  # JSONB spells it its own way
            assert spelled == history
        middle = await archive.session_at(id, half + 1)
        assert middle is not None
        assert middle.context_json() == spelled[half]
        patches += sum(version.patch is not None for version in await archive.table.read(id))

    @settings(max_examples=HISTORIES, deadline=None)
    @given(histories)
    def check(history: list[str]) -> None:
        run(keep(history))

    check()
    assert patches > HISTORIES / 2
    run(storage.close())
