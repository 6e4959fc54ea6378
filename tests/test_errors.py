"""What an error says drives no terminal, wherever its text came from."""

from __future__ import annotations

import pytest

import graphflow_nb as g
from graphflow_nb import errors

from .storage.postgres.kit import execute

HOSTILE = "a\x1b[31m\x07\u202eb\x9bc\r\u2066d"
SHOWN = r"a\x1b[31m\x07\u202eb\x9bc\r\u2066d"
KINDS = [kind for name in errors.__all__ if isinstance(kind := getattr(errors, name), type)]


def _make(kind: type[Exception]) -> Exception:
    if kind is g.SessionConflict:
        return kind(g.Session(HOSTILE, "t"), None)
    if kind is g.CapabilityError:
        return kind(object(), "table", HOSTILE)
    return kind(HOSTILE)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_shows_what_is_not_printable_as_escapes(kind):
    text = str(_make(kind))
    assert SHOWN in text
    assert all(line.isprintable() for line in text.split("\n"))


def test_lines_and_letters_stay():
    text = "naïve 日本 🙂\n\tnext"
    assert str(g.StorageError(text)) == "naïve 日本 🙂\n\\tnext"
    assert g.StorageError(text).args == (text,)


def test_a_text_of_a_server_and_ids(database, run):
    wb = g.open(database, writable=True)
    run(
        execute(
            database,
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION E'{HOSTILE}'; END $$;"
            "CREATE TRIGGER t BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION f()",
        )
    )
    for call in (lambda: wb.create("b", "t"), lambda: wb.get(HOSTILE)):
        with pytest.raises(g.GraphflowError) as caught:
            call()
        assert SHOWN in str(caught.value)
        assert all(line.isprintable() for line in str(caught.value).split("\n"))
    wb.close()
