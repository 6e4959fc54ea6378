"""What a person sees in a notebook."""

from .bench import Run, compare
from .latency import Latency
from .workbench import Workbench, open, wrap

__all__ = ["Latency", "Run", "Workbench", "compare", "open", "wrap"]
