"""Hundreds of attempts to write through a store opened for reading: checksum and log show none.

The server logs each statement that was carried out, inside of functions too (``auto_explain``).
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle, islice, product
from pathlib import Path
from typing import Any

import pytest

from graphflow_nb import StorageError

from ...scope import only_complete, size
from .kit import connect, execute, fetch, fetch_value
from .test_read_only import _STEAL, CARRIERS, CHECKSUM, PAYLOADS, _function, _read_everything

MORE = {
    "a cast": _function("cast1(jsonb)", "text", "'{{}}'")
    + _function("cast2(varchar)", "bytea", "''::bytea")
    + "CREATE CAST (jsonb AS text) WITH FUNCTION public.cast1(jsonb) AS IMPLICIT;"
    "CREATE CAST (varchar AS bytea) WITH FUNCTION public.cast2(varchar) AS IMPLICIT;",
    "a collation": _STEAL + "CREATE COLLATION public.\"C\" (locale = 'C');"
    'ALTER TABLE sessions ALTER current_task_id TYPE varchar COLLATE public."C";'
    "ALTER TABLE sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
    "CREATE POLICY p ON sessions USING (public.steal());",
    "a rule": _STEAL + "CREATE RULE r AS ON UPDATE TO sessions DO ALSO SELECT public.steal();"
    "CREATE RULE i AS ON INSERT TO sessions DO INSTEAD DELETE FROM public.trophy;",
    "a trigger": _function("fire()", "trigger", "NEW")
    + "CREATE TRIGGER t BEFORE INSERT OR UPDATE OR DELETE ON sessions "
    "FOR EACH ROW EXECUTE FUNCTION public.fire();",
}
SETTINGS = {
    "none": "",
    "the mode": "ALTER ROLE {role} IN DATABASE {name} SET default_transaction_read_only = off;",
    "the path": "ALTER DATABASE {name} SET search_path = public, pg_catalog;",
    "the role's path": "ALTER ROLE {role} IN DATABASE {name} SET search_path = public, pg_catalog;",
    "the isolation": "ALTER DATABASE {name} SET default_transaction_isolation = serializable;"
    "ALTER DATABASE {name} SET default_transaction_read_only = off;",
}
RESET = """
ALTER DATABASE {name} RESET ALL; ALTER ROLE {role} IN DATABASE {name} RESET ALL;
ALTER ROLE postgres IN DATABASE {name} RESET ALL;
DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO public;
CREATE TABLE sessions (id TEXT PRIMARY KEY, graph_id VARCHAR NOT NULL,
    current_task_id VARCHAR NOT NULL, status_message VARCHAR, context JSONB NOT NULL,
    version BIGINT NOT NULL DEFAULT 0, created_at TIMESTAMPTZ DEFAULT now(),
    updated_at TIMESTAMPTZ DEFAULT now());
CREATE TABLE trophy AS SELECT 1 AS one;
INSERT INTO sessions SELECT id, 'g', 't', 's',
    '{{"data": {{"n": 1}}, "chat_history": {{"messages": [], "max_messages": 9}}}}', 1
    FROM unnest(ARRAY['a', 'b']) AS id;
GRANT ALL ON trophy, sessions TO public;
"""
LOGGED = """
ALTER DATABASE {name} SET session_preload_libraries = auto_explain;
ALTER DATABASE {name} SET auto_explain.log_min_duration = 0;
ALTER DATABASE {name} SET auto_explain.log_nested_statements = on;
ALTER DATABASE {name} SET log_statement = mod;
"""
#: A plan that was carried out, or a statement that was sent.
WRITE = re.compile(r"^\s*(?:->\s*)?(?:Delete|Insert|Update|Merge) on |statement: ", re.MULTILINE)
ENTRY = re.compile(r"^(?=\d{4}-\d\d-\d\d )", re.MULTILINE)
COUNT = size(300, 30)


def _attempts() -> Iterator[tuple[str, str, str, str]]:
    """Yield each carrier in turn, with payloads, settings and readers in a random order."""
    rng = random.Random(19)
    rest = [*product(PAYLOADS, SETTINGS, ("postgres", "role"))]
    carriers = cycle([*CARRIERS, *MORE])
    while True:
        rng.shuffle(rest)
        for payload, setting, reader in rest:
            yield next(carriers), payload, setting, reader


class _Log:
    """What the server writes to its log from now on."""

    def __init__(self, path: Path):
        self._path = path
        self._start = path.stat().st_size

    def writes(self) -> list[str]:
        """Return the entries on writes; what was only planned, for EXPLAIN, is none."""
        text = self._path.read_bytes()[self._start :].decode(errors="replace")
        return [
            entry
            for entry in ENTRY.split(text)
            if WRITE.search(entry) and "Query Text: EXPLAIN" not in entry
        ]


@pytest.fixture
def logged(database: str, run: Any) -> Path:
    folder = run(fetch_value(database, "SELECT current_setting('unix_socket_directories')"))
    return Path(folder) / "log"


@only_complete
def test_nothing_is_written_by_any_attempt(database, run, logged):
    name = database.rpartition("/")[2].partition("?")[0]
    role = f"{name}_reader"
    run(execute(database, f"CREATE ROLE {role} LOGIN"))
    read = 0
    for carrier, payload, setting, reader in islice(_attempts(), COUNT):
        attempt = (carrier, payload, setting, reader)
        names = {"name": name, "role": role if reader == "role" else "postgres"}
        run(execute(database, RESET.format(name=name, role=role)))
        before = run(fetch_value(database, CHECKSUM.format("sessions")))
        code = (CARRIERS | MORE)[carrier].format(payload=PAYLOADS[payload])
        run(execute(database, code))
        run(execute(database, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"))
        run(execute(database, SETTINGS[setting].format(**names) + LOGGED.format(name=name)))
        log = _Log(logged)
        url = database.replace("user=postgres", f"user={names['role']}")
        with suppress(StorageError):
            storage = run(connect(url, read_only=True, max_connections=1))
            run(_read_everything(storage))
            read += 1
            run(storage.close())
        assert log.writes() == [], attempt
        run(execute(database, f"ALTER DATABASE {name} RESET ALL"))
        # The checksum's own statement must not run the payload.
        run(execute(database, "DROP CAST IF EXISTS (jsonb AS text)"))
        stored = CHECKSUM.format("behind" if "view" in carrier else "sessions")
        assert run(fetch_value(database, stored)) == before, attempt
    assert read > COUNT / 2
    run(execute(database, f"DROP OWNED BY {role}; DROP ROLE {role}"))


def test_the_log_shows_what_a_function_writes(database, run, logged):
    name = database.rpartition("/")[2].partition("?")[0]
    run(execute(database, f"CREATE ROLE {name}_reader"))
    run(execute(database, RESET.format(name=name, role=f"{name}_reader")))
    run(execute(database, _STEAL.format(payload=PAYLOADS["delete"]) + LOGGED.format(name=name)))
    log = _Log(logged)
    run(fetch(database, "SELECT steal()"))
    assert len(log.writes()) == 1
    run(execute(database, f"DROP ROLE {name}_reader"))
