"""What `import graphflow_nb` gives."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import graphflow_nb as g
from graphflow_nb.model.times import UNKNOWN_TIME


def test_public_names_are_documented_and_typed():
    assert len(set(g.__all__)) == len(g.__all__)
    for name in g.__all__:
        assert getattr(g, name).__doc__, name
    assert (Path(g.__file__).parent / "py.typed").exists()
    assert json.dumps(g.__version__)
    assert UNKNOWN_TIME < 0
    assert logging.getLogger("graphflow_nb").level == logging.NOTSET
