"""The session browser: what ``wb.browse()`` shows.

``listing.py`` (which sessions are shown) and ``desk.py`` (what is done to the open one) hold all
that the browser knows, and are tested without a browser. The widgets show that and pass clicks on;
whatever they do is a method of the workbench. The table is an anywidget of our own, because tables
that sort and page what they were sent would need the whole store to be sent.
"""

from .view import Browser

__all__ = ["Browser"]
