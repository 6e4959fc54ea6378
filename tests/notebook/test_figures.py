"""The figures are still found where they were."""

from __future__ import annotations

import importlib
import subprocess
import sys
import warnings

import pytest

from graphflow_nb import figures
from graphflow_nb.notebook import figures as old

from ..scope import only_complete


def test_the_old_path_leads_to_the_figures_with_a_warning():
    with pytest.warns(DeprecationWarning, match="import plot_ecdf from there") as caught:
        assert old.plot_ecdf is figures.plot_ecdf
    assert caught[0].filename == __file__
    with pytest.warns(DeprecationWarning, match=r"is graphflow_nb\.figures now"):
        from graphflow_nb.notebook.figures import latency_board
    assert latency_board is figures.latency_board


def test_all_that_was_public_there_is_found():
    before = [
        *("LatencyFigure", "difference", "duration_text", "latency_board", "naive_and_corrected"),
        *("plot_boxes", "plot_difference", "plot_ecdf", "plot_heatmap", "plot_histogram"),
        *("plot_percentiles", "plot_phases", "plot_throughput", "plot_timeline", "stalls"),
    ]
    for name in before:
        with pytest.warns(DeprecationWarning, match=f"import {name} from there"):
            assert getattr(old, name) is getattr(figures, name)


def test_what_the_figures_lack_is_lacking_there_too():
    with pytest.raises(AttributeError, match="plot_pie"):
        old.plot_pie  # noqa: B018
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        importlib.reload(old)


@only_complete  # that the package loads none is tested in every run
def test_the_old_path_loads_no_matplotlib():
    code = "import sys, graphflow_nb.notebook.figures\nassert 'matplotlib' not in sys.modules\n"
    subprocess.run([sys.executable, "-c", code], check=True)
