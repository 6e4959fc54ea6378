"""The properties of ``save``, ``get`` and ``delete``, which every storage has."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ..errors import ContextError, GraphflowError, SessionConflict, StorageError
from ..model import Context, Session
from ..printable import describe_count
from ..storage.protocols import SupportsClose, get_or_create
from .kit import (
    Deviation,
    Kit,
    add_property,
    expect_all_same,
    expect_error,
    expect_same,
    expect_same_json,
)

_BASIC: Final = "save, get, delete"
_SWAP: Final = "conflicts (compare-and-swap)"
_SAFE: Final = "safety"

#: The seconds after an outage in which a storage must work again.
RECOVERY: Final = 10.0

_WHOLE = "store the JSON of session.to_json() or session.context_json() without a change"
_COMPARE = (
    "under a lock, or in one statement, compare session.version with the stored one; raise "
    "SessionConflict(session, stored) if they differ, and increment the version if not"
)


@add_property(_BASIC, "get returns None for an unknown id, and delete does nothing")
async def absence(kit: Kit) -> None:
    """An unknown id is None for get and no error for delete."""
    expect_same(await kit.storage.get(kit.id("nobody")), None, "get of an unknown id")
    expect_same(await kit.storage.delete(kit.id("nobody")), None, "delete of an unknown id")


@add_property(_BASIC, "store every field, and read every field")
async def round_trip(kit: Kit) -> None:
    """What is saved comes back: every field, in every script, with its chat history."""
    session = kit.new(graph_id="grüße/問い合わせ", status_message="läuft\n\t\"quoted\" 'too' \\ 🙂")
    session.current_task_id = "تحقق"
    session.context["text"] = "e\u0301 ≠ é, \u202e\ufeff and \x7f"
    session.context["nested"] = {"list": [None, True, False, {}, [], "", 0, -1.5]}
    session.context.add_user_message("hi 🙂")
    session.context.add_assistant_message("")
    session.context.add_system_message("line\r\nline")
    wanted = session.context_json()
    await kit.storage.save(session)
    found = await kit.read()
    for name in ("id", "graph_id", "current_task_id", "status_message"):
        expect_same(getattr(found, name), getattr(session, name), name)
    expect_same_json(found.context_json(), wanted, "the context")
    expect_same(
        [m.role for m in found.context.chat_history], ["User", "Assistant", "System"], "the roles"
    )
    expect_same(
        found.version,
        session.version,
        "the version that get returns",
    )
    expect_same(found.is_new, False, "is_new of a stored session")
    none = await kit.save_new("none")
    expect_same(none.status_message, None, "no status_message")
    expect_same((await kit.read("none")).status_message, None, "no status_message, read back")


@add_property(_BASIC, _WHOLE)
async def numbers(kit: Kit) -> None:
    """Numbers keep their digits: integers beyond 2^53, 1.10 and 20 decimals."""
    text = (
        '{"data":{"big":18446744073709551617,"small":-9007199254740993,"money":1.10,'
        '"digits":0.12345678901234567890,"wide":1e300,"tiny":1.5e-300},'
        '"chat_history":{"messages":[],"max_messages":1000}}'
    )
    await _text_round_trip(kit, text, "numbers")


@add_property(_BASIC, _WHOLE)
async def unknown_members(kit: Kit) -> None:
    """Members of the context that graph-flow does not define come back."""
    text = (
        '{"data":{"k":1},"x-owner":{"team":["a",null]},"chat_history":{"x-note":true,"messages":'
        '[{"role":"User","content":"hi","timestamp":"2026-01-01T00:00:00.123456789Z","x":[1]}],'
        '"max_messages":null}}'
    )
    await _text_round_trip(kit, text, "unknown members")


async def _text_round_trip(kit: Kit, text: str, what: str) -> None:
    session = kit.new(context=Context.from_json(text))
    await kit.storage.save(session)
    found = await kit.read()
    expect_same_json(found.context_json(), text, what)
    found.status_message = "touched"
    await kit.storage.save(found)
    expect_same_json((await kit.read()).context_json(), text, f"{what}, after another save")


@add_property(_BASIC, _WHOLE)
async def members_of_the_session(kit: Kit) -> None:
    """Members of a session that graph-flow does not define are kept, or the save is refused."""
    session = Session.from_json(kit.new().to_json()[:-1] + ',"owner":"me"}')
    try:
        await kit.storage.save(session)
    except StorageError as error:
        if "owner" not in str(error):
            raise Deviation(f"the refusal does not name the member: {error}") from error
        expect_same(await kit.storage.get(session.id), None, "what a refused save stored")
        return
    expect_same(json.loads((await kit.read()).to_json()).get("owner"), "me", "the member owner")


@add_property(_BASIC, "nothing on the way may truncate or refuse a megabyte of JSON")
async def sizes(kit: Kit) -> None:
    """From an empty context to a megabyte, and a thousand messages."""
    for name, size in (("empty", 0), ("small", 100), ("large", 100_000), ("huge", 1_000_000)):
        session = await kit.save_new(name, context={"text": "x" * size} if size else {})
        expect_same_json(
            (await kit.read(name)).context_json(),
            session.context_json(),
            describe_count(size, "byte"),
        )
    long = kit.new("long")
    for i in range(1000):
        long.context.add_user_message(f"message {i}")
    await kit.storage.save(long)
    found = (await kit.read("long")).context.chat_history
    expect_same(len(found), 1000, "the number of messages")
    expect_same(found[999].content, "message 999", "the newest message")


@add_property(_BASIC, "a save stores all fields; nothing of the previous session remains")
async def overwriting_replaces_all(kit: Kit) -> None:
    """A save replaces the whole session, and what was removed from it is gone."""
    session = await kit.save_new(
        graph_id="old", status_message="old", context={"old": 1, "both": {"a": 1, "b": 2}}
    )
    session.context.add_user_message("old")
    await kit.storage.save(session)
    session.graph_id, session.current_task_id, session.status_message = "new", "new", None
    del session.context["old"]
    session.context["both"] = {"a": 1}
    session.context.chat_history.clear()
    await kit.storage.save(session)
    found = await kit.read()
    expect_all_same(
        [
            (found.graph_id, "new", "graph_id"),
            (found.current_task_id, "new", "current_task_id"),
            (found.status_message, None, "status_message"),
            (dict(found.context), {"both": {"a": 1}}, "the data"),
            (len(found.context.chat_history), 0, "messages"),
        ]
    )


@add_property(_BASIC, "store and return copies, or the JSON text, and never the object itself")
async def nothing_is_aliased(kit: Kit) -> None:
    """A change to a session after a save, or after a get, does not change the store."""
    session = kit.new(context={"list": [1]})
    await kit.storage.save(session)
    session.context["list"].append(2)
    session.context["more"] = 1
    session.context.add_user_message("more")
    session.status_message = "more"
    found = await kit.read()
    expect_same(dict(found.context), {"list": [1]}, "what was stored before the change")
    found.context["list"].append(3)
    found.context.add_user_message("more")
    found.current_task_id = "elsewhere"
    again = await kit.read()
    expect_same(dict(again.context), {"list": [1]}, "the store after a read session was changed")
    expect_same(len(again.context.chat_history), 0, "messages after a read session was changed")
    expect_same((again.status_message, again.current_task_id), (None, "t"), "fields")


#: Ids that are easily confused, or have a meaning in a shell, a path, SQL or Redis.
ODD_IDS: Final = (
    *("a", "A", "aa", "a ", " a", "a:1", "a/1", "a\\1", "a.1", "a-1", "a_1", "a%1"),
    *("..", ".", "../a", "/a", "~", "a\n", "a\tb", "a;b", "a'b", 'a"b', "a`b", "a$b", "*", "?"),
    *("[a]", "{a}", "a}b", "%s", "%00", "%2F", "a.json", "null", "0", "-1", "é", "e\u0301"),
    *("日本", "🙂", "\u202ea", "a\u0001", "con", "x" * 150, "x" * 151),
)


@add_property(_BASIC, "compare ids exactly; escape them where they name files or keys")
async def ids_are_apart(kit: Kit) -> None:
    """Ids that are prefixes of each other, long ids and odd ids are never confused."""
    plain = ["a", "ab", "abc", "b", "a1", "a10", "b" * 12]
    for name in plain:
        await kit.save_new(name, context={"id": name})
    taken: dict[str, str] = {kit.id(name): name for name in plain}
    for id in ODD_IDS:
        if id in taken:
            continue
        try:
            await kit.storage.save(Session(id, "t", context={"id": id}))
            taken[id] = id
        except StorageError:
            expect_same(await _get_or_none(kit, id), None, f"what a refused save of {id!r} stored")
    await _all_there(kit, taken)
    for id in list(taken)[::2]:
        await kit.storage.delete(id)
        del taken[id]
        expect_same(await kit.storage.get(id), None, f"{id!r} after it was deleted")
    await _all_there(kit, taken)


async def _all_there(kit: Kit, taken: dict[str, str]) -> None:
    for id, name in taken.items():
        found = await kit.storage.get(id)
        if found is None:
            raise Deviation(f"session {id!r} is gone")
        expect_same((found.id, found.context["id"]), (id, name), f"what is stored under {id!r}")


async def _get_or_none(kit: Kit, id: str) -> Session | None:
    with suppress(StorageError):
        found: Session | None = await kit.storage.get(id)
        return found
    return None


@add_property(_BASIC, "store the sessions where the next storage on the same data finds them")
async def others_see_it(kit: Kit) -> None:
    """What one storage saves or deletes, another on the same data sees at once."""
    other = await kit.reopen()
    session = await kit.save_new(context={"k": 1})
    found = await other.get(session.id)
    expect_same(
        None if found is None else dict(found.context), {"k": 1}, "what another storage reads"
    )
    await other.delete(session.id)
    expect_same(await kit.storage.get(session.id), None, "what another storage deleted")


# Conflicts


@add_property(_SWAP, _COMPARE)
async def versions_grow(kit: Kit) -> None:
    """Each save sets the session's version in place to a greater one."""
    session = kit.new()
    versions = [session.version]
    for status in ("one", "two", "three"):
        session.status_message = status
        await kit.storage.save(session)
        versions.append(session.version)
        expect_same((await kit.read()).version, session.version, "the stored version")
    if versions != sorted(set(versions)):
        raise Deviation(f"the versions of four states in a row are {versions}, and should grow")


