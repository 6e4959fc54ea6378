"""Which keys of a context look as if a secret were under them, and sessions without those values.

A key is split into words (``dbPassword``, ``db_password`` and ``DB-PASSWORD`` have the same), and
its last words say what it is: ``access_token`` holds one, ``token_count`` and ``author`` do not.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from msgspec import Raw

from . import exactjson
from .session import Session

__all__ = ["MASK", "mask_secrets", "secret_kind"]

#: What is written in place of a secret.
MASK: Final = "•••"

_PASSWORDS: Final = "password passwd pwd pw passphrase passcode passwort kennwort contraseña senha"
_OF_LOGINS: Final = "user db database smtp admin root ftp login account"
_OF_KEYS: Final = (
    "access account api auth client deploy encryption hmac license master private secret shared "
    "signing ssh storage"
)
# What is under a key, by its last words.
_KINDS: Final[dict[tuple[str, ...], str]] = {
    **{(word,): "password" for word in _PASSWORDS.split()},
    **{(word, "pass"): "password" for word in _OF_LOGINS.split()},
    ("mot", "de", "passe"): "password",
    ("secret",): "secret",
    ("secrets",): "secret",
    ("token",): "token",
    ("jwt",): "token",
    ("bearer",): "token",
    ("otp",): "token",
    ("totp",): "token",
    **{(word, "tokens"): "token" for word in ("access", "api", "auth", "bearer", "refresh")},
    **{(word, "key"): "key" for word in _OF_KEYS.split()},
    **{(word, "keys"): "key" for word in ("access", "api", "private", "secret", "signing")},
    **{(f"{word}key",): "key" for word in ("api", "private", "secret", "access")},
    ("apikeys",): "key",
    ("authorization",): "authorization",
    ("auth", "header"): "authorization",
    ("credential",): "credentials",
    ("credentials",): "credentials",
    ("creds",): "credentials",
    ("cookie",): "cookie",
    ("cookies",): "cookie",
    ("connection", "string"): "credentials",
    ("dsn",): "credentials",
    ("database", "url"): "credentials",
    ("ssn",): "social security number",
    ("social", "security", "number"): "social security number",
    ("social", "security"): "social security number",
    ("pin", "code"): "PIN",
    ("cvv",): "card",
    ("cvc",): "card",
    ("card", "number"): "card",
    ("credit", "card"): "card",
}
# Words that mean a secret only where they are the whole key: a boarding pass, a pin on a map.
_ALONE: Final = {"pass": "password", "pin": "PIN", "auth": "authorization"}
#: Kinds that are masked only if they are asked for: many workflows are about them.
_BY_CHOICE: Final[dict[tuple[str, ...], str]] = {
    ("iban",): "iban",
    ("email",): "email",
    ("phone",): "phone",
    ("phone", "number"): "phone",
}
_LONGEST: Final = 3
# Words behind a name that do not change what it is: password_hash, token_2, new_password_value.
_FORMS: Final = (
    "value text plain plaintext raw hash hashed digest sha md base b hex encoded encrypted old new "
    "current previous next backup test prod dev env var string str"
)
# Tokens that name a place in a list, or a piece of text, and open nothing.
_INNOCENT: Final = (
    "page paging pagination continuation cursor sync next prev previous start end stop eos bos pad "
    "unk mask special first last cancellation idempotency text word"
)
_FORM_WORDS: Final = frozenset(_FORMS.split())
_INNOCENT_WORDS: Final = frozenset(_INNOCENT.split())
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-zß-ÿ]+|\d+")


def secret_kind(key: str, also: Collection[str] = ()) -> str | None:
    """Return what kind of secret is under a key, by its name; None if it does not look like one.

    Example:
        >>> from graphflow_nb.model.secrets import secret_kind
        >>> [secret_kind(key) for key in ("dbPassword", "X-Api-Key", "author", "token_count")]
        ['password', 'key', None, None]

    Args:
        key: The key.
        also: Kinds that are secret by choice: ``iban``, ``email``, ``phone``.
    """
    words = [word.lower() for word in _WORDS.findall(key)]
    if len(words) == 1 and words[0] in _ALONE:
        return _ALONE[words[0]]
    while words:
        if (kind := _kind_of(words, also)) is not None or not _is_form(words[-1]):
            return kind
        words.pop()
    return None


def _kind_of(words: list[str], also: Collection[str]) -> str | None:
    for count in range(min(_LONGEST, len(words)), 0, -1):
        last = tuple(words[-count:])
        kind = _KINDS.get(last)
        if kind is None and _BY_CHOICE.get(last) in also:
            kind = _BY_CHOICE[last]
        if kind is not None:
            before = words[-count - 1] if len(words) > count else ""
            return None if last == ("token",) and before in _INNOCENT_WORDS else kind
    return None


def _is_form(word: str) -> bool:
    return word in _FORM_WORDS or word.isdigit()


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
