"""Fixtures of the tests of the browser."""

from __future__ import annotations

import pytest

import graphflow_nb as g


@pytest.fixture
def wb() -> g.Workbench:
    return g.open("demo")
