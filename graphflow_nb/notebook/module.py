"""What all widgets with a JavaScript module of ours have in common."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final
from uuid import uuid4

import anywidget
import traitlets

__all__ = ["ModuleWidget", "read_module"]

_COMMON: Final = files(__package__).joinpath("module.js").read_text()


class ModuleWidget(anywidget.AnyWidget):
    """A widget with a JavaScript module of ours, which may load as late as it likes.

    Args:
        values: The first values of its traits.

    Attributes:
        own_id: The id of its model, by which the module finds that in the page.
    """

    own_id = traitlets.Unicode().tag(sync=True)

    def __init__(self, **values: Any) -> None:
        id = uuid4().hex
        super().__init__(model_id=id, own_id=id, **values)


def read_module(folder: Traversable, name: str) -> str:
    """Return the text of a module, with ``initialize`` before it, which each has to export.

    Args:
        folder: The folder of its file.
        name: The name of its file.
    """
    return _COMMON + folder.joinpath(name).read_text()
