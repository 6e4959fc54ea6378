"""Every storage put to the suite that ships with the package."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

import graphflow_nb as g
from graphflow_nb.testing import StorageSuite, Traits, state_machine

from ..scope import COMPLETE, size
from ..stores import Store

#: Steps of the state machine for each store; some have a share of them.
STEPS = size(20_000, 100)


def traits_of(store: Store) -> Traits:
    async def open_read_only(storage: Any) -> Any:
        if store.kind == "memory":
            return g.ReadOnlyStorage(storage)
        return await g.connect(store.url, read_only=True, **store.about.options)

    def open_elsewhere(storage: Any) -> Any:
        return partial(g.connect, store.url, **store.about.options)

    # Memory is that of one process, and wrappers race as the storage inside.
    apart = store.kind != "memory" and store.about.wrap is None
    # Two processes take some seconds to start.
    apart = apart and (COMPLETE or store.kind in ("sqlite", "documented", "redis"))
    return Traits(
        make_id=store.id,
        cannot=store.cannot,
        outage=store.outage,
        open_read_only=open_read_only,
        open_elsewhere=open_elsewhere if apart else None,
    )


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
    steps = round(STEPS * store.about.campaign)
    length = min(max(steps, 100), 200)
    machine = state_machine(store.open, traits_of(store))
    run_state_machine_as_test(
        machine,
        settings=settings(
            # A run may end before it is that long: not quite two thirds of the steps are taken.
            max_examples=round(1.7 * steps / length) + 2,
            stateful_step_count=length,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert machine.steps >= steps
