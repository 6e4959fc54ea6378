"""Sessions without the values under keys that look as if a secret were under them."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Raw

from . import exactjson
from .secret_keys import MASK, secret_kind
from .session import Session

__all__ = ["mask_secrets"]


def mask_secrets(session: Session, also: Collection[str] = ()) -> Session:
    """Return a session with ``•••`` in place of each value under a key that looks secret.

    For ``redact=`` of ``wb.copy_to`` and ``wb.to_parquet``. All else is kept to the letter. Of
    objects and lists under such a key every text and number is replaced. Texts of the chat are not
    looked into.

    Example:
        >>> import graphflow_nb
        >>> context = {"user": "ann", "login": {"password": "x1"}, "token_count": 12}
        >>> session = graphflow_nb.Session("claim-1", "intake", context=context)
        >>> dict(graphflow_nb.mask_secrets(session).context)
        {'user': 'ann', 'login': {'password': '•••'}, 'token_count': 12}

    Args:
        session: The session, which stays as it is.
        also: Kinds that are secret by choice: ``iban``, ``email``, ``phone``.

    Raises:
        ContextError: The context is not a JSON object.
    """
    text = session.context_json()
    parts = exactjson.split_object(text, "context")
    masked = {
        name: part if name == "chat_history" else _mask(part, also) for name, part in parts.items()
    }
    if all(masked[name] is part for name, part in parts.items()):
        return session
    return session.with_context_json(exactjson.join(masked))


def _mask(text: Raw, also: Collection[str]) -> Raw:
    """Return a JSON text with its secrets replaced; the same object if it has none."""
    opening = bytes(text).lstrip()[:1]
    if opening == b"{":
        parts = exactjson.split_object(text, "context")
        new = {
            name: _mask(part, also) if secret_kind(name, also) is None else _hide(part)
            for name, part in parts.items()
        }
        same = all(new[name] is part for name, part in parts.items())
        return text if same else Raw(exactjson.join(new))
    if opening == b"[":
        items = exactjson.split_array(text, "context")
        changed = [_mask(item, also) for item in items]
        same = all(one is other for one, other in zip(items, changed, strict=True))
        return text if same else Raw(exactjson.join(changed))
    return text


def _hide(text: Raw) -> Raw:
    """Return a JSON text with each text and number in it replaced; what is empty stays."""
    opening = bytes(text).lstrip()[:1]
    if opening == b"{":
        parts = exactjson.split_object(text, "context")
        return Raw(exactjson.join({name: _hide(part) for name, part in parts.items()}))
    if opening == b"[":
        return Raw(exactjson.join([_hide(item) for item in exactjson.split_array(text, "context")]))
    if opening in b"tfn" or bytes(text).strip() == b'""':  # true, false, null
        return text
    return Raw(exactjson.encode(MASK, "the mask"))
