"""The properties in which a storage is safe: against what can't be stored, cancels and outages."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ..errors import ContextError, GraphflowError, StorageError
from ..model import Session
from ..storage.protocols import SupportsClose
from .kit import (
    Deviation,
    Kit,
    add_property,
    expect_error,
    expect_same,
    expect_same_json,
)

_SAFE: Final = "safety"

#: The seconds after an outage in which a storage must work again.
RECOVERY: Final = 10.0


@add_property(
    _SAFE, "check the fields before anything is sent: graphflow_nb.storage.check_texts does"
)
async def what_no_store_can_hold_is_refused(kit: Kit) -> None:
    """A lone surrogate or a field that is not text is refused, and nothing is stored."""
    for field in ("graph_id", "current_task_id", "status_message", "id"):
        for value in ("lone \ud800", 7):
            session = kit.new()
            setattr(session, field, value)
            await expect_error(
                kit.storage.save(session), (StorageError, ContextError), f"{field}={value!r}"
            )
    expect_same(await kit.storage.get(kit.id("a")), None, "what the refused saves stored")
    await kit.save_new()
    for id in (7, None, ["a"], "lone \ud800"):
        await expect_error(kit.storage.get(id), StorageError, f"get({id!r})")
        await expect_error(kit.storage.delete(id), StorageError, f"delete({id!r})")
    await kit.read()


@add_property(_SAFE, "raise StorageError for what can't be stored, and never return something else")
async def odd_texts_come_back_or_are_refused(kit: Kit) -> None:
    """U+0000, control characters and odd keys come back as they were, or are refused."""
    texts = ("nul \0", "\x01\x1f", "\u2028\u2029", "a" * 10_000, "", " ", "\\u0000", "\ufffe")
    for number, text in enumerate(texts):
        session = kit.new(
            f"s{number}", status_message=text, context={"v": text, f"k{text}": [text]}
        )
        wanted = session.context_json()
        try:
            await kit.storage.save(session)
        except (StorageError, ContextError):
            expect_same(await kit.storage.get(session.id), None, f"what a refused {text!r} stored")
            continue
        found = await kit.read(f"s{number}")
        expect_same(found.status_message, text, "status_message")
        expect_same_json(found.context_json(), wanted, f"a context with {text[:20]!r}")


@add_property(_SAFE, "hold no lock or half-written state where an await can be cancelled")
async def cancellation_leaves_all_or_nothing(kit: Kit) -> None:
    """A save that is cancelled is stored as a whole or not at all, and the storage still works."""
    await kit.save_new(context={"n": 0, "text": "0" * 50_000})
    for round in range(1, 25):
        before = await kit.read()
        session = await kit.read()
        session.context["n"], session.context["text"] = round, str(round % 10) * 50_000
        saving = asyncio.ensure_future(kit.storage.save(session))
        await asyncio.sleep((round % 8) * 0.0003)
        saving.cancel()
        await asyncio.gather(saving, return_exceptions=True)
        found = await kit.read()
        if found.context_json() != before.context_json():
            expect_same(found.context["n"], round, "n after a cancelled save")
            expect_same(
                found.context["text"], str(round % 10) * 50_000, "text after a cancelled save"
            )
        elif saving.done() and not saving.cancelled() and saving.exception() is None:
            raise Deviation("a save that ended before it could be cancelled is not stored")
    session = await kit.read()
    await kit.storage.save(session)


@add_property(
    _SAFE,
    "create locks and connections when they are first used, or refuse another loop with a "
    "StorageError or BridgeError; those of asyncio belong to one loop",
)
async def two_threads_and_two_loops(kit: Kit) -> None:
    """On a second thread with its own loop it works or refuses; on the first it still works."""
    await kit.save_new(context={"n": 1})
    answers: list[Any] = []

    def elsewhere(storage: Any) -> None:
        async def get() -> Any:
            async with asyncio.timeout(15):
                return await storage.get(kit.id("a"))

        try:
            answers.append(asyncio.run(get()))
        except Exception as error:
            answers.append(error)

    fresh = await kit.reopen()
    threads = [threading.Thread(target=elsewhere, args=(s,)) for s in (kit.storage, fresh)]
    for thread in threads:
        thread.start()
    here = await asyncio.gather(*(kit.storage.get(kit.id("a")) for _ in range(5)))
    for thread in threads:
        await asyncio.to_thread(thread.join, 20)
    expect_same(
        [s and s.context["n"] for s in here], [1] * 5, "what the first loop reads meanwhile"
    )
    for answer in answers:
        if isinstance(answer, Exception) and (
            not isinstance(answer, GraphflowError) or isinstance(answer, TimeoutError)
        ):
            raise Deviation(f"on a second loop: {type(answer).__name__}: {answer}")
        if not isinstance(answer, Exception):
            expect_same(answer and answer.context["n"], 1, "what a second loop reads")
    expect_same(len(answers), 2, "the number of threads that ended, of two")
    await kit.read()


@add_property(_SAFE, "remember that it was closed; what was saved stays", SupportsClose)
async def closing(kit: Kit) -> None:
    """Closing twice is not an error, a closed storage says so, and what was saved remains."""
    await kit.save_new(context={"k": 1})
    other = await kit.reopen()
    if other is kit.storage:
        await other.close()
        await other.close()
        return
    await other.close()
    await other.close()
    try:
        await other.get(kit.id("a"))
    except StorageError as error:
        expect_same("closed" in str(error), True, f"whether {str(error)!r} says that it is closed")
    expect_same((await kit.read()).context["k"], 1, "what another storage reads after that")
    third = await kit.reopen()
    found = await third.get(kit.id("a"))
    expect_same(found and found.context["k"], 1, "what a storage opened later reads")


@add_property(
    "times",
    "keep created_at from the first save and set updated_at in each (session.mark_saved)",
)
async def times_are_told(kit: Kit) -> None:
    """created_at stays, updated_at increases; both are aware, near now, and read as saved."""
    session = await kit.save_new()
    created = session.created_at
    if created is None or session.updated_at is None:
        raise Deviation("save set no created_at and updated_at")
    expect_same(created.tzinfo is not None, True, "whether created_at is aware")
    expect_same(
        abs(datetime.now(UTC) - created) < timedelta(minutes=5), True, f"{created} is about now"
    )
    first = session.updated_at
    await kit.storage.save(session)
    expect_same(session.created_at, created, "created_at after a second save")
    expect_same(session.updated_at > first, True, "whether updated_at increased")
    found = await kit.read()
    expect_same(
        (found.created_at, found.updated_at), (created, session.updated_at), "the times read"
    )


@add_property(
    "recovery",
    "map every exception of the driver to StorageError, and connect again",
    trait="outage",
)
async def outages_pass(kit: Kit) -> None:
    """While the store is out of reach, calls raise StorageError; afterwards they work again."""
    assert kit.traits.outage is not None
    session = await kit.save_new(context={"n": 1})
    async with kit.traits.outage():
        what = "while the store is out of reach"
        await expect_error(kit.storage.get(session.id), StorageError, f"get {what}")
        await expect_error(kit.storage.save(kit.new("b")), StorageError, f"save {what}")
        await expect_error(kit.storage.delete(session.id), StorageError, f"delete {what}")
    found = await _get_when_back(kit, session.id)
    if found is None:
        raise Deviation("what was saved before the outage is gone")
    expect_same(found.context["n"], 1, "what was saved before the outage")
    found.context["n"] = 2
    await kit.storage.save(found)
    expect_same((await kit.read()).context["n"], 2, "what was saved after the outage")


async def _get_when_back(kit: Kit, id: str) -> Session | None:
    end = asyncio.get_running_loop().time() + RECOVERY
    while True:
        try:
            found: Session | None = await kit.storage.get(id)
            return found
        except StorageError:
            if asyncio.get_running_loop().time() > end:
                raise Deviation(
                    f"the storage does not work again {RECOVERY:.0f} s after the outage"
                ) from None
        await asyncio.sleep(0.2)
