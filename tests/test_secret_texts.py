"""Secrets inside texts: those with a known form, and those with a name before them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from msgspec import Raw

from graphflow_nb.model import masks
from graphflow_nb.model.masks import DEFAULT_MASK
from graphflow_nb.secret_keys import secret_kind
from graphflow_nb.secret_texts import MAY_HIDE, find_secrets

from .test_masking import PAIRS, SECRET, TEXTS

#: Texts that look a little like secrets.
INNOCENT: list[str] = (
    """
the token count is 12|max_tokens=50 and prompt_tokens: 7|token: see below|Token: expired
author: ann; authority=none|a keyboard costs 3|see http://localhost:3000/@ann/posts?x=1
write to ann@example.com: today|https://example.com/a:b/c@d|key=12 primary_key=3|the pass rate: 4
pass=12 fail=0|the PIN is not set|Basic authentication is needed|the bearer of this letter
bearer bonds2 fell|task-sk-1|sk-learn|ask-question-about-the-keyboard|AKIA is a start
2026-11-26T10:00|a3f1c2d4-0000-4000-8000-123456789abc
password_reset_at=2026-01-01|password_policy: strong
monkey: 1|secretary=ann|cookie_policy=all|session_id=abc123|signature: ann|next_page_token=abc
<a href="x.html" accesskey="n">|PWD=/home/ann|ann ALL=(root) NOPASSWD: /bin/ls
node::credentials::Has|open('/etc/passwd', 'r')|if secret == other|["password", "email"]
{"required": ["username", "password"]}|{"name": "token_count", "value": 12}
the token is expired|the password is 8 characters long|the key is 2026-01-01|a token was found
--token-count 3|--password-policy strict|<token_count>12</token_count>|<b>password</b>|<p>1</p>
the primary key: 7|see the key: 3|**author**: ann|Some(3)|tokens: Some("a")|page number: 12
eyJ is how a JSON object begins|xoxo|the secret is out|password|tokens: a, b|ghp and hf_ and npm
""".replace("\n", "|")
    .strip("|")
    .split("|")
)
INNOCENT += [
    "user,tokens\nann,12",
    "Dear Ann, your password\nis reset, 2 days ago",
    "token,password\nuser,email",
    "| author | tokens |\n|---|---|\n| ann | 12 |",
    "| what | password |\nno table",
    "a, b\npassword",
    "user,password\n",
    "user,password\n\nann,x1",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_secret_in_a_text_is_hidden_wherever_the_text_is(text: str) -> None:
    assert SECRET not in DEFAULT_MASK.scrub(text)
    assert SECRET not in DEFAULT_MASK.hide_in(text)
    assert SECRET not in repr(DEFAULT_MASK.hide_object({"a": [text]}))
    for layout in ({}, {"ensure_ascii": False}, {"separators": (",", ":")}, {"indent": 1}):
        raw = Raw(json.dumps({"data": [{"é": text}]}, **layout).encode())
        shown = bytes(DEFAULT_MASK.hide(raw))
        assert SECRET.encode() not in shown
        assert json.loads(shown)["data"][0]["é"] == DEFAULT_MASK.hide_in(text)
    assert SECRET not in "".join(map(str, DEFAULT_MASK.hide_each(["a", None, text])))


@pytest.mark.parametrize("text", INNOCENT)
def test_an_innocent_text_is_shown(text: str) -> None:
    assert DEFAULT_MASK.hide_in(text) == text
    raw = Raw(json.dumps({"data": [{"text": text}]}).encode())
    assert DEFAULT_MASK.hide(raw) is raw


def test_secrets_are_hidden_in_a_text_of_many() -> None:
    for text in (json.dumps(TEXTS[:28]), repr(TEXTS[:28]), "\n".join(TEXTS[:28])):
        assert SECRET not in DEFAULT_MASK.scrub(text)


def test_a_name_beside_its_value_says_what_that_is() -> None:
    shown = json.loads(bytes(DEFAULT_MASK.hide(Raw(json.dumps(PAIRS).encode()))))
    assert not re.search(f"{SECRET}|Zqseven|7771", repr(shown))
    assert shown == DEFAULT_MASK.hide_object(PAIRS)
    assert shown["headers"][0]["name"] == "Authorization"
    assert shown["headers"][1] == {"name": "Accept", "value": "json"}
    assert shown["flat"][::2] == ["Authorization", "Accept", "X-Api-Key"]
    assert shown["flat"][3] == "json"
    assert shown["command"][:4] == ["psql", "-U", "ann", "--password"]
    assert [row[0] for row in shown["table"]["rows"]] == ["ann", "bob"]
    assert shown["split"]["data"][0][::2] == ["ann", 1]
    assert shown["cells"][0] == ["user", "password", "n"]
    assert shown["two"][0] == ["user", "password"]
    assert [row[0] for row in shown["two"]] == ["user", "ann", "bob"]


#: Values that look a little like secrets that are named by what is beside them.
UNNAMED: dict[str, Any] = {
    "required": ["password", "email"],
    "field": {"name": "token_count", "value": 2},
    "listed": ["user", "password", "email", "token"],
    "names": ["password", "username", "token", "email"],
    "command": ["tool", "--password", "--user", "ann"],
    "text": {"type": "text", "value": "x1"},
    "events": [{"type": "token", "content": "Hel"}, {"type": "pin", "data": {"lat": 1}}],
    "schema": {"type": "string", "kind": "input", "default": "x1"},
    "form": {"type": "password", "label": "Login", "required": True},
    "counts": {"columns": ["author", "token_count"], "rows": [["ann", 12], ["bob", 7]]},
    "columns": {"columns": ["user", "password"], "notes": [["ann", "x1"]]},
    "words": [["user", "password", "email"], ["name", "secret", "phone"]],
    "pairs": [["author", "x1"], ["session_id", "y2"]],
    "matrix": [[1, 2], [3, 4]],
    "empty": [[], {}, [[]], [{}]],
}


@pytest.mark.parametrize("name", UNNAMED)
def test_what_nothing_names_a_secret_is_shown(name: str) -> None:
    value = {"a": UNNAMED[name]}
    assert DEFAULT_MASK.hide_object(value) == value
    raw = Raw(json.dumps(value).encode())
    assert DEFAULT_MASK.hide(raw) is raw
    for text in (json.dumps(value), repr(value), json.dumps({"b": json.dumps(value)})):
        assert DEFAULT_MASK.hide_in(text) == text


def test_a_table_in_a_text_keeps_what_is_beside_its_secrets() -> None:
    tables = {
        "user,password,n\nann,x1,1\nbob,,2\n\nbye, now": (
            "user,password,n\nann,•••,1\nbob,,2\n\nbye, now"
        ),
        "| a | password |\n|---|---|\n| ann | x1 |\nend": (
            "| a | password |\n|---|---|\n| ann | ••• |\nend"
        ),
        'password,user\n"x\ny, z",ann\nq,"b"': 'password,user\n"•••",ann\n•••,"b"',
        '{"columns": ["a", "pwd"], "data": [[1, "x1"], [2, 33]]}': (
            '{"columns": ["a", "pwd"], "data": [[1, "•••"], [2, •••]]}'
        ),
    }
    for text, shown in tables.items():
        assert DEFAULT_MASK.scrub(text) == shown


def test_a_quick_search_finds_each_text_with_a_secret() -> None:
    assert [text for text in TEXTS if not re.search(MAY_HIDE, text)] == []


def test_parts_do_not_overlap_and_what_is_around_them_stays() -> None:
    for text in TEXTS:
        spans = find_secrets(text, secret_kind)
        assert spans
        ends = [0, *(span.end for span in spans)]
        assert all(end <= span.start < span.end for end, span in zip(ends, spans, strict=False))
    text = "see https://ann:x@host/y?token=z&page=2 (from ann)"
    assert DEFAULT_MASK.scrub(text) == "see https://ann:•••@host/y?token=•••&page=2 (from ann)"


def test_no_search_goes_through_all_of_many_texts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one runs, no other thread does."""
    searched: list[int] = []
    find = masks.find_marks

    def noting(text: str, *given: Any, **named: Any) -> tuple[str, ...]:
        searched.append(len(text))
        return find(text, *given, **named)

    monkeypatch.setattr(masks, "_AT_ONCE", 1_000)
    monkeypatch.setattr(masks, "find_marks", noting)
    texts = [f"{n} {'x' * 90}" for n in range(100)]
    texts[57] = f"password: {SECRET}"
    shown = DEFAULT_MASK.hide_each([*texts, None])
    assert [n for n, text in enumerate(shown) if text != [*texts, None][n]] == [57]
    assert SECRET not in str(shown)
    values = [json.dumps({"password": SECRET} if n == 57 else n) for n in range(999)]
    assert DEFAULT_MASK.may_hide_any([*values, None])
    assert not DEFAULT_MASK.may_hide_any([*values[:57], None])
    assert max(searched) < 1_200


def test_a_text_of_many_beginnings_is_read_once() -> None:
    # Each beginning alone would be looked into up to the end, which takes a minute.
    for beginning in ('["password", ', '"password": {', "password='x ", "://a:b", "\\"):
        assert SECRET not in DEFAULT_MASK.scrub(f"{beginning * 5_000} password={SECRET}")


def test_a_text_of_many_heads_is_read_a_few_times() -> None:
    # Each line could be the head of a table of all that follow, which takes minutes.
    for text in (
        "password,user\n" * 20_000 + "x1,y2",
        "| password | user |\n" * 20_000 + "| x1 | y2 |",
        'password,user\n"' + "x\n" * 20_000,
        "password,user\nx1" + " " * 50_000 + "y,z\n",
        "password,user\n" + '"x"\r' * 20_000,
    ):
        assert "x1" not in DEFAULT_MASK.scrub(text)


def test_all_of_a_card_number_is_hidden() -> None:
    for text in ("card number: 4111 1111 1111 1111", "Credit card: 4111-1111-1111-1111"):
        assert "1111" not in DEFAULT_MASK.hide_in(text)
