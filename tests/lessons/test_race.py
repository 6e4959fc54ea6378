"""Two writers on one row: each order of their steps, by each rule, on each store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from graphflow_nb.errors import LessonError, SessionConflict
from graphflow_nb.lessons import LessonStore, Race, StoreView, add, lesson_store, put
from graphflow_nb.lessons.schedule import interleavings, parse_schedule
from graphflow_nb.model import Session

from ..scope import COMPLETE
from . import model

STEPS = ("load", "change", "save")
BEGUN = ("load", "change", "begin", "save")
RULES = {
    "memory": ("last write wins", "versions"),
    "sqlite": ("last write wins", "guard", "versions"),
    "redis": ("last write wins", "versions"),
    "postgres": ("last write wins", "guard", "versions", "graph-flow 0.6"),
}


@pytest.fixture(scope="module")
def stores() -> Iterator[Callable[[str], LessonStore]]:
    """A store of each kind, started when it is first asked for."""
    found: dict[str, LessonStore] = {}

    def get(kind: str) -> LessonStore:
        if kind not in found:
            found[kind] = lesson_store(kind)
        return found[kind]

    yield get
    for store in found.values():
        store.close()


def check_all(race: Race, actions: tuple[str, ...], remedy: str = "stop") -> None:
    """Compare each order that was played with the model."""
    frame = race.play_all(actions=actions, on_conflict=remedy)
    assert len(frame) == {3: 20, 4: 70}[len(actions)]
    assert frame["interleaving"].is_unique
    for row in frame.itertuples():
        steps = parse_schedule(row.interleaving)
        wanted = model.play(steps, race.rule, remedy)
        assert row.outcome == f"balance {wanted.balance}", row.interleaving
        effects = {name for name, n in model.ADDED.items() if wanted.balance - 100 in (n, 15)}
        lost = {
            f"{name}: {'skipped' if told == 'skipped' else 'overwritten'}"
            for name, told in wanted.told.items()
            if told != "conflict" and name not in effects
        }
        assert set(filter(None, row.lost.split(", "))) == lost, row.interleaving
        refused = {f"{n}: SessionConflict" for n, told in wanted.told.items() if told == "conflict"}
        assert set(filter(None, row.error.split(", "))) == refused, row.interleaving
        mirrored = frame.loc[row.mirror]
        assert parse_schedule(mirrored.interleaving) == tuple(
            ("B" if writer == "A" else "A", action) for writer, action in steps
        )
        assert frame.loc[mirrored["mirror"]].name == row.Index


EVERY = [(kind, rule) for kind, rules in RULES.items() for rule in rules]
#: Every rule, and every kind of store.
SOME = [
    ("memory", "last write wins"),
    ("memory", "versions"),
    ("sqlite", "guard"),
    ("redis", "last write wins"),
    ("postgres", "guard"),
    ("postgres", "graph-flow 0.6"),
]


@pytest.mark.parametrize(("kind", "rule"), EVERY if COMPLETE else SOME)
def test_every_order_comes_out_as_the_rule_says(stores, kind: str, rule: str):
    with Race(stores(kind), rule=rule) as race:
        check_all(race, STEPS)
        if rule == "guard" and (COMPLETE or kind == "sqlite"):
            check_all(race, BEGUN)
        if rule == "versions" and (COMPLETE or kind == "memory"):
            check_all(race, STEPS, "retry")


def test_a_save_that_began_before_another_is_skipped_by_the_guard_on_postgresql(stores):
    with Race(stores("postgres"), rule="guard") as race:
        played = race.play("A.load B.load A.change A.begin B.save A.save")
        assert [event.ending for event in played.events if event.action == "save"] == [
            "done",
            "skipped",
        ]
        assert (played.outcome, played.lost, played.refused) == ("balance 105", ("A",), ())
        # A stale writer whose transaction begins last overwrites.
        played = race.play("A.load B.load B.save A.save")
        assert (played.outcome, played.lost, played.refused) == ("balance 110", ("B",), ())
        # A transaction that a round leaves open ends with it.
        race.play("A.load A.begin")
        assert race.play("A.load A.begin A.save").outcome == "balance 110"


def test_the_guard_is_refused_where_a_store_has_no_sql(stores):
    for kind in ("memory", "redis"):
        with pytest.raises(LessonError, match=r"has no SQL.*Nothing was opened.*sqlite, postgres"):
            Race(stores(kind), rule="guard")
    with pytest.raises(LessonError, match=r"'graph-flow 0\.6'"):
        Race("memory", rule="none")


def test_a_deleted_row_comes_back_by_every_rule_but_versions(stores):
    for kind, rule in EVERY if COMPLETE else SOME:
        with Race(stores(kind), rule=rule) as race:
            played = race.play("A.load B.delete A.save")
            assert played.back == (rule != "versions"), (kind, rule)
            assert (played.row is None) == (rule == "versions")
            assert ("came back" in repr(played)) == played.back
            # The new session has the version that the old one had.
            played = race.play("A.load B.delete B.create A.save")
            assert played.back == (rule != "versions"), (kind, rule)
            assert played.outcome == f"balance {100 if rule == 'versions' else 110}"


def test_a_row_is_deleted_once():
    with Race("memory", rule="last write wins") as race:
        played = race.play("A.load A.delete B.delete A.save")
        assert [event.ending for event in played.events[1:3]] == ["done", "nothing"]
        assert "B deletes the row: there is no row" in repr(played.events[2])
        assert played.back


def test_merge_keeps_both_changes_at_different_places_and_stops_at_the_same_place():
    schedule = "A.load B.load A.save B.save"
    apart = {"A": put("checked_by", "Ada"), "B": put("documents", 2)}
    with Race("memory", changes=apart) as race:
        played = race.play(schedule, on_conflict="merge")
        assert played.row.context["checked_by"] == "Ada"
        assert played.row.context["documents"] == 2
        assert (played.lost, played.refused) == ((), ())
        assert set(race.play_all(on_conflict="merge")["outcome"]) == {played.outcome}
    with Race("memory") as race:
        played = race.play(schedule, on_conflict="merge")
        assert played.events[-1].ending == "clash"
        assert "/context/data/balance" in played.events[-1].note
        assert (played.outcome, played.refused) == ("balance 110", ("B",))


def save_once(store: StoreView, id: str, change: Callable[[Session], None]) -> None:
    session = store.get(id)
    change(session)
    store.save(session)


def retry(store: StoreView, id: str, change: Callable[[Session], None]) -> None:
    while True:
        try:
            save_once(store, id, change)
            return
        except SessionConflict:
            pass


def test_a_function_of_ones_own_is_run_in_every_order_of_its_calls():
    with Race("memory", rule="versions") as race:
        rounds = race.try_out(save_once)
        assert len(rounds) == len(list(interleavings(("load", "save"))))
        assert [round.outcome == "balance 115" for round in rounds].count(True) == 2
        assert sum("SessionConflict" in str(round.raised) for round in rounds) == 4
        assert {round.outcome for round in race.try_out(retry)} == {"balance 115"}

        def endless(store, id, change):
            session = store.get(id)
            change(session)
            while True:
                try:
                    return store.save(session)
                except SessionConflict:
                    pass

        assert any("does its loop end" in str(round.raised) for round in race.try_out(endless))

        def deaf(store, id, change):
            while True:
                with suppress(BaseException):
                    store.get("another")

        assert "does its loop end" in race.try_out(deaf)[0].raised["A"]
        wrong = race.try_out(lambda store, id, change: store.save(3))
        assert "save takes a session of this race" in wrong[0].raised["A"]


def test_what_is_not_possible_is_refused_before_anything_changes():
    with Race("memory", rule="last write wins") as race:
        before = race.id
        for schedule, text in {
            "A.save": "put A.load before it",
            "A.load A.jump": "'A.jump' is not a step",
            "C.load": "the writers are A, B",
            "": "no step",
            "A.load A.save A.save": "has nothing to save",
            "A.load A.begin A.save": "rule='guard'",
        }.items():
            with pytest.raises(LessonError, match=text):
                race.play(schedule)
        with pytest.raises(LessonError, match="at most 500 steps, not 501"):
            race.play("A.load " * 501)
        with pytest.raises(LessonError, match=r"1 to 4 actions, not 5"):
            race.play_all(actions=("load", "change", "save", "load", "save"))
        with pytest.raises(LessonError, match="on_conflict="):
            race.play("A.load", on_conflict="win")
        for step in (race.change, race.save, race.begin, race.retry, race.merge):
            with pytest.raises(LessonError):
                step("A")
        with pytest.raises(LessonError, match="writers are 'A' and 'B'"):
            race.load("C")
        assert race.id == before
        assert race.round.events == ()
    with pytest.raises(LessonError, match="changes= has for each"):
        Race("memory", changes={"A": add("n", 1)})


def test_steps_by_hand_and_more_than_one_save_of_a_writer():
    with Race("memory", rule="last write wins") as race:
        race.load("A")
        assert race.change("A", balance=150).held == "balance 150"
        race.save("A")
        race.load("A")
        race.load("B")
        race.save("A")
        event = race.save("B")
        assert (event.lost, event.row) == (("A2",), "balance 155")
        assert race.round.lost == ("A2",)
        assert race.look().context["balance"] == 155
        race.again()
        assert race.round.outcome == "balance 100"
        failing = {"A": lambda session: 1 / 0, "B": add("balance", 1)}
    with Race("memory", changes=failing) as race, pytest.raises(LessonError, match="ZeroDivision"):
        race.play("A.load A.save")


def test_a_change_may_need_the_other_one_before_it():
    def review(session: Session) -> None:
        session.context["reviewed"] = session.context["checked_by"]

    changes = {"A": put("checked_by", "Ada"), "B": review}
    with Race("memory", rule="last write wins", changes=changes) as race:
        played = race.play("A.load A.save B.load B.save A.load")
        assert played.effects == {"A", "B"}
        assert played.lost == ()


def test_of_many_steps_the_newest_are_shown():
    with Race("memory", rule="last write wins") as race:
        played = race.play("A.load " * 80 + "A.save")
        assert "    22 earlier steps, not shown" in repr(played).splitlines()
        assert "\n 82 save balance 110" in repr(played)
        assert "22 earlier steps, not shown" in played.picture.to_svg()


def test_the_picture_as_text_marks_what_was_lost_and_refused(stores):
    with Race(stores("sqlite"), rule="last write wins") as race:
        text = repr(race.play("A.load B.load A.save B.save"))
    lines = [[cell.strip() for cell in line[4:].split("|")] for line in text.splitlines()]
    assert lines[1] == ["writer A", "the row", "writer B"]
    assert lines[2] == ["(balance + 10)", "balance 100", "(balance + 5)"]
    assert lines[-2] == ["", "balance 105 ! A lost", "save balance 105"]
    assert text.splitlines()[-1].startswith("The row has balance 105. The change of A")
    with Race(stores("sqlite"), rule="versions") as race:
        text = repr(race.play("A.load B.load A.save B.save"))
        assert "x refused (conflict)" in text.splitlines()[-2]
        svg = race.round.picture.to_svg()
        assert "refused:" in svg
        assert svg.count("<rect") == 8  # the row twice, a state at each of six steps


def test_the_panel_offers_what_is_possible_and_each_button_is_a_call():
    with Race("memory", rule="versions") as race:
        bundle = race._repr_mimebundle_()
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        assert "<svg" in data["text/html"]
        assert data["text/plain"].startswith("memory, versions")
        panel = race.panel
        for label in ("A: load", "B: load", "A: change", "A: save", "B: change", "B: save"):
            panel.click(label)
        assert "refused" in panel.view.value
        panel.click("B: retry")
        assert "race.retry(" in panel.line.value
        assert race.look().context["balance"] == 115
        race.again()
        assert "The rule: A save replaces the version" in panel.view.value
