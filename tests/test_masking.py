"""Secrets inside contexts: no output shows one until it is revealed, and what is innocent stays."""

from __future__ import annotations

import io
import json
import logging
import re
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb import workflow
from graphflow_nb.changes import json_value

from . import test_rich_outputs as rich
from .model.test_secrets import INNOCENT, SECRETS, spellings
from .notebook.browse.kit import save_theirs, settle
from .scope import only_complete

#: What each secret begins with, and each value that is innocent.
SECRET, PLAIN = "Zq7", "Pl4"
PICTURE = re.compile(r"data:image/png;base64,[\w+/=]*")


def secret_data(turn: int = 0) -> dict[str, Any]:
    """Return 200 secrets under as many keys, in all spellings, nested and in lists."""
    made = [
        (spellings(key)[n % 5], f"{SECRET}{turn}-{n}é\n") for n, key in enumerate(SECRETS[:200])
    ]
    data: dict[str, Any] = dict(made[:50])
    data["nested"] = {"deep": [{"more": dict(made[50:100])}]}
    data["lists"] = [{key: [value, {"inside": value}]} for key, value in made[100:150]]
    data["keys.with.dots"] = {key: {"a": {"b": value}} for key, value in made[150:]}
    data["texts"], data["pairs"] = [f"{text} {turn}" for text in TEXTS], PAIRS | {"turn": turn}
    data["owners"] = {
        f"ghp_{SECRET}abcdefghijklmnop{n}": {"user": "ann", "turn": turn, "likes": [f"{n}"]}
        for n in range(3)
    }
    data[f"ghp_{SECRET}abcdefghijklmnop9"] = turn
    data["пароль"] = data["ｐａｓｓｗｏｒｄ"] = data["X-Api-Key"] = f"{SECRET}{turn}"
    return data


