"""``wb.latency``, ``%%latency`` and the live view, without a browser."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import graphflow_nb as g
from graphflow_nb import Latency
from graphflow_nb.figures import LatencyFigure, figure_kinds, latency_board

from ..scope import COMPLETE
from ..two_sessions import PLACES, open_with_two_sessions
from .browse.kit import send, wait_until


@pytest.fixture
def ip(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A shell whose figures are words alone, since these tests look at no picture."""
    monkeypatch.setattr(LatencyFigure, "_repr_png_", lambda figure: b"")
    shell = InteractiveShell()
    shell.run_cell("import graphflow_nb\n%load_ext graphflow_nb").raise_error()
    yield shell
    shell.run_cell("%unload_ext graphflow_nb")
    shell.reset()


def ran(ip: Any, cell: str) -> tuple[str, Any]:
    """What the cell printed, and how it went."""
    with capture_output() as captured:
        result = ip.run_cell(cell)
    # What is shown is printed, or kept where another test has left a shell of this process.
    shown = "".join(output.data.get("text/plain", "") for output in captured.outputs)
    return captured.stdout + shown, result


def test_a_cell_tells_what_its_operations_cost(ip):
    ran(ip, "wb = graphflow_nb.open('demo')\nwb.get('claim-0014')")
    said, result = ran(ip, "%%latency\nfor _ in range(150): wb.get('claim-0014')\n'last'")
    assert result.result == "last"
    assert "150 operations, in microseconds" in said
    assert "n = 150" in said
    assert "in microseconds" not in ran(ip, "wb.get('claim-0014')")[0]


def count_said(said: str) -> list[int]:
    """The numbers of operations that reports tell, in their order."""
    return [int(n.replace(",", "")) for n in re.findall(r"([\d,]+) operations?, in micro", said)]


def test_a_cell_tells_its_own_operations_however_many_came_before(ip):
    ran(ip, "wb = graphflow_nb.open('demo')")
    wb = ip.user_ns["wb"]
    wb.storage.remove_hook(wb.recorder)
    wb.recorder = g.Recorder(limit=1000)
    wb.storage.add_hook(wb.recorder)
    ran(ip, "for _ in range(3_500): wb.get('claim-0014')")
    said, _ = ran(ip, "%%latency\nwb.get('claim-0014')")
    assert count_said(said) == [1]
    assert "n = 1" in said
    assert "are kept" not in said
    said, _ = ran(ip, "%%latency wb\nfor _ in range(2_500): wb.get('claim-0014')")
    assert count_said(said) == [2_500]
    assert "the newest 1,000 of 2,500 operations are kept" in said
    assert count_said(ran(ip, "%%latency\nwb.get('claim-0014')")[0]) == [1]


def test_an_operation_counts_once_however_many_names_and_workbenches_it_has(ip):
    ran(ip, "wb = also = graphflow_nb.open('demo')\nthird = graphflow_nb.wrap(wb.storage)")
    for names in ("wb also", "wb wb", "wb third", "also wb third", "third wb", ""):
        said, _ = ran(ip, f"%%latency {names}\nwb.get('claim-0014')")
        assert count_said(said) == [1], names
    wb, third = ip.user_ns["wb"], ip.user_ns["third"]
    assert len(wb.latency.merged(wb.latency)) == len(wb.latency)
    assert len(third.latency.merged(wb.latency)) == len(wb.latency)
    assert len(g.Latency(wb.recorder).merged(g.Latency(wb.recorder))) == len(wb.latency)


def test_nested_cells_keep_their_reports(ip):
    ran(ip, "wb = graphflow_nb.open('demo')")
    inner = "%%latency\nwb.get('claim-0014')"
    cell = f"%%latency\nwb.get('claim-0014')\nget_ipython().run_cell({inner!r})"
    said, _ = ran(ip, f"{cell}\nwb.get('claim-0014')")
    assert count_said(said) == [1, 3]
    plain = "get_ipython().run_cell('wb.get(\"claim-0014\")')"
    assert count_said(ran(ip, f"%%latency wb\n{plain}\n{plain}")[0]) == [2]
    assert count_said(ran(ip, f"%%latency\nget_ipython().run_cell('')\n{plain}")[0]) == [1]
    failing = "get_ipython().run_cell('%%latency\\n1 / 0')"
    assert count_said(ran(ip, f"%%latency\n{failing}\n{plain}")[0]) == [1]
    assert count_said(ran(ip, plain)[0]) == []


