"""URLs of stores, and how to say them without their secrets."""

from __future__ import annotations

import re
from contextlib import suppress
from urllib.parse import parse_qsl, unquote, urlsplit

from ..errors import StorageError

__all__ = ["check_postgres_url", "has_several_hosts", "redact"]

# Whatever stands between the first colon after the scheme and the last @ may be a password, also in
# a URL that is written wrong: rather too much is hidden than too little.
_PASSWORD = re.compile(r"^((?:[A-Za-z][\w+.-]*://|postgres(?:ql)?:/?|//)?+[^:]*):(.*)@", re.DOTALL)
_PARAMETER = re.compile(
    r"((?:^|[?&\s])(?:password|sslpassword|passfile)\s*=)[^&#\s]*", re.IGNORECASE
)


def redact(url: str, error: object = None) -> str:
    """The URL, or the text of an error about it, with ``***`` for every password."""
    if error is None:
        return _PARAMETER.sub(r"\1***", _PASSWORD.sub(r"\1:***@", url))
    text = str(error)
    for secret in sorted(_secrets(url), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _secrets(url: str) -> set[str]:
    found = set()
    if match := _PASSWORD.search(url):
        found |= {match[2], unquote(match[2])}
    found |= {match[0].partition("=")[2] for match in _PARAMETER.finditer(url)}
    with suppress(ValueError):
        query = parse_qsl(urlsplit(url).query)
        found |= {value for name, value in query if name in ("password", "sslpassword")}
    return {secret for secret in found if secret}


def has_several_hosts(url: str) -> bool:
    """Whether a URL of PostgreSQL names several servers and does not say which of them to take."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    hosts = f"{parts.netloc.rpartition('@')[2]},{options.get('host', '')}".strip(",")
    return "," in hosts and "target_session_attrs" not in options


def check_postgres_url(url: str) -> None:
    """Raise StorageError, without quoting a secret, if the URL can't be read."""
    try:
        parts = urlsplit(url)
        # Several hosts, as libpq takes them, each with a port of its own.
        for host in parts.netloc.rpartition("@")[2].split(","):
            _ = urlsplit(f"//{host}").port
        # An @ behind the host, or a second one in front of it, was meant as part of a password.
        if "@" in url[url.index(parts.netloc) + len(parts.netloc) :] or parts.netloc.count("@") > 1:
            raise ValueError
    except ValueError:
        # The cause is dropped: it quotes a piece of the URL, which may be of the password.
        raise StorageError(
            f"the URL {redact(url)} can't be read: write @ : / ? # in a user or password as "
            "%40 %3A %2F %3F %23"
        ) from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise StorageError(f"{redact(url)} is no URL of PostgreSQL: it begins with postgresql://")
