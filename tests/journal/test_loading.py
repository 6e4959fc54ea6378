"""A journal's file that was damaged: reported by line, and no other write is taken back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.journal import Journal

from ..scope import size

pytestmark = pytest.mark.filterwarnings("ignore:the journal")

CASES = size(1000, 120)


class Written:
    """A SQLite store, the journal of what was written to it, and what each entry did."""

    def __init__(self, folder: Path):
        self.url = f"sqlite:{folder / 's.db'}"
        self.file = folder / "journal"
        with g.open(self.url, create=True, journal=self.file) as wb:
            self.store = wb.attributes.identity
            for id in "abc":
                wb.create(id, "t", context={"n": 1, "text": "é" * 30})
            for id in "abcab":
                session = wb.get(id)
                session.context["n"] += 1
                wb.save(session)
            wb.delete("b")
            wb.undo()
            wb.delete("c")
            self.entries = {
                entry.number: (entry.op, entry.id, describe(entry.before), describe(entry.after))
                for entry in wb.journaled.entries()
            }
            wb.journaled.journal.close()
        self.text = self.file.read_bytes()
        self.data = (folder / "s.db").read_bytes()


def describe(session: g.Session | None) -> Any:
    return None if session is None else (session.current_task_id, session.context.to_json())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return Written(tmp_path_factory.mktemp("damaged"))


@pytest.fixture
def file(written: Written) -> Iterator[Path]:
    """The file, which is whole again afterwards."""
    yield written.file
    written.file.write_bytes(written.text)


def damage(text: bytes, chance: random.Random) -> bytes:
    """Return the text with one damage of a random kind."""
    lines = text.splitlines(keepends=True)
    start, end = sorted(chance.sample(range(len(text) + 1), 2))
    at = chance.randrange(len(lines))
    kind = chance.randrange(9)
    if kind == 0:
        wrong = bytes([text[start - 1] ^ 1 << chance.randrange(8)])
        return text[: start - 1] + wrong + text[start:] if start else wrong + text[1:]
    if kind == 1:
        return text[:start] + text[end:]
    if kind == 2:
        return text[:start]
    if kind == 3:
        return text[:start] + chance.randbytes(chance.randrange(1, 40)) + text[start:]
    if kind == 4:
        return text[:start] + bytes(end - start) + text[end:]
    if kind == 5:
        return b"".join(lines[:at] + lines[at + 1 :])
    if kind == 6:
        return b"".join([*lines[:at], lines[at], lines[at], *lines[at + 1 :]])
    if kind == 7:
        other = chance.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
        return b"".join(lines)
    return b"".join(lines[: at + 1])


@pytest.mark.parametrize("seed", range(4))
def test_random_damage_is_reported_and_no_other_write_is_undone(written, file, seed):
    chance = random.Random(seed)
    for case in range(CASES // 4):
        text = damage(written.text, chance)
        if text == written.text:
            continue
        file.write_bytes(text)
        try:
            journal = Journal.at(file)
        except g.StorageError:
            assert b'\n{"sum":"' not in text
            continue
        with journal:
            if not text:
                assert len(journal) == 0
                continue
            assert journal.damaged, (seed, case)
            found = 0
            assert all(line >= 0 and reason for line, reason in journal.damaged)
            for entry in journal.entries("", store=written.store):
                found += 1
                known = written.entries[entry.number]
                # Its context may have been in a line that can't be read.
                try:
                    before, after = map(describe, entry.sides())
                except g.JournalError:
                    assert entry.undoes is not None
                    continue
                assert (entry.op, entry.id, before, after) == known
            assert found == len(journal)


def test_a_bare_undo_refuses_until_the_damage_is_accepted(written, file):
    lines = written.text.splitlines(keepends=True)
    lines[-2] = lines[-2].replace(b"delete", b"dElete")
    file.write_bytes(b"".join(lines))
    with pytest.warns(UserWarning, match=f"line {len(lines) - 1}: its checksum is wrong"):
        wb = g.open(written.url, journal=file)
    assert "1 damaged lines" in repr(wb.journaled.journal)
    with pytest.warns(UserWarning, match="1 line of the journal can't be read"):
        frame = wb.journal
    assert frame.attrs["damaged"] == [f"line {len(lines) - 1}: its checksum is wrong"]
    for call in (wb.undo, wb.undo_all, wb.undo_many):
        with pytest.raises(g.JournalError, match="accept_damage"):
            call()
    assert len(wb.sessions()) == 2
    # What is written since is the newest, whatever can't be read.
    wb.create("d", "t")
    assert wb.undo() is None
    # By its number each entry that can be read is undone.
    assert wb.undo(8).context["n"] == 2
    wb.undo(int(wb.journal.index[-1]))  # a redo, which is the newest write now
    assert wb.undo().context["n"] == 2
    with pytest.raises(g.JournalError):
        wb.undo()
    wb.journaled.journal.accept_damage()
    assert wb.journaled.journal.damaged == []
    wb.undo_all()
    wb.journaled.journal.close()
    with Journal.at(file) as journal:  # accepted once and for all
        assert journal.damaged == []
    wb.close()


def test_a_number_that_is_there_twice_is_no_ones(tmp_path):
    """Two processes that were forked wrote one file, as was possible once."""
    file = tmp_path / "journal"
    one, two = (
        b'{"entry":1,"at":"2026-01-01T00:00:00Z","place":"here","op":"delete","id":"%b",'
        b'"before":{"id":"%b","graph_id":"g","current_task_id":"t","status_message":null,'
        b'"context":"{}","version":1}}\n' % (id, id)
        for id in (b"a", b"b")
    )
    done = b'{"entry":1,"outcome":"done"}\n'
    file.write_bytes(one + two + done + done)
    with pytest.warns(UserWarning, match="entry 1 is there twice"):
        journal = Journal.at(file)
    assert journal.entries("here") == []
    journal.close()


def test_a_file_of_the_first_form_is_read_and_written_anew(tmp_path):
    file = tmp_path / "journal"
    begin = (
        b'{"entry":7,"at":"2026-01-01T00:00:00Z","place":"here","op":"save","id":"a",'
        b'"before":{"id":"a","graph_id":"g","current_task_id":"t","status_message":null,'
        b'"context":"{\\"data\\":{\\"n\\":1.10}}","version":1},'
        b'"after":{"id":"a","graph_id":"g","current_task_id":"u","status_message":null,'
        b'"context":"{\\"data\\":{\\"n\\":1.10}}","version":1}}\n'
    )
    file.write_bytes(begin + b'{"entry":7,"outcome":"done","version":2,"created":5}\n')
    for _ in range(2):
        with Journal.at(file) as journal:
            assert journal.damaged == []
            (entry,) = journal.entries("here")
            assert entry.number == 7
            assert entry.before.context_json() == '{"data":{"n":1.10}}'
            assert (entry.after.current_task_id, entry.after.version) == ("u", 2)
            assert entry.after.raw_created.microsecond == 5
        assert file.read_bytes().startswith(b'{"sum":')
    file.write_bytes(file.read_bytes().replace(b"1.10", b"1.11"))
    with Journal.at(file) as journal:
        assert [reason for _, reason in journal.damaged] == ["its checksum is wrong"]
