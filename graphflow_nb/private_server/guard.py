"""The process between a kernel and its private server.

It runs as a script, with the standard library alone. The kernel holds the other end of its stdin.
When that end closes, however the kernel ended, the guard stops the server and removes what was
temporary. On Linux the server in turn stops when the guard ends.
"""

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Run what ``sys.argv[1]`` describes until stdin closes.

    The plan is JSON: ``initialise`` is the command that makes the data, if there are none;
    ``command`` starts the server; ``unfinished`` are folders to remove where the data could not be
    made, ``temporary`` those to remove at the end; ``discards`` says that the data are among them.
    The answer is one line of JSON on stdout, with the ``pid`` of the server or the ``error`` of the
    first command.
    """
    plan = json.loads(sys.argv[1])
    os.umask(0o077)
    if plan["initialise"]:
        before = os.path.getsize(plan["log"]) if os.path.exists(plan["log"]) else 0
        process = _start(plan, plan["initialise"], signal.SIGTERM)
        if _watch(process, until_end=True) is not None or process.returncode:
            _stop(process)
            with open(plan["log"], "rb") as log:
                log.seek(before)
                error = log.read().decode(errors="replace").strip()
            _remove(plan["unfinished"] + plan["temporary"])
            _answer({"error": error})
            return
    server = _start(plan, plan["command"], signal.SIGINT)
    _answer({"pid": server.pid})
    last = _watch(server)
    keeps = last == b"k"
    _stop(server, at_once=plan["discards"] and not keeps)
    if not keeps:
        _remove(plan["temporary"])


def _start(plan: dict[str, Any], command: list[str], end: int) -> "subprocess.Popen[bytes]":
    """Start a program that gets the signal ``end`` when this process ends."""
    with open(plan["log"], "ab") as log:
        return subprocess.Popen(
            command,
            cwd=plan["runtime"],
            env=plan["env"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=_end_with_parent(end),
            start_new_session=True,
            **plan["user"],
        )


def _end_with_parent(end: int) -> "Callable[[], None] | None":
    """Return what a child does so that it gets a signal when this process ends; Linux only."""
    if not sys.platform.startswith("linux"):
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, end, 0, 0, 0)
        if os.getppid() != parent:  # it ended before that
            os.kill(os.getpid(), signal.SIGKILL)

    return prepare


def _watch(process: "subprocess.Popen[bytes]", *, until_end: bool = False) -> "bytes | None":
    """Wait until stdin closes, and return the last byte that came; with ``until_end`` None at the
    end of the process."""
    last = b""
    while True:
        if select.select([0], [], [], 0.02 if until_end else 0.5)[0]:
            # A kernel that restarts a killed server writes "k" for "keep the folders" first.
            received = os.read(0, 1)
            if not received:
                return last
            last = received
        # A server that was killed must not stay a zombie.
        if process.poll() is not None and until_end:
            return None


def _stop(process: "subprocess.Popen[bytes]", *, at_once: bool = False) -> None:
    """End a process; with ``at_once`` it writes nothing more to its data first."""
    steps = ((signal.SIGINT, 10), (signal.SIGQUIT, 5), (signal.SIGKILL, 5))
    for number, seconds in steps[1:] if at_once else steps:
        if process.poll() is not None:
            break
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue


def _answer(answer: dict[str, Any]) -> None:
    try:
        print(json.dumps(answer), flush=True)
    except OSError:  # the kernel is gone
        return
    os.close(1)


def _remove(folders: list[str]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
