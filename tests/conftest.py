"""What every test may ask for: servers, stores and a loop; and how a run is laid out.

The servers are in ``tests/servers``, the stores in ``tests/stores.py``.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import warnings
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import HealthCheck, settings
from ipywidgets import Widget

from .scope import COMPLETE, refuse_skip
from .servers.fixtures import (
    database,
    databases,
    oldest,
    oldest_databases,
    pooler,
    primary,
    redis_cluster_server,
    redis_server,
    server,
    standby,
    valkey_server,
)
from .stores import KINDS, MAIN_KINDS, Store, empty_store

__all__ = [
    "database",
    "databases",
    "oldest",
    "oldest_databases",
    "pooler",
    "primary",
    "redis_cluster_server",
    "redis_server",
    "server",
    "standby",
    "valkey_server",
]

HERE = Path(__file__).parent
INTEROP = HERE / "interop"
# A folder with more files of tests than this is run by several workers.
FILES_FOR_ONE = 30
# These share what takes long to start, a browser or an environment, so one worker runs all of them.
TOGETHER = ("tests/lab/", "tests/packaging/test_wheel.py")
# What takes longest begins first, so that no worker is left with it at the end. The program that
# the tests of interop need is built beside the others, and these wait for seconds without working,
# so they come when it is there and others are left to run beside them.
FIRST = ("lab", "packaging", "notebooks", "storage/test_lossless.py", "storage/test_faults.py")
LAST = ("interop", "storage", "test_")

settings.register_profile(
    "default",
    deadline=None,
    derandomize=True,
    max_examples=100 if COMPLETE else 25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("default")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return how many workers share the run; none for one file or a selection by name.

    Workers take some seconds to start. There are more than processors, because many tests wait.
    """
    selects = ("keyword", "markexpr", "lf", "stepwise", "collectonly")
    if any(config.getoption(option, None) for option in selects):
        return 0
    files = sum(len(list(folder.rglob("test_*.py"))) for folder in _folders(config))
    return _processors() + 1 if files > FILES_FOR_ONE else 0


def pytest_configure(config: pytest.Config) -> None:
    """Let Python keep what it compiles, which containers often turn off.

    Else each of some hundred processes compiles the package again.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Let the garbage collector leave alone what was imported and collected, and look less often.

    Each look at all objects takes half a second then, which was a tenth of the time of all tests.
    """
    gc.disable()
    _import_share(session.config)
    result = yield
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 100)
    gc.enable()
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    refuse_skip(report)
    return report


def _import_share(config: pytest.Config) -> None:
    """Import those tests first that no other worker imports first.

    In a new clone all else compile the same modules at the same time, for some seconds each.
    """
    worker: dict[str, Any] = getattr(config, "workerinput", {})
    if not worker:
        return
    files = sorted(file for folder in _folders(config) for file in folder.rglob("test_*.py"))
    number, count = int(worker["workerid"].removeprefix("gw")), worker["workercount"]
    for file in files[number::count]:
        if INTEROP not in file.parents or not _leaves_out_interop(config):
            # The collection meets again what a module raises; a skip fails a complete run there.
            with suppress(Exception, pytest.skip.Exception):
                import_module(".".join(file.relative_to(HERE.parent).with_suffix("").parts))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each worker one test after the other, and what is to stay together to one of them."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduler(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return next((scope for scope in TOGETHER if nodeid.startswith(scope)), nodeid)

        def _reschedule(self, node: Any) -> None:
            # What is done needs no look: with thousands of units these looks took seconds.
            units = self.assigned_work[node]
            for scope in [scope for scope, tests in units.items() if all(tests.values())]:
                del units[scope]
            super()._reschedule(node)

    return Scheduler(config, log)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _folders(config: pytest.Config) -> list[Path]:
    """Return the folders that the command line names, or else those of ``testpaths``."""
    paths = (Path(argument.split("::")[0]).absolute() for argument in config.args)
    return [path for path in paths if path.is_dir()]