def test_a_wrong_name_is_said_before_the_cell_runs(ip):
    ran(ip, "wb_claims = graphflow_nb.open('demo')\nx = 0\ndf = [1]")
    said, result = ran(ip, "%%latency wb_clams\nx = 1\nwb_claims.get('claim-0014')")
    assert isinstance(result.error_in_exec, g.QueryError)
    assert "there is no workbench wb_clams; name one of wb_claims" in said
    assert "operation was recorded" not in said
    assert ip.user_ns["x"] == 0
    said, result = ran(ip, "%%latency wb_claims df\nx = 1")
    assert "df is a list, not a workbench" in said
    assert ip.user_ns["x"] == 0
    # What the cell itself may make a workbench is known afterwards.
    said, _ = ran(ip, "%%latency new\nnew = graphflow_nb.open('demo')\nnew.get('claim-0014')")
    assert count_said(said) == [1]
    said, _ = ran(ip, "%%latency opened\n%gf open demo --as opened")
    assert "no operation was recorded" in said
    assert "there is no workbench" not in said
    said, _ = ran(ip, "%%latency late wb_claims\nlate = 1\nwb_claims.get('claim-0014')")
    assert count_said(said) == [1]
    assert "late is a int, not a workbench" in said


def test_a_cell_that_closes_its_workbench_keeps_its_report(ip):
    ran(ip, "wb = graphflow_nb.open('demo')")
    said, _ = ran(ip, "%%latency\nwb.get('claim-0014')\nwb.close()\ndel wb")
    assert count_said(said) == [1]


def past_the_bound() -> g.Workbench:
    wb = g.open("demo")
    wb.storage.remove_hook(wb.recorder)
    wb.recorder = recorder = g.Recorder(limit=1000)
    wb.latency = Latency(recorder, wb)
    wb.storage.add_hook(recorder)
    for _ in range(1_500):
        wb.bridge.run(wb.storage.background.get("claim-0014"))
    for _ in range(2_500):
        wb.get("claim-0014")
    return wb


def test_a_reached_bound_is_said_wherever_figures_are_shown():
    note = "the newest 1,000 of 2,500 operations are kept"
    wb = past_the_bound()
    latency = wb.latency
    assert latency.frame().attrs["note"] == note
    assert len(latency) == latency.summary()["count"].sum() == 2_500  # without the background
    for kind in figure_kinds():
        assert note in latency.plot(kind).said, kind
    for shown in (latency, wb.advise()):
        assert note in repr(shown), type(shown)
        assert note in shown._repr_html_(), type(shown)
    assert "of 2,500 operations are kept" in repr(wb)  # the card itself counts sessions
    assert "of 2,500 operations are kept" in wb._repr_html_()
    other = g.open("demo")
    other.get("claim-0014")
    assert "of 2,501 operations are kept" in latency.merged(other.latency).frame().attrs["note"]
    assert "note" not in other.latency.frame().attrs
    for shown in (other.latency, other):
        assert "are kept" not in repr(shown)


def test_a_saved_file_says_its_bound_too(tmp_path):
    latency = past_the_bound().latency
    latency.save(tmp_path / "operations.parquet")
    again = Latency.load(tmp_path / "operations.parquet")
    assert again.frame().attrs == latency.frame().attrs
    assert again.summary()["count"].sum() == 2_500


def test_the_live_view_says_how_many_it_draws_and_how_many_it_missed():
    wb = past_the_bound()
    view = wb.latency.live()
    try:
        view.running.value = False
        assert "the newest 1,000 of 2,500 operations are drawn" in view.words.value
        for _ in range(1_200):
            wb.get("claim-0014")
        view.update()
        assert "<b>200</b> not in the list below" in view.totals.value
        assert "the newest 1,000 of 3,700 operations are drawn" in view.words.value
        assert len(view.slowest) == 12
    finally:
        view.close()


