"""The session browser: what ``wb.browse()`` shows.

``listing.py`` (which sessions are shown) and ``desk.py`` (what is done to the open one) hold all
that the browser knows, and are tested without a browser; a listing has its filters (``chosen.py``),
its numbers (``counting.py``) and its way to the store (``background.py``). ``stage.py`` joins them
to one state on which actions are done. The parts (filter bar, pager, reader, editor, dialogs) are
widgets that know the stage and not each other; ``view.py`` builds them, and ``later.py`` those that
are hidden at first when they are shown. Each action is a method of the workbench. The table is an
anywidget of our own, because tables that sort and page what they were sent would need the whole
store to be sent.

Others write at any time, so a click is about what was shown: rows carry handles that stay with
their sessions, and a page that was read behind the view is taken and shown in one step.
"""

from .view import Browser

__all__ = ["Browser"]
