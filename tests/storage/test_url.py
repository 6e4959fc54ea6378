"""What a URL names is read as its driver reads it."""

from __future__ import annotations

import pytest

from graphflow_nb.storage.url import server_of


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://me:hunter2@db.example/flows", ("db.example", None)),
        ("postgresql://me:hunter2@db.example:6432/flows", ("db.example", 6432)),
        ("postgresql://me:hunter2@[::1]:6432/flows", ("::1", 6432)),
        ("postgresql://a,b:5432/flows", ("a,b", None)),
        ("postgresql://a,b:6432/flows", ("a:5432,b:6432", None)),
        ("postgresql://[::1]:6432,b:6432/flows", ("[::1]:6432,b:6432", None)),
        ("postgresql:///flows?host=/run/pg&port=5433", ("/run/pg", 5433)),
        ("postgresql:///flows", (None, None)),
        ("postgresql:///flows?port=5433", (None, None)),
    ],
)
def test_an_address_names_what_the_url_names(url, told):
    assert server_of(url) == told
