"""The program on graph-flow, as the tests drive it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

VERSIONS = ["0.5", "0.6", "0.8"]


class PeerError(Exception):
    """What the peer says when graph-flow returns an error."""


class Peer:
    def __init__(self, program: Path, version: str, url: str):
        self.program = program
        self.version = version
        self.url = url

    def start(self, command: str, **options: Any) -> subprocess.Popen[str]:
        words = [self.program, self.version, command]
        if command != "echo":
            words += ["--url", self.url]
        for name, value in options.pop("set", {}).items():
            words += ["--set", f"{name}={json.dumps(value)}"]
        for name, value in options.items():
            words += [f"--{name}", str(value)]
        pipe = subprocess.PIPE
        return subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def finish(self, process: subprocess.Popen[str], said: str = "") -> list[Any]:
        out, error = process.communicate(said, timeout=60)
        if process.returncode:
            raise PeerError(json.loads(error)["error"])
        # Not splitlines, which ends a line at U+2028 too.
        return [json.loads(line) for line in out.split("\n") if line]

    def __call__(self, command: str, said: str = "", **options: Any) -> list[Any]:
        return self.finish(self.start(command, **options), said)

    def id(self, name: str) -> str:
        return str(uuid4()) if self.version == "0.5" else name