@add_property(_SWAP, _COMPARE)
async def a_taken_id_conflicts(kit: Kit) -> None:
    """A new session never replaces one that exists; the error has both."""
    await kit.save_new(status_message="first")
    second = kit.new(status_message="second")
    error = await expect_error(kit.storage.save(second), SessionConflict, "saving a new session")
    expect_same(error.session is second, True, "whether .session is what was to be saved")
    expect_same(error.stored and error.stored.status_message, "first", ".stored of the conflict")
    expect_same((second.version, second.is_new), (0, True), "the refused session")
    expect_same((await kit.read()).status_message, "first", "what is stored")


@add_property(_SWAP, _COMPARE)
async def a_lost_race_conflicts(kit: Kit) -> None:
    """Of two writers that read the same session, the second is refused, and can try again."""
    await kit.save_new()
    mine, theirs = await kit.read(), await kit.read()
    theirs.status_message = "theirs"
    await kit.storage.save(theirs)
    mine.status_message = "mine"
    error = await expect_error(kit.storage.save(mine), SessionConflict, "a save that lost the race")
    expect_same(error.stored and error.stored.status_message, "theirs", ".stored of the conflict")
    expect_same((await kit.read()).status_message, "theirs", "what is stored")
    again = error.stored
    again.status_message = "mine"
    await kit.storage.save(again)
    expect_same((await kit.read()).status_message, "mine", "what is stored after trying again")