#: Texts with secrets that are known by their form, or by a name before them in the text.
TEXTS = [
    f"see https://ann:{SECRET}pw@db.example:5432/x?page=2",
    f"redis://:{SECRET}/pw@cache.example/0 is slow",
    f"GET https://api.example/v1?page=2&access_token={SECRET}&limit=3",
    f"https://x.example/blob?sv=2&sig={SECRET}%3D",
    f"curl -H 'Authorization: Bearer {SECRET}.abc' https://api.example",
    f"Authorization: Token {SECRET}",
    f"X-Api-Key: {SECRET}",
    f"Cookie: a={SECRET}; b={SECRET}2",
    f"my password: {SECRET}, thanks",
    f"PGPASSWORD={SECRET} psql -h db",
    f"Server=db;User Id=sa;Password={SECRET};Encrypt=yes",
    f"AccountName=x;AccountKey={SECRET}==;EndpointSuffix=y",
    f"api_key = '{SECRET}'",
    f"use bearer {SECRET}abcdef12 for it",
    f"Basic {SECRET}cGFzc3dvcmQ=",
    f"eyJhbGciOiJIUzI1NiJ9.eyJ{SECRET}zdWIiOiIxMjM0In0.abc",
    f"try sk-{SECRET}abcdefghijklmnop1234 now",
    f"sk-ant-api03-{SECRET}abcdefghijklmnop1234",
    f"sk_live_{SECRET}abcdefghijklmnop",
    f"ghp_{SECRET}abcdefghijklmnopqrstuvwxyz012345",
    f"github_pat_{SECRET}abcdefghijklmnopqrstuvwxyz",
    f"glpat-{SECRET}abcdefghijklmnopq",
    f"xoxb-123456789012-{SECRET}",
    f"AIza{SECRET}abcdefghijklmnopqrstuvwxyz012345",
    f"hf_{SECRET}abcdefghijklmnopqrstuvwxyz0123",
    f"npm_{SECRET}abcdefghijklmnopqrstuvwxyz0123",
    f"SG.{SECRET}abcdefghijklmnop.abcdefghijklmnopq",
    f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n{SECRET}\n-----END RSA PRIVATE KEY-----\n",
    f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET} and no end",
    json.dumps({"login": {"password": SECRET, "more": [{"apiKey": [SECRET, {"a": SECRET}]}]}}),
    json.dumps({"body": json.dumps({"text": json.dumps({"client_secret": SECRET})})}),
    json.dumps({"headers": [{"name": "Authorization", "value": SECRET}, ["X-Api-Key", SECRET]]}),
    repr({"user": "it's", "token": SECRET, "list": ("password", f"{SECRET}!")}),
    f'cut: {{"user": "ann", "credentials": {{"a": ["{SECRET}", "{SECRET}',
    f"('authorization', 'Bearer {SECRET}')",
    f'Config {{ password: Some("{SECRET}"), user: "ann" }}',
    f'Object {{"tokens": Number(3), "apiKey": String("{SECRET}")}}',
    f'Object {{"passwords": Array [String("{SECRET}"), String("{SECRET}2")]}}',
    f"**Password**: {SECRET}",
    f"- **API key:** `{SECRET}`",
    f"my API key: {SECRET}",
    f"my password is {SECRET}-42",
    f"密码：{SECRET}",
    f"пароль: {SECRET}",
    f"tool --password {SECRET} --user ann",
    f"tool --api-key '{SECRET} b' run",
    f'<user name="ann"><wsse:Password Type="x">{SECRET}</wsse:Password></user>',
    f"ann:{SECRET}@tcp(db.example:3306)/x",
    f'{{"headers": ["Accept", "text/html", "X-Api-Key", "{SECRET}", "Cookie", "{SECRET}"]}}',
    f"['psql', '--user', 'ann', '--password', '{SECRET}', 'db']",
    f'said {{"type": "password", "value": "{SECRET}"}} and went',
    f'{{"columns": ["user", "password"], "rows": [["ann", "{SECRET}"], ["bob", "{SECRET}2"]]}}',
    f"{{'data': [['ann', '{SECRET}', 1]], 'columns': ['user', 'apiKey', 'n'], 'index': [0]}}",
    f'[["user", "password", "n"], ["ann", "{SECRET}", 1], ["bob", "{SECRET}\\"", 2',
    f"user,password,n\nann,{SECRET},1\n\nuser;PIN code\n",
    f'the users:\r\n"user"; "pass word"\r\nann; "{SECRET}; ""x"""\r\nbob; {SECRET}\r\n',
    f"user\tpassword\nann\t{SECRET}\nbob\t{SECRET}, and more",
    f"| user | Password |\n|------|:--------:|\n| ann | {SECRET} |\n| bob | {SECRET} 2 |",
    f"user | API key | n\n--- | --- | ---\nann | {SECRET} | 1",
    f" user | password \n------+----------\n ann  | {SECRET}\n(1 row)",
    f"+------+----------+\n| user | password |\n+------+----------+\n| ann | {SECRET} |\n+---+---+",
]
#: Names beside their values, as headers, forms and settings have them.
PAIRS: dict[str, Any] = {
    "headers": [{"name": "Authorization", "value": SECRET}, {"name": "Accept", "value": "json"}],
    "settings": [{"key": "api_key", "val": [SECRET]}, {"field": "PIN code", "content": SECRET}],
    "raw_headers": [["Cookie", SECRET], ["Accept", "json"], ["X-Api-Key", "Zq7"]],
    "one": ["password", f"{SECRET}!"],
    "variables": {"a": {"value": SECRET, "variable": "DB_PASSWORD"}},
    "flat": ["Authorization", f"Bearer {SECRET}", "Accept", "json", "X-Api-Key", "Zq7"],
    "words": ["Accept", "text/html", "Cookie", SECRET[:2] + "seven"],
    "command": ["psql", "-U", "ann", "--password", "Zqseven", "db"],
    "typed": [{"type": "password", "value": SECRET}, {"kind": "Secret", "data": {"a": SECRET}}],
    "input": {"Type": "PASSWORD", "Value": SECRET},
    "table": {"columns": ["user", "password"], "rows": [["ann", SECRET], ["bob", [SECRET]]]},
    "split": {"index": [0], "columns": ["user", "api_key", "n"], "data": [["ann", "Zqseven", 1]]},
    "objects": {"fields": [{"name": "user"}, {"name": "PIN code"}], "values": [["a", 7771]]},
    "row": {"names": ["user", "password"], "values": ["ann", SECRET]},
    "cells": [["user", "password", "n"], ["ann", "Zqseven", 1], ["bob", SECRET, 2]],
    "two": [["user", "password"], ["ann", SECRET], ["bob", "Zqseven"]],
}


def innocent_data() -> dict[str, Any]:
    return {key: f"{PLAIN}{n}" for n, key in enumerate(INNOCENT)}


