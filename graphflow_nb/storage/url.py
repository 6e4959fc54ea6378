"""URLs of stores: their parts, and how to show them without secrets."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from ..errors import StorageError

__all__ = ["REDIS_SCHEMES", "check_postgres_url", "hosts", "redact", "server_of"]

#: The schemes of Redis and Valkey, each with the name by which redis-py knows it: both servers
#: speak one protocol.
REDIS_SCHEMES: Final = {
    "redis": "redis",
    "rediss": "rediss",
    "valkey": "redis",
    "valkeys": "rediss",
    "unix": "unix",
}

# All between the first colon after the scheme and the last @ may be a password, also in a URL that
# is malformed: it is better to hide too much than too little.
_PASSWORD = re.compile(r"^((?:[A-Za-z][\w+.-]*://|postgres(?:ql)?:/?|//)?+[^:]*):(.*)@", re.DOTALL)
_PARAMETER = re.compile(
    r"((?:^|[?&\s])(?:password|sslpassword|passfile)\s*=)[^&#\s]*", re.IGNORECASE
)
_HOST = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]*))?")


def redact(url: str, error: object = None) -> str:
    """Return a URL, or the text of an error about it, with ``***`` for every password."""
    if error is None:
        return _PARAMETER.sub(r"\1***", _PASSWORD.sub(r"\1:***@", url))
    text = str(error)
    for secret in sorted(_find_secrets(url), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _find_secrets(url: str) -> set[str]:
    found = set()
    if match := _PASSWORD.search(url):
        found |= {match[2], unquote(match[2])}
    found |= {match[0].partition("=")[2] for match in _PARAMETER.finditer(url)}
    with suppress(ValueError):
        query = parse_qsl(urlsplit(url).query)
        found |= {value for name, value in query if name in ("password", "sslpassword")}
    return {secret for secret in found if secret}


def check_postgres_url(url: str) -> None:
    """Raise StorageError, which quotes no secret, if a URL of PostgreSQL can't be read."""
    try:
        parts = urlsplit(url)
        hosts(url)
        # An @ behind the host, or a second one in front of it, is probably part of a password.
        if "@" in url[url.index(parts.netloc) + len(parts.netloc) :] or parts.netloc.count("@") > 1:
            raise ValueError
    except ValueError:
        # The cause is dropped: it quotes a part of the URL, which may be in the password.
        raise StorageError(
            f"the URL {redact(url)} can't be read: write @ : / ? # in a user or password as "
            "%40 %3A %2F %3F %23"
        ) from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise StorageError(
            f"{redact(url)} is not a URL of PostgreSQL, which begins with postgresql://"
        )


def hosts(url: str) -> list[tuple[str, int]]:
    """Return the hosts and ports of a PostgreSQL URL, in its order; empty for fewer than two hosts.

    Both forms of libpq are understood: ``//h1:p1,h2:p2/`` and ``?host=h1,h2&port=p1,p2``.

    Raises:
        ValueError: A port is not a number, or there is neither one port nor one for each host.
    """
    pairs = _split_hosts(url)
    return pairs if len(pairs) > 1 else []


def server_of(url: str) -> tuple[str | None, int | None]:
    """Return the hosts of a URL of PostgreSQL and their port, as ``Address`` has them."""
    pairs = _split_hosts(url)
    ports = {port for _, port in pairs}
    if len(pairs) > 1 and ports != {5432}:
        return ",".join(f"[{h}]:{port}" if ":" in h else f"{h}:{port}" for h, port in pairs), None
    names = ",".join(host for host, _ in pairs)
    return names or None, None if ports == {5432} or not names else ports.pop()


def _split_hosts(url: str) -> list[tuple[str, int]]:
    parts = urlsplit(url)
    named = parts.netloc.rpartition("@")[2]
    if named:
        pairs = []
        for spec in named.split(","):
            if (match := _HOST.fullmatch(spec)) is None:
                raise ValueError
            pairs.append((unquote(match[1].strip("[]")), _parse_port(match[2])))
    else:
        query = parse_qs(parts.query)
        names = query.get("host", [""])[-1].split(",")
        ports = [_parse_port(port) for port in query.get("port", [""])[-1].split(",")]
        if len(ports) not in (1, len(names)):
            raise ValueError
        pairs = list(zip(names, ports if len(ports) > 1 else ports * len(names), strict=True))
    return pairs


def _parse_port(text: str | None) -> int:
    port = int(text or 5432)
    if port > 65535:
        raise ValueError
    return port
