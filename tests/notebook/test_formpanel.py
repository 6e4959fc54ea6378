"""FormPanel: a field that a person changes is written, and one that a cell changes is shown."""

from __future__ import annotations

from markupsafe import Markup

from graphflow_nb.notebook.formpanel import FormPanel, Input


def test_fields_write_and_show_what_is_held():
    held = {"name": "Ana", "size": ""}
    inputs = [
        Input("Name", lambda: held["name"], lambda text: held.update(name=text)),
        Input("Size", lambda: held["size"], lambda text: held.update(size=text), ("S", "L")),
    ]
    panel = FormPanel("a form", lambda: Markup("%s") % held["name"], list, inputs)
    name, size = panel.fields
    assert (name.value, size.value) == ("Ana", "")
    name.value, size.value = "<i>Ben", "L"
    assert held == {"name": "<i>Ben", "size": "L"}
    assert "&lt;i&gt;Ben" in panel.to_html()
    held.update(name="", size="")
    panel.refresh()
    assert (name.value, size.value) == ("", "")
    held.update(size="XL")  # by a cell: what can't be shown stays as it is
    panel.refresh()
    assert (size.value, held["size"]) == ("", "XL")
