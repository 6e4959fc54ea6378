"""Where versions differ, told from their patches as from their texts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from graphflow_nb.changes import pointer
from graphflow_nb.changes.comparing import compare
from graphflow_nb.errors import HistoryError

from .kit import awaited
from .test_archive import archive_of, conversation
from .test_encoding import contexts


def shorten(path: str) -> str:
    """The member of the context in which a path is: ``/data/amount``."""
    return "/".join(path.split("/")[:3])


async def changes_of(texts: list[str], *, compacted: bool) -> list[tuple[str, ...] | None]:
    archive = await archive_of(texts)
    if compacted:
        await archive.compact("a")
    return [paths for _, paths in await archive.changes("a", 1, 10**9)][::-1]


@settings(deadline=None)
@given(st.lists(contexts, min_size=1, max_size=6), st.booleans())
def test_they_are_where_the_texts_differ(texts: list[str], compacted: bool) -> None:
    first, *others = awaited_changes(texts, compacted)
    assert first is None
    for paths, before, after in zip(others, texts, texts[1:], strict=False):
        assert paths is not None
        found = {shorten(path.removeprefix("/context")) for path in paths}
        steps = compare(Raw(before.encode()), Raw(after.encode()))
        expected = {shorten(pointer(change.path)) for change in steps}
        if expected or before == after:
            assert found == expected
        else:  # the same values, spelled otherwise
            assert found in (set(), {""})


def awaited_changes(texts: list[str], compacted: bool) -> list[tuple[str, ...] | None]:
    found: list[tuple[str, ...] | None] = []

    @awaited
    async def run() -> None:
        found.extend(await changes_of(texts, compacted=compacted))

    run()
    return found


@pytest.mark.parametrize("compacted", [False, True])
@awaited
async def test_of_a_conversation_each_message_is_named(compacted: bool) -> None:
    found = await changes_of(conversation(80), compacted=compacted)
    for number, paths in enumerate(found[1:]):
        assert paths == ("/context/data/n", f"/context/chat_history/messages/{number}")


@pytest.mark.parametrize(
    ("before", "after", "paths"),
    [
        ('{"data":{"a":1}}', '{"data":{"a":1.0}}', ("/context/data/a",)),
        ('{"data":{"a":1}}', '{"data":{"a":"1"}}', ("/context/data/a",)),
        ('{"data":{"a":true}}', '{"data":{"a":1}}', ("/context/data/a",)),
        ('{"data":{"a":null}}', '{"data":{}}', ("/context/data/a",)),
        ('{"data":{"a.b/c~d":0}}', '{"data":{"a.b/c~d":{}}}', ("/context/data/a.b~1c~0d",)),
        ('{"data":{"l":[1,2,3]}}', '{"data":{"l":[0,1,2,3]}}', ("/context/data/l/0",)),
        ('{"data":{"l":[1,2,3]}}', '{"data":{"l":[1,3]}}', ("/context/data/l/1",)),
        ('{"data":{"n":12345678901234567890123}}', '{"data":{"n":12345678901234567890124}}',
         ("/context/data/n",)),
        ('{"data":{}}', '{"data": {}}', ("/context",)),
    ],
)  # fmt: skip
@awaited
async def test_near_equal_values_differ(before: str, after: str, paths: tuple[str, ...]) -> None:
    assert await changes_of([before, after], compacted=False) == [None, paths]


@awaited
async def test_what_is_not_json_is_an_error_that_names_the_session() -> None:
    archive = await archive_of(['{"data":{}}', "no JSON", '{"data":{"a":1}}'])
    with pytest.raises(HistoryError, match="session 'a' can't be compared"):
        await archive.changes("a", 1, 3)
