"""A session that is read and saved unchanged leaves the stored session as it is."""

from __future__ import annotations

import asyncio
import json
import string
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphflow_nb import Session

from ..scope import COMPLETE, FULL, size
from ..servers import redis as redis_servers
from ..stores import TABLES, empty_store

EXAMPLES = size(10_000, 50)

# PostgreSQL and serde hold any of these; U+0000 is what JSONB alone refuses, tested elsewhere.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
digits = st.text(string.digits, min_size=1, max_size=30)
exponents = st.sampled_from(["", "e5", "E-7", "e+300", "e-300", "e400"])
literals = st.one_of(
    st.integers().map(str),
    st.integers(-(2**80), 2**80).map(str),
    st.builds(lambda a, b, e: f"{int(a)}.{b}{e}", digits, digits, exponents),
    st.builds(lambda a, e: f"-{int(a)}{e}", digits, exponents),
)
scalars = st.one_of(st.just("null"), st.just("true"), literals, texts.map(json.dumps))


def _array(items: list[str]) -> str:
    return f"[{', '.join(items)}]"


def _object(items: dict[str, str]) -> str:
    return "{%s}" % ",".join(f"{json.dumps(key)}: {value}" for key, value in items.items())


values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(_array),
        st.dictionaries(texts, inner, max_size=4).map(_object),
    ),
    max_leaves=12,
)
messages = st.builds(
    lambda role, content, nanos, extra: _object(
        {"role": f'"{role}"', "content": json.dumps(content)}
        | {"timestamp": f'"2026-01-01T00:00:00.{nanos:09}Z"'}
        | ({"note": extra} if extra else {})
    ),
    st.sampled_from(["User", "Assistant", "System"]),
    texts,
    st.integers(0, 999_999_999),
    st.none() | values,
)
contexts = st.builds(
    lambda data, chat, limit, unknown: _object(
        {"data": _object(data)}
        | {"chat_history": _object({"messages": _array(chat), "max_messages": limit})}
        | {f"x-{key}": value for key, value in unknown.items()}
    ),
    st.dictionaries(texts, values, max_size=5),
    st.lists(messages, max_size=3),
    st.sampled_from(["null", "1000", "7"]),
    st.dictionaries(texts, values, max_size=2),
)


# Making a context takes longer than saving it, so all checks and all stores get the same ones. The
# other kinds of stores send the same statements, or the same commands, from another place.
@pytest.mark.timeout(1500)
def test_unchanged_is_unchanged(request, tmp_path, run):
    kinds = ["memory", "sqlite", "redis", *TABLES]
    with ExitStack() as stack:
        if redis_servers.REDIS is None and not COMPLETE:
            kinds = [kind for kind in kinds if kind != "redis"]
        stores = [stack.enter_context(empty_store(kind, request, tmp_path)) for kind in kinds]
        storages = [run(store.open()) for store in stores]

        # All forms of the table have the same column of contexts: each context goes into one.
        tables = st.just([*TABLES]) if FULL else st.sampled_from([[form] for form in TABLES])

        @settings(max_examples=EXAMPLES)
        @given(contexts, st.booleans(), tables)
        def check(text, touched, forms):
            check_members(text)
            run(check_all(text, touched, forms))

        async def check_all(text, touched, forms):
            # At once, since most of the time goes into waiting for a store.
            checks = [
                check_unchanged(storage, store.id("a"), text, touched)
                for store, storage in zip(stores, storages, strict=True)
                if store.kind not in TABLES or store.kind in forms
            ]
            for outcome in await asyncio.gather(*checks, return_exceptions=True):
                if isinstance(outcome, BaseException):
                    raise outcome

        check()
        for storage in storages:
            run(storage.close())


async def check_unchanged(storage: Any, id: str, text: str, touched: bool) -> None:
    """Check that saves without a change leave a context as it is stored.

    Args:
        storage: The storage.
        id: The id of a session that is replaced.
        text: The JSON of the context.
        touched: Whether the parts of the context are read before it is saved.
    """
    session = Session(id, "t").with_context_json(text)
    await storage.upsert(session)
    stored = (await storage.get(id)).context_json()

    # JSONB keeps the digits of a number but not its form, and no order of keys.
    assert _exact(stored) == _exact(session.context_json()), storage

    again = await storage.get(id)
    if touched:
        for key in again.context:
            again.context[key]
        list(again.context.chat_history)
    await storage.save(again)
    assert (await storage.get(id)).context_json() == stored, storage

    again.context["added"] = 1
    del again.context["added"]
    await storage.save(again)
    assert _exact((await storage.get(id)).context_json()) == _exact(stored), storage

    # Every value beside a change in place.
    again.context["edited"] = {"y": 1, "x": list(again.context.values())}
    await storage.save(again)
    again = await storage.get(id)
    before = again.context_json()
    again.context["edited"]["y"] = 2
    await storage.save(again)
    wanted = _exact(before)
    wanted["data"]["edited"]["y"] = 2
    assert _exact((await storage.get(id)).context_json()) == wanted, storage


def _exact(text: str | bytes) -> Any:
    from decimal import Decimal

    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def check_members(text: str) -> None:
    """Check that every member of a context can be read and written."""
    session = Session("a", "t").with_context_json(text)
    for key in list(session.context):
        session.context[key] = session.context[key]
    assert _exact(session.context_json()) == _exact(text)
    assert msgspec.json.decode(session.to_json().encode(), type=dict[str, msgspec.Raw])
