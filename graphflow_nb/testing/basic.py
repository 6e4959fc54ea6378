"""The properties of ``save``, ``get`` and ``delete``, which every storage has."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Final

from ..errors import StorageError
from ..model import Context, Session
from ..printable import describe_count
from .kit import (
    Deviation,
    Kit,
    add_property,
    expect_all_same,
    expect_same,
    expect_same_json,
)

_BASIC: Final = "save, get, delete"

_WHOLE = "store the JSON of session.to_json() or session.context_json() without a change"


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
