"""The stores for lessons that kill nothing: each starts once, when a test first wants it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import cache
from typing import get_args

import pytest

from graphflow_nb import LocalServerError, Workbench
from graphflow_nb.lessons import LessonStore, StoreName, lesson_store

from ...scope import COMPLETE, need

KINDS = get_args(StoreName)


@pytest.fixture(scope="package")
def start_store() -> Iterator[Callable[[StoreName], LessonStore]]:
    """Return the store of a kind, with what the tests before left in it."""
    with ExitStack() as stack:

        @cache
        def start(kind: StoreName) -> LessonStore:
            try:
                return stack.enter_context(lesson_store(kind))
            except LocalServerError:
                need(f"a server for {kind}", False)
                raise

        yield start


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, start_store) -> LessonStore:
    """A store of each kind."""
    return start_store(request.param)


@pytest.fixture
def wb(store: LessonStore) -> Iterator[Workbench]:
    """A workbench on a store of each kind."""
    with closing(store.open()) as wb:  # a server has few connections
        yield wb


@pytest.fixture(params=KINDS if COMPLETE else ["sqlite"])
def exercise_wb(request: pytest.FixtureRequest, start_store) -> Iterator[Workbench]:
    """A workbench on which answers are checked: of each kind in a complete run."""
    with closing(start_store(request.param).open()) as wb:
        yield wb
