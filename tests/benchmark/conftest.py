"""A run that several tests look at."""

from __future__ import annotations

import pytest

import graphflow_nb as g
from graphflow_nb import Run, compare

from ..hostile import TEXTS
from .kit import QUICK

NAME = " ".join(TEXTS.values())[:200]


@pytest.fixture(scope="module")
def measured() -> Run:
    stores = {"one": "memory:", NAME: g.InMemorySessionStorage()}
    return compare(stores, "A", rate=400, **QUICK | {"duration": 1.0})
