"""The process that writes, and is killed; it is started by ``writer.py``.

It reads one request a line from stdin and forks a child for each, so that a kill takes the child
alone and the next one starts at once. What a child reports goes to stdout, one line at a time: the
number of each save that the store acknowledged, or JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import sys
from contextlib import suppress
from hashlib import sha256
from typing import Any

from ...errors import ContextError, GraphflowError, SessionFormatError
from ...model import Session
from ...storage import connect
from ...storage.protocols import SupportsClose

__all__ = ["fill", "main", "read_number"]

_BLOCKS = 8  # of 64 characters each in a row's padding


def fill(session: Session, number: int) -> None:
    """Set what the save with a number stores."""
    session.context["number"] = number
    session.context["padding"] = _padding_of(number)


def read_number(session: Session) -> int | None:
    """Return the number of the save that a row holds; None if its parts do not belong together."""
    number = session.context.get("number")
    whole = isinstance(number, int) and session.context.get("padding") == _padding_of(number)
    return number if whole else None


def _padding_of(number: int) -> str:
    """Return a text that differs from that of every other number in each of its blocks."""
    return "".join(sha256(b"%d/%d" % (number, block)).hexdigest() for block in range(_BLOCKS))


def main() -> None:
    """Serve the requests of stdin until it closes."""
    known: set[str] = set()
    for line in sys.stdin:
        request = json.loads(line)
        if (scheme := request["url"].partition(":")[0]) not in known:
            # Or each child would import the driver again.
            known.add(scheme)
            with suppress(GraphflowError):
                asyncio.run(_visit(request["url"]))
        child = os.fork()
        if child == 0:
            os._exit(_serve(request))
        _, status = os.waitpid(child, 0)
        _report({"ended": os.waitstatus_to_exitcode(status)})


async def _visit(url: str) -> None:
    storage = await connect(url)
    if isinstance(storage, SupportsClose):
        await storage.close()


def _serve(request: dict[str, Any]) -> int:
    try:
        asyncio.run(_read(request) if request["what"] == "read" else _write(request))
    except GraphflowError as error:
        _report({"error": str(error)})
    except OSError:  # the kernel is gone
        return 1
    return 0


async def _write(request: dict[str, Any]) -> None:
    storage = await connect(request["url"])
    session = Session(request["id"], "count")
    _report({"writer": os.getpid()})
    for number in range(1, request["most"] + 1):
        fill(session, number)
        await storage.save(session)
        os.write(1, b"%d\n" % number)
        if request["pace"]:
            await asyncio.sleep(request["pace"])
    _report({"finished": True})
    # It keeps what it has, as memory, until it is killed or nobody reads any more.
    reader = select.poll()
    reader.register(1, 0)
    reader.poll()


async def _read(request: dict[str, Any]) -> None:
    storage = await connect(request["url"])
    try:
        session = await storage.get(request["id"])
    except (SessionFormatError, ContextError) as error:
        _report({"odd": str(error)})
        return
    if session is None:
        _report({"row": None})
    else:
        times = [time and time.isoformat() for time in (session.created_at, session.updated_at)]
        _report({"row": session.to_json(), "times": times})


def _report(what: dict[str, Any]) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")
