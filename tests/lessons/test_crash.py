"""A flow is killed at each point of a save: what is in the row, in the ledger, and what ran twice.

What the row has is read past the process and its line, from the store itself.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import graphflow_nb as g
from graphflow_nb.lessons import Crash, LessonStore, lesson_store
from graphflow_nb.lessons.course.crash_and_resume import GRAPH

from ..interrupts import interrupted_when
from ..scope import one_in, only_complete

numbers = count(1)
SENT, ANSWERED = "request sent but not answered", "answered but not yet read"


@pytest.fixture(scope="module")
def stores() -> Iterator[dict[str, LessonStore]]:
    """The stores that the tests have asked for, by kind."""
    made: dict[str, LessonStore] = {}
    yield made
    for store in made.values():
        store.close()


def rare(value: str) -> Any:
    """Return a parameter of complete runs alone."""
    return pytest.param(value, marks=only_complete)


def find_store(stores: dict[str, LessonStore], kind: Any) -> LessonStore:
    if kind not in stores:
        stores[kind] = lesson_store(kind)
    return stores[kind]


@pytest.fixture
def make_crash(stores: dict[str, LessonStore]) -> Iterator[Any]:
    made: list[Crash] = []

    def make(kind: str = "sqlite", graph: str = GRAPH, **options: Any) -> Crash:
        id = f"order-{next(numbers)}"
        if graph == GRAPH:
            options = {"task": "confirm", "context": {"order": id}} | options
        made.append(Crash(find_store(stores, kind), graph, id, **options))
        return made[-1]

    yield make
    for crash in made:
        crash.close()


def where(crash: Crash) -> tuple[int, str] | None:
    session = crash.session()
    return None if session is None else (session.version, session.current_task_id)


def sent(crash: Crash) -> list[str]:
    return [effect.split()[0] for effect in crash.ledger.effect[crash.ledger.sent]]


class Ended:
    """Tells whether a process has ended, by an event of the system."""

    def __init__(self, pid: int | None):
        assert pid is not None
        self._fd = os.pidfd_open(pid)

    def __bool__(self) -> bool:
        ended = bool(select.select([self._fd], [], [], 20)[0])
        os.close(self._fd)
        return ended


AT_CONFIRM, AT_SHIP = (2, "confirm"), (3, "ship")
#: For each point: the fate of the request, the row at the point and after the kill, and how often
#: the e-mail is sent in all.
CASES = {
    "after an effect": ("delivered", AT_CONFIRM, AT_CONFIRM, 2),
    "before the save": ("delivered", AT_CONFIRM, AT_CONFIRM, 2),
    SENT: ("delivered", AT_CONFIRM, AT_SHIP, 1),
    f"{SENT}, lost": ("lost", AT_CONFIRM, AT_CONFIRM, 2),
    ANSWERED: ("delivered", AT_SHIP, AT_SHIP, 1),
    "after the save": ("delivered", AT_SHIP, AT_SHIP, 1),
}
WITHOUT_SERVER = ["after an effect", "before the save", "after the save"]


#: Those that a shorter run includes.
QUICK = [("sqlite", "after an effect"), ("sqlite", "before the save"), ("sqlite", "after the save")]
QUICK += [("postgres", case) for case in CASES if "read" in case or "sent" in case]
QUICK += [("redis", SENT), ("redis", ANSWERED)]
ALL = [
    pytest.param(kind, case, marks=[] if (kind, case) in QUICK else only_complete)
    for kind in ("sqlite", "redis", "postgres")
    for case in CASES
    if kind != "sqlite" or case in WITHOUT_SERVER
]


@one_in(3)
@pytest.mark.parametrize(("kind", "case"), ALL)
def test_each_point_leaves_its_row_and_what_ran_twice(make_crash: Any, kind: str, case: str):
    point = case.removesuffix(", lost")
    fate, at_point, after, emails = CASES[case]
    crash = make_crash(kind)
    crash.start(stop_at=point)
    assert crash.state == f"process 1 is stopped: {point}"
    ended = Ended(crash.pid)
    assert where(crash) == at_point
    assert sent(crash) == ["charge", "e-mail"]
    crash.kill(fate)
    assert ended
    assert where(crash) == after
    crash.resume()
    assert where(crash) == (4, "ship")
    assert crash.session().status_message == "shipped"
    assert sent(crash) == ["charge"] + ["e-mail"] * emails
    assert list(crash.ledger.process)[2:] == ["process 2"] * (emails - 1)


@pytest.mark.parametrize("point", ["after an effect", *map(rare, WITHOUT_SERVER[1:])])
def test_memory_dies_with_its_process(make_crash: Any, point: str):
    crash = make_crash("memory")
    crash.start(stop_at=point)
    assert where(crash) == CASES[point][1]
    assert crash.row()["version"] == CASES[point][1][0]
    crash.kill()
    assert crash.row() is None
    crash.resume()
    assert sent(crash) == ["charge", "e-mail"] * 2
    assert crash.session() is None


@pytest.mark.parametrize("kind", ["sqlite", "memory"])
def test_a_store_without_a_server_says_why_it_has_no_request(make_crash: Any, kind: str):
    crash = make_crash(kind)
    assert list(crash.points.index[crash.points.exists]) == WITHOUT_SERVER
    with pytest.raises(g.LessonError, match="no server: the "):
        crash.start(stop_at=SENT)
    assert crash.state == "not started"
    assert make_crash("redis").points.exists.all()


@pytest.mark.parametrize("kind", ["sqlite", rare("postgres")])
def test_chained_tasks_are_saved_once_so_all_of_them_run_twice(make_crash: Any, kind: str):
    crash = make_crash(kind, arguments={"chained": True})
    crash.start(stop_at="before the save")
    assert where(crash) == (1, "charge")
    crash.kill()
    crash.resume()
    assert sent(crash) == ["charge", "e-mail"] * 2
    assert where(crash) == (2, "ship")


@pytest.mark.parametrize("point", [rare("before the save"), SENT, ANSWERED])
def test_a_process_goes_on_where_it_was_stopped(make_crash: Any, point: str):
    crash = make_crash("postgres")
    crash.start(stop_at=point)
    ended = Ended(crash.pid)
    crash.go_on()
    assert ended
    assert crash.state == "process 1 finished: completed"
    assert where(crash) == (4, "ship")
    assert sent(crash) == ["charge", "e-mail"]


def test_it_can_be_killed_again(make_crash: Any):
    crash = make_crash("postgres")
    crash.start(stop_at="before the save")
    crash.kill()
    crash.resume(stop_at=SENT)
    crash.kill("lost")
    crash.resume(stop_at=ANSWERED)
    crash.kill()
    crash.resume()
    assert sent(crash) == ["charge"] + ["e-mail"] * 3
    assert where(crash) == (4, "ship")


@pytest.mark.parametrize("kind", ["sqlite", *map(rare, ("redis", "postgres"))])
def test_a_key_makes_the_second_sending_a_no_op(make_crash: Any, kind: str):
    crash = make_crash(kind, arguments={"key": "{order}/{task}"})
    crash.start(stop_at="before the save")
    crash.kill()
    crash.resume()
    assert list(crash.ledger.sent) == [True, True, False]
    assert crash.ledger.key[1] == crash.ledger.key[2] == f"{crash.id}/confirm"


@pytest.mark.parametrize("kind", ["redis", rare("postgres")])
def test_a_server_is_killed_in_the_middle_of_a_save(kind: str):
    settings = {"appendonly": "yes", "appendfsync": "always"} if kind == "redis" else {}
    with lesson_store(kind, **settings) as store, Crash(store, GRAPH, "o", task="confirm",
        context={"order": "o"}) as crash:  # fmt: skip
        crash.start(stop_at=SENT)
        crash.kill_server()
        with pytest.raises(g.LessonError, match="process 1 failed"):
            crash.go_on()
        crash.restart_server()
        assert where(crash) == AT_CONFIRM
        crash.resume(stop_at=SENT)
        crash.kill_server()
        crash.kill()
        assert "can't deliver" in crash.story.frame().what.iloc[-2]
        crash.restart_server()
        assert where(crash) == AT_CONFIRM
        crash.resume(stop_at=ANSWERED)
        crash.kill_server()
        crash.kill()
        crash.restart_server()
        assert where(crash) == AT_SHIP


def test_a_script_that_redis_forgot_does_not_hide_the_save(make_crash: Any):
    crash = make_crash("redis")
    crash.start(stop_at="before the save")
    crash.kill()
    crash.kill_server()
    crash.restart_server()  # without its data, and without the script of a save
    for point, row in ((SENT, AT_CONFIRM), (ANSWERED, AT_SHIP)):
        crash.resume(stop_at=point)
        assert where(crash) == row
        crash.kill("lost")


def test_steps_that_do_not_fit_say_what_comes_first(make_crash: Any):
    crash = make_crash()
    for step in (crash.kill, crash.go_on):
        with pytest.raises(g.LessonError, match=r"none is \(not started\)"):
            step()
    with pytest.raises(g.LessonError, match="nothing was started yet"):
        crash.resume()
    crash.start(stop_at="before the save")
    for step in (crash.start, crash.resume):
        with pytest.raises(g.LessonError, match=r"started already|kill\(\) or go_on\(\) comes"):
            step()
    with pytest.raises(g.LessonError, match="delivered"):
        crash.kill("eaten")
    with pytest.raises(g.StorageError, match="has no server to kill"):
        crash.kill_server()
    crash.kill()
    with pytest.raises(g.LessonError, match=r"none is \(process 1 was killed: before the save\)"):
        crash.kill()
    with pytest.raises(g.LessonError, match="started already"):
        crash.start()
    with pytest.raises(g.LessonError, match="there is no point 'during the save'"):
        crash.resume("during the save")
    with pytest.raises(g.LessonError, match=r"point 'before the save' of task 'x'\. It began"):
        crash.resume("before the save", task="x")
    assert crash.state == "process 2 finished: completed"
    crash.close()
    crash.close()
    for step in (crash.resume, crash.row, crash.session):
        with pytest.raises(g.LessonError, match="closed"):
            step()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"graph": "build_graph"}, "%%writefile"),
        ({"graph": GRAPH, "seconds": 0}, "seconds"),
        ({"graph": GRAPH, "ledger": "ledger.jsonl"}, "ledger= is a Ledger"),
        ({"graph": GRAPH, "context": {"a": object()}}, "JSON"),
        ({"graph": GRAPH, "arguments": {"a": float("nan")}}, "JSON"),
    ],
)
def test_what_can_not_be_started_is_refused_at_once(
    make_crash: Any, options: dict[str, Any], said: str
):
    with pytest.raises(g.LessonError, match=said):
        make_crash(**options)


@pytest.mark.parametrize(
    ("flow", "said"),
    [
        ("no_such_module:build", "No module named.*%%writefile"),
        ("tests.lessons.flows:build_nothing", "not a Graph"),
        ("tests.lessons.flows:build_failing", "no paper"),
        ("tests.lessons.flows:build_ending", "ended by itself"),
    ],
)
def test_what_fails_in_the_process_is_said_here(make_crash: Any, flow: str, said: str):
    crash = make_crash(graph=flow)
    with pytest.raises(g.LessonError, match=said):
        crash.start()
    assert crash.pid is None


def test_a_flow_in_a_file_of_the_current_folder_is_found_and_read_again(
    make_crash: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    text = Path(__file__).with_name("flows.py").read_text()
    for run in ("run", "second run"):  # as %%writefile writes it
        Path("my_flow.py").write_text(text.replace('f"run ', f'f"{run} '))
        crash = make_crash(graph="my_flow:build_counting")
        crash.start()
        assert list(crash.ledger.effect) == [f"{run} 1"]
        assert crash.state == "process 1 finished: waiting_for_input"


def test_an_interrupt_leaves_no_process(make_crash: Any, tmp_path: Path):
    fifo = tmp_path / "running"
    os.mkfifo(fifo)
    crash = make_crash(graph="tests.lessons.flows:build_waiting", arguments={"fifo": str(fifo)})
    runs = threading.Event()
    ended: list[Ended] = []

    def listen() -> None:
        fifo.read_text()
        ended.append(Ended(crash.pid))
        runs.set()

    threading.Thread(target=listen).start()
    with pytest.raises(KeyboardInterrupt), interrupted_when(runs):
        crash.start()
    assert ended[0]
    assert crash.state == "process 1 was killed"


def test_a_process_that_takes_too_long_is_killed(make_crash: Any, tmp_path: Path):
    fifo = tmp_path / "running"
    os.mkfifo(fifo)
    crash = make_crash(
        graph="tests.lessons.flows:build_waiting", arguments={"fifo": str(fifo)}, seconds=0.3
    )
    with pytest.raises(g.LessonError, match="did not come to a point"):
        crash.start()
    assert crash.pid is None


LEFT_OPEN = f"""
from graphflow_nb.lessons import Crash, lesson_store
store = lesson_store("redis")
crash = Crash(store, {GRAPH!r}, "o", context={{"order": "o"}})
crash.start(stop_at={SENT!r})
print(crash.pid, flush=True)
input()
"""


@only_complete
def test_a_kernel_that_ends_leaves_no_file(tmp_path: Path):
    with subprocess.Popen(
        [sys.executable, "-c", LEFT_OPEN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    ) as kernel:
        assert kernel.stdout is not None
        ended = Ended(int(kernel.stdout.readline()))
        assert list(tmp_path.glob("gfnb-*"))
        kernel.communicate("\n", timeout=20)
    assert ended
    assert not list(tmp_path.glob("gfnb-*"))


@pytest.mark.parametrize("end", ["close", "forget"])
def test_a_stopped_process_ends_with_its_crash(stores: dict[str, LessonStore], end: str):
    crash = Crash(find_store(stores, "sqlite"), GRAPH, f"order-{next(numbers)}", task="charge",
        context={"order": "o"})  # fmt: skip
    crash.start(stop_at="before the save")
    ended = Ended(crash.pid)
    if end == "close":
        crash.close()
    del crash
    assert ended


def test_a_panel_has_a_button_for_each_step(make_crash: Any):
    crash = make_crash("postgres")
    panel = crash.panel
    panel.click(f"Start, stop at: {SENT}")
    assert panel.said == f"Start, stop at: {SENT}: done"
    panel.click("Kill, request lost")
    assert where(crash) == AT_CONFIRM
    panel.click(f"Resume, stop at: {ANSWERED}")
    panel.click("Kill")
    panel.click("Resume")
    html = panel.to_html()
    assert "ship" in html
    assert f"{crash.name}.resume()" in html
    assert html.count("e-mail to Ana about") == 4  # in the ledger and in the story, twice each


def test_the_story_says_in_order_what_happened(make_crash: Any):
    crash = make_crash("postgres")
    crash.start(stop_at=SENT)
    crash.kill()
    assert crash.story.frame().what.to_list()[-7:] == [
        "runs confirm",
        f"e-mail to Ana about {crash.id}",
        "saves",
        "holds the request to the server",
        "kill process 1 (SIGKILL)",
        "delivers what the dead process sent",
        "version 3, at ship",
    ]
    assert repr(crash).startswith(f"<Crash of session {crash.id!r} on PostgreSQL: process 1 was")


@pytest.mark.parametrize("kind", [rare("redis"), "postgres"])
def test_a_large_request_is_held_and_delivered_whole(make_crash: Any, kind: str):
    crash = make_crash(kind, context={"order": "o", "large": "x" * 3_000_000})
    crash.start(stop_at=SENT)
    assert where(crash) == AT_CONFIRM
    crash.kill()
    assert where(crash) == AT_SHIP
    crash.resume(stop_at=ANSWERED, task="ship")
    crash.kill()
    assert where(crash) == (4, "ship")


@only_complete
def test_the_next_process_starts_after_the_starter_was_killed(make_crash: Any):
    crash = make_crash()
    crash.start(stop_at="before the save")
    assert crash.pid is not None
    starter = int(Path(f"/proc/{crash.pid}/stat").read_text().rpartition(")")[2].split()[1])
    ended = Ended(starter)
    os.kill(starter, signal.SIGKILL)
    assert ended
    crash.kill()
    crash.resume()
    assert where(crash) == (4, "ship")


KILLED = f"""
import os, signal
from graphflow_nb.lessons import Crash, lesson_store
crash = Crash(lesson_store("sqlite"), {GRAPH!r}, "o", context={{"order": "o"}})
crash.start(stop_at="before the save")
print(crash.pid, flush=True)
input()
os.kill(os.getpid(), signal.SIGKILL)
"""


@only_complete
def test_a_process_ends_with_a_kernel_that_is_killed():
    with subprocess.Popen(
        [sys.executable, "-c", KILLED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as kernel:
        assert kernel.stdout is not None
        ended = Ended(int(kernel.stdout.readline()))
        kernel.communicate("\n", timeout=20)
    assert ended


@pytest.mark.parametrize("kind", ["sqlite", rare("postgres"), rare("redis")])
def test_a_stopped_process_does_not_overwrite_what_others_saved(make_crash: Any, kind: str):
    crash = make_crash(kind)
    crash.start(stop_at="before the save")
    with crash.store.open() as wb:
        theirs = wb.get(crash.id)
        theirs.status_message = "theirs"
        wb.save(theirs)
    with pytest.raises(g.LessonError, match="saved by someone else meanwhile"):
        crash.go_on()
    assert crash.session().status_message == "theirs"
    crash.resume()
    assert sent(crash) == ["charge", "e-mail", "e-mail"]


@only_complete
@pytest.mark.parametrize("kind", ["postgres", "redis"])
def test_a_request_that_is_delivered_late_does_not_overwrite_either(make_crash: Any, kind: str):
    crash = make_crash(kind)
    crash.start(stop_at=SENT)
    with crash.store.open() as wb:
        theirs = wb.get(crash.id)
        theirs.status_message = "theirs"
        wb.save(theirs)
    crash.kill()
    assert crash.session().status_message == "theirs"
