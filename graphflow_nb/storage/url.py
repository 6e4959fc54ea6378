"""URLs of stores: read once, into an object whose text forms show no secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final, NoReturn
from urllib.parse import parse_qs, unquote, unquote_plus, urlsplit

from ..errors import StorageError
from ..secret_keys import URL_MASK
from ..secret_texts import scrub_error

__all__ = [
    "REDIS_SCHEMES",
    "StoreUrl",
    "advise_unreached",
    "check_postgres_url",
    "hosts",
    "mask_text",
    "raise_without_secrets",
    "server_of",
]

#: The schemes of Redis and Valkey, each with the name by which redis-py knows it: both servers
#: speak one protocol.
REDIS_SCHEMES: Final = {
    "redis": "redis",
    "rediss": "rediss",
    "valkey": "redis",
    "valkeys": "rediss",
    "unix": "unix",
}

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9.-]*)(\+[\w.-]+)?:")
# What people copy along with a URL: from a shell's history, from a provider's page, from a .env.
_AROUND: Final = re.compile(
    r"(?:psql\s+|(?:export\s+|set\s+)?[A-Za-z_]\w*\s*=\s*)(?=['\"]?[a-z+]+:)"
)
# SQLAlchemy's names of drivers, and JDBC's prefix, say nothing about the store.
_WITH_DRIVER: Final = ("postgresql", "postgres", "sqlite")
_SECRET_NAME: Final = r"[\w.-]*(?:pass|pwd|secret|token|credential|api[_-]?key)[\w.-]*"
# To the end of the parameter: a value that was not encoded may have blanks in it.
_PARAMETER: Final = re.compile(rf"((?:^|[?&;\s])(?:{_SECRET_NAME})\s*=)([^&#]*)", re.IGNORECASE)
_ODD_TEXT: Final = re.compile(r"[=@\s]|pass|pwd|secret|token", re.IGNORECASE)
_URL_IN_TEXT: Final = re.compile(r"[A-Za-z][\w+.-]*:/[^'\"<>]*|\S*@\S*")
_SHORTEST: Final = 3  # shorter secrets are not looked for in texts, which are then hidden whole
_HOST: Final = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]*))?")


class StoreUrl:
    """The URL of a store, whose text forms show ``***`` for every secret.

    Blanks and quotes around it are dropped, and so are the name of a driver in the scheme
    (``postgresql+asyncpg://``), ``jdbc:`` and what stands before it in a shell or a ``.env`` file.

    Example:
        >>> from graphflow_nb.storage import StoreUrl
        >>> url = StoreUrl("postgresql://me:hunter2@db.example/flows")
        >>> url
        postgresql://me:***@db.example/flows

    Args:
        text: The URL; one that was read already is taken as it is.

    Attributes:
        scheme: The scheme in lower case, without the colon; empty where there is none.
        secret: Whether it has a secret.
    """

    __slots__ = ("_secrets", "_shown", "_text", "scheme", "secret")

    def __init__(self, text: str | StoreUrl):
        if isinstance(text, StoreUrl):
            text = text.reveal()
        self._text = _clean(text)
        match = _SCHEME.match(self._text)
        self.scheme = "" if match is None else match[0][:-1].lower()
        self._shown, self._secrets = _mask(self._text)
        self.secret = bool(self._secrets)

    def reveal(self) -> str:
        """Return the URL with its secrets, for a driver."""
        return self._text

    def rest(self) -> str:
        """Return what follows the scheme and its colon, with its secrets."""
        return self._text.partition(":")[2]

    def mask(self, text: object) -> str:
        """Return a text, for example of a driver's error, with ``***`` for every secret."""
        said = str(text)
        for secret in sorted(self._secrets, key=len, reverse=True):
            if len(secret) >= _SHORTEST:
                said = said.replace(secret, URL_MASK)
            elif secret in said:
                return URL_MASK
        return said

    def __str__(self) -> str:
        return self._shown

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoreUrl) and other.reveal() == self._text

    def __hash__(self) -> int:
        return hash(self._text)


def mask_text(text: str) -> str:
    """Return a text that a person typed, with ``***`` for what may be secret in it."""
    hidden = _URL_IN_TEXT.sub(lambda match: str(StoreUrl(match[0])), text)
    return _PARAMETER.sub(rf"\1{URL_MASK}", hidden)


def advise_unreached(opened: bool, question: str = "is the server running?") -> str:
    """Return what to do where a server is out of reach.

    Args:
        opened: Whether it was connected to before, by what connects again with the next call.
        question: What to look at.
    """
    if opened:
        return f"The workbench connects again by itself: {question}"
    return f"Nothing was opened: {question} If the URL is right, open it again later"