def make_session(text: str, id: str = "", **values: Any) -> g.Session:
    """Return a session as ``test_rich_outputs`` makes it, with secrets in its context."""
    status = f"{text} {TEXTS[0]}"
    session = g.Session(
        id or text, text, graph_id=text, status_message=status, context=secret_data() | values
    )
    session.context.add_user_message(text)
    for secret in TEXTS:
        session.context.add_assistant_message(f"{text} {secret}")
    return session


def states_of_all_widgets() -> str:
    """Return what a notebook saves of the state of each widget that there is, shown or not."""
    return PICTURE.sub("", repr(rich.ipywidgets.Widget.get_manager_state()))


def outputs_of(thing: Any) -> str:
    """Return all that a notebook shows and saves of an object."""
    bundle = rich.bundle(thing)
    bundle.pop("image/png", None)  # has any three letters by chance, as pictures in pages have
    shown = [str(value) for value in bundle.values()]
    if isinstance(thing, rich.ipywidgets.Widget):
        shown += [repr(part.get_state()) for part in rich.widgets_of(thing)]
    return PICTURE.sub("", "\n".join(shown) + repr(thing) + str(thing))


@only_complete
@pytest.mark.parametrize("kind", rich.MAKERS, ids=lambda kind: kind.__name__)
def test_no_rich_output_shows_a_secret(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rich, "make_session", make_session)
    for thing in rich.MAKERS[kind]("t"):
        check(kind.__name__, thing)


@pytest.fixture
def wb() -> Iterator[g.Workbench]:
    """A store with a history, in which two sessions have secrets that changed."""
    wb = g.open("memory:")
    wb.install_history()
    for id in ("one", "two"):
        session = wb.create(id, "intake", graph_id="claims", context=secret_data())
        session.context.update(innocent_data() | {"step": 1})
        session.status_message = TEXTS[0]
        for text in TEXTS:
            session.context.add_user_message(text)
        session.current_task_id = "checks"
        wb.save(session)
        session.context.update(secret_data(turn=1 if id == "one" else 2))
        session.current_task_id, session.status_message = "payout", TEXTS[1]
        session.context.add_user_message(TEXTS[3])
        wb.save(session)
    yield wb
    wb.close()


def check(place: str, *things: Any) -> None:
    """Check that no output of these shows a secret."""
    for thing in things:
        shown = outputs_of(thing)
        assert SECRET not in shown, (place, shown[max(0, shown.find(SECRET) - 300) :][:600])


@only_complete
def test_no_view_of_a_browser_shows_a_secret(wb: g.Workbench) -> None:
    browser = wb.browse(context=["password", "nested", "customer_id", ("пароль",)])
    settle(browser)
    check("list", browser)
    browser.listing.filter(where={"password": f"{SECRET}0-0"}, compare=[("dbPass", "<", SECRET)])
    browser.stage.render()
    browser.views.open.value = True
    check("filters", browser, browser.views.call(), browser.listing.call)
    browser.listing.clear()
    browser.open_session("one")
    for part in ("Overview", "Context", "Chat", "JSON", "History"):
        browser.reader.parts.value = part
        settle(browser)
        check(part, browser)
    browser.reader.history.slider.value = 2
    page = browser.reader.history.compare
    page.button.click()
    page.id.value = "two"
    page.confirm.click()
    check("runs", browser)
    browser.reader.parts.value = "Context"
    browser.reader.portion.below.value = "password"
    check("below", browser)
    browser.listing.select(["one", "two"])
    browser.actions.compare.click()
    check("comparison", browser)
    browser.comparison.hide()
    change_and_undo(browser, wb)
    browser.close()


def change_and_undo(browser: Any, wb: g.Workbench) -> None:
    reader = browser.reader
    reader.parts.value = "Edit"
    check("draft", browser)
    editor = reader.editor
    for path in ("password", "nested", "lists"):
        editor.path.value = path
        check(f"value at {path}", browser)
        editor.path.value = editor.value.value = ""
    edited = json.loads(editor.json.value)
    edited["data"]["password"], edited["data"]["step"] = f"{SECRET}new", 2
    editor.json.value = json.dumps(edited)
    reader.saving.preview.click()
    check("preview", browser)
    save_theirs(wb, "one", context={"password": f"{SECRET}theirs", "step": 3})
    reader.saving.save.click()
    assert browser.desk.conflict is not None
    check("conflict", browser)
    browser.desk.resolve({clash.path: "mine" for clash in browser.desk.conflict.clashes})
    browser.stage.render()
    check("merged", browser)
    reader.saving.save.click()
    assert wb.get("one").context["password"] == f"{SECRET}new"
    check("saved", browser, *browser.calls)
    browser.actions.undo.get().open()
    browser.actions.undo.get().all.click()
    check("undo", browser)
    browser.actions.undo.get().sure.click()
    settle(browser)
    check("undone", browser)
    assert SECRET not in states_of_all_widgets()


