"""Markup in every text of every object that shows itself as HTML: it is read and never runs.

What has a rich output is found by itself, and has to be in ``MAKERS``: a function of the text that
is put into each of its fields. A text and its tame twin must make the same elements and attributes.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import json
import pkgutil
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ipywidgets
import pytest
from IPython.core.formatters import DisplayFormatter
from markupsafe import Markup
from msgspec import Raw

import graphflow_nb as g
from graphflow_nb import lessons, workflow
from graphflow_nb.advice import Findings
from graphflow_nb.advice.lines import Advice, InOrder, Line, Unseen
from graphflow_nb.benchmark.report import Report as RunReport
from graphflow_nb.benchmark.run import Run
from graphflow_nb.benchmark.settings import Settings
from graphflow_nb.cards import lines
from graphflow_nb.changes import diff
from graphflow_nb.figures import LatencyFigure, plot_boxes
from graphflow_nb.figures.figure import LatencyAxes
from graphflow_nb.frames import stays_frame
from graphflow_nb.history import Version
from graphflow_nb.history.recordings import KINDS, Event
from graphflow_nb.journal import Journal, UndoReport
from graphflow_nb.lessons import (
    Comparison,
    Crash,
    Durability,
    Exercise,
    Field,
    Finding,
    Form,
    Ledger,
    Outcome,
    Prediction,
    Race,
    Remark,
    Round,
    Solution,
    Step,
    Stepper,
    Story,
    StoryLine,
    lesson_store,
)
from graphflow_nb.lessons.watched import WatchedGraph
from graphflow_nb.model import Session
from graphflow_nb.monitoring import Recorder, Records
from graphflow_nb.monitoring.operation import Operation
from graphflow_nb.notebook import display
from graphflow_nb.notebook.browse import Browser
from graphflow_nb.notebook.browse.revealing import RevealingHtml
from graphflow_nb.notebook.browse.rowtable import RowTable
from graphflow_nb.notebook.browse.valuetree import ValueTree
from graphflow_nb.notebook.cohorts import CohortComparison
from graphflow_nb.notebook.comparing import RunComparison
from graphflow_nb.notebook.exploring import LatencyExplorer
from graphflow_nb.notebook.forking import Fork
from graphflow_nb.notebook.formpanel import FormPanel
from graphflow_nb.notebook.graphs import GraphView
from graphflow_nb.notebook.html import Html, LiveHtml, ScrolledHtml
from graphflow_nb.notebook.kernelwatch import KernelWatch, View
from graphflow_nb.notebook.live import LiveLatency, Picture
from graphflow_nb.notebook.module import ModuleWidget
from graphflow_nb.notebook.observing import Observation
from graphflow_nb.notebook.opschart import OperationsChart
from graphflow_nb.notebook.overview import Overview
from graphflow_nb.notebook.panel import Action, ActionBar, Panel
from graphflow_nb.notebook.progress import Bar
from graphflow_nb.notebook.running import FlowRun
from graphflow_nb.notebook.saved import static_html
from graphflow_nb.notebook.timelines import Timeline
from graphflow_nb.storage.copy_report import CopyReport
from graphflow_nb.storage.history import Steps
from graphflow_nb.storage.migration import Migration
from graphflow_nb.storage.overview import count_columns
from graphflow_nb.testing.report import Report
from graphflow_nb.workflow import FanOutTask, Graph, GraphBuilder, TaskResult

from .hostile import ACTIVE, TEXTS
from .notebook.browse.kit import find_button, send, settle
from .scope import one_in

#: What breaks out of texts, attributes and elements, all in one, for what takes longer to make. The
#: letter in front keeps its place in an order; names are cut in figures, so the start is one, too.
ALL = "z\"'><b x>" + "".join(ACTIVE.values())
MISLEADING = "".join(TEXTS[name] for name in ("ansi", "bidi-override", "bidi-unclosed", "controls"))
OUTPUTS = ("_repr_html_", "_repr_mimebundle_", "_repr_svg_", "_repr_markdown_", "_repr_latex_")
OUTPUTS += ("_repr_javascript_", "_repr_json_", "_ipython_display_")


def tame(text: str) -> str:
    """Return the text without what HTML would take for its own, of the same length."""
    return re.sub("[<>&\"']", "x", text)


# What is shown


class _Shape(HTMLParser):
    """The elements and attributes of HTML, with all values but those that are read."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[Any] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "rect":  # over a picture, whose names take more room or less
            attrs = [(name, "0") for name, _ in attrs]
        kept = [(name, "" if name in ("alt", "title") else value) for name, value in attrs]
        self.parts.append((tag, [(n, "…" if "base64," in (v or "") else v) for n, v in kept]))

    def handle_endtag(self, tag: str) -> None:
        self.parts.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.parts.append(("comment", data))

    handle_decl = handle_pi = unknown_decl = handle_comment