def test_a_cell_that_awaits_fails_or_opens_a_store(ip):
    ran(ip, "wb = graphflow_nb.open('demo')")
    said, result = ran(ip, "%%latency\nfound = await wb.get.aio('claim-0014')\nfound.id")
    assert result.result == "claim-0014"
    assert "1 operation, in" in said
    said, result = ran(ip, "%%latency\nwb.get('claim-0014')\n1 / 0")
    assert isinstance(result.error_in_exec, ZeroDivisionError)
    assert "1 operation, in" in said
    said, _ = ran(ip, "%%latency\nnew = graphflow_nb.open('demo')\nnew.get('claim-0014')")
    assert "1 operation, in" in said
    assert "no operation was recorded" in ran(ip, "%%latency\nx = 1")[0]


def test_a_cell_may_name_its_workbenches(ip):
    ran(ip, "one, two = graphflow_nb.open('demo'), graphflow_nb.open('demo')")
    cell = "one.get('claim-0014'); two.get('claim-0014'); two.get('claim-0014')"
    assert "2 operations" in ran(ip, f"%%latency two\n{cell}")[0]
    assert "3 operations" in ran(ip, f"%%latency one two\n{cell}")[0]


def test_the_line_in_the_middle_of_a_cell_is_an_error_and_without_the_extension_too(ip):
    _, result = ran(ip, "x = 1\n%%latency\nx")
    assert result.success is not True or result.result is None
    ran(ip, "%unload_ext graphflow_nb")
    said, _ = ran(ip, "%%latency\n5")
    assert "operations" not in said
    assert ip.input_transformers_cleanup == [
        t for t in ip.input_transformers_cleanup if "CellLatency" not in repr(t)
    ]


@pytest.mark.parametrize("store", PLACES, indirect=True)
def test_summaries_and_frames_of_operations(store):
    wb = open_with_two_sessions(store)
    for _ in range(120):
        wb.get(store.id("a"))
    frame = wb.latency.frame()
    assert str(frame["started_at"].dtype) == "datetime64[ns, UTC]"
    assert frame["op"].tolist()[:4] == ["get", "save", "get", "save"]
    assert frame["origin"].tolist()[:3] == ["journal", "user", "journal"]
    summary = wb.latency.summary()
    assert summary.loc["get", "count"] == 120
    assert summary.loc["get (journal)", "count"] == summary.loc["save", "count"] == 3
    row = summary.loc["get"]
    assert 0 < row["p50_us"] <= row["p90_us"] <= row["p99_us"] <= row["max_us"]
    assert row["mean_us"] <= row["max_us"]
    assert summary["p90_us"].isna()["save"]
    read = (frame["op"] == "get") & (frame["origin"] == "user")
    durations = frame.loc[read, "duration_ns"].sort_values().to_numpy() / 1000
    assert row["p50_us"] == durations[59]
    assert row["p99_us"] == durations[118]
    assert "120" in repr(wb.latency)
    figure = wb.latency.plot()
    assert figure._repr_png_()[:8] == b"\x89PNG\r\n\x1a\n"
    assert "get: n = 120" in repr(figure)
    assert len(figure._repr_png_()) < 300_000
    wb.latency.clear()
    assert wb.latency.summary().empty
    assert wb.latency.plot()._repr_png_()
    assert "no operation" in repr(wb.latency)
    wb.close()


def test_a_plot_says_what_it_left_out():
    wb = g.open("memory:")
    for i in range(30_000):
        wb.latency.recorder.on_operation(
            g.Operation(("get", "save")[i % 2], "X", None, i * 1000, 1000 + i, outcome="ok")
        )
    wb.latency.recorder.on_operation(
        g.Operation("get", "X", None, 0, 5, outcome="error", error="E")
    )
    figure = latency_board(wb.latency.frame())
    titles = " ".join(ax.get_title() for ax in figure.axes)
    assert "n = 30,001" in titles
    assert "dots: the slowest 0.5 %" in wb.latency.plot("timeline").said
    assert "1 failed" in titles
    assert len(figure._repr_png_()) < 300_000


