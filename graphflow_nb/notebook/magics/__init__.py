"""Magics of IPython: ``%gf`` and ``%%latency``."""

from .gf import load_ipython_extension, unload_ipython_extension

__all__ = ["load_ipython_extension", "unload_ipython_extension"]