def shape(html: str) -> list[Any]:
    if html.startswith("<svg"):  # the width of a time, "1 ms" or "10 ms", moves everything
        html = re.sub(r"-?\d+(\.\d+)?", "0", html)
    parser = _Shape()
    parser.feed(html)
    parser.close()
    return parser.parts


def bundle(thing: Any) -> dict[str, str]:
    """Return what a notebook gets of an object, by MIME type."""
    formatter = DisplayFormatter()
    display.register_on(formatter)
    formatter.ipython_display_formatter.enabled = False  # what it shows, it makes of the others
    data, metadata = formatter.format(thing)
    assert "text/plain" in data
    for kind, values in metadata.items():
        data |= {f"{kind} {name}": value for name, value in values.items()}
    if isinstance(thing, Browser | LatencyExplorer | LiveLatency) or (
        isinstance(thing, Run) and not thing.turns
    ):
        data["page"] = thing.to_html()
    if hasattr(thing, "_ipython_display_") and "text/html" in data:
        data["page"] = static_html(data["text/html"], "the id")
    if isinstance(thing, ipywidgets.Widget):
        data |= {f"widget {n}": value for n, value in enumerate(widget_texts(thing))}
    return data


def widgets_of(widget: Any) -> Iterator[Any]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from widgets_of(child)


def widget_texts(widget: Any) -> Iterator[str]:
    for part in widgets_of(widget):
        if isinstance(part, ipywidgets.HTML | ipywidgets.HTMLMath):
            assert isinstance(part, Html)
            yield part.value
        assert not getattr(part, "description_allow_html", False)


# What has a rich output


def find_rich() -> set[type]:
    """Return our classes that show themselves richly, and those for which we register something."""
    found: set[type] = set()
    for module in pkgutil.walk_packages(g.__path__, "graphflow_nb."):
        if module.name.endswith("__main__"):
            continue
        for _, kind in inspect.getmembers(import_module(module.name), inspect.isclass):
            if kind.__module__ != module.name or inspect.isabstract(kind):
                continue
            if any(hasattr(kind, name) for name in OUTPUTS):
                found.add(kind)
    formatter = DisplayFormatter()
    before = {mime: set(each.type_printers) for mime, each in formatter.formatters.items()}
    display.register_on(formatter)
    for mime, each in formatter.formatters.items():
        found |= set(each.type_printers) - before[mime]
    return found


def test_every_object_with_a_rich_output_is_tested():
    assert find_rich() == set(MAKERS)


# Objects with a text in every field


