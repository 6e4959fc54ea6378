"""The floors that CONTRIBUTING draws are those of the contract that import-linter checks."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_drawn_floors_are_those_of_the_contract():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contract = next(c for c in settings["tool"]["importlinter"]["contracts"] if "layers" in c)
    wanted = [set(layer.split(" | ")) for layer in contract["layers"]]
    text = (ROOT / "CONTRIBUTING.md").read_text()
    drawing = text.split("```text\n", 1)[1].split("```", 1)[0]
    floors: list[set[str]] = []
    for line in drawing.splitlines():
        if not line.startswith(" "):
            floors.append(set())
        floors[-1].update(re.findall(r"(?:^|\| +)(\w+)(?:/|\.py) ", line))
    assert floors == wanted