@only_complete
def test_no_frame_and_no_answer_shows_a_secret(wb: g.Workbench) -> None:
    paths = [
        "password",
        "owners",
        "nested.deep",
        "lists",
        ("keys.with.dots",),
        "customer_id",
        "X-Api-Key",
    ]
    # A change of one value, whose key is the secret: the journal names the first few alone.
    named = next(key for key in wb.get("one").context if key.startswith("ghp_"))
    wb.patch("one", [{"op": "replace", "path": f"/context/data/{named}", "value": 7}])
    frames = [wb.sessions(context=paths), *wb.scan(context=paths), wb.journal, wb.history("one")]
    frames += [wb.summary(), wb.messages(), *wb.scan_messages(), wb.latency.frame()]
    for frame in frames:
        assert SECRET not in frame.to_html() + frame.to_csv() + repr(frame.to_dict())
    assert PLAIN in frames[0].to_csv()
    assert wb.sessions(context=paths, reveal=True)["password"].str.startswith(SECRET).all()
    first, changed = wb.at("one", 1), wb.diff("one", 1)
    check("history", first, first.context, changed, *changed, wb.timeline("one"))
    check("runs", wb.compare_runs("one", "two"), wb.graph("claims"), wb.raw("one"), wb.advise())
    check("journal", *wb.journaled.entries(), wb.undo(), wb.redo())

    def step(context: g.Context) -> workflow.TaskResult:
        context["password"], context["more"] = f"{SECRET}run", {"apiKey": [f"{SECRET}run"]}
        return workflow.TaskResult(TEXTS[1], status_message=TEXTS[2])

    graph = workflow.GraphBuilder("claims").add_task(workflow.task("payout")(step)).build()
    run = wb.run(graph, "two")
    check(
        "run", run, run.results, workflow.TaskResult(TEXTS[1]), list(run.after.context.chat_history)
    )
    check("versions", wb.bridge.run(wb.archive.versions("one")))


