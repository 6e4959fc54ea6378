"""What the lessons say that a Rust worker makes of a JSON text is what graph-flow makes of it."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import pytest

from graphflow_nb import ContextError
from graphflow_nb.lessons.readers import through_rust

pytestmark = pytest.mark.timeout(1500)  # the first test builds the peer

BEGIN, END = '{"data":{"v":', '},"chat_history":{"messages":[],"max_messages":1000}}'
LINE = (
    '{"id":"a","graph_id":"g","current_task_id":"t","status_message":null,'
    f'"context":{BEGIN}%s{END},"version":1}}'
)
LETTERS = ["a", "é", "\n", "\u2028", "\x7f", "😀", "/", '"', "\0", "\x1f"]


def make_text(chance: random.Random, depth: int = 0) -> str:
    """Return a random JSON text, with numbers that are hard to read exactly."""
    kind = chance.random()
    if depth < 3 and kind < 0.2:
        return "[%s]" % ",".join(make_text(chance, depth + 1) for _ in range(chance.randint(0, 3)))
    if depth < 3 and kind < 0.4:
        members = (f"{make_string(chance)}:{make_text(chance, depth + 1)}" for _ in range(3))
        return "{%s}" % ",".join(members)
    if kind < 0.6:
        return str(chance.choice([1, -1]) * chance.getrandbits(chance.choice([8, 53, 63, 65, 80])))
    if kind < 0.75:
        return repr(chance.uniform(-90, 90))
    if kind < 0.9:
        return f"{chance.randint(0, 9)}.{chance.getrandbits(20)}e{chance.randint(-40, 330)}"
    return make_string(chance)


def make_string(chance: random.Random) -> str:
    letters = chance.choices(LETTERS, k=chance.randint(0, 4))
    return json.dumps("".join(letters), ensure_ascii=chance.random() < 0.5)


def echo(program: Path, text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, "0.8", "echo"], input=text, capture_output=True, text=True)


def test_a_text_comes_back_as_the_lessons_say(program: Path):
    chance = random.Random(0)
    texts = [make_text(chance) for _ in range(3000)]
    expected, refused = {}, []
    for text in texts:
        try:
            expected[text] = through_rust(text)
        except ContextError:
            refused.append(text)
    said = echo(program, "".join(f"{LINE % text}\n" for text in expected)).stdout
    # Not splitlines, which ends a line at U+2028 too.
    found = [
        line[line.index(BEGIN) + len(BEGIN) : line.rindex(END)] for line in said.split("\n")[:-1]
    ]
    assert dict(zip(expected, found, strict=True)) == expected
    assert len(refused) > 20
    assert all(echo(program, LINE % text).returncode for text in refused[:20])
