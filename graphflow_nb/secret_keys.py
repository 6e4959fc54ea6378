"""Which keys of a context look as if a secret were under them.

A key is split into words (``dbPassword``, ``db_password`` and ``DB-PASSWORD`` have the same), and
its last words say what it is: ``access_token`` holds one, ``token_count`` and ``author`` do not.

The rules, for words that mean several things:

- A *key* is a secret behind a word of what it opens (``api_key``, ``tls_key``). It is none behind
  a word of what it finds (``session_key``, ``cache_key``, ``user_key``, ``app_key``), or alone.
- A *token* is a secret, unless it is a place in a list or a piece of text (``next_page_token``);
  *tokens* are pieces of text, unless they are said to be others (``access_tokens``).
- A *code* is a secret if it alone opens something (``recovery_code``, ``security_code``), and not
  if it names something (``zip_code``, ``authorization_code``, which payments have).
- What describes a secret is none: ``password_policy``, ``token_count``, ``api_key_id``,
  ``passwordless``. What is another form of it is one: ``password_hash``, ``private_key_pem``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Final

__all__ = ["LAST_WORDS", "MASK", "URL_MASK", "key_words", "secret_kind", "stems_of"]

#: What is written in place of a secret.
MASK: Final = "•••"
#: What is written in place of a part of a store's URL, by which it is still a URL.
URL_MASK: Final = "***"

_PASSWORDS: Final = (
    "password passwd pwd pw passphrase passcode passwort kennwort contraseña senha wachtwoord "
    "lösenord adgangskode salasana heslo hasło şifre пароль 密码 密碼 パスワード"
)
_PLURALS: Final = "password passwd passphrase passcode"
_OF_LOGINS: Final = "user db database smtp admin root ftp login account"
_OF_KEYS: Final = (
    "access account api auth client consumer decryption deploy encryption hmac license master "
    "private secret shared signing ssh ssl storage tls"
)
_OF_CODES: Final = "recovery backup otp"
# What is under a key, by its last words.
_KINDS: Final[dict[tuple[str, ...], str]] = {
    **{(word,): "password" for word in _PASSWORDS.split()},
    **{(f"{word}s",): "password" for word in _PLURALS.split()},
    **{("pass", word): "password" for word in ("word", "words", "phrase", "code")},
    **{(word, "pass"): "password" for word in _OF_LOGINS.split()},
    ("mot", "de", "passe"): "password",
    ("secret",): "secret",
    ("secrets",): "secret",
    ("token",): "token",
    ("jwt",): "token",
    ("jwts",): "token",
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
    ("connection", "str"): "credentials",
    ("conn", "str"): "credentials",
    ("conn", "string"): "credentials",
    ("dsn",): "credentials",
    ("database", "url"): "credentials",
    ("ssn",): "social security number",
    ("social", "security", "number"): "social security number",
    ("social", "security"): "social security number",
    ("pin", "code"): "PIN",
    ("seed", "phrase"): "password",
    ("recovery", "phrase"): "password",
    ("security", "answer"): "password",
    **{(word, code): "token" for word in _OF_CODES.split() for code in ("code", "codes")},
    ("security", "code"): "card",
    ("cvv",): "card",
    ("cvc",): "card",
    ("card", "number"): "card",
    ("credit", "card"): "card",
}
#: Words that end the name of a secret only behind others: the key of ``api_key``.
LAST_WORDS: Final = frozenset(words[-1] for words in _KINDS if len(words) > 1)
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
    "value text plain plaintext raw hash hashed digest sha md base b hex pem encoded encrypted old "
    "new current previous next backup test prod dev env var string str"
)
# Tokens that name a place in a list, or a piece of text, and open nothing.
_INNOCENT: Final = (
    "page paging pagination continuation cursor sync next prev previous start end stop eos bos pad "
    "unk mask special first last cancellation idempotency text word"
)
_FORM_WORDS: Final = frozenset(_FORMS.split())
_INNOCENT_WORDS: Final = frozenset(_INNOCENT.split())
# How a secret's name ends where its words are written as one: userpassword, authtoken.
_GLUED: Final[dict[str, str]] = {
    **dict.fromkeys(("password", "passwd", "passphrase", "passwort"), "password"),
    **{f"{word}token": "token" for word in ("access", "api", "auth", "bearer", "refresh")},
    **{f"{word}key": "key" for word in ("access", "api", "private", "secret")},
    "clientsecret": "secret",
}
_LETTERS: Final = re.compile(r"[^\W\d_]+|\d+")
_CAMEL: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|.")


@lru_cache(maxsize=10_000)
def key_words(key: str) -> tuple[str, ...]:
    """Return the words of a key in lower case: ``dbPassword`` and ``DB-PASSWORD`` have the same.

    Args:
        key: The key; a very long one is not looked into beyond its last 200 characters.
    """
    words: list[str] = []
    for run in _LETTERS.findall(unicodedata.normalize("NFKC", key[-200:])):
        # Where a word of camel case begins is seen in a copy that has ASCII letters alone.
        plain = "".join("A" if letter.isupper() else "a" for letter in run)
        if run.isdigit():
            words.append(run)
        else:
            words += (run[m.start() : m.end()].lower() for m in _CAMEL.finditer(plain))
    return tuple(words)


def secret_kind(
    key: str, also: Collection[str] = (), chosen: Mapping[tuple[str, ...], bool] | None = None
) -> str | None:
    """Return what kind of secret is under a key, by its name; None if it does not look like one.

    Example:
        >>> from graphflow_nb.secret_keys import secret_kind
        >>> [secret_kind(key) for key in ("dbPassword", "X-Api-Key", "author", "token_count")]
        ['password', 'key', None, None]

    Args:
        key: The key.
        also: Kinds that are secret by choice: ``iban``, ``email``, ``phone``.
        chosen: Last words of a key, and whether it is a secret; they come first.
    """
    words = list(key_words(key))
    while words:
        kind = _kind_of(words, also, chosen or {})
        if kind is not None:
            return kind or None
        if len(words) == len(key_words(key)) == 1 and words[0] in _ALONE:
            return _ALONE[words[0]]
        if not _is_form(words[-1]):
            return None
        words.pop()
    return None


def _kind_of(
    words: list[str], also: Collection[str], chosen: Mapping[tuple[str, ...], bool]
) -> str | None:
    """Return the kind by these words: empty if they are innocent, None if they don't say."""
    for count in range(len(words), 0, -1) if chosen else ():
        if (masked := chosen.get(tuple(words[-count:]))) is not None:
            return "secret" if masked else ""
    for count in range(min(_LONGEST, len(words)), 0, -1):
        last = tuple(words[-count:])
        kind = _KINDS.get(last)
        if kind is None and _BY_CHOICE.get(last) in also:
            kind = _BY_CHOICE[last]
        if kind is not None:
            before = words[-count - 1] if len(words) > count else ""
            return "" if last == ("token",) and before in _INNOCENT_WORDS else kind
    return next((kind for end, kind in _GLUED.items() if words[-1].endswith(end)), None)


def stems_of(
    also: Collection[str] = (), chosen: Mapping[tuple[str, ...], bool] | None = None
) -> tuple[str, ...]:
    """Return texts of which one occurs, in lower case, in each text with a secret's key.

    So has many a text without one. To look for them takes a fiftieth of splitting the text.

    Args:
        also, chosen: See ``secret_kind``.
    """
    names = [*_KINDS, *((word,) for word in (*_GLUED, *_ALONE))]
    names += [words for words, kind in _BY_CHOICE.items() if kind in also]
    names += [words for words, masked in (chosen or {}).items() if masked]
    common = {"key", "keys", "token", "tokens", "pass"}
    stems = {words[-1] if words[-1] in common else words[0] for words in names}
    needed = {stem for stem in stems if not any(other != stem and other in stem for other in stems)}
    return tuple(sorted(needed))


def _is_form(word: str) -> bool:
    return word in _FORM_WORDS or word.isdigit()
