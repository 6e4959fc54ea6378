"""A kernel or a script that is ended in the middle of a call leaves nothing running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import pytest

import graphflow_nb as g
from graphflow_nb.storage.postgres.limits import CHECK_SECONDS

from ..scope import only_complete
from ..storage.postgres.kit import execute, fetch, fetch_value, until
from .ended import CALLS

TIMEOUT = 15.0
#: Each row takes a minute, for whoever is not the owner.
SLOW = """
INSERT INTO sessions (id, graph_id, current_task_id, context)
    VALUES ('s1', 'g', 't', '{{"data": {{}}, "chat_history": {{"messages": []}}}}');
CREATE ROLE {role} LOGIN; GRANT ALL ON sessions TO {role};
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON sessions USING (pg_sleep(60) IS NOT NULL);
"""
RUNNING = """
SELECT DISTINCT application_name FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'kind-%' AND state <> 'idle'
"""


@only_complete
@pytest.mark.parametrize(
    ("signals", "more", "seconds"),
    [
        # The server looks every two seconds whether the process is there.
        ([signal.SIGKILL], "", CHECK_SECONDS + 3),
        # These cancel it before they go, so a server that does not look has nothing left either.
        (
            [signal.SIGINT, signal.SIGTERM, signal.SIGHUP],
            "&client_connection_check_interval=0",
            TIMEOUT / 2,
        ),
    ],
    ids=["killed", "interrupted, terminated and hung up"],
)
def test_what_is_ended_in_20_kinds_of_calls_leaves_nothing_running(
    signals: Sequence[int], more: str, seconds: float, database, run
):
    role = run(fetch_value(database, "SELECT current_database() || '_slow'"))
    g.open(database, writable=True).close()  # creates the table
    run(execute(database, SLOW.format(role=role)))
    words = [sys.executable, "-m", "tests.notebook.ended"]
    words += [database.replace("user=postgres", f"user={role}") + more, str(TIMEOUT)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        words, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        lines = [program.stdout.readline().split(maxsplit=1) for _ in CALLS]
        assert {kind.strip() for _, kind in lines} == set(CALLS)
        program.stdin.close()

        async def all_run() -> bool:
            return len(await fetch(database, RUNNING)) == len(CALLS)

        async def none_runs() -> bool:
            return not await fetch(database, RUNNING)

        run(until(all_run))
        for number, (pid, _) in enumerate(lines):
            os.kill(int(pid), signals[number % len(signals)])
        began = time.monotonic()
        run(until(none_runs))
        assert time.monotonic() - began < seconds
    run(execute(database, f"DROP OWNED BY {role}; DROP ROLE {role}"))
