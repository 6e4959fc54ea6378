"""Real kills in the middle of a save: one of each kind of store here, many in a complete run."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

import graphflow_nb as g
from graphflow_nb.lessons import Durability, durability_table
from graphflow_nb.lessons.durability import SETTINGS, Writer, read_row
from graphflow_nb.lessons.durability.child import fill, read_number
from graphflow_nb.private_server.processes import find_command_line

from ...scope import only_complete, size

KILLS = size(50, 10)  # of each setting

#: Which settings lose nothing to a SIGKILL, and which lose all that was saved since the start. Of
#: the others neither can be promised: PostgreSQL that does not wait for its log, and Redis that
#: holds back its writes while the file is forced to the disk.
KEEPS = {"wal", "delete", "always", "on"}
LOSES = {"memory", "no"}


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_real_kill_in_the_middle_of_a_save(kind):
    with Durability(kind, pace=0) as trial:
        trial.write(30)
        trial.kill()
        trial.restart()
        finding = trial.look()
        assert finding.acknowledged >= 30
        assert not finding.is_torn
        if kind in ("sqlite", "postgres"):  # by their defaults
            assert finding.lost == 0
            assert trial.row is not None
            assert trial.row.context["number"] == finding.stored
            assert trial.store.open().get(trial.row.id).version == finding.stored
        else:
            assert finding.lost == finding.acknowledged
            assert trial.row is None
        assert trial.findings == (finding,)
        assert trial.table().loc[0, "acknowledged"] == finding.acknowledged


def test_steps_out_of_order_are_refused_and_change_nothing():
    with Durability("memory") as trial:
        for step in (trial.kill, trial.restart, trial.look):
            with pytest.raises(g.LessonError, match=r"write\(\) starts a writer"):
                step()
        trial.write(3)
        with pytest.raises(g.LessonError, match=r"kill\(\) kills"):
            trial.write()
        trial.kill()
        acknowledged = trial.acknowledged
        with pytest.raises(g.LessonError, match=r"restart\(\) starts"):
            trial.look()
        trial.restart()
        assert trial.look().acknowledged == acknowledged
        for saves in (0, 20_001, "many", None):
            with pytest.raises(g.LessonError, match="saves= must be"):
                trial.write(saves)
    with pytest.raises(g.LessonError, match="closed"):
        trial.write()


def test_it_is_played_by_clicking():
    with Durability("memory") as trial:
        panel = trial.panel
        assert "write() starts a writer" in panel.to_html()
        for label, said in (
            ("Write", "a writer is at work"),
            ("Kill", "was killed"),
            ("Restart", "runs again"),
            ("Look", "acknowledged and lost"),
        ):
            panel.click(label)
            assert said in panel.said
        assert "acknowledged and lost" in panel.to_html()
        assert "trial.look()" in panel.to_html()
        panel.click("Write")


def test_a_writer_that_has_made_its_saves_keeps_them_until_it_is_killed():
    writer = Writer("memory:", "a", most=3, pace=0)
    writer.wait_until_idle()
    assert writer.finished
    pid = writer.pid
    assert find_command_line(pid) is not None
    writer.kill()
    assert writer.pid is None
    assert find_command_line(pid) is None
    assert writer.acknowledged == 3
    writer.kill()


def test_a_writer_or_reader_that_fails_says_why(tmp_path):
    url = f"sqlite:{tmp_path}/nowhere/a.db"
    with pytest.raises(g.LessonError, match=r"stopped after 0 saves: .*nowhere"):
        Writer(url, "a", most=9, pace=0).wait_for(1)
    with pytest.raises(g.LessonError, match=r"can't be read: .*nowhere"):
        read_row(url, "a")


def test_a_row_of_two_saves_is_torn():
    session = g.Session("a", "t")
    fill(session, 3)
    assert read_number(session) == 3
    padding = session.context["padding"]
    fill(session, 4)
    session.context["padding"] = padding[:64] + session.context["padding"][64:]
    assert read_number(session) is None
    session.context["number"] = "4"
    assert read_number(session) is None


def test_a_row_that_can_not_be_read_is_torn():
    with Durability("sqlite", pace=0) as trial:
        trial.write(5)
        trial.kill()
        trial.restart()
        with closing(sqlite3.connect(trial.store.url.removeprefix("sqlite:"))) as db:
            db.execute("UPDATE sessions SET context = substr(context, 1, 100)")
            db.commit()
        assert trial.look().is_torn
        assert trial.row is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"kills": 0}, "kills= must be an integer from 1 to 1,000, not 0"),
        ({"kills": 2.5}, "kills= must be"),
        ({"most_saves": 10**9}, "most_saves= must be"),
        ({"kinds": ["oracle"]}, "unknown store 'oracle': use memory"),
        ({"kinds": "oracle"}, "unknown store 'oracle': use memory"),
    ],
)
def test_a_wrong_table_is_refused_before_anything_starts(arguments, said):
    with pytest.raises(g.LessonError, match=said):
        durability_table(**arguments)


@only_complete
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", SETTINGS)
def test_many_kills_of_each_setting(kind):
    table = durability_table([kind], kills=KILLS, seed=1)
    assert (table["kills"] == KILLS).all()
    assert (table["acknowledged"] >= KILLS).all()
    assert (table["torn"] == 0).all()
    for _, row in table.iterrows():
        last = (row["setting"] or kind).rpartition("=")[2]
        if last in KEEPS:
            assert row["lost"] == 0
        elif last in LOSES:
            assert row["lost"] == row["acknowledged"]
