"""Sessions without what looks secret in them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import Raw

from ..secret_keys import MASK
from ..secret_texts import Span, replace_spans
from . import exactjson
from .masks import DEFAULT_MASK, Mask
from .session import Session

__all__ = ["mask_secrets"]


def mask_secrets(session: Session, also: Collection[str] = ()) -> Session:
    """Return a session with ``•••`` in place of each value under a key that looks secret.

    What a name or a type beside it, or the head of its column, says to be a secret is replaced too.

    For ``redact=`` of ``wb.copy_to`` and ``wb.to_parquet``. Of objects and lists under such a key
    every text and number is replaced. In other texts, those of the chat and the status among them,
    tokens with a known form, passwords in URLs and what follows ``password=`` are replaced, and so
    is what ``mask=`` adds in the workbench that copies. All else is kept to the letter, ids and the
    names of graphs and tasks too.

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
    mask = Mask(also) if also else DEFAULT_MASK
    if (own := session.mask) is not DEFAULT_MASK and own.is_on:
        mask = mask | own
    text = session.context_json()
    raw = Raw(text.encode() if isinstance(text, str) else text)
    exactjson.split_object(raw, "context")
    masked = mask.hide(raw, ("context",), _show)
    status = None if session.status_message is None else mask.scrub(session.status_message)
    extra = {name: mask.hide(part, (name,), _show) for name, part in (session.extra or {}).items()}
    if masked is raw and status == session.status_message and extra == (session.extra or {}):
        return session
    twin = session.with_context_json(text if masked is raw else bytes(masked))
    twin.status_message, twin.extra = status, extra or None
    return twin


def _show(raw: Raw, _path: tuple[str, ...], spans: Sequence[Span] | None) -> str:
    return MASK if spans is None else replace_spans(exactjson.decode(raw), spans, lambda _: MASK)
