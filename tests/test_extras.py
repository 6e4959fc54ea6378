"""The commands that install what is missing."""

from __future__ import annotations

import sys

import pytest

from graphflow_nb import extras


@pytest.mark.parametrize(
    ("found", "command"),
    [
        (object(), "pip install 'graphflow_nb[redis]'"),
        (None, f"python3 -m pip --python {sys.prefix} install 'graphflow_nb[redis]'"),
    ],
)
def test_an_environment_without_pip_is_named(
    found: object, command: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(extras, "find_spec", lambda name: found)
    assert extras.install_command("redis") == command
