"""The rights that a file and its folder must give, each taken away one by one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import graphflow_nb as g
from graphflow_nb import Session, SqliteSessionStorage

from ...scope import one_in

#: The modes of the file and its folder, and what reading and writing say.
CASES = {
    "all": (0o666, 0o777, "read a", "wrote"),
    "the file may not be read": (0o222, 0o777, "right to read the file", "right to read the file"),
    "the folder may not be entered": (0o666, 0o700, "enter its folder", "can't be created"),
    "the file may not be written": (0o444, 0o777, "read a", "rights on the file and its folder"),
    "the folder may not be written": (0o666, 0o755, "read a", "rights on the file and its folder"),
}
CODE = """
import os, sys, graphflow_nb as g
g.open("demo").get("claim-0014")
if os.getuid() == 0: os.setgid(65534); os.setuid(65534)
for writable in (False, True):
    try:
        with g.open("sqlite:" + sys.argv[1], writable=writable) as wb:
            said = "read " + wb.get("a").id
            if writable:
                wb.create("b", "t")
                said = "wrote"
    except g.StorageError as error: said = str(error)
    print(said)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that another user may enter, as they may not where pytest keeps its own."""
    with TemporaryDirectory(dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@one_in(2)
@pytest.mark.parametrize("case", CASES)
def test_each_right_that_is_missing_is_named(folder, run, case):
    of_file, of_folder, read, written = CASES[case]
    path = folder / "data" / "s.db"
    path.parent.mkdir()
    storage = run(SqliteSessionStorage.connect(path))
    run(storage.save(Session("a", "t")))
    run(storage.close())
    path.chmod(of_file)
    path.parent.chmod(of_folder)
    if os.geteuid() != 0 and "entered" in case:  # one's own folder is closed to oneself too
        path.parent.chmod(0o600)
    done = subprocess.run([sys.executable, "-c", CODE, path], capture_output=True, text=True)
    path.parent.chmod(0o755)
    path.chmod(0o644)
    said = done.stdout.splitlines()
    assert len(said) == 2, done.stderr
    assert read in said[0]
    assert written in said[1]
    assert len(g.open(f"sqlite:{path}").sessions()) == (2 if written == "wrote" else 1)
