"""Contexts as patches: what is rebuilt is what was saved, to the letter."""

from __future__ import annotations

import json
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphflow_nb.errors import HistoryError
from graphflow_nb.history.encoding import encode, rebuild

from .. import hostile
from ..scope import size
from ..storage.test_lossless import messages, texts, values

HISTORIES = size(10_000, 40)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"data":{"a":1.10}}', '{"data":{"a":1.1}}'),
        ('{"data":{"a":123456789012345678901234567890}}', '{"data":{"a":1}}'),
        ('{"data":{"a/b":1,"a~c":2,"":3}}', '{"data":{"a/b":2,"a~c":3,"":4}}'),
        ('{"data": {"a": [1, 2, {"b": ""}]}}', '{"data": {"a": [1, {"b": "x"}]}}'),
        ('{"data":{"a":1E400,"b":-0}}', '{"data":{"a":1E+400,"b":0}}'),
    ],
)
def test_a_small_change_is_a_patch_that_keeps_every_digit(before: str, after: str) -> None:
    padding = ',"chat_history":"%s"}' % ("x" * 400)
    padding = _spaced(f'{{"a":1{padding}')[7:] if ": " in before else padding
    before, after = before[:-1] + padding, after[:-1] + padding
    for text, following in ((before, after), (after, before)):
        patch = encode(text, following)
        assert patch is not None
        assert len(patch) < len(text)
        assert rebuild(following, patch) == text


@pytest.mark.parametrize(
    "text",
    [
        '{"data":{"a":1,"a":2},"pad":"%s"}' % ("x" * 200),  # a key that is twice
        '{"b":{},"a":"%s"}' % ("x" * 200),  # the keys in another order
        '{"a":"%s" ,"b":{}}' % ("x" * 200),  # blanks of another kind
        '{"a":"\\u0078%s","b":{}}' % ("x" * 199),  # an escape that is none of the encoder's
        "not JSON",
        "[" * 5000 + "]" * 5000,
        "",
    ],
)
def test_what_a_patch_cannot_give_to_the_letter_is_kept_whole(text: str) -> None:
    assert encode(text, '{"a":"%s","b":{}}' % ("x" * 200)) is None


def test_an_unchanged_text_takes_two_bytes() -> None:
    assert encode("not JSON", "not JSON") == "[]"
    assert rebuild("not JSON", "[]") == "not JSON"


def test_a_patch_that_does_not_fit_is_an_error_that_says_so() -> None:
    with pytest.raises(HistoryError, match="versions after it are not"):
        rebuild('{"data":{}}', '[{"op":"remove","path":"/data/a"}]')
    with pytest.raises(HistoryError):
        rebuild('{"data":{}}', "no patch")


def _spaced(text: str) -> str:
    return msgspec.json.format(text, indent=0)


contexts = st.builds(
    lambda data, chat, spaced: (
        f'{{"data":{{{",".join(f"{json.dumps(k)}:{v}" for k, v in data.items())}}},'
        f'"chat_history":{{"messages":[{",".join(chat)}],"max_messages":1000}}}}'
    ),
    st.dictionaries(texts, values, max_size=5),
    st.lists(messages, max_size=4),
    st.booleans(),
)
cases = st.sampled_from([case.context for case in hostile.CASES])


def _data_of(context: str) -> str | None:
    try:
        return bytes(msgspec.json.decode(context, type=dict[str, msgspec.Raw])["data"]).decode()
    except (msgspec.MsgspecError, KeyError):
        return None


def _history(steps: list[tuple[str, str | None]], chat: list[str], *, spaced: bool) -> list[str]:
    """Return the contexts of a session to which each step sets or removes a member."""
    data, said, found = {"pad": f'"{"x" * 300}"'}, chat[:1], []
    for number, (key, value) in enumerate(steps):
        if value is None:
            data.pop(key, None)
        else:
            data[key] = value
        said = said + chat[number + 1 : number + 2]
        members = ",".join(f"{json.dumps(key)}:{value}" for key, value in data.items())
        text = '{"data":{%s},"chat_history":{"messages":[%s]}}' % (members, ",".join(said))
        found.append(_spaced(text) if spaced else text)
    return found


hostile_values = [
    *filter(None, (_data_of(case.context) for case in hostile.CASES if case.postgres))
]

#: Contexts of one session in which little changes from one to the next, as in real ones.
histories = st.builds(
    _history,
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "a/b", "~1", "", "é"]) | texts,
            st.none() | values | st.sampled_from(hostile_values),
        ),
        min_size=1,
        max_size=12,
    ),
    st.lists(messages, max_size=6),
    spaced=st.booleans(),
)


@pytest.mark.timeout(1800)
@settings(max_examples=HISTORIES, deadline=None)
@given(
    st.lists(st.one_of(contexts, contexts.map(_spaced), cases), min_size=2, max_size=6) | histories
)
def test_any_text_is_rebuilt_to_the_letter(history: list[str]) -> None:
    for text, following in pairwise(history):
        patch = encode(text, following)
        assert patch is None or rebuild(following, patch) == text
