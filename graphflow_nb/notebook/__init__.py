"""What a person sees in a notebook."""

from ..benchmark.campaign import compare
from ..benchmark.run import Run
from .latency import Latency
from .workbench import Workbench, open, wrap

__all__ = ["Latency", "Run", "Workbench", "compare", "open", "wrap"]