def _leaves_out_interop(config: pytest.Config) -> bool:
    within = any(INTEROP.is_relative_to(folder) for folder in _folders(config))
    named = any(Path(a.split("::")[0]).absolute().is_relative_to(INTEROP) for a in config.args)
    return within and not named and not COMPLETE


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if collection_path == INTEROP and _leaves_out_interop(config) else None


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if _leaves_out_interop(config) and not hasattr(config, "workerinput"):
        terminalreporter.write_line(
            "Left out: tests/interop, which builds a program with Rust for some minutes. Name that "
            "folder to run it, or set GRAPHFLOW_NB_TESTS=complete."
        )
    if _is_short(config) and not hasattr(config, "workerinput"):
        terminalreporter.write_line(
            f"Tests of all stores ran on {', '.join(MAIN_KINDS)} and on one of the others in turn, "
            "tests of many similar cases on some of them. Name a folder or --store KIND to run "
            "more, or set GRAPHFLOW_NB_TESTS=complete."
        )


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--store", metavar="KIND", help="run only the tests of one kind of store")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of the store that is asked for.

    Put what takes longest first, as far as workers share the run.
    """
    for item in items:
        if " at 0x" in item.nodeid:  # another one in each worker
            raise pytest.UsageError(f"{item.nodeid} is named by an address: give it ids=")
    kind = config.getoption("store")
    if kind is not None:
        if kind not in KINDS:
            raise pytest.UsageError(f"there is no store {kind}; known are {', '.join(KINDS)}")
        _keep(config, items, lambda item: _store_of(item) == kind)
    elif _is_short(config):
        is_case_in_turn = _Turns()
        _keep(config, items, lambda item: _is_store_in_turn(item) and is_case_in_turn(item))
    if not hasattr(config, "workerinput"):
        return

    def rank(item: pytest.Item) -> tuple[int, int]:
        path = item.path.relative_to(HERE).as_posix()
        first = (number for number, prefix in enumerate(FIRST) if path.startswith(prefix))
        last = (number for number, prefix in enumerate(LAST, 1) if path.startswith(prefix))
        return next(first, len(FIRST)), next(last, 0)

    items.sort(key=rank)


def _keep(
    config: pytest.Config, items: list[pytest.Item], is_kept: Callable[[pytest.Item], bool]
) -> None:
    others = [item for item in items if not is_kept(item)]
    items[:] = [item for item in items if is_kept(item)]
    config.hook.pytest_deselected(items=others)


def _is_short(config: pytest.Config) -> bool:
    """Return whether a test of many stores or cases runs on some: in the whole default run."""
    return not COMPLETE and HERE in _folders(config)


class _Turns:
    """Say whether a test that is marked with ``one_in`` runs on its case."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, tuple[str, ...]], dict[tuple[int, ...], int]] = {}

    def __call__(self, item: pytest.Item) -> bool:
        mark = item.get_closest_marker("one_in")
        if mark is None or not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
            return True
        lists = [_split(each.args[0]) for each in item.iter_markers("parametrize")]
        values = item.callspec.params
        named = {name for names in lists for name in names}
        lists += [(name,) for name in values if name not in named]  # of fixtures
        test, number = item.nodeid.partition("[")[0], 0
        for names in lists:
            places = self._places.setdefault((test, names), {})
            number += places.setdefault(tuple(id(values[name]) for name in names), len(places))
        return number % mark.args[0] == 0


def _split(names: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(names.replace(",", " ").split() if isinstance(names, str) else names)


def _is_store_in_turn(item: pytest.Item) -> bool:
    """Return whether a test runs on its store: on each main one, and on one of the others."""
    kind = _store_of(item)
    if kind is None or kind in MAIN_KINDS:
        return True
    others = [other for other in KINDS if other not in MAIN_KINDS]
    return others[crc32(item.nodeid.replace(kind, "").encode()) % len(others)] == kind


def _store_of(item: pytest.Item) -> Any:
    return item.callspec.params.get("store") if hasattr(item, "callspec") else None


@pytest.fixture(autouse=True)
def no_widget_is_left() -> Iterator[None]:
    """Close the widgets of each test, which ipywidgets else keeps until the worker ends.

    With them it keeps views and workbenches, hundreds in the end, and each look of the garbage
    collector, each ``%%latency`` and each list of all widgets takes longer and longer.
    """
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a view may have changes that are not saved
        Widget.close_all()


@pytest.fixture
def run() -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """Runs coroutines on one loop, as long as the test lasts."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    with empty_store(request.param, request, tmp_path) as store:
        yield store


@pytest.fixture
def storage(store: Store, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> Iterator[Any]:
    """A storage on that store."""
    storage = run(store.open())
    yield storage
    run(storage.close())
