"""``wb.copy_to``: between workbenches wherever their storages live, and how the report is shown."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

import graphflow_nb as g
from graphflow_nb.cards import report_html
from graphflow_nb.storage.copy_report import CopyFailure


def test_between_workbenches(tmp_path, database):
    path = tmp_path / "look.db"
    with g.open("demo") as wb:
        report = wb.copy_to(f"sqlite:{path}", graph="claims")
        assert report.verified
        assert report.copied == len(wb.sessions(graph="claims"))
        with g.open(f"sqlite:{path}") as local, g.open(database, writable=True) as postgres:
            assert local.copy_to(postgres).copied == report.copied
            assert postgres.copy_to(wb).present == report.copied
            assert asyncio.run(_aio(postgres, local)).present == report.copied
            with pytest.raises(g.StorageError, match="same store"):
                local.copy_to(f"sqlite:{path}")
        with pytest.raises(g.ReadOnlyError, match="writable=True"):
            wb.copy_to(database)
        assert wb.copy_to(database, writable=True, graph="claims").present == report.copied
        for wrong in ({"order": "id"}, {"limit": 3}, {"nonsense": 1}):
            with pytest.raises(g.QueryError, match="unknown filter"):
                wb.copy_to(f"sqlite:{path}", **wrong)
        with pytest.raises(g.StorageError, match="workbench or a URL"):
            wb.copy_to(Path(path))


async def _aio(one, other):
    return await one.copy_to.aio(other)


def test_with_storages_of_the_notebooks_own_loop(tmp_path, database):
    """In a process of its own, since re-entering a loop changes asyncio for all of it."""
    code = f"""
import asyncio, graphflow_nb as g
async def cell():
    mine = g.wrap(await g.connect({database!r}))
    with g.open("demo") as demo:
        # Synchronous calls from the very loop that one of them lives on.
        report = demo.copy_to(mine, graph="claims")
        assert report.verified
        assert mine.copy_to("sqlite:{tmp_path / "copy.db"}").copied == report.copied
        assert (await demo.copy_to.aio(mine, graph="claims")).present == report.copied
    await mine.close.aio()
asyncio.run(cell())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_how_a_report_is_shown():
    report = g.CopyReport(
        read=5,
        copied=1,
        present=1,
        different=("<b>x</b>",),
        left_out=1,
        wrong=("w",),
        failures=(CopyFailure("<i>y</i>", "<s>no</s>"),),
        bytes=10,
        seconds=1.5,
        sha256="ab" * 32,
        times_kept=True,
    )
    html = report_html(report)
    assert "<b>x</b>" not in html
    assert "&lt;b&gt;x&lt;/b&gt;" in html
    assert "&lt;i&gt;y&lt;/i&gt;" in html
    assert "<s>" not in html
    assert "NOT the same content" in html
    shell = InteractiveShell.instance()
    try:
        g.open("demo")
        data, _ = shell.display_formatter.format(report)
        assert data["text/plain"] == str(report)
        assert "copy:" in data["text/html"]
    finally:
        InteractiveShell.clear_instance()
