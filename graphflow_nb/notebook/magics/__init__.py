"""Magics of IPython: ``%gf`` and ``%%latency``, after ``%load_ext graphflow_nb``.

They are on top of all: they call the workbench as a person does, and nothing imports them but the
package itself, which has the two functions that IPython calls.
"""

from .gf import load_ipython_extension, unload_ipython_extension

__all__ = ["load_ipython_extension", "unload_ipython_extension"]
