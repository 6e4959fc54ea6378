"""Cards: HTML and plain text of objects, which a notebook shows without a widget.

Values from a store are always escaped. Nothing here loads anything from a network.
"""

from .content import Portion, context_portion
from .copying import report_html
from .notice import NoticeKind, code_html, notice_html
from .parts import (
    CARD_CSS,
    MAX_TEXT,
    age,
    breakable,
    card,
    code,
    duration,
    fact_table,
    moment_text,
    plain_box,
    size,
)
from .patch import patch_html, place_html, value_html
from .session import overview_html, session_html, session_text
from .store import StoreCard, store_html, store_text
from .undoing import undo_html

__all__ = [
    "CARD_CSS",
    "MAX_TEXT",
    "NoticeKind",
    "StoreCard",
    "age",
    "breakable",
    "card",
    "Portion",
    "code",
    "code_html",
    "context_portion",
    "duration",
    "fact_table",
    "moment_text",
    "notice_html",
    "overview_html",
    "patch_html",
    "place_html",
    "plain_box",
    "report_html",
    "session_html",
    "session_text",
    "size",
    "store_html",
    "store_text",
    "undo_html",
    "value_html",
]
