"""state_machine: several writers on one store, compared with a plain dict by Hypothesis."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from ..errors import SessionConflict
from ..model import Session
from ..storage.protocols import (
    SupportsClose,
    SupportsCount,
    SupportsDeleteMany,
    SupportsDeleteUnchanged,
    SupportsQuery,
    SupportsSaveMany,
    SupportsTable,
    SupportsUpsert,
)
from ..storage.query import Query
from .kit import Open, Traits, resolve

__all__ = ["state_machine"]

_NAMES = st.sampled_from(["a", "ab", "b", "c", "d1", "d2"])
_WRITERS = st.integers(0, 2)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | _TEXTS | st.sampled_from([0.1, 1e9]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=5,
)
_FIELDS = st.fixed_dictionaries(
    {
        "task": st.sampled_from(["start", "wait", "done"]),
        "graph": st.sampled_from(["g", "h"]),
        "status": st.none() | _TEXTS,
        "data": st.dictionaries(_TEXTS, _VALUES, max_size=3),
    }
)

_QUERIES = {SupportsQuery, SupportsTable, SupportsCount}

# What the model knows of a session: its content, and the number of the write that stored it.
Known = tuple[dict[str, Any], int]


def state_machine(open_storage: Open, traits: Traits | None = None) -> type[RuleBasedStateMachine]:
    """Return a state machine whose steps are saves, stale saves, upserts, deletes and queries.

    Three writers have a storage each and the sessions that they read; after each step the store
    answers as the dict does. Run it with ``hypothesis.stateful.run_state_machine_as_test``; its
    ``steps`` is then the number of steps.

    Args:
        open_storage: Opens a storage, each time on the same data; they are emptied after each run.
        traits: The traits of the store.
    """
    make_id = (traits or Traits()).make_id

    class Machine(RuleBasedStateMachine):
        steps = 0  # of all runs
        sessions = Bundle("sessions")  # what writers hold: session, and what they believe it is

        @initialize()
        def open(self) -> None:
            self.runner = asyncio.Runner()
            self.run = self.runner.run
            self.model: dict[str, Known] = {}
            self.writes = 0
            self.writers = [self.run(resolve(open_storage())) for _ in range(3)]
            self.offers = {
                protocol
                for protocol in (
                    SupportsUpsert,
                    SupportsDeleteMany,
                    SupportsDeleteUnchanged,
                    SupportsSaveMany,
                    *_QUERIES,
                )
                if isinstance(self.writers[0], protocol)
            }

        def teardown(self) -> None:
            for id in self.model:
                self.run(self.writers[0].delete(id))
            for storage in self.writers:
                if isinstance(storage, SupportsClose):
                    self.run(storage.close())
            self.runner.close()

        @invariant()
        def count(self) -> None:
            Machine.steps += 1

        def note_write(self, session: Session) -> int:
            self.writes += 1
            self.model[session.id] = (_content_of(session), self.writes)
            return self.writes

        @rule(target=sessions, writer=_WRITERS, name=_NAMES, fields=_FIELDS)
        def save_new(self, writer: int, name: str, fields: dict[str, Any]) -> Any:
            session = _create(make_id(name), fields)
            known = self.model.get(session.id)
            conflict = self.run(_try_to_save(self.writers[writer], session))
            if conflict is None:
                assert known is None, "a new session replaced one that was there"
                return (session, self.note_write(session))
            assert known is not None, "a new session conflicts with nothing"
            assert conflict.stored is not None
            assert _content_of(conflict.stored) == known[0]
            return (conflict.stored, known[1])

        @rule(target=sessions, writer=_WRITERS, name=_NAMES)
        def get(self, writer: int, name: str) -> Any:
            found = self.run(self.writers[writer].get(make_id(name)))
            known = self.model.get(make_id(name))
            assert (found is None) == (known is None)
            if found is None or known is None:
                return multiple()
            assert _content_of(found) == known[0]
            return (found, known[1])

        @rule(target=sessions, writer=_WRITERS, held=consumes(sessions), fields=_FIELDS)
        def save_again(self, writer: int, held: Any, fields: dict[str, Any]) -> Any:
            session, seen = held
            known = self.model.get(session.id)
            _change(session, fields)
            conflict = self.run(_try_to_save(self.writers[writer], session))
            if conflict is None:
                assert known is not None, "a stale save brought a deleted session back"
                assert known[1] == seen, "a stale save replaced what someone else had saved"
                return (session, self.note_write(session))
            assert known is None or known[1] != seen, "a save of what is stored conflicts"
            assert (conflict.stored is None) == (known is None)
            if conflict.stored is None or known is None:
                return multiple()
            assert _content_of(conflict.stored) == known[0]
            return (conflict.stored, known[1])

        @rule(writer=_WRITERS, name=_NAMES)
        def delete(self, writer: int, name: str) -> None:
            self.run(self.writers[writer].delete(make_id(name)))
            self.model.pop(make_id(name), None)

        @precondition(lambda self: SupportsUpsert in self.offers)
        @rule(target=sessions, writer=_WRITERS, name=_NAMES, fields=_FIELDS)
        def upsert(self, writer: int, name: str, fields: dict[str, Any]) -> Any:
            session = _create(make_id(name), fields)
            self.run(self.writers[writer].upsert(session))
            return (session, self.note_write(session))

        @precondition(lambda self: SupportsDeleteMany in self.offers)
        @rule(writer=_WRITERS, names=st.lists(_NAMES, unique=True, max_size=4))
        def delete_many(self, writer: int, names: list[str]) -> None:
            ids = [make_id(name) for name in names]
            gone = list(self.run(self.writers[writer].delete_many(ids)))
            assert gone == [id for id in ids if id in self.model]
            for id in gone:
                del self.model[id]

        @precondition(lambda self: SupportsDeleteMany in self.offers)
        @rule(writer=_WRITERS, held=sessions)
        def delete_unchanged(self, writer: int, held: Any) -> None:
            session, seen = held
            known = self.model.get(session.id)
            gone = list(self.run(self.writers[writer].delete_many([session.id], [session.version])))
            if known is not None and known[1] == seen:
                assert gone == [session.id]
            if gone:
                # By its version alone, a recreated session may be taken for the one held.
                assert known is not None
                assert known[1] == seen or session.version < 100
                del self.model[session.id]

        @precondition(lambda self: SupportsDeleteUnchanged in self.offers)
        @rule(writer=_WRITERS, held=sessions)
        def delete_as_read(self, writer: int, held: Any) -> None:
            session, seen = held
            known = self.model.get(session.id)
            gone = list(self.run(self.writers[writer].delete_unchanged([session])))
            same = known is not None and known[1] == seen
            assert gone == ([session.id] if same else [])
            if gone:
                del self.model[session.id]

        @precondition(lambda self: SupportsSaveMany in self.offers)
        @rule(
            target=sessions,
            writer=_WRITERS,
            batch=st.dictionaries(_NAMES, _FIELDS, max_size=4),
            held=consumes(sessions),
        )
        def save_many(self, writer: int, batch: dict[str, Any], held: Any) -> Any:
            session, seen = held
            known = self.model.get(session.id)
            news = [_create(make_id(n), f) for n, f in batch.items() if make_id(n) != session.id]
            conflicts = list(self.run(self.writers[writer].save_many([session, *news])))
            left_out = {c.session.id for c in conflicts}
            for conflict in conflicts:
                stored = self.model.get(conflict.session.id)
                assert (conflict.stored is None) == (stored is None)
                if conflict.stored is not None and stored is not None:
                    assert _content_of(conflict.stored) == stored[0]
            assert (session.id in left_out) == (known is None or known[1] != seen)
            held_now = []
            if session.id not in left_out:
                held_now.append((session, self.note_write(session)))
            for new in news:
                assert (new.id in left_out) == (new.id in self.model)
                if new.id not in left_out:
                    held_now.append((new, self.note_write(new)))
            return multiple(*held_now)

        @precondition(lambda self: self.offers >= _QUERIES)
        @rule(
            writer=_WRITERS,
            graph=st.none() | st.sampled_from(["g", "h"]),
            task=st.none() | st.sampled_from(["start", "wait", "done"]),
            order=st.sampled_from(["id", "-id", "updated_at", "-updated_at"]),
            limit=st.none() | st.integers(0, 4),
        )
        def query(
            self, writer: int, graph: str | None, task: str | None, order: str, limit: int | None
        ) -> None:
            storage = self.writers[writer]
            wanted = {
                id: known
                for id, known in self.model.items()
                if graph in (None, known[0]["graph"]) and task in (None, known[0]["task"])
            }
            whole = Query(graph=graph, task=task, order=order)
            found = self.run(storage.query(whole))
            assert {s.id: _content_of(s) for s in found} == {id: k[0] for id, k in wanted.items()}
            assert len(found) == len(wanted)
            ids = [s.id for s in found]
            if order.endswith("updated_at"):
                by_write = sorted(wanted, key=lambda id: wanted[id][1])
                # Writes of one batch have one time.
                times = [s.updated_at for s in found]
                ordered = sorted(times, reverse=order.startswith("-"))
                assert times == ordered
                if len(set(times)) == len(times):
                    assert ids == (by_write[::-1] if order.startswith("-") else by_write)
            else:
                assert ids == sorted(wanted, reverse=order.startswith("-"))
            page = Query(graph=graph, task=task, order=order, limit=limit)
            assert [s.id for s in self.run(storage.query(page))] == ids[:limit]
            assert self.run(storage.count(page)) == len(wanted)
            assert list(self.run(storage.table(page)).id) == ids[:limit]

    return Machine


async def _try_to_save(storage: Any, session: Session) -> SessionConflict | None:
    """Save a session and return the conflict, if there is one."""
    try:
        await storage.save(session)
    except SessionConflict as conflict:
        return conflict
    return None


def _create(id: str, fields: dict[str, Any]) -> Session:
    session = Session(id, "new")
    _change(session, fields)
    return session


def _change(session: Session, fields: dict[str, Any]) -> None:
    session.current_task_id, session.graph_id = fields["task"], fields["graph"]
    session.status_message = fields["status"]
    session.context.clear()
    for key, value in fields["data"].items():
        session.context[key] = value


def _content_of(session: Session) -> dict[str, Any]:
    return {
        "task": session.current_task_id,
        "graph": session.graph_id,
        "status": session.status_message,
        "data": dict(session.context),
    }
