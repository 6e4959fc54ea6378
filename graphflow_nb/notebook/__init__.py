"""What a person sees: the workbench, its DataFrames, cards and plots. Synchronous, for Jupyter."""

from .workbench import Workbench, open, wrap

__all__ = ["Workbench", "open", "wrap"]