@add_property(_SWAP, _COMPARE)
async def the_deleted_stays_deleted(kit: Kit) -> None:
    """A stale save does not bring a deleted session back; saving its copy does."""
    session = await kit.save_new()
    await kit.storage.delete(session.id)
    error = await expect_error(
        kit.storage.save(session), SessionConflict, "saving a deleted session"
    )
    expect_same(error.stored, None, ".stored of the conflict")
    expect_same(await kit.storage.get(session.id), None, "what is stored")
    await kit.storage.save(session.copy())
    await kit.read()


@add_property(
    _SWAP,
    "compare created_at too where both know it, or never use a version again: a session that was "
    "deleted and recreated has the version of the old one",
)
async def the_remade_is_another(kit: Kit) -> None:
    """A session that was deleted and recreated is not the one that was read."""
    first = await kit.save_new(context={"who": "first"})
    await kit.storage.delete(first.id)
    await kit.save_new(context={"who": "second"})
    await expect_error(
        kit.storage.save(first), SessionConflict, "saving a session that was deleted and recreated"
    )
    expect_same((await kit.read()).context["who"], "second", "what is stored")
    kept = Session.from_json((await kit.read()).to_json())
    await kit.storage.save(kept)  # JSON has no times, so that the version decides


@add_property(_SWAP, _COMPARE)
async def of_many_writers_none_is_lost(kit: Kit) -> None:
    """Twenty writers on two storages each add one, and repeat on a conflict: none is lost."""
    await kit.save_new(context={"n": 0})
    storages = [kit.storage, await kit.reopen()]

    async def add_one(storage: Any) -> None:
        while True:
            session = await storage.get(kit.id("a"))
            session.context["n"] += 1
            await asyncio.sleep(0)  # so that all have read before one saves
            try:
                await storage.save(session)
                return
            except SessionConflict:
                await asyncio.sleep(0)

    await asyncio.gather(*(add_one(storages[i % 2]) for i in range(20)))
    expect_same((await kit.read()).context["n"], 20, "the count")


@add_property(_SWAP, _COMPARE)
async def one_is_created_in_a_race(kit: Kit) -> None:
    """get_or_create in a race: all of twenty get the one session that was stored."""
    calls = [get_or_create(kit.storage, kit.id("a"), "start", "claims") for _ in range(20)]
    found = await asyncio.gather(*calls)
    stored = await kit.read()
    expect_same(
        {s.version for s in found}, {stored.version}, "the versions that twenty callers got"
    )
    expect_same({s.current_task_id for s in found}, {"start"}, "their task")


@add_property(_SWAP, _COMPARE)
async def deleting_races_saving(kit: Kit) -> None:
    """A session that is deleted while another writer saves it is not stored again."""
    for _ in range(10):
        session = await kit.save_new(context={"n": 0})
        mine = await kit.read()
        mine.context["n"] = 1
        ends = await asyncio.gather(
            kit.storage.save(mine), kit.storage.delete(session.id), return_exceptions=True
        )
        for end in ends:
            if end is not None and not (end is ends[0] and isinstance(end, SessionConflict)):
                raise Deviation(f"a save and a delete at the same time raised {end!r}")
        # Whichever came first: the session was deleted, and a save must not insert it.
        expect_same(await kit.storage.get(session.id), None, "a session deleted during a save")


# Safety


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
