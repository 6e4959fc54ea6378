"""The process between a kernel and its private PostgreSQL server.

It runs as a script, with the standard library alone. The kernel holds the other end of its stdin;
when that closes, however the kernel ended, the server is stopped and what was temporary removed.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys


def main() -> None:
    plan = json.loads(sys.argv[1])
    with open(plan["log"], "ab") as log:
        server = subprocess.Popen(
            plan["command"],
            cwd=plan["runtime"],
            env=plan["env"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            **plan["identity"],
        )
    print(server.pid, flush=True)
    os.close(1)

    last = b""
    while True:
        # A kernel that starts a killed server again says "k" for keep before it lets go.
        if select.select([0], [], [], 0.5)[0]:
            said = os.read(0, 1)
            if not said:
                break
            last = said
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