def test_plots_leave_pyplot_alone():
    code = (
        "import sys, graphflow_nb as g; wb = g.open('demo');"
        "assert 'matplotlib' not in sys.modules;"
        "wb.get('claim-0014'); wb.latency.plot()._repr_png_();"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_plots_by_name(database):
    with g.open(database, writable=True) as wb:
        for number in range(120):
            wb.create(f"s{number}", "t")
        for number, kind in enumerate(figure_kinds()):
            themes = ("light", "dark") if COMPLETE else (("light", "dark")[number % 2],)
            for theme in themes:
                figure = wb.latency.plot(kind, theme=theme)
                assert "n = " in figure.said
                assert figure._repr_png_()[:4] == b"\x89PNG"
        assert "ok" in wb.latency.plot("ecdf", by="outcome").said
        for wrong in ({"kind": "pie"}, {"theme": "pink"}, {"kind": "ecdf", "by": "mood"}):
            with pytest.raises(g.QueryError):
                wb.latency.plot(**wrong)
        with pytest.raises(g.QueryError, match="leave by= out"):
            wb.latency.plot("board", by="op")


@pytest.fixture
def live():
    wb = g.open("demo")
    view = wb.latency.live()
    view.running.value = False  # the tests look by themselves
    yield view
    view.close()


def test_the_live_view_lists_the_slowest_and_opens_their_sessions(live):
    wb = live.wb
    for number in range(40):
        start = number * 1_000_000
        wb.latency.recorder.on_operation(
            g.Operation(
                *("save", "X", f"none-{number % 5}", start, 1_000 * (number + 1)),
                wait_ns=200,
                execute_ns=500,
                bytes=1_234,
            )
        )
    wb.bridge.run(wb.storage.background.get("claim-0014"))
    live.update()
    took = [o.duration_ns for o in live.slowest]
    assert took == sorted(took, reverse=True) == [1_000 * n for n in range(40, 28, -1)]
    assert "<b>40</b> operations" in live.totals.value
    assert live.picture.value[:4] == b"\x89PNG"
    rows = live.table.page["rows"]
    assert rows[0][:3] == ["save", "none-4", "40 µs"]

    wb.create("none-4", "intake")
    send(live.table, "open", 0)
    assert live.browser.session.id == "none-4"
    assert re.search(r"wait 200 ns \(0 %\), execute 500 ns \(1 %\)", live.details.value)
    assert "1,234 bytes" in live.details.value
    # Without a kernel the static form stands for it.
    bundle = live._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "none-4" in data["text/html"]
    assert "data:image/png;base64," in data["text/html"]
    assert "n = 40" in data["text/plain"]
    assert "n = 40" in live.words.value
    first = live.browser
    send(live.table, "open", 1)  # whose session is not there
    assert live.browser is first
    assert "none-3" in live.browser.stage.place.value

    live.clear()
    assert live.slowest == []
    live.update()
    assert not any(o.storage == "X" for o in live.slowest)  # only what came since


def test_the_live_view_shows_hostile_names_as_they_are(live):
    live.wb.latency.recorder.on_operation(
        g.Operation("<b>op</b>", "X", "<script>alert(1)</script>", 1, 5)
    )
    live.update()
    send(live.table, "open", 0)
    parts = [live.details.value, live.totals.value, live.state.value, live.words.value]
    for html in (*parts, live.to_html()):
        assert "<script" not in html
        assert "<b>op" not in html


def test_an_operation_without_a_session_opens_none(live):
    live.wb.sessions(limit=3)
    live.update()
    send(live.table, "open", 0)
    assert live.browser is None
    assert "table" in live.details.value


def test_the_live_view_looks_by_itself_until_it_is_closed():
    def following() -> bool:
        return any(thread.name == "graphflow_nb-live" for thread in threading.enumerate())

    wb = g.open("demo")
    view = wb.latency.live()
    assert following()
    wb.get("claim-0014")
    wait_until(lambda: "<b>1</b> operation," in view.totals.value)
    wait_until(lambda: "n = 1." in view.words.value)  # the picture follows the numbers
    for _ in range(30):
        wb.get("claim-0014")
    # The work has stopped: a last picture shows all of it.
    wait_until(lambda: "n = 31." in view.words.value)
    view.close()
    wait_until(lambda: not following())


def test_only_what_goes_on_can_be_watched():
    merged = g.open("demo").latency.merged()
    with pytest.raises(g.StorageError, match="merged or loaded operations"):
        merged.live()
    assert isinstance(merged, Latency)
