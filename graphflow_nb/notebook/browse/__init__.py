"""The session browser: what ``wb.browse()`` shows."""

from .view import Browser

__all__ = ["Browser"]