def fill(kind: Any, text: str) -> Any:
    """Return a value of this type with the text in every text of it."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return args[0]
    if origin in (typing.Union, types.UnionType):
        return fill(next(arg for arg in args if arg is not type(None)), text)
    if origin is tuple and args[-1] is not Ellipsis:
        return tuple(fill(arg, text) for arg in args)
    if origin in (tuple, list, Sequence):
        return tuple(fill(args[0], text) for _ in range(2))
    if origin in (dict, Mapping):
        return {fill(args[0], text): fill(args[1], text)}
    if kind is type or origin is type:
        return str
    if origin is Callable:
        return lambda *_: None
    if kind in (str, Any):
        return text
    if kind in (bool, int, float):
        return kind(7)
    if kind is datetime:
        return datetime(2026, 1, 2, tzinfo=UTC)
    if kind is Records:
        return make_records(text)
    if kind is Settings:
        workload = g.Workload(name=text, shares={"read": 1.0})
        return Settings.from_options(workload, {"repeats": 2, "warmup": 0})
    hints = typing.get_type_hints(kind)
    names = kind._fields if hasattr(kind, "_fields") else [f.name for f in fields_of(kind)]
    return kind(**{name: fill(hints[name], text) for name in names})


def fields_of(kind: Any) -> Sequence[Any]:
    return [field for field in dataclasses.fields(kind) if field.init]


def operations(text: str) -> list[Operation]:
    return [
        Operation(text, text, text, 1000 * n, 500 + n, 1, 2, 3, 4, 5, 6, "error", text, "user")
        for n in range(3)
    ]


def make_records(text: str) -> Records:
    recorder = Recorder()
    for operation in operations(text):
        recorder.on_operation(operation)
    return recorder.records()


def make_session(text: str, id: str = "", **values: Any) -> Session:
    session = Session(
        id or text,
        text,
        graph_id=text,
        status_message=text,
        context={text: text, "o": {text: [text, {text: 1}]}, **values},
    )
    session.context.add_user_message(text)
    session.context.add_assistant_message(text)
    return session


def make_store(text: str) -> g.Workbench:
    wb = g.open("memory:", writable=True)
    for id in ("one", "two", text):
        wb.save(make_session(text, id, n=id))
    return wb


def make_findings(text: str) -> list[Findings]:
    lines: list[Line] = [fill(kind, text) for kind in (Advice, InOrder, Unseen)]
    numbers = dataclasses.replace(fill(Advice, text), evidence={text: 1, f"{text}2": 1.5})
    return [Findings([*lines, numbers], text, 3, text), Findings([], text, 3, text)]


def make_runs(text: str) -> list[Run]:
    store = fill(g.benchmark.run.Store, text)
    run = fill(Run, text)
    turns = [
        dataclasses.replace(turn, store=store.label, repeat=n) for n, turn in enumerate(run.turns)
    ]
    whole = dataclasses.replace(run, stores=(store,), turns=tuple(turns))
    with TemporaryDirectory() as folder:
        whole.save(f"{folder}/run")
        loaded = Run.load(f"{folder}/run")
    return [loaded, dataclasses.replace(whole, turns=())]


def make_latencies(text: str) -> list[Any]:
    return [g.Latency(make_records(text)), g.Latency(Recorder().records())]


def make_figure(text: str) -> LatencyFigure:
    frame = g.frames.operations_frame(make_records(text), labels=True)
    figure = LatencyFigure((9, 5))
    plot_boxes(frame, ax=figure.panels(1, 1)[0], by="op")
    return figure


def make_explorer(text: str) -> Iterator[LatencyExplorer]:
    wb = make_store(text)
    for operation in operations(text):
        wb.recorder.on_operation(operation)
    explorer = wb.latency.explore()
    explorer.chart.receive({"event": "open", "value": 0})
    yield explorer
    explorer.close()
    wb.close()


def make_live(text: str) -> Iterator[LiveLatency]:
    wb = make_store(text)
    live = wb.latency.live()
    live.running.value = False  # what the browser reads would come in between
    for operation in operations(text):
        wb.recorder.on_operation(operation)
    live.update()
    send(live.table, "open", 0)
    yield live
    live.close()
    wb.close()


def make_browsers(text: str) -> Iterator[Browser]:
    """Return a browser in each of its states."""
    wb = make_store(text)
    browser = wb.browse(graph=text, task=text, order="id")
    settle(browser)
    yield browser
    browser.open_session(text)
    for part in ("Overview", "Context", "Chat", "JSON"):
        browser.reader.parts.value = part
        yield browser
    browser.reader.parts.value = "Edit"
    editor = browser.reader.editor
    editor.status.value = f"mine {text}"
    browser.reader.saving.preview.click()
    yield browser
    theirs = wb.get(text)
    theirs.status_message = f"theirs {text}"
    wb.save(theirs)
    browser.reader.saving.save.click()
    assert browser.desk.conflict is not None
    yield browser
    browser.desk.discard()
    browser.listing.select(["one", text])
    browser.actions.compare.click()
    yield browser
    find_button(browser, "Delete…").click()
    yield browser
    browser.actions.waiting.get().open()
    browser.stage.render()
    yield browser
    browser.stage.act(lambda: fail(g.StorageError(text), ValueError(text)))
    yield browser
    browser.stage.act(lambda: fail(ValueError(text), None))
    yield browser
    browser.close()
    wb.close()


def fail(error: Exception, cause: Exception | None) -> None:
    raise error from cause


def make_chart(text: str) -> list[OperationsChart]:
    return [OperationsChart(make_records(text), lambda row: None)]


def make_table(text: str) -> list[RowTable]:
    table = RowTable(text, [{"name": "a", "label": text}], lambda key: None)
    table.show([text], [[text]], empty=text)
    return [table]


def make_tree(text: str) -> list[ValueTree]:
    tree = ValueTree(lambda asked: None, lambda path: Raw(b"1"), lambda: None)
    value = Raw(json.dumps(text).encode())
    tree.show(
        [lines.Line(("context", "data", text), text, value)],
        of=text,
        label="Context",
        editable=True,
    )
    return [tree]


def make_graph(text: str) -> Graph:
    def run(context: g.Context) -> TaskResult:
        return TaskResult()

    run.__name__ = text
    first, second = workflow.task(text)(run), workflow.task(f"{text}2")(run)
    builder = GraphBuilder(text).add_task(first).add_task(FanOutTask(f"{text}3", [first, second]))
    return builder.add_conditional_edge(text, run, f"{text}3", text).build()


def make_panel(text: str) -> Panel:
    def work() -> None:
        fail(g.StorageError(text), ValueError(text))

    action = Action(text, text, work, style="danger")
    panel = Panel(text, lambda: Markup("<p>%s</p>") % text, lambda: [[action]])
    panel.click(text)
    return panel


def make_exercise(text: str) -> list[Exercise]:
    named = Exercise(text, lambda answer: text, text, text, because=text, name=text)
    named.hint()
    named.solution()
    named.check(text)
    chosen = Exercise(text, lambda answer: fail(ValueError(text), None), choices=[text, "b"])
    chosen.check(text)
    return [named, chosen]


def make_predictions(text: str) -> list[Prediction]:
    made = [Prediction(text, [text, "b"], name=text) for _ in range(3)]
    for prediction in made[1:]:
        prediction.choose(text)
    made[2].compare("b", text)
    return made


def make_forms(text: str) -> list[Form]:
    """A form that is filled in, and one that came too late."""
    wb = make_store("tame")
    wb.create("form", text, status_message=text, context={"k": text})
    fields = [Field(text, text), Field("choice", text, (text, "other"))]
    made = [Form(wb, "form", fields, title=text, name=text) for _ in range(2)]
    for form in made:
        form.panel.fields[0].value = text
        form.panel.fields[1].value = text
        form.panel.click("Send")
    return made


def make_steppers(text: str) -> Iterator[Stepper]:
    def run(context: g.Context) -> TaskResult:
        if text in context:
            raise ValueError(text)
        context[text] = [text, {text: text}]
        return TaskResult(text, workflow.NextAction.WAIT_FOR_INPUT, text)

    wb = g.open("memory:")
    wb.create(text, text)
    graph = GraphBuilder(text).add_task(workflow.task(text)(run)).build()
    stepper = Stepper(wb, graph, text, name=text)
    yield stepper
    stepper.panel.click("Run one step")
    yield stepper
    stepper.panel.click("Run one step")
    yield stepper
    wb.close()


def make_graph_views(text: str) -> Iterator[GraphView]:
    with make_store(text) as wb:
        wb.patch(text, [{"op": "replace", "path": "/current_task_id", "value": f"{text}2"}])
        for graph in (make_graph(text), text, None):
            yield wb.graph(graph)
            yield wb.graph(graph, text)


def make_flow_run(text: str) -> FlowRun:
    status = workflow.ExecutionStatus("paused", text, text)
    results = (workflow.ExecutionResult(text, status),)
    before = make_session("tame", text)
    return FlowRun(text, results, before, make_session(text), tuple(operations(text)), text)


def make_timeline(text: str) -> Timeline:
    steps = [
        (id, number, hour * 3_600_000_000, text, task, text, False, text)
        for id, number, hour, task in ((text, 1, 1, text), (text, 2, 2, "b"), ("z", 1, 3, text))
    ]
    now = datetime(1970, 1, 2, tzinfo=UTC)
    return Timeline(stays_frame(Steps.from_rows(steps, 10), now), text)


def make_overview(text: str) -> Overview:
    times = [0, 10**15, *[86_400_000_000] * 4]
    names = [text] * 6, ["a", *[text] * 5]
    now = datetime(1970, 1, 2, tzinfo=UTC)
    return Overview(count_columns(*names, times, times, times, now, note=text))


def make_comparison(text: str) -> RunComparison:
    sessions = ({1: make_session(text), 2: make_session(text)}, {1: make_session("b", text)})
    return RunComparison((text, "z"), make_timeline(text).stays, sessions)


def make_observation(text: str) -> Observation:
    observation = Observation(g.open("memory:"))
    observation.stop()
    observation.state = text
    return observation


def make_round(text: str) -> Round:
    endings = ["done", "refused", "skipped", "clash"]
    steps = [(a, "done") for a in ("load", "change", "begin", "delete")]
    steps += [("save", ending) for ending in endings[:3]] + [("merge", "clash")]
    events = [
        lessons.Event(writer, action, ending, text, text, (text,), True, text)
        for writer in ("A", "B")
        for action, ending in steps
    ]
    names = frozenset({"A", text})
    return Round(
        text,
        text,
        {"A": text, "B": text, text: text},
        text,
        tuple(events),
        make_session(text),
        frozenset(),
        names,
        {text: text},
    )


def make_scrolled(text: str) -> list[ScrolledHtml]:
    scrolled = ScrolledHtml()
    scrolled.value = text
    return [scrolled]


def make_revealing(text: str) -> list[RevealingHtml]:
    html = RevealingHtml()
    html.show(Markup("<p>%s</p>") % text, lambda: Markup("<p>%s</p>") % text)
    return [html]


def make_bar(text: str) -> list[Bar]:
    bar = Bar(None)
    bar.show_count(1, 2, text)
    return [bar]


def make_race(text: str) -> Iterator[Race]:
    changes = {"A": lessons.put("k", text), "B": lessons.put(text, text)}
    with Race("memory", changes=changes, start={text: text}) as race:
        yield race
        race.play("A.load B.load A.save B.save")
        yield race


def make_story(text: str) -> list[Story]:
    return [Story((text, "b"), [StoryLine(text, text, text), StoryLine("b", text, text)])]


def make_crashes(text: str) -> Iterator[Crash]:
    """Return a crash in each of its states, without a process."""
    with lesson_store("sqlite") as store, TemporaryDirectory() as folder:
        ledger = Ledger(f"{folder}/ledger")
        crash = Crash(store, f"{text}:{text}", text, task=text, name=text, ledger=ledger)
        yield crash
        store.open().save(make_session(text))
        crash.story.add("you", text, text)
        for key in (text, text, None):
            ledger.add(text, text, text, key)
        yield crash
        crash.close()
        yield crash


#: The objects of a class, with a text in each of their fields.
MAKERS: dict[type, Callable[[str], Any]] = {
    Session: lambda text: [make_session(text)],
    g.Patch: lambda text: [
        diff(Session("a", "b", context={text: 1, "k": text}), make_session(text))
    ],
    CopyReport: lambda text: [fill(CopyReport, text)],
    UndoReport: lambda text: [
        fill(UndoReport, text),
        UndoReport(0, [], {}),
        UndoReport(0, [text] * 9, dict.fromkeys((text, f"{text}2"), text)),
    ],
    Report: lambda text: [
        dataclasses.replace(
            (report := fill(Report, text)),
            findings=tuple(
                dataclasses.replace(report.findings[0], outcome=outcome)
                for outcome in ("holds", "fails", "missing", "untested")
            ),
        )
    ],
    Findings: make_findings,
    Run: make_runs,
    g.Latency: make_latencies,
    g.Workbench: lambda text: [make_store(text)],
    LatencyFigure: lambda text: [make_figure(text)],
    LatencyAxes: lambda text: make_figure(text).axes[:1],
    LatencyExplorer: make_explorer,
    LiveLatency: make_live,
    Browser: make_browsers,
    RowTable: make_table,
    OperationsChart: make_chart,
    ValueTree: make_tree,
    Html: lambda text: [Html(text)],
    ScrolledHtml: lambda text: make_scrolled(text),
    LiveHtml: lambda text: [LiveHtml(value=text)],
    RevealingHtml: make_revealing,
    Graph: lambda text: [make_graph(text)],
    WatchedGraph: lambda text: [WatchedGraph(make_graph(text))],
    GraphView: make_graph_views,
    FlowRun: lambda text: [make_flow_run(text)],
    Timeline: lambda text: [make_timeline(text)],
    Overview: lambda text: [make_overview(text)],
    Migration: lambda text: [fill(Migration, text)],
    Observation: lambda text: [make_observation(text)],
    g.Recording: lambda text: [
        g.Recording([Event(n, kind, text, text) for n, kind in enumerate((*KINDS, text))])
    ],
    RunComparison: lambda text: [make_comparison(text)],
    CohortComparison: lambda text: [
        CohortComparison((text, "b"), (make_timeline(text).stays,) * 2, failed=text)
    ],
    Fork: lambda text: [Fork(make_session(text), fill(Version, text), (text, text))],
    Round: lambda text: [make_round(text)],
    Race: make_race,
    Panel: lambda text: [make_panel(text)],
    Prediction: make_predictions,
    Crash: make_crashes,
    Story: make_story,
    Comparison: lambda text: [fill(Comparison, text)],
    Exercise: make_exercise,
    Durability: lambda text: [Durability("memory")],
    Finding: lambda text: [Finding(3, stored) for stored in (None, 0, 2, 3)],
    Outcome: lambda text: [Outcome("incorrect", text)],
    Stepper: make_steppers,
    Step: lambda text: [s for stepper in make_steppers(text) for s in stepper.steps],
    Remark: lambda text: [fill(Remark, text)],
    Solution: lambda text: [fill(Solution, text)],
    FormPanel: lambda text: [form.panel for form in make_forms(text)],
    Form: make_forms,
    ActionBar: lambda text: [make_panel(text).bar],
    View: lambda text: [View([Html(text)])],
    Picture: lambda text: [Picture(tooltip=text)],
    KernelWatch: lambda text: [KernelWatch(text)],
    ModuleWidget: lambda text: [ModuleWidget(tooltip=text)],
    Bar: make_bar,
}
#: Those that are made quickly.
QUICK = [Session, g.Patch, CopyReport, Report, Findings, RowTable, Html]


def outputs(kind: type, text: str) -> list[dict[str, str]]:
    return [bundle(thing) for thing in MAKERS[kind](text)]


@one_in(2)
@pytest.mark.parametrize("kind", MAKERS, ids=lambda kind: kind.__name__)
def test_no_element_comes_from_the_data(kind: type):
    for text in [ALL, *ACTIVE.values()] if kind in QUICK else [ALL]:
        hostile, plain = outputs(kind, text), outputs(kind, tame(text))
        assert len(hostile) == len(plain)
        for one, other in zip(hostile, plain, strict=True):
            assert one.keys() == other.keys()
            for mime in one:
                if mime in ("text/html", "image/svg+xml", "page") or mime.startswith("widget "):
                    assert shape(one[mime]) == shape(other[mime]), (mime, text)


def test_no_element_comes_from_the_data_of_a_page_with_figures():
    pages = []
    for text in (ALL, tame(ALL)):
        run, figure = make_runs(text)[0], make_figure(text)
        report = RunReport(run.settings, run.began, run.summary(), run.notes)
        pages.append(report.render_page(run.machine, {"light": figure, "dark": figure}))
    assert shape(pages[0]) == shape(pages[1])


@one_in(2)
@pytest.mark.parametrize("kind", MAKERS, ids=lambda kind: kind.__name__)
def test_no_text_drives_a_terminal_or_turns_round(kind: type):
    for shown in outputs(kind, MISLEADING):
        for mime in ("text/plain", "image/png alt"):
            odd = {c for c in shown.get(mime, "") if not c.isprintable() and c != "\n"}
            assert not odd, (mime, odd)


def test_no_name_of_a_file_or_table_drives_a_terminal_or_ends_a_comment(tmp_path: Path):
    name = MISLEADING.replace("/", "")
    storage = asyncio.run(open_and_close(tmp_path / name))
    journal = Journal.at(tmp_path / f"{name}.journal")
    for shown in (
        repr(storage),
        repr(journal),
        str(Migration(f"notes{name}\nDROP TABLE notes;", ())),
    ):
        assert shown.isprintable(), shown
    journal.close()


async def open_and_close(path: Path) -> g.SqliteSessionStorage:
    storage = await g.SqliteSessionStorage.connect(path)
    await storage.close()
    return storage
