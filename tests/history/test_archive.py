"""The versions of sessions: read, compacted, pruned."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphflow_nb import InMemorySessionStorage, ReadOnlyError, ReadOnlyStorage, StorageError
from graphflow_nb.errors import CapabilityError, HistoryError
from graphflow_nb.history import HistoryArchive, Retention, history_of
from graphflow_nb.history.encoding import MAX_CHAIN, encode
from graphflow_nb.storage.history import Expired, VersionRow
from graphflow_nb.storage.memory_history import MemoryHistory

from .kit import awaited
from .test_encoding import HISTORIES, contexts, histories

DAY = 86_400_000_000


def row(context: str, at: int = 0, *, id: str = "a", deleted: bool = False) -> VersionRow:
    return VersionRow(
        id, 0, None, at, "g", "t", None, None, deleted, context, None, len(context), "written", ""
    )


def conversation(steps: int) -> list[str]:
    chat = [{"role": "User", "content": f"message {i} {'x' * 60}"} for i in range(steps)]
    return [
        json.dumps({"data": {"n": i}, "chat_history": {"messages": chat[:i]}}) for i in range(steps)
    ]


async def archive_of(texts: Sequence[str]) -> HistoryArchive:
    archive = HistoryArchive(MemoryHistory())
    await archive.append([row(text, at) for at, text in enumerate(texts)])
    return archive


async def contexts_of(archive: HistoryArchive, id: str = "a") -> list[str]:
    found = await archive.sessions(id, 1, 10**9)
    return [str(session.context_json()) for _, session in reversed(found)]


@pytest.mark.parametrize("every", [1, 2, 63, 65, 200])
@awaited
async def test_compacting_in_between_keeps_each_version_and_bounds_each_chain(every: int) -> None:
    texts = conversation(100)
    archive = await archive_of([])
    for at, text in enumerate(texts):
        await archive.append([row(text, at)])
        if at % every == 0:
            await archive.compact("a")
    await archive.compact("a")
    assert await contexts_of(archive) == texts
    chain = longest = whole = 0
    for kept in await archive.table.read("a"):
        chain = 0 if kept.context is not None else chain + 1
        whole += kept.context is not None
        longest = max(longest, chain)
    assert longest <= MAX_CHAIN
    assert whole <= 10
    for number in (1, 40, 65, 99, 100):
        session = await archive.session_at("a", number)
        assert session is not None
        assert session.context_json() == texts[number - 1]


@pytest.mark.parametrize("every", [1, 7, 16, 70])
@pytest.mark.parametrize("others", [0, 3])
@awaited
async def test_compacting_the_newest_goes_on_where_it_ended(every: int, others: int) -> None:
    """Also where others write, compact and prune in between."""
    texts = conversation(150)
    archive = await archive_of([])
    tail, written = None, 0
    for at, text in enumerate(texts):
        await archive.append([row(text, at)])
        written += 1
        if others and at % 50 == 30:
            await archive.compact("a")
        if others and at % 50 == 40:
            await archive.prune(Retention(versions=10, age=None))
        if written >= every + others * (at % 2):  # more than are said to be new
            tail, written = await archive.compact_newest("a", every, tail), 0
    rows = await archive.table.read("a")
    assert await contexts_of(archive) == texts[-len(rows) :]
    assert tail is not None
    if not others:
        whole = [kept.number for kept in rows if kept.context is not None]
        chains = [a - b - 1 for a, b in pairwise([*whole, 0])]
        assert max(chains) <= MAX_CHAIN
        assert len(whole) <= 150 % every + 5
        assert whole[150 % every] == tail.number


@awaited
async def test_a_chain_that_two_made_at_once_is_read_to_its_end() -> None:
    texts = conversation(100)
    archive = await archive_of(texts)
    patches = {n: (str(encode(texts[n - 1], texts[n])), len(texts[n - 1])) for n in range(20, 100)}
    assert await archive.table.compact("a", patches) == 80
    session = await archive.session_at("a", 21)
    assert session is not None
    assert session.context_json() == texts[20]
    assert await contexts_of(archive) == texts


@awaited
async def test_large_contexts_have_shorter_chains() -> None:
    large = [json.dumps({"data": {"n": i, "pad": "x" * 900_000}}) for i in range(12)]
    archive = await archive_of(large)
    await archive.compact("a")
    whole = [kept.number for kept in await archive.table.read("a") if kept.context is not None]
    assert 3 <= len(whole) <= 6
    assert await contexts_of(archive) == large


@pytest.mark.timeout(1800)
@settings(max_examples=max(40, HISTORIES // 5), deadline=None)
@given(
    histories | st.lists(contexts, min_size=1, max_size=12), st.integers(1, 5), st.integers(1, 12)
)
@awaited
async def test_whatever_is_compacted_and_pruned_the_rest_is_as_it_was(
    texts: list[str], every: int, keep: int
) -> None:
    archive = await archive_of([])
    for at, text in enumerate(texts):
        await archive.append([row(text, at)])
        if at % every == 0:
            await archive.compact("a")
            await archive.prune(Retention(versions=keep, age=None))
    await archive.prune(Retention(versions=keep, age=None))
    assert await contexts_of(archive) == texts[-keep:]
    assert [v.number for v in await archive.versions("a")] == [
        *range(len(texts), max(0, len(texts) - keep), -1)
    ]


@awaited
async def test_pruning_by_age_keeps_what_was_stored_when_it_began() -> None:
    archive = HistoryArchive(MemoryHistory())
    now = datetime(2026, 1, 31, tzinfo=UTC)
    day = round(now.timestamp()) * 1_000_000
    for id, days in {"old": (40, 39, 38), "busy": (40, 35, 2, 1), "idle": (99,)}.items():
        await archive.append([row("{}", day - n * DAY, id=id) for n in days])
    gone = [
        row("{}", day - 40 * DAY, id="gone"),
        row("{}", day - 35 * DAY, id="gone", deleted=True),
    ]
    await archive.append(gone)
    retention = Retention(versions=None, age=timedelta(days=30))
    plan = await archive.prune(retention, now=now, dry_run=True)
    assert (plan.sessions, plan.versions) == (3, 2 + 1 + 2)
    assert str(plan).startswith("would remove 5 versions of 3 sessions")
    done = await archive.prune(retention, now=now, step=1)
    assert (done.sessions, done.versions, done.bytes) == (3, 5, plan.bytes)
    kept = {id: [v.number for v in await archive.versions(id)] for id in ("old", "busy", "idle")}
    assert kept == {"old": [3], "busy": [4, 3, 2], "idle": [1]}
    assert await archive.versions("gone") == []
    assert (await archive.prune(retention, now=now)).versions == 0


@awaited
async def test_pruning_stops_at_its_limit_and_says_so() -> None:
    archive = await archive_of(["{}"] * 10)
    report = await archive.prune(Retention(versions=2, age=None), limit=3, step=2)
    assert (report.versions, report.done) == (3, False)
    assert "there are more" in str(report)
    assert [v.number for v in await archive.versions("a")] == [10, 9, 8, 7, 6, 5, 4]


class _Written(MemoryHistory):
    """A history in which as many versions expire in each step as the step removes."""

    steps: list[int]

    async def remove_expired(
        self, ids: Sequence[str], versions: int | None, before: int | None, limit: int
    ) -> Expired:
        gone = await super().remove_expired(ids, versions, before, limit)
        await self.append([row("{}")] * gone.versions)
        self.steps.append(gone.versions)
        return gone


@awaited
async def test_pruning_beside_writers_ends_with_what_had_expired_when_it_began() -> None:
    table = _Written()
    table.steps = []
    archive = HistoryArchive(table)
    await archive.append([row("{}")] * 10)
    report = await archive.prune(Retention(versions=2, age=None), step=2)
    assert table.steps == [2, 2, 2, 2]
    assert (report.versions, report.done) == (8, True)


@awaited
async def test_a_step_of_pruning_removes_few_versions_where_they_are_large() -> None:
    table = _Written()
    table.steps = []
    archive = HistoryArchive(table)
    await archive.append([row('"%s"' % ("x" * 400_000))] * 5)
    assert (await archive.prune(Retention(versions=1, age=None))).done
    assert table.steps == [2, 2]


@awaited
async def test_a_version_is_found_by_number_and_by_time() -> None:
    archive = await archive_of([])
    await archive.append([row('{"data":{}}', 1_000_000), row("{}", 3_000_000, deleted=True)])
    second = datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC)
    assert (await archive.version_at("a", second)).number == 1  # type: ignore[union-attr]
    assert (await archive.session_at("a", second)).context_json() == '{"data":{}}'  # type: ignore[union-attr]
    assert await archive.session_at("a", second - timedelta(seconds=2)) is None
    assert await archive.session_at("a", second + timedelta(seconds=2)) is None
    assert await archive.session_at("a", 2) is None
    assert (await archive.session_at("a", 2, deleted=True)) is not None
    assert await archive.session_at("a", 3) is None
    assert await archive.version_at("b", second) is None
    with pytest.raises(HistoryError, match="time zone"):
        await archive.session_at("a", datetime(2026, 1, 1))


@awaited
async def test_a_patch_without_the_version_after_it_is_an_error_and_newer_ones_are_not() -> None:
    archive = await archive_of(conversation(10))
    await archive.compact("a")
    table = archive.table
    assert isinstance(table, MemoryHistory)
    rows = [kept for kept in await table.read("a") if kept.number != 5]
    broken = HistoryArchive(MemoryHistory())
    broken.table._rows["a"] = rows[::-1]  # type: ignore[attr-defined]  # noqa: SLF001
    with pytest.raises(HistoryError, match="missing"):
        await broken.session_at("a", 4)
    assert await broken.session_at("a", 6) is not None


@awaited
async def test_steps_of_many_sessions_are_columns_and_say_whether_there_are_more() -> None:
    archive = HistoryArchive(MemoryHistory())
    for id in "cab":
        await archive.append([row("{}", at, id=id) for at in range(3)])
    steps = await archive.steps()
    assert (steps.id, steps.number.tolist()) == ([*"aaabbbccc"], [1, 2, 3] * 3)
    assert not steps.more
    few = await archive.steps(["c", "a"], limit=4)
    assert (few.id, len(few), few.more) == ([*"aaac"], 4, True)
    assert (await archive.steps([])).id == []


@pytest.mark.parametrize("wrong", [{"versions": 0}, {"versions": 1.5}, {"age": timedelta(0)}])
def test_a_retention_that_keeps_nothing_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(StorageError, match="must be"):
        Retention(**wrong)  # type: ignore[arg-type]


@awaited
async def test_a_storage_without_history_is_told_what_to_do() -> None:
    with pytest.raises(CapabilityError, match="archive="):
        history_of(object())


@awaited
async def test_a_storage_that_is_wrapped_for_reading_gives_its_history_for_reading() -> None:
    inside = InMemorySessionStorage()
    await history_of(inside).append([row("{}")])
    archive = history_of(ReadOnlyStorage(inside))
    assert len(await archive.versions("a")) == 1
    for write in (archive.create, archive.drop, lambda: archive.table.start()):
        with pytest.raises(ReadOnlyError):
            await write()
    with pytest.raises(ReadOnlyError):
        await archive.append([row("{}")])