def shown_by_error(call: Callable[[], Any]) -> str:
    """Return all that is printed of an error and of warnings before it."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            call()
        except g.GraphflowError as error:
            chain = "".join(traceback.format_exception(error))
            return chain + repr(error) + " ".join(str(each.message) for each in warned)
    raise AssertionError("it raised no error")


def test_no_error_shows_a_secret(wb: g.Workbench) -> None:
    logged = io.StringIO()
    logging.getLogger("graphflow_nb").addHandler(handler := logging.StreamHandler(logged))
    stale, value = wb.get("one"), f"{SECRET}x"
    base, mine, theirs = (
        g.Session("a", "t", context={"password": f"{SECRET}{n}"}) for n in range(3)
    )
    wb.patch("one", [{"op": "replace", "path": "/context/data/password", "value": value}])
    calls = [
        lambda: wb.save(stale),
        lambda: wb.patch("one", [{"op": "test", "path": "/context/data/password", "value": "?"}]),
        lambda: wb.patch("one", [{"password": value}]),
        lambda: wb.patch("one", {"password": value}),  # type: ignore[arg-type]
        lambda: wb.sessions(where=[{"password": value}]),
        lambda: wb.sessions(compare=[("password", "~", value)]),
        lambda: wb.sessions(compare={"password": value}),
        lambda: g.Merge(base, theirs, mine).session({}),
        lambda: wb.create("one", "t", context={"password": value}),
        lambda: wb.save({"context": {"password": value}}),  # type: ignore[arg-type]
        lambda: g.Session.from_json(f'{{"id": {{"password": "{value}"}}}}'),
        lambda: json_value("number", value, secret=True),
        lambda: wb.get(TEXTS[0]),
        lambda: wb.sessions(status=[TEXTS[0]]),  # type: ignore[arg-type]
        lambda: wb.sessions(where=[TEXTS[0]]),
        lambda: wb.patch("one", [{"op": TEXTS[2], "path": "/a"}]),
        lambda: wb.patch("one", [{"op": "add", "path": TEXTS[2]}]),
        lambda: wb.patch("one", [{"op": "replace", "path": "/status_message", "value": TEXTS}]),
        lambda: wb.create("b", "t", context={"note": {1: TEXTS[0]}}),
        lambda: g.Session.from_json(TEXTS[0]),
        lambda: wb.copy_to("memory:", redact=TEXTS[0]),  # type: ignore[arg-type]
    ]
    for number, call in enumerate(calls):
        assert SECRET not in shown_by_error(call), number
    logging.getLogger("graphflow_nb").removeHandler(handler)
    assert SECRET not in logged.getvalue()


def test_what_is_innocent_is_shown_and_so_is_all_without_a_mask() -> None:
    data = {"groups": [innocent_data()]}
    session = g.Session("a", "t", context=data)
    formatter_text = "".join(map(str, rich.bundle(session).values()))
    tree = rich.lines.context_lines(
        g.Session(
            "a", "t", context={"groups": [{key: value} for key, value in innocent_data().items()]}
        ),
        below="groups",
    )
    assert not [line for line in tree.lines if line.hidden]
    assert f"{PLAIN}0" in formatter_text
    wb = g.open("memory:", mask=False)
    open_ = wb.create("a", "t", context=secret_data())
    assert outputs_of(open_).count(SECRET) > 100
    assert outputs_of(g.diff(open_, g.Session("a", "t"))).count(SECRET) > 100
    assert SECRET in wb.sessions(context=["password"]).to_csv()
    wb = g.open("memory:", mask={"iban": True, "password": False, "customer id": True})
    data = {"iban": "DE1", "dbPassword": "shown", "CustomerId": "C-1", "token": "T-1"}
    shown = outputs_of(wb.create("a", "t", context=data))
    assert "shown" in shown
    assert not {text for text in ("DE1", "C-1", "T-1") if text in shown}
    with pytest.raises(g.QueryError, match="mask must be"):
        g.open("memory:", mask=[3])


def test_what_was_chosen_is_hidden_in_what_the_workbench_returns() -> None:
    wb = g.open("memory:", mask=["iban"])
    wb.install_history()
    session = wb.create("a", "t", context={"customer_iban": SECRET, "list": [{"IBAN": [SECRET]}]})
    stale = wb.get("a")
    session.context["customer_iban"] = f"{SECRET}2"
    wb.save(session)
    steps = [{"op": "add", "path": "/context/data/iban", "value": f"{SECRET}3"}]
    fork = wb.fork("a", 1, as_id="b")
    things = [session, stale.context, wb.at("a", 1), wb.diff("a", 1), wb.diff("a", 1, 2), fork]
    things += [fork.session, session.copy(), wb.patch("a", steps), wb.undo(), wb.redo()]
    with pytest.raises(g.SessionConflict) as conflict:
        wb.save(stale)
    merge = g.Merge(wb.at("a", 1), conflict.value.stored, stale)
    check("chosen", *things, conflict.value.stored, merge.theirs, wb.raw("a"))
    browser = wb.browse(session="a", context=["customer_iban"])
    for part in ("Context", "JSON", "History", "Edit"):
        browser.reader.parts.value = part
        settle(browser)
        check(part, browser)
    browser.close()


def test_the_server_does_not_quote_rows(database: str) -> None:
    with g.open(database, writable=True) as wb:
        wb.create("a", "t", context={"password": SECRET, "step": 1})
        run = wb.storage.inner.run  # type: ignore[attr-defined]
        for constraint in (
            "ADD CONSTRAINT small CHECK ((context->'data'->>'step')::int < 2)",
            "ADD CONSTRAINT once EXCLUDE USING btree ((context->'data'->>'password') WITH =)",
        ):
            wb.bridge.run(run(lambda c, sql=constraint: c.execute(f"ALTER TABLE sessions {sql}")))
        session = wb.get("a")
        session.context["step"] = 2
        other = g.Session("b", "t", context={"password": SECRET, "step": 1})
        for call in (lambda: wb.save(session), lambda: wb.save(other)):
            shown = shown_by_error(call)
            assert "violates" in shown
            assert SECRET not in shown
