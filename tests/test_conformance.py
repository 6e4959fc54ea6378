"""Every storage put to the suite that ships with the package."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from graphflow_nb.testing import StorageSuite, Traits, state_machine

from .conftest import COMPLETE, Store

STEPS = 50
EXAMPLES = 400 if COMPLETE else 20  # of STEPS each, so 20,000 steps in CI


def traits_of(store: Store) -> Traits:
    return Traits(make_id=store.id, cannot=store.cannot, outage=store.outage)


class TestStores(StorageSuite):
    """Each kind of store, each form of its table, each wrapper."""

    @pytest.fixture
    def open_storage(self, store: Store) -> Any:
        return store.open

    @pytest.fixture
    def traits(self, store: Store) -> Traits:
        return traits_of(store)


@pytest.mark.timeout(1200)
def test_state_machine(store: Store) -> None:
    run_state_machine_as_test(
        state_machine(store.open, traits_of(store)),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
