"""Fixtures for the hooks."""

from __future__ import annotations

import pytest

from .kit import Telemetry, with_password


@pytest.fixture
def telemetry():
    return Telemetry()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def kind(request):
    return request.param


@pytest.fixture
def url(kind, request, tmp_path):
    if kind == "memory":
        return "memory:"
    if kind == "sqlite":
        return f"sqlite:{tmp_path / 'sessions.db'}"
    return with_password(request.getfixturevalue("database"))
