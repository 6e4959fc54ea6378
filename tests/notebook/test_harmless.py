"""A workbench that is opened for reading changes nothing, whatever it is called with.

The server logs every statement (``log_statement = all``), so that not only the rows show it.
"""

from __future__ import annotations

import asyncio
import inspect
import random
import re
import warnings
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pytest

import graphflow_nb as g
from graphflow_nb.dual import CalledAsMethod
from graphflow_nb.storage.history import VersionRow

from ..scope import only_complete
from ..storage.postgres.kit import execute, fetch_value

MISUSES = 500
SESSIONS = """
CREATE TABLE trophy AS SELECT 1 AS one;
INSERT INTO sessions (id, graph_id, current_task_id, status_message, context)
SELECT 's' || n, 'g', 't', 'waiting', jsonb_build_object('data', jsonb_build_object('n', n),
    'chat_history', '{"messages": [], "max_messages": 1000}'::jsonb)
FROM generate_series(1, 60) AS n
"""
LOGS = ("statement = 'all'", "min_messages = 'error'")
TABLES = ("sessions", "sessions_history", "trophy")
CHECKSUM = "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {} AS t"
#: Each names the table that no statement of ours may name.
SQL = (
    "'; DELETE FROM trophy; --",
    '"; DROP TABLE trophy; --',
    "s1'); TRUNCATE trophy; --",
    "$$; UPDATE trophy SET one = 2; $$",
    "\\'; DELETE FROM trophy; --",
    "s1' OR (SELECT set_config('default_transaction_read_only', 'off', false)) = 'trophy",
    "{trophy}'::text[]; COMMIT; DELETE FROM trophy; --",
    "%' ESCAPE 'trophy",
)
STATEMENT = re.compile(r"LOG:\s+(?:statement|execute [^:]*): (.*)", re.DOTALL)
ENTRY = re.compile(r"^(?=\d{4}-\d\d-\d\d )", re.MULTILINE)
#: The first words of statements that change nothing for others.
READING = {"SELECT", "WITH", "EXPLAIN", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"}
READING |= {"SET", "SHOW", "LISTEN", "UNLISTEN", ""}
INSIDE = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE)\b")
WRITING = {"INSERT", "UPDATE", "DELETE", "COPY"}
LEFT_OUT = {"close", "watch", "run", "replace_inner", "use_hooks", "add_hook", "remove_hook"}


class Log:
    """The statements that a server carries out from now on."""

    def __init__(self, folder: Path):
        self._path = folder / "log"
        self._start = self._path.stat().st_size

    def entries(self) -> list[str]:
        text = self._path.read_bytes()[self._start :].decode(errors="replace")
        return ENTRY.split(text)

    def statements(self) -> list[str]:
        found = map(STATEMENT.search, self.entries())
        return [match[1] for match in found if match]

    def first_words(self) -> set[str]:
        """Return the first word of each statement; of ``COPY (SELECT …)`` that of the query.

        A statement that begins with WITH may write in any of its parts: the words of those, too.
        """
        texts = [text.replace("COPY (", "") for text in self.statements()]
        parts = (part.split() for text in texts for part in text.split(";"))
        first = {words[0].upper() if words else "" for words in parts}
        return first.union(*(INSIDE.findall(text) for text in texts if text.startswith("WITH")))


@pytest.fixture
def logged(database: str, run: Any) -> Iterator[str]:
    """A database with some sessions, whose server logs each statement."""
    name = run(fetch_value(database, "SELECT quote_ident(current_database())"))
    with g.open(database, writable=True) as wb:  # creates the table
        wb.install_history()  # and what keeps versions, which could be written to, too
    logs = (f"ALTER DATABASE {name} SET log_{kind}" for kind in LOGS)
    run(execute(database, ";".join([SESSIONS, *logs])))
    yield database
    run(execute(database, f"ALTER DATABASE {name} RESET ALL"))


@pytest.fixture
def log_folder(logged: str, run: Any) -> Path:
    return Path(run(fetch_value(logged, "SELECT current_setting('unix_socket_directories')")))


