"""All sessions as a DataFrame: time and memory beside ADBC and connectorx, in the same run.

Each call is made by a process of its own, so that its peak of memory is that call's. Before it, the
process has imported its packages and, where it can, connected.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg

import graphflow_nb as g

#: The paths, with the types that someone would write who knows what each has.
TYPES = {"n": "bigint", "amount": "float8", "tier": "text", "open": "boolean", "who": "text"}
PATHS = tuple(TYPES)
ROUNDS = 3
FILL = """
INSERT INTO sessions (id, graph_id, current_task_id, status_message, context, created_at,
    updated_at)
SELECT 'session-' || lpad((n::bigint * 7919 % {size})::text, 8, '0'), 'graph-' || n % 5,
    'task-' || n % 20, CASE WHEN n % 3 = 0 THEN 'waiting for the customer' END,
    jsonb_build_object('data', jsonb_build_object('n', n, 'amount', n % 1000 + 0.25,
        'tier', (ARRAY['gold', 'silver', 'tin'])[1 + n % 3], 'open', n % 2 = 0,
        'who', 'name of ' || n, 'text', {text}),
        'chat_history', '{{"messages": [], "max_messages": 1000}}'::jsonb),
    now() - n * interval '3 seconds', now() - n * interval '1 second'
FROM generate_series(1, {size}) AS n
"""
SMALL = "repeat('x', 450)"  # a context of 700 bytes
LARGE = (
    "(SELECT string_agg(md5((n::bigint * 1000 + k)::text), '') FROM generate_series(1, 300) AS k)"
)
#: Who else reads, as plain texts and with the types that our columns have.
OTHERS = ("ADBC", "ADBC, typed", "connectorx", "connectorx, typed")
#: What ``wb.sessions()`` shows, as someone would write it who knows the table.
PLAIN = """
SELECT id, graph_id, current_task_id, status_message, version, created_at, updated_at,
    pg_column_size(context) AS context_bytes,
    jsonb_array_length(context #> '{{chat_history,messages}}') AS messages{values}
FROM sessions ORDER BY updated_at DESC, id DESC
"""


class Case(NamedTuple):
    """A table, and how many columns are taken from its contexts."""

    size: int
    contexts: str
    columns: int


CASES = (Case(200_000, "small", 1), Case(200_000, "small", 5), Case(100_000, "large", 1))
CASES += (Case(100_000, "large", 5),)
FULL_CASES = (*CASES, Case(1_000_000, "small", 1), Case(1_000_000, "small", 5))


def _memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(name)).split()[1])


def read_once(contestant: str, url: str, columns: int) -> dict[str, float]:
    """Make one call, and return its seconds, its peak of memory and the size of its DataFrame."""
    paths = PATHS[:columns]
    typed = contestant.endswith("typed")
    values = (
        f", (context #>> '{{data,{p}}}')::{TYPES[p] if typed else 'text'} AS {p}" for p in paths
    )
    plain = PLAIN.format(values="".join(values))
    read: Any
    if contestant == "ours":
        wb = g.open(url, timeout=300, read_only=True)
        wb.sessions(limit=1)

        def read() -> Any:
            return wb.sessions(context=paths, limit=None, allow_scan=True)

    elif contestant.startswith("ADBC"):
        import adbc_driver_postgresql.dbapi as adbc

        connection = adbc.connect(url)

        def read() -> Any:
            with connection.cursor() as cursor:
                cursor.execute(plain)
                return cursor.fetch_df()

    else:
        import connectorx

        place = urlsplit(url)
        folder = quote(parse_qs(place.query)["host"][0], safe="")
        address = f"postgresql://postgres@{folder}:{parse_qs(place.query)['port'][0]}{place.path}"

        def read() -> Any:
            return connectorx.read_sql(address, plain)

    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    base, began = _memory("VmRSS"), time.perf_counter()
    frame = read()
    seconds = time.perf_counter() - began
    size = int(frame.memory_usage(deep=True).sum())
    return {"seconds": seconds, "peak": _memory("VmHWM") - base, "frame": size, "rows": len(frame)}


def _measure(url: str, case: Case) -> dict[str, dict[str, float]]:
    """Return the medians of each contestant, in alternating rounds."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ("ours", *OTHERS)}
    for _ in range(ROUNDS):
        for name, calls in found.items():
            command = [sys.executable, "-m", __spec__.name, name, url, str(case.columns)]
            answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            calls.append(json.loads(answer.stdout))
            assert calls[-1]["rows"] == case.size
    return {
        name: {key: statistics.median(call[key] for call in calls) for key in calls[0]}
        for name, calls in found.items()
    }


async def _fill(url: str, case: Case) -> None:
    await (await g.connect(url)).close()
    connection = await asyncpg.connect(url)
    text = SMALL if case.contexts == "small" else LARGE
    await connection.execute(FILL.format(size=case.size, text=text))
    await connection.execute("VACUUM ANALYZE sessions")
    await connection.close()


def frames(server: g.LocalPostgres, *, full: bool) -> None:
    """Print the time and the peak of memory of each contestant, and ours to theirs."""
    print("\nDataFrames of all sessions, newest first; the peak is that of memory")
    print(f"  {'sessions, contexts, columns':<32}{'':<18}{'s':>8}{'frame MB':>10}{'peak MB':>10}")
    urls: dict[str, str] = {}
    for case in FULL_CASES if full else CASES:
        name = f"frames_{case.size}_{case.contexts}"
        if name not in urls:
            urls[name] = server.create_database(name)
            asyncio.run(_fill(urls[name], case))
        found = _measure(urls[name], case)
        title = f"{case.size:,}, {case.contexts}, {case.columns}"
        for contestant, figures in found.items():
            print(
                f"  {title:<32}{contestant:<18}{figures['seconds']:>8.2f}"
                f"{figures['frame'] / 1e6:>10.1f}{figures['peak'] / 1e6:>10.1f}"
                f"{figures['peak'] / figures['frame']:>7.2f}×",
                flush=True,
            )
        for kind, names in (("plain", OTHERS[::2]), ("typed", OTHERS[1::2])):
            quickest = min(found[name]["seconds"] for name in names)
            least = min(found[name]["peak"] for name in names)
            print(
                f"  {f'ours to the best of the others, {kind}':<50}"
                f"{found['ours']['seconds'] / quickest:>7.2f}×"
                f"{'':>10}{found['ours']['peak'] / least:>9.2f}×   "
                "(aims ≤ 1.0×; ours ≤ 1.5× its DataFrame)",
                flush=True,
            )


if __name__ == "__main__":
    print(json.dumps(read_once(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
