"""What a person sees in a notebook: the workbench, the browser, the views, the magics.

Widgets hold no logic that a method does not have: each button calls a public method and shows that
call as a line of Python. A view takes an open store, never the workbench above it. What is shown
has three forms: a live widget, static HTML for a saved notebook, and plain text.
"""

from ..benchmark.run import Run
from .benchmarks import compare
from .demo_worker import DemoWorker, demo_worker
from .forking import Fork
from .latency import Latency
from .recordings import Recording, read_recording
from .running import FlowRun
from .workbench import Workbench, open, wrap

__all__ = [
    "DemoWorker",
    "FlowRun",
    "Fork",
    "Latency",
    "Recording",
    "Run",
    "Workbench",
    "compare",
    "demo_worker",
    "open",
    "read_recording",
    "wrap",
]