@only_complete
def test_what_is_done_every_day_takes_no_ddl_no_temporary_table_and_no_advisory_lock(
    logged, log_folder, tmp_path
):
    log = Log(log_folder)
    with g.open(logged) as wb:
        _read_as_every_day(wb)
    assert log.first_words() <= READING
    with g.open(logged, writable=True) as wb:
        _read_as_every_day(wb)
        session = wb.create("new", "t")
        session.context["n"] = 1
        wb.save(session)
        wb.upsert(session)
        wb.patch("s1", [{"op": "add", "path": "/context/data/m", "value": 1}])
        wb.delete(["s2", "s3"])
        wb.undo_all()
        sessions = [g.Session(f"many{n}", "t") for n in range(600)]
        wb.bridge.run(wb.storage.save_many(sessions))
        wb.bridge.run(wb.storage.save_many(sessions))
        wb.delete([session.id for session in sessions])
        with g.open("memory:") as other:
            wb.copy_to(other, progress=lambda *_: None)
        wb.to_parquet(tmp_path / "p", progress=lambda *_: None)
    assert log.first_words() <= READING | WRITING
    assert not any(
        re.search(r"pg_(try_)?advisory(_xact)?_lock|pg_temp\.", text) for text in log.statements()
    )


def _read_as_every_day(wb: g.Workbench) -> None:
    repr(wb)
    wb.get("s1")
    wb.raw("s1")
    wb.sessions(text="wait", context=["n"])
    wb.sessions(where={"n": 7}, limit=None)
    wb.stuck("usual")
    wb.messages()
    wb.summary()
    wb.advise()
    wb.overview()
    wb.graph("g")
    list(wb.scan(batch_size=50))
    browser = wb.browse(session="s1")
    browser.stage.poll_once()
    browser.close()


@only_complete
def test_not_one_row_is_changed_by_any_of_500_misuses(
    logged, log_folder, run, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)  # what is written to a file of such a name
    before = [run(fetch_value(logged, CHECKSUM.format(name))) for name in TABLES]
    log = Log(log_folder)
    chance, tried, refused = random.Random(17), set(), 0
    with g.open(logged) as wb, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        browser = wb.browse(session="s1", text=SQL[0])
        browser.stage.act(browser.listing.clear)
        misuses = [*_calls(wb, chance), *_clicks(browser, chance)]
        for number, (name, misuse) in zip(range(MISUSES), cycle(misuses), strict=False):
            try:
                misuse()
            except g.ReadOnlyError:
                refused += 1
            except (g.GraphflowError, TypeError, ValueError, AttributeError, KeyError):
                pass
            except Exception as error:
                raise AssertionError(f"{name}, misuse {number}") from error
            tried.add(name)
        browser.close()
    assert log.first_words() <= READING
    assert not any("trophy" in text for text in log.statements())
    # What the server refused before it began is not logged as a statement.
    assert not any("in a read-only transaction" in entry for entry in log.entries())
    assert before == [run(fetch_value(logged, CHECKSUM.format(name))) for name in TABLES]
    assert len(tried) > 100
    assert refused > 80


