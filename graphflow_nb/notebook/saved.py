"""What a saved notebook keeps of a view: its static form, which the view hides while it works.

A notebook shows a widget only while its kernel has it. Opened again, JupyterLab chooses the widget
of an output, if the notebook is trusted, and says "model not found". So a view is shown as two
outputs. The first is the static form, as HTML; a rule of CSS hides it while the widget is in the
page. The second is the widget alone, which is hidden while there is none.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from markupsafe import Markup

from ..cards import notice_html, plain_box

__all__ = ["RUN_AGAIN", "VIEW_CLASS", "gone_html", "show_saved", "static_html", "with_static"]

#: The class of an element with a view in it, followed by the id of the view's model.
VIEW_CLASS: Final = "gfnb-view-"
RUN_AGAIN: Final = "To use it, run this cell again."

_WIDGET: Final = "application/vnd.jupyter.widget-view+json"
# The other two rules are for JupyterLab and Notebook 7 alone, where an output that shows nothing
# takes some space, and the error of a missing widget would be read as one of the view.
_HIDE: Final = Markup(
    "<style>:root:has(.%(view)s) .%(saved)s{display:none}"
    ":root:has(.%(view)s) .jp-OutputArea-child:has(> .jp-OutputArea-output > .%(saved)s),"
    ".jp-OutputArea-child:has(> .jp-OutputArea-output > .%(saved)s)"
    " + .jp-OutputArea-child:not(:has(.%(view)s)){display:none}</style>"
)
# In place of the static form of a view that is gone: neither of its outputs takes any space.
_GONE: Final = Markup(
    "<style>.jp-OutputArea-child:has(> .jp-OutputArea-output > .%(gone)s),"
    ".jp-OutputArea-child:has(> .jp-OutputArea-output > .%(gone)s) + .jp-OutputArea-child"
    '{display:none}</style><div class="%(gone)s" style="display:none"></div>'
)


def show_saved(thing: Any, what_to_do: str = RUN_AGAIN) -> Any:
    """Show a widget so that a saved notebook keeps its static form.

    A class takes this as its method ``_ipython_display_``.

    Args:
        thing: An object that IPython can show as a widget, as HTML and as plain text.
        what_to_do: A sentence for who opens the saved notebook.

    Returns:
        IPython's handle of the static form, to update it.
    """
    from IPython.display import display

    bundle = thing._repr_mimebundle_()
    data = dict(bundle[0] if isinstance(bundle, tuple) else bundle)
    widget = data.pop(_WIDGET)
    data["text/html"] = static_html(data.get("text/html", ""), widget["model_id"], what_to_do)
    kept: Any = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]
    # An empty HTML, since what can't show the widget would show the text, a second time.
    display({_WIDGET: widget, "text/html": ""}, raw=True)  # type: ignore[no-untyped-call]
    return kept


def with_static(bundle: Any, html: str, text: str) -> Any:
    """Return what ``_repr_mimebundle_`` of a widget returned, with its static forms.

    Args:
        bundle: What it returned.
        html: The static form; empty for the one that it has.
        text: The plain text.
    """
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    data["text/plain"] = text
    if html:
        data["text/html"] = html
    return bundle


def static_html(html: str, model_id: str, what_to_do: str = RUN_AGAIN) -> str:
    """Return the static form of a view, which is hidden while the view is in the page.

    Args:
        html: What the view shows, as HTML.
        model_id: The id of the view's model.
        what_to_do: A sentence for who opens the saved notebook.
    """
    names = {"view": VIEW_CLASS + model_id, "saved": f"gfnb-saved-{model_id}"}
    note = f"Saved view of {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC. {what_to_do}"
    # A notebook that is not trusted takes the styles away, but not this one: a long id is wrapped.
    body = Markup('<div class="gfnb-saved %s" style="overflow-wrap:anywhere">%s%s</div>') % (
        names["saved"],
        plain_box(notice_html("info", note)),
        Markup(html),  # noqa: S704  the view's own
    )
    return str(_HIDE % names + body)


def gone_html(model_id: str) -> str:
    """Return what replaces the static form of a view that has nothing more to show.

    Args:
        model_id: The id of the view's model.
    """
    return str(_GONE % {"gone": f"gfnb-gone-{model_id}"})