def raise_without_secrets(error: Exception, cause: BaseException, url: StoreUrl) -> NoReturn:
    """Raise an error from a driver's exception, unless its texts or frames would show a secret.

    Args:
        error: The error of ours.
        cause: The driver's exception. Where the URL has a secret, its tracebacks are dropped:
            verbose tracebacks show the arguments that the driver was called with.
        url: The URL of the store.
    """
    seen: BaseException | None = cause
    while seen is not None:
        scrub_error(seen)
        seen = seen.__cause__ or seen.__context__
    if not url.secret:
        raise error from cause
    seen = cause
    while seen is not None:
        if url.mask(seen) != str(seen) or url.mask(repr(seen)) != repr(seen):
            raise error from None
        seen.with_traceback(None)
        seen = seen.__cause__ or seen.__context__
    raise error from cause


def _clean(text: str) -> str:
    text = _AROUND.sub("", text.strip(), count=1).strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip()
    text = text.removeprefix("jdbc:")
    match = _SCHEME.match(text)
    if match is None:
        return text
    scheme = match[1].lower()
    if match[2] is not None and scheme not in _WITH_DRIVER:
        return text
    return f"{scheme}:{text[match.end() :]}"


def _mask(text: str) -> tuple[str, set[str]]:
    """Return a URL without its secrets, and the secrets in every spelling.

    It is better to hide too much than too little: all between the first colon after the scheme and
    the last @ may be a password, also in a URL that is malformed.
    """
    secrets: set[str] = set()

    def hide(match: re.Match[str]) -> str:
        secrets.update(_spellings(match[2]))
        return f"{match[1]}{URL_MASK}"

    scheme, colon, rest = text.partition(":")
    if not colon or _SCHEME.match(text) is None:
        return (URL_MASK if _ODD_TEXT.search(text) else text), secrets
    rest = _PARAMETER.sub(hide, rest)
    slashes = "//" if rest.startswith("//") else ""
    userinfo, at, tail = rest.removeprefix("//").rpartition("@")
    user, parted, password = userinfo.partition(":")
    if at and not slashes and scheme.lower() != "sqlite":  # the scheme may be a user's name
        secrets.update(_spellings(userinfo))
        userinfo = URL_MASK
    elif at and parted:
        secrets.update(_spellings(password))
        userinfo = f"{user}:{URL_MASK}"
    if secrets and "#" in tail:  # a piece of a password that was not encoded
        tail, _, piece = tail.partition("#")
        secrets.update(_spellings(piece))
        tail += f"#{URL_MASK}"
    if secrets and "?" in tail:
        tail = "&".join(_hide_pieces(tail.split("&"), secrets))
    return f"{scheme}:{slashes}{userinfo}{at}{tail}", {s for s in secrets if s and s != URL_MASK}


def _hide_pieces(pieces: list[str], secrets: set[str]) -> Iterator[str]:
    """Hide what follows a secret parameter without being one: an & that was not encoded."""
    after_secret = False
    for piece in pieces:
        if after_secret and "=" not in piece:
            secrets.update(_spellings(piece))
            yield URL_MASK
            continue
        after_secret = piece.endswith(f"={URL_MASK}")
        yield piece


def _spellings(secret: str) -> set[str]:
    plain = {secret, unquote(secret), unquote_plus(secret)}
    return plain | {repr(s)[1:-1] for s in plain} | {json.dumps(s)[1:-1] for s in plain}


# PostgreSQL


def check_postgres_url(url: StoreUrl) -> None:
    """Raise StorageError, which quotes no secret, if a URL of PostgreSQL can't be read."""
    text = url.reveal()
    try:
        parts = urlsplit(text)
        hosts(url)
        # An @ behind the host, or a second one in front of it, is probably part of a password.
        if "@" in text[text.index(parts.netloc) + len(parts.netloc) :]:
            raise ValueError
        if parts.netloc.count("@") > 1:
            raise ValueError
        if parts.query:
            parse_qs(parts.query, keep_blank_values=True, strict_parsing=True)
    except ValueError:
        # The cause is dropped: it quotes a part of the URL, which may be in the password.
        raise StorageError(
            f"the URL {url} can't be read: write @ : / ? # & in a user or password as "
            "%40 %3A %2F %3F %23 %26"
        ) from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise StorageError(f"{url} is not a URL of PostgreSQL, which begins with postgresql://")


def hosts(url: StoreUrl) -> list[tuple[str, int]]:
    """Return the hosts and ports of a PostgreSQL URL, in its order; empty for fewer than two hosts.

    Both forms of libpq are understood: ``//h1:p1,h2:p2/`` and ``?host=h1,h2&port=p1,p2``.

    Raises:
        ValueError: A port is not a number, or there is neither one port nor one for each host.
    """
    pairs = _split_hosts(url)
    return pairs if len(pairs) > 1 else []


def server_of(url: StoreUrl) -> tuple[str | None, int | None]:
    """Return the hosts of a URL of PostgreSQL and their port, as ``Address`` has them."""
    pairs = _split_hosts(url)
    ports = {port for _, port in pairs}
    if len(pairs) > 1 and ports != {5432}:
        return ",".join(f"[{h}]:{port}" if ":" in h else f"{h}:{port}" for h, port in pairs), None
    names = ",".join(host for host, _ in pairs)
    return names or None, None if ports == {5432} or not names else ports.pop()


def _split_hosts(url: StoreUrl) -> list[tuple[str, int]]:
    parts = urlsplit(url.reveal())
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
