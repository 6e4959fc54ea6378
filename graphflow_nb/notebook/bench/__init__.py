"""Benchmarks of stores in a notebook: ``wb.benchmark()`` and ``graphflow_nb.compare([…])``."""

from .compare import Benchmark, compare
from .run import Run

__all__ = ["Benchmark", "Run", "compare"]
