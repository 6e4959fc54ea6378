"""No column shows a secret by the path of its value, whatever is beside it or in the path."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import graphflow_nb as g
from graphflow_nb.cards.lines import context_lines
from graphflow_nb.frames import paths_beside
from graphflow_nb.lessons.events import show_state
from graphflow_nb.lessons.step import compare_sessions
from graphflow_nb.model.masks import NO_MASK, Mask

from .scope import only_complete
from .test_masking import outputs_of

SECRET, PLAIN = "Zq7", "Pl4"

#: Contexts and paths of secrets in them.
SECRETS: list[tuple[dict[str, Any], list[Any]]] = [
    (
        {"headers": [{"name": "Authorization", "value": SECRET}, {"Name": "PIN", "Value": SECRET}]},
        ["headers.0.value", "headers.-2.value", "headers.1.Value", ("headers", "0", "value")],
    ),
    ({"raw": [["Cookie", SECRET], ["a", "b"]]}, ["raw.0.1", "raw.0.-1", "raw.-2.01", "raw.0"]),
    ({"raw": [["password", "Zqseven"], ["a", "b"]]}, ["raw.0.1", "raw.0", "raw"]),
    ({"pair": ["api_key", f"{SECRET}!"]}, ["pair.1", "pair.-1", ("pair", "+1")]),
    ({"set": {"k": "api_key", "v": {"a": [SECRET]}}}, ["set.v", "set.v.a", "set.v.a.0"]),
    ({"name": "api_key", "value": SECRET}, ["value"]),
    ({"Name": "api_key", "Value": {"a": SECRET}}, ["Value", "Value.a"]),
    ({"name": "Password", "VALUE": SECRET}, ["VALUE", ("VALUE",)]),
    ({"Name": "API-KEY", "value": SECRET}, ["value", ("value",)]),
    ({"KEY": "x_Api_Key", "vAlue": SECRET, "name": "n"}, ["vAlue"]),
    ({"K": "apiKey", "Content": {"a": [SECRET]}}, ["Content", "Content.a.0"]),
    ({"FIELD": "password", "DATA": [SECRET]}, ["DATA.0", "DATA"]),
    ({"a.b": {"key": "token", "val": SECRET}}, ["a.b.val", ("a.b", "val")]),
    ({"data": {"x": {"value": {"label": "PIN code", "text": SECRET}}}}, ["data.x.value.text"]),
    ({"my.api.key": SECRET, "x": {"db.auth.token": SECRET}}, ["my.api.key", "x.db.auth.token"]),
    ({"passwords": {"a": SECRET}, "password": [SECRET]}, ["password.0", ("password", "0")]),
    ({"case.number": SECRET, "field": "case_number", "value": SECRET}, ["case.number", "value"]),
    (
        {"flat": ["Accept", "json", "X-Api-Key", SECRET]},
        ["flat.3", "flat.-1", "flat", ("flat", "03")],
    ),
    (
        {"type": "password", "value": SECRET, "o": {"kind": "secret", "data": {"a": SECRET}}},
        ["value", "o.data", "o.data.a"],
    ),
    (
        {"t": {"columns": ["user", "password"], "rows": [["ann", SECRET], ["bob", "Zqseven"]]}},
        ["t.rows.0.1", "t.rows.1.-1", "t.rows.1", "t.rows", "t", ("t", "rows", "-1", "1")],
    ),
    (
        {"columns": [{"name": "n"}, {"name": "pwd"}], "data": [[1, SECRET]]},
        ["data.0.1", "data.0", "data"],
    ),
    ({"fields": ["n", "pwd"], "rows": [[1, SECRET]]}, ["rows.0.1", "rows.0.-1", "rows.-1", "rows"]),
    (
        {"c": [["user", "password", "n"], ["ann", "Zqseven", 1], ["bob", SECRET, 2]]},
        ["c.1.1", "c.2.-2", "c.1", "c"],
    ),
    ({"csv": f"user,password\nann,{SECRET}"}, ["csv"]),
    ({"json": '{"headers": [["Cookie", "Zq7"]], "password": "Zq7"}'}, ["json"]),
]
#: And of values that are none.
INNOCENT: list[tuple[dict[str, Any], list[Any]]] = [
    (
        {"headers": [{"name": "Accept", "value": PLAIN}, {"name": "token_count", "value": PLAIN}]},
        ["headers.0.value", "headers.1.value", "headers"],
    ),
    ({"fields": ["password", "Plfour"], "three": ["password", PLAIN, PLAIN]}, ["fields.1"]),
    ({"three": ["password", PLAIN, PLAIN], "value": PLAIN}, ["three.1", "three.2", "value"]),
    ({"name": "password", "amount": PLAIN, "items": [PLAIN, PLAIN]}, ["amount", "items.1"]),
    ({"name": "Ann", "text": PLAIN, "data": {"value": PLAIN}}, ["text", "data.value", "data"]),
    (
        {"type": "token", "value": PLAIN, "o": {"type": "text", "value": PLAIN}},
        ["value", "o.value"],
    ),
    (
        {
            "columns": ["user", "tokens", "pwd"],
            "rows": [[PLAIN, PLAIN, ""]],
            "other": [[PLAIN] * 3],
        },
        ["rows.0.0", "rows.0.1", "rows", "other.0.2"],
    ),
    (
        {"c": [["user", "password"], [PLAIN, ""]], "flat": ["Accept", PLAIN, "Cookie", ""]},
        ["c.1.0", "flat.1"],
    ),
    ({"Name": "Ann", "KEY": 3, "value": PLAIN, "nested": {"name": "pin"}}, ["value"]),
]


OTHERS = [pytest.param(kind, marks=only_complete) for kind in ("sqlite", "postgresql", "redis")]


@pytest.fixture(params=["memory", *OTHERS])
def wb(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    url, options = "memory:", {}
    if request.param == "sqlite":
        url = f"sqlite:{tmp_path / 'a.db'}"
    elif request.param == "postgresql":
        url = str(request.getfixturevalue("database"))
    elif request.param == "redis":
        url, options = request.getfixturevalue("redis_server").url, {"prefix": f"{tmp_path.name}:"}
    with g.open(url, writable=True, mask=["case number"], **options) as wb:
        yield wb


def shown_in(frame: Any) -> str:
    return str(frame.to_csv() + repr(frame.to_dict()) + repr(frame.attrs) + frame.to_html())


def test_a_column_hides_what_is_named_beside_it(wb: g.Workbench) -> None:
    for number, (data, paths) in enumerate(SECRETS):
        wb.create(f"{number}", "t", context=data)
        for path in paths:
            frames = [wb.sessions(ids=[f"{number}"], context=[path]), *wb.scan(context=[path])]
            rows = pd.concat([frame[frame["id"] == f"{number}"] for frame in frames])
            shown = shown_in(rows)
            assert SECRET not in shown, path
            assert "Zqseven" not in shown, path
            assert len(rows) == 2
            assert shown.count("•••") >= 2, path
            shown = shown_in(wb.sessions(ids=[f"{number}"], context=[path], reveal=True))
            assert SECRET in shown or "Zqseven" in shown, path
    everything = [path for _, paths in SECRETS for path in paths]
    for number, (_, paths) in enumerate(SECRETS):
        for path in paths:  # one value is no tree: the error says what it is
            with suppress(g.QueryError):
                context_lines(wb.get(f"{number}"), below=path)
                continue
            with pytest.raises(g.QueryError) as error:
                context_lines(wb.get(f"{number}"), below=path)
            assert SECRET not in str(error.value)
    frame = wb.sessions(context=everything)
    assert SECRET not in shown_in(frame)
    assert len(frame.columns) == len(wb.sessions().columns) + len(set(everything))
    browser = wb.browse(context=everything[:20])
    assert SECRET not in shown_in(browser.listing.frame)
    browser.close()


def test_a_column_shows_what_is_innocent(wb: g.Workbench) -> None:
    for number, (data, paths) in enumerate(INNOCENT):
        wb.create(f"{number}", "t", context=data)
        for path in paths:
            shown = shown_in(wb.sessions(ids=[f"{number}"], context=[path]))
            assert PLAIN in shown or "Plfour" in shown, path
            assert "•••" not in shown, path


def test_nothing_is_read_beside_what_has_no_name() -> None:
    plain = ["customer.tier", "amount", ("a.b", "c"), "documents.0", "values_of.x"]
    assert paths_beside(plain, Mask()) == []
    assert paths_beside(["headers.0.value"], NO_MASK) == []


def test_what_a_typed_column_cannot_hold_is_named_without_its_value(tmp_path: Path) -> None:
    wb = g.open("memory:", mask=["case number"])
    data = {
        "h": {"name": "Cookie", "value": SECRET},
        "case.number": SECRET,
        "a": {"api.key": SECRET},
    }
    wb.create("1", "t", context={**data, "case.number": SECRET})
    paths = ["h.value", "case.number", ("a", "api.key"), ("h", "value")]
    report = wb.to_parquet(tmp_path / "p", context=dict.fromkeys(paths, "int64"))
    assert len(report.misfits) == len(paths)
    assert SECRET not in str(report) + (tmp_path / "p" / "_manifest.jsonl").read_text()


def test_a_name_at_the_top_of_a_context_hides_what_is_beside_it() -> None:
    wb = g.open("memory:")
    wb.install_history()
    session = wb.create("a", "t", context={"name": "api_key", "value": SECRET})
    session.context["value"] = f"{SECRET}2"
    wb.save(session)
    pairs = compare_sessions(session, wb.get("a"))
    shown = [outputs_of(session), show_state(session), repr(pairs), outputs_of(wb.diff("a", 1))]
    assert "•••" in show_state(session)
    assert SECRET not in "".join(shown)


def test_a_manifest_shows_no_secret_that_was_looked_for(tmp_path: Path) -> None:
    wb = g.open("memory:")
    for number in range(3):
        wb.create(f"{number}", "t", context={"password": f"{SECRET}{number}", "n": number})
    for name, filters in (
        ("where", {"where": {"password": f"{SECRET}0"}}),
        ("compare", {"compare": [("password", "<", f"{SECRET}1"), ("n", "<", 9)]}),
        ("text", {"text": f"password={SECRET}"}),
    ):
        folder = tmp_path / name
        wb.to_parquet(folder, redact=g.mask_secrets, **filters)
        text = (folder / "_manifest.jsonl").read_text()
        assert SECRET not in text
        assert wb.to_parquet(folder, redact=g.mask_secrets, **filters).complete
        others = json.loads(json.dumps(filters).replace(SECRET, "another"))
        with pytest.raises(g.QueryError, match="other arguments"):
            wb.to_parquet(folder, redact=g.mask_secrets, **others)
