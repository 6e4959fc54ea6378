"""What warnings say."""

from __future__ import annotations

import pytest

from graphflow_nb.warning import warn


def test_a_warning_shows_no_secret() -> None:
    with pytest.warns(UserWarning, match="ann:•••@host is slow"):
        warn("https://ann:x1@host is slow")
