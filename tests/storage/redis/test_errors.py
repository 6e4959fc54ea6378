"""The driver's exceptions as ours, without the password."""

from __future__ import annotations

import pytest
from redis import exceptions as driver

import graphflow_nb as g
from graphflow_nb.storage import StoreUrl
from graphflow_nb.storage.redis.errors import raise_translated

URL = StoreUrl("redis://me:s3cret@host:6379/0")


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (driver.ReadOnlyError("READONLY"), g.ReadOnlyError, "is a replica"),
        (TimeoutError(), g.StorageTimeout, "did not answer in time"),
        (driver.TimeoutError("Timeout"), g.StorageTimeout, "did not answer in time"),
        (driver.AuthenticationError("WRONGPASS"), g.StorageDenied, "refused the user or password"),
        (driver.NoPermissionError("no permissions"), g.StorageDenied, "ask for this right"),
        (driver.NoPermissionError("to access a key"), g.StorageError, "ask for this right"),
        (driver.ResponseError("WRONGTYPE …"), g.StorageError, "not a session; nothing was changed"),
        (driver.OutOfMemoryError("OOM"), g.StorageFull, "nothing was written"),
        (
            driver.BusyLoadingError("is loading"),
            g.StorageUnavailable,
            "for now.*nothing was written",
        ),
        (driver.MasterDownError("is down"), g.StorageUnavailable, "refuses it for now"),
        (
            driver.ResponseError("NOREPLICAS Not enough"),
            g.StorageUnavailable,
            "nothing was written",
        ),
        (driver.ResponseError("MISCONF Redis is …"), g.StorageUnavailable, "nothing was written"),
        (driver.ResponseError("BUSY Redis is …"), g.StorageUnavailable, "nothing was written"),
        (driver.ConnectionError("closed"), g.StorageUnavailable, "is out of reach"),
        (ConnectionResetError("reset"), g.StorageUnavailable, "is out of reach"),
        (driver.ClusterDownError("down"), g.StorageUnavailable, "is out of reach"),
        (driver.ResponseError("ERR odd"), g.StorageError, "ERR odd"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_exception_has_its_error(error, kind, said):
    with pytest.raises(kind, match=said) as caught:
        raise_translated(error, URL)
    assert type(caught.value) is kind
    assert caught.value.__cause__ is error
    assert "redis://me:***@host" in str(caught.value)


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionResetError()])
def test_only_the_error_of_a_write_says_something_about_writes(error):
    for writes in (True, False):
        with pytest.raises(g.StorageError) as caught:
            raise_translated(error, URL, writes=writes)
        assert ("whether a write took place is not known" in str(caught.value)) == writes


def test_a_cause_that_shows_the_password_is_dropped():
    with pytest.raises(g.StorageError) as caught:
        raise_translated(driver.ConnectionError("no answer from s3cret"), URL)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
