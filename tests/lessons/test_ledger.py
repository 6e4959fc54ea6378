"""The ledger: each effect is on the disk, a key is taken once, and nothing breaks it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from graphflow_nb import LessonError
from graphflow_nb.lessons import Ledger, ledger, send


@pytest.fixture
def outside(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "outside.jsonl")


def test_effects_are_read_in_order_with_their_types(outside: Ledger):
    frame = outside.frame()
    assert (len(frame), str(frame["at"].dtype)) == (0, "datetime64[us, UTC]")
    outside.add("process 1", "charge", "120 € \n \u2028")
    outside.add("process 1", "confirm", "e-mail", "k")
    outside.add("process 2", "confirm", "e-mail", "k")
    frame = outside.frame()
    assert list(frame.columns) == ["at", "process", "task", "effect", "key", "sent"]
    assert list(frame.sent) == [True, True, False]
    assert frame.key.isna().tolist() == [True, False, False]
    assert str(frame["at"].dtype) == "datetime64[us, UTC]"
    assert outside.read()[0].effect == "120 € \n \u2028"
    assert outside.path.stat().st_mode & 0o777 == 0o600


def test_without_a_ledger_nothing_is_sent(outside: Ledger):
    with pytest.raises(LessonError, match="no ledger is in use"):
        send("e-mail")
    seen = []
    with outside.in_use("process 1", seen.append):
        assert send("e-mail", "k")
        assert not send("e-mail", "k")
    assert seen == outside.read()
    with pytest.raises(LessonError, match="no ledger is in use"):
        send("e-mail")


@pytest.mark.parametrize("effect", ["", None, 7, "\ud800", "x" * 2_001])
def test_what_is_no_text_is_not_sent(outside: Ledger, effect: object):
    for arguments in ((effect,), ("e-mail", effect)):
        if arguments[-1] is not None or len(arguments) == 1:
            with pytest.raises(LessonError, match="nothing was sent"):
                outside.add("process 1", "t", *arguments)
    assert outside.read() == []


def test_what_a_kill_cut_off_was_not_sent(outside: Ledger):
    outside.add("process 1", "t", "first")
    with open(outside.path, "ab") as file:
        file.write(b'{"at": "2026-')
    assert [effect.effect for effect in outside.read()] == ["first"]
    outside.add("process 2", "t", "second")
    assert [effect.effect for effect in outside.read()] == ["first", "second"]


def test_a_full_ledger_and_another_file_are_refused(
    outside: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(ledger, "MAX_EFFECTS", 2)
    outside.add("p", "t", "a")
    outside.add("p", "t", "b")
    with pytest.raises(LessonError, match="full"):
        outside.add("p", "t", "c")
    outside.path.write_text('{"some": "JSON"}\n')
    for step in (outside.read, lambda: outside.add("p", "t", "c")):
        with pytest.raises(LessonError, match="is not a ledger"):
            step()
    assert outside.path.read_text() == '{"some": "JSON"}\n'
    with pytest.raises(LessonError, match="can't be written"):
        Ledger(tmp_path).add("p", "t", "a")


def test_of_many_senders_one_has_the_key(outside: Ledger):
    threads = [
        threading.Thread(target=outside.add, args=(f"process {n}", "t", "e-mail", "k"))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(effect.sent for effect in outside.read()) == [False] * 7 + [True]
