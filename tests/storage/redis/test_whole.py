"""All sessions of Redis: the same as on a page, in each order and behind each place."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from graphflow_nb import Query
from graphflow_nb.frames import paths_beside, sessions_frame
from graphflow_nb.model.masks import DEFAULT_MASK
from graphflow_nb.storage.redis import whole

from ..postgres.test_streaming import PATHS, TEXTS, VALUES
from .conftest import worker_text


@pytest.mark.parametrize("servers", ["redis_server"], indirect=True)
def test_a_table_of_all_is_that_of_a_page(connect, run, raw, monkeypatch):
    monkeypatch.setattr(whole, "_MOST_KNOWN", 3)
    for n in range(60):
        value = json.loads(worker_text(f"s{n}"))
        data = {name: values[n % len(values)] for name, values in VALUES.items() if n % 5}
        value["context"]["data"] = data
        value["current_task_id"], value["status_message"] = f"task {n % 4}", TEXTS[n % len(TEXTS)]
        raw.set(f"s{n}", json.dumps(value), px=10**8 if n % 2 else None)
    raw.set("odd", '{"id": "odd", "graph_id": "g", "current_task_id": "t", "context": 3}')
    storage, read = connect(), [*PATHS, *paths_beside(PATHS, DEFAULT_MASK)]
    for order in ("-updated_at", "created_at", "id", "-id"):
        page = run(storage.table(Query(order=order, limit=50), PATHS))
        for after, most in ((None, 1_000), (page.next, 1_000)):
            query = Query(order=order, limit=most, after=after)
            expected = run(storage.table(query, read))
            query = Query(order=order, limit=None, after=after)
            found = run(storage.table(query, read))
            assert len(found) == (61 if after is None else 11)
            assert (found.problems, found.marks) == (expected.problems, expected.marks)
            for table in (found, expected):
                assert table.expires is not None
                table.expires //= 10**7  # it is asked for twice
            frames = [sessions_frame(table, PATHS) for table in (found, expected)]
            pd.testing.assert_frame_equal(*frames)
    assert len(run(storage.table(Query(graph="nowhere", limit=None), PATHS))) == 0
