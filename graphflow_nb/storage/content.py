"""The content of a session, compared between stores that write it in different forms."""

from __future__ import annotations

from decimal import Decimal
from hashlib import sha256
from typing import Any

import msgspec

from ..model import Session, exactjson

__all__ = ["content_hash"]


def content_hash(session: Session) -> bytes:
    """Return the SHA-256 of a session's content, which is the same in every store.

    The order of keys, the form of a number (``1e2`` or ``100``, but not ``1.10`` and ``1.1``),
    versions and times do not count.
    """
    context = exactjson.decode_exact(session.context_json())
    fields = [session.id, session.graph_id, session.current_task_id, session.status_message]
    return sha256(_encoder.encode([*fields, _canonical(context)])).digest()


_encoder = msgspec.json.Encoder(order="deterministic")


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        number = Decimal(value)
        _, digits, exponent = number.as_tuple()
        if isinstance(exponent, int) and exponent >= 0:
            # Integers are identified by their digits, in whatever form they were written.
            bare = "".join(map(str, digits)).rstrip("0")
            exponent += len(digits) - len(bare)
            return {"": [number < 0, bare, exponent if bare else 0]}
        return {"": [number < 0, "".join(map(str, digits)).lstrip("0"), str(exponent)]}
    return value