def _calls(wb: g.Workbench, chance: random.Random) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield a call of every public method, with SQL in every argument."""
    session = wb.get("s1")
    owners = {
        "wb": wb,
        "wb.storage": wb.storage,
        "wb.storage.inner": wb.storage.inner,
        "wb.journaled": wb.journaled,
        "wb.journaled.unnoted": wb.journaled.unnoted,
        "wb.archive": wb.archive,
        "wb.storage.history_table": wb.storage.history_table,
    }
    for name, owner in owners.items():
        for method in sorted({*dir(type(owner)), *dir(owner)}):  # those of views too
            if method.startswith("_") or method == "close":
                continue
            if method in LEFT_OUT and owner is not wb:
                continue
            if owner is wb.storage and not hasattr(wb.storage.inner, method):
                continue
            found = inspect.getattr_static(owner, method)
            called = getattr(owner, method)
            if isinstance(found, property) and not isinstance(called, CalledAsMethod):
                continue
            if callable(called):
                # Those of a wrapper take whatever those of the storage inside take.
                likeness = getattr(wb.storage.inner, method) if owner is wb.storage else called
                parameters = inspect.signature(likeness).parameters.values()
                yield f"{name}.{method}", _misuse(wb, called, [*parameters], session, chance)


def _misuse(
    wb: g.Workbench,
    called: Any,
    parameters: list[inspect.Parameter],
    session: g.Session,
    chance: random.Random,
) -> Callable[[], Any]:
    def call() -> None:
        arguments, named = [], {}
        for parameter in parameters:
            if parameter.kind is parameter.VAR_POSITIONAL:
                continue
            if parameter.kind is parameter.VAR_KEYWORD:
                named |= {"text": chance.choice(SQL)}
            elif parameter.default is parameter.empty or chance.random() < 0.5:
                value = _argument(parameter.name, session, chance)
                if parameter.kind is parameter.KEYWORD_ONLY:
                    named[parameter.name] = value
                else:
                    arguments.append(value)
            elif parameter.kind is not parameter.KEYWORD_ONLY:
                arguments.append(parameter.default)
        result = called(*arguments, **named)
        if inspect.iscoroutine(result):
            wb.bridge.run(asyncio.wait_for(result, 10))
        elif isinstance(result, Iterator):
            next(result, None)

    return call


def _argument(name: str, session: g.Session, chance: random.Random) -> Any:
    sql = chance.choice(SQL)
    other = session.copy()
    other.context[sql] = sql
    kinds: dict[str, Any] = {
        "session": chance.choice([session, other, g.Session(sql, sql)]),
        "sessions": [chance.choice([session, other]), g.Session(sql, sql)],
        "rows": [VersionRow("s1", 0, 1, 1, sql, sql, sql, 1, False, "{}", None, 2, "written", sql)],
        "patches": {1: ("[]", 2)},
        "versions": 0,
        "before": 1,
        "limit": 9,
        "query": g.Query(text=sql, graph=chance.choice([None, sql]), limit=9),
        "ids": chance.choice([[sql, "s1"], {"s1": 1}, {sql: 0}, "s1"]),
        "id": chance.choice([sql, "s1"]),
        "where": {sql: sql, (sql, "a"): 1},
        "has": [sql, (sql, sql)],
        "lacks": [(sql,)],
        "compare": [((sql,), ">", sql)],
        "context": chance.choice([[(sql, sql)], [sql], {"n": sql}]),
        "changes": [{"op": "add", "path": "/status_message", "value": sql}],
        "duration": 0.1,
        "progress": lambda *_: None,
        "stop": lambda: False,
        "redact": None,
        "confirm": True,
        "allow_scan": True,
        "writable": False,
        "undo": chance.random() < 0.5,
        "entry": 1,
        "entries": [1],
        "hook": None,
    }
    return kinds.get(name, chance.choice([sql, sql, True, None, 1, [sql], {sql: sql}]))


def _clicks(browser: Any, chance: random.Random) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield a click on each button, shown or not, with SQL in every field before it.

    A view on a store opened for reading has no button that opens a dialog that writes. Here all
    parts are made, as if it had.
    """
    stage, actions, reader = browser.stage, browser.actions, browser.reader
    writing = [
        each.get() for each in (actions.create, actions.delete, actions.change, actions.undo)
    ]
    reading = [each.get() for each in (actions.overview, actions.export, actions.waiting)]
    assert all((reader.history, reader.editor, reader.saving, browser.comparison))

    def fill_and_click(button: widgets.Button) -> None:
        for field in _find(browser, (widgets.Text, widgets.Textarea, widgets.Combobox)):
            field.value = chance.choice(SQL)
        stage.listing.selected = ["s1", "s2"]
        button.click()

    for number, button in enumerate(_find(browser, (widgets.Button,))):
        if button.description not in ("Follow changes",):
            yield f"button {number} {button.description}", lambda b=button: fill_and_click(b)
    for dialog in (*writing, *reading):
        yield f"open {type(dialog).__name__}", lambda d=dialog: stage.act(d.open)
    values = (SQL[0], [*SQL, "s1"], -1, 0, None)
    for event in ("open", "select", "sort", "turn", "delete", "save"):
        for value in values:
            message = {"event": event, "value": value}
            yield f"message {event}", lambda m=message: browser.table.receive(m)


def _find(browser: Any, kinds: tuple[type, ...]) -> list[Any]:
    waiting, found = [browser], []
    while waiting:
        widget = waiting.pop()
        waiting += getattr(widget, "children", ())
        found += [widget] if isinstance(widget, kinds) else []
    return found
