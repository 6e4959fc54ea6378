"""A program that makes calls which never end, each in a process of its own, until it is killed.

    python -m tests.notebook.ended URL TIMEOUT

It imports everything once and forks, which takes a hundredth of the time of as many programs. Each
process opens the store, says so with its number and its kind, and waits until the standard input
ends. Then all of them call.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable
from typing import Any, Final

import graphflow_nb as g

_PATCH: Final = [{"op": "add", "path": "/context/data/a", "value": 1}]
#: The calls, by their kind.
CALLS: Final[dict[str, Callable[[g.Workbench], Any]]] = {
    "get": lambda wb: wb.get("s1"),
    "raw": lambda wb: wb.raw("s1"),
    "sessions": lambda wb: wb.sessions(limit=20),
    "all sessions": lambda wb: wb.sessions(limit=None),
    "text": lambda wb: wb.sessions(text="x", limit=20),
    "where": lambda wb: wb.sessions(where={"n": 1}),
    "stuck": lambda wb: wb.stuck("1 day"),
    "messages": lambda wb: wb.messages(),
    "summary": lambda wb: wb.summary(),
    "graph": lambda wb: wb.graph("g"),
    "scan": lambda wb: next(wb.scan()),
    "parquet": lambda wb: wb.to_parquet(tempfile.mkdtemp(), progress=lambda *_: None),
    "copy": lambda wb: wb.copy_to(g.open("memory:"), progress=lambda *_: None),
    "browse": lambda wb: wb.browse(),
    "patch": lambda wb: wb.patch("s1", _PATCH),
    "delete": lambda wb: wb.delete("s1", undo=False),
    "delete many": lambda wb: wb.delete(["s1", "s2"]),
    "upsert": lambda wb: wb.upsert(g.Session("s1", "t"), undo=False),
    "batch": lambda wb: wb.bridge.run(wb.storage.save_many([g.Session("s1", "t")] * 1)),
    "own statement": lambda wb: wb.bridge.run(
        wb.storage.inner.run(lambda connection: connection.fetch("SELECT * FROM sessions"))
    ),
}


def main(url: str, timeout: float) -> None:
    """Fork a process for each kind of call; see above."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup has ignored
    wait, go = os.pipe()
    for number, kind in enumerate(CALLS):
        if os.fork() == 0:
            os.close(go)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            named = f"{url}&application_name=kind-{number}"
            with g.open(named, writable=kind != "get", timeout=timeout) as wb:
                os.write(1, f"{os.getpid()} {kind}\n".encode())  # whole, among those of others
                os.read(wait, 1)
                CALLS[kind](wb)
            return
    sys.stdin.read()
    os.close(go)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
