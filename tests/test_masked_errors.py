"""What a store's mask hides is hidden in errors, their causes, warnings and log records."""

from __future__ import annotations

import io
import logging
import pickle
import sqlite3
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb import workflow

from .scope import only_complete
from .test_masking import outputs_of

SECRET = "Zq7-0042"
#: Beside what looks secret: the key of a business, in three spellings.
DATA = {"case_number": SECRET, "caseNumber": {"a": SECRET}, "list": [{"CASE NUMBER": [SECRET]}]}
QUOTED = f"case_number={SECRET}, {{'caseNumber': '{SECRET}'}}"


def write_trigger(text: str) -> str:
    """Return a trigger of PostgreSQL that refuses a row and quotes it in all that it says."""
    return f"""
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF NEW.current_task_id = 'refused' THEN
    RAISE EXCEPTION 'no: {text}' USING DETAIL = 'it has {text}', HINT = 'look at {text}';
END IF; RETURN NEW; END $$;
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION refuse()"""


OTHERS = [pytest.param(kind, marks=only_complete) for kind in ("sqlite", "redis")]


@pytest.fixture(params=["memory", "postgresql", *OTHERS])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store that refuses the task ``refused``, if its database can."""
    text = QUOTED.replace("'", "''")
    if request.param == "sqlite":
        url = f"sqlite:{tmp_path / 'a.db'}"
        g.open(url, create=True).close()
        with sqlite3.connect(tmp_path / "a.db") as db:
            db.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON sessions WHEN "
                f"NEW.current_task_id = 'refused' BEGIN SELECT RAISE(ABORT, 'no: {text}'); END"
            )
        return url
    if request.param == "postgresql":
        url = str(request.getfixturevalue("database"))
        with g.open(url, writable=True) as wb:
            run = wb.storage.inner.run  # type: ignore[attr-defined]
            wb.bridge.run(run(lambda c: c.execute(write_trigger(text))))
        return url
    if request.param == "redis":
        server = request.getfixturevalue("redis_server")
        server.empty()
        return str(server.url)
    return "memory:"


def calls_of(wb: g.Workbench) -> Iterator[Callable[[], Any]]:
    """Yield calls that fail, or warn, with what is secret in their texts."""
    stale = wb.create("a", "t", context=DATA)
    wb.patch("a", [{"op": "replace", "path": "/context/data/case_number", "value": f"{SECRET}2"}])
    yield lambda: wb.save(stale)
    yield lambda: wb.get(QUOTED)
    yield lambda: wb.get.aio(QUOTED)
    yield lambda: wb.sessions(where=[DATA])  # type: ignore[arg-type]
    yield lambda: wb.sessions(compare=[("case_number", "~", SECRET)])
    yield lambda: wb.sessions(compare=[("caseNumber", "<", {"a": SECRET})])
    yield lambda: wb.patch("a", [DATA])
    yield lambda: wb.patch("a", [{"op": QUOTED, "path": "/a"}])
    yield lambda: wb.patch("a", [{"op": "replace", "path": "/context/data", "value": [DATA]}])
    yield lambda: wb.patch("a", [{"op": "replace", "path": "/status_message", "value": DATA}])
    yield lambda: wb.save(DATA)  # type: ignore[arg-type]
    yield lambda: wb.create("refused", "refused", context=DATA)
    large = g.Session("large", "t", context={"case_number": 77420042774200427742 * 10**20})
    yield lambda: wb.save(large)
    yield lambda: wb.run(failing(lambda: 1 / 0), "a")
    yield lambda: wb.run(failing(lambda: DATA), "a")  # type: ignore[arg-type,return-value]
    yield lambda: wb.run(failing(lambda: workflow.TaskResult(next_action=QUOTED)), "a")  # type: ignore[arg-type]


def failing(act: Callable[[], Any], said: str = QUOTED) -> workflow.Graph:
    def step(context: g.Context) -> workflow.TaskResult:
        try:
            return act()  # type: ignore[no-any-return]
        except ZeroDivisionError:
            raise g.TaskExecutionFailed(f"it has {said}") from None

    return workflow.GraphBuilder("default").add_task(workflow.task("t")(step)).build()


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """Collect what is logged, down to the least of it."""
    text, logger = io.StringIO(), logging.getLogger("graphflow_nb")
    handler = logging.StreamHandler(text)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield text
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def said_by(wb: g.Workbench) -> list[str]:
    """Return all that is printed of each failing call."""
    texts = []
    with logged() as text, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for call in calls_of(wb):
            try:
                found = call()
                if hasattr(found, "send"):
                    wb.bridge.run(found)
            except g.GraphflowError as error:
                group = ExceptionGroup("several", [error])
                group.add_note(str(error))
                texts.append("".join(traceback.format_exception(group)) + repr(group))
        texts += [str(warning.message) for warning in warned]
    return [*texts, text.getvalue()]


def test_what_a_mask_adds_is_hidden_in_all_that_a_failure_says(url: str) -> None:
    with g.open(url, writable=True, mask=["case number"]) as wb:
        texts = said_by(wb)
        wb.delete("a")
    assert len(texts) >= 14
    for text in texts:
        assert SECRET not in text, text[max(0, text.find(SECRET) - 400) :][:800]
        assert "77420042" not in text


def test_a_mask_that_is_off_hides_nothing_of_what_a_failure_says(url: str) -> None:
    quoted = f"password={SECRET}"
    with g.open(url, writable=True, mask=False) as wb:
        wb.create("a", "t")
        for call in (
            lambda: wb.get(quoted),
            lambda: wb.sessions(compare=[("password", "~", SECRET)]),
            lambda: wb.patch("a", [{"password": SECRET, "op": quoted, "path": "/a"}]),
            lambda: wb.run(failing(lambda: 1 / 0, quoted), "a"),
            lambda: wb.copy_to("memory:", redact=lambda _: quoted),
            lambda: wb.copy_to("memory:", redact=lambda _: quoted, progress=lambda *_: None),
        ):
            with pytest.raises(g.GraphflowError) as error:
                call()
            assert SECRET in str(error.value)
            assert SECRET in str(pickle.loads(pickle.dumps(error.value)))
        wb.delete("a")
    with pytest.raises(g.SessionNotFound) as error:
        g.open("memory:").get(quoted)
    assert SECRET not in str(error.value)


def test_what_belongs_to_no_store_hides_what_any_store_hides() -> None:
    wb = g.open("memory:", mask=["case number"])
    message = g.Message("User", QUOTED)
    result = workflow.TaskResult(QUOTED, status_message=QUOTED)
    assert SECRET not in repr(message) + repr(result) + str(g.ContextError(QUOTED))
    session = wb.create("a", "t", context=DATA)
    assert SECRET not in repr(pickle.loads(pickle.dumps(session)).context)
    pairs = [[{"name": "case_number", "value": f"{SECRET}{n}"}] for n in range(2)]
    one, two = (g.Session("a", "t", context={"list": pair}) for pair in pairs)
    assert SECRET not in repr(g.diff(wb.hide_secrets(one), wb.hide_secrets(two)))
    for shown in (g.Session("b", "t", context=session.context), replaced(session)):
        assert SECRET not in repr(shown.context) + outputs_of(shown)


def replaced(session: g.Session) -> g.Session:
    session.context = g.Context(DATA)
    return session


def test_what_is_passed_to_redact_knows_what_is_hidden() -> None:
    wb, other, seen = g.open("memory:", mask=["case number"]), g.open("memory:"), []
    wb.create("a", "t", context=DATA)

    def redact(session: g.Session) -> g.Session:
        seen.append(repr(session.context) + outputs_of(session))
        return g.mask_secrets(session)

    wb.copy_to(other, redact=redact)
    assert SECRET not in seen[0]
    assert SECRET not in other.get("a").to_json()
    assert SECRET in wb.get("a").to_json()


def test_a_query_is_shown_without_what_is_looked_for() -> None:
    query = g.Query(
        context={"password": SECRET, "x.api.key": SECRET, "a": {"token": SECRET}, "n": 12},
        compare=[("PIN code", "<", SECRET), ("n", ">", 13)],
        text=f"password={SECRET}",
    )
    assert SECRET not in repr(query)
    assert "12" in repr(query)
    assert "13" in repr(query)


ODD = [
    f'{{"data":{{"password":"{SECRET}"}}',
    f"password: {SECRET}",
    f'["password", "{SECRET}"]',
    f'{{"data":"password={SECRET}","chat_history":"token={SECRET}"}}',
    f'{{"data":{{}},"chat_history":{{"messages":[{{"role":"token={SECRET}","content":"x",'
    f'"timestamp":"case_number={SECRET}"}}]}}}}',
]


def test_what_is_wrong_with_an_odd_row_is_said_without_its_secrets(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path / 'a.db'}"
    with g.open(url, create=True) as wb:
        wb.create("a", "t")
    with sqlite3.connect(tmp_path / "a.db") as db:
        for number, context in enumerate(ODD):
            db.execute(
                "INSERT INTO sessions SELECT ?, graph_id, current_task_id, ?, ?, version, "
                "created_at, updated_at FROM sessions WHERE id = 'a'",
                (f"odd{number}", f"case_number: {SECRET}", context),
            )
    with (
        g.open(url, writable=True, mask=["case number"]) as wb,
        warnings.catch_warnings(record=True) as warned,
    ):
        warnings.simplefilter("always")
        frames = [wb.sessions(context=["password"]), wb.messages(), *wb.scan(), *wb.scan_messages()]
        shown = [frame.to_csv() + repr(frame.attrs) for frame in frames]
        reports: list[Any] = [wb.copy_to("memory:"), wb.export(tmp_path / "a.csv")]
        reports.append(wb.to_parquet(tmp_path / "p", redact=g.mask_secrets))
        shown += [outputs_of(report) for report in reports]
        browser = wb.browse()
        shown += [outputs_of(browser), *(str(warning.message) for warning in warned)]
        shown.append((tmp_path / "p" / "_manifest.jsonl").read_text())
        browser.close()
    for text in shown:
        assert SECRET not in text, text[max(0, text.find(SECRET) - 300) :][:600]
