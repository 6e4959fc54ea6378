"""The process between a kernel and its private PostgreSQL server.

It runs as a script, with the standard library alone. The kernel holds the other end of its stdin.
When that end closes, however the kernel ended, the guard stops the server and removes what was
temporary.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys


def main() -> None:
    """Run the server that ``sys.argv[1]`` describes until stdin closes."""
    plan = json.loads(sys.argv[1])
    with open(plan["log"], "ab") as log:
        server = subprocess.Popen(
            plan["command"],
            cwd=plan["runtime"],
            env=plan["env"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            **plan["user"],
        )
    print(server.pid, flush=True)
    os.close(1)

    last = b""
    while True:
        # A kernel that restarts a killed server writes "k" for "keep the folders" and then closes.
        if select.select([0], [], [], 0.5)[0]:
            received = os.read(0, 1)
            if not received:
                break
            last = received
        server.poll()  # a server that was killed must not stay a zombie
    for number, seconds in ((signal.SIGINT, 10), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
        if server.poll() is not None:
            break
        server.send_signal(number)
        try:
            server.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
    if last != b"k":
        for folder in plan["temporary"]:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
