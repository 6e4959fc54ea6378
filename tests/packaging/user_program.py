"""A small typed program of a user: it passes ``mypy --strict`` against the wheel, and runs.

It knows nothing of this checkout and uses public names alone.
"""

from __future__ import annotations

import asyncio
from typing import assert_type

import graphflow_nb
from graphflow_nb import Operation, Session, SessionConflict, Workbench


class OneDict:
    """A storage of the user's own: three coroutines."""

    def __init__(self) -> None:
        self.stored: dict[str, str] = {}

    async def save(self, session: Session) -> None:
        self.stored[session.id] = session.to_json()

    async def get(self, id: str) -> Session | None:
        text = self.stored.get(id)
        return None if text is None else Session.from_json(text)

    async def delete(self, id: str) -> None:
        self.stored.pop(id, None)


class Slowest:
    """A hook of the user's own."""

    def __init__(self) -> None:
        self.operation: Operation | None = None

    def on_operation(self, operation: Operation) -> None:
        if self.operation is None or operation.duration_ns > self.operation.duration_ns:
            self.operation = operation


def change(wb: Workbench, id: str) -> int:
    """Edit a session, and return its new version."""
    session = assert_type(wb.get(id), Session)
    session.context["documents"] = ["damage.jpg"]
    session.status_message = "documents added"
    try:
        wb.save(session)
    except SessionConflict as conflict:
        print("now stored:", conflict.stored)
    wb.patch(id, [{"op": "remove", "path": "/context/data/documents"}], version=session.version)
    wb.undo()
    return wb.get(id).version


async def await_it(wb: Workbench, id: str) -> str:
    """Read a session on the same connections, without blocking the loop."""
    return assert_type(await wb.get.aio(id), Session).current_task_id


def main() -> None:
    with graphflow_nb.open("demo") as wb:
        slowest = Slowest()
        wb.storage.add_hook(slowest)
        frame = wb.sessions(graph="claims", context=["amount"])
        print(len(frame), change(wb, "claim-0014"), asyncio.run(await_it(wb, "claim-0014")))
        assert slowest.operation is not None
        print(slowest.operation.op, len(wb.latency.summary()))

    storage: graphflow_nb.SessionStorage = OneDict()
    with graphflow_nb.wrap(storage) as mine:
        print(mine.create("claim-1", "intake", context={"amount": 12.5}).context["amount"])


if __name__ == "__main__":
    main()
