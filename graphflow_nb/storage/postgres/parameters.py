"""The parameters of a PostgreSQL URL: each is honoured, left out with a note, or refused by name.

URLs come from libpq, sqlx, SQLAlchemy, Prisma, JDBC and the pages of providers. asyncpg reads some
of their parameters and sends all others to the server as settings, which refuses them.

    form                                            what happens
    postgresql://… postgres://…                     opened
    postgresql+asyncpg://… +psycopg2 …              opened; the name of the driver is dropped
    jdbc:postgresql://…                             opened
    psql 'postgresql://…'  DATABASE_URL=…  "…"      opened; what is around the URL is dropped
    host=… dbname=…                                 refused, with the form of a URL

    parameter                                       what happens
    host port dbname user password passfile         honoured, by asyncpg
    sslmode sslrootcert sslcert sslkey sslcrl       honoured, by asyncpg
    sslpassword ssl_min_protocol_version …          honoured, by asyncpg
    sslnegotiation target_session_attrs service     honoured, by asyncpg
    connect_timeout application_name options        honoured
    hostaddr                                        honoured; refused with sslmode=verify-…
    load_balance_hosts=random                       honoured
    any setting of the server (statement_timeout)   sent to the server
    ssl-mode ssl-ca ssl-cert ssl-key (sqlx)         honoured, as sslmode …
    statement-cache-capacity options[name] (sqlx)   honoured
    ssl prepared_statement_cache_size (SQLAlchemy)  honoured
    schema currentSchema (Prisma, JDBC)             honoured, as search_path
    targetServerType ApplicationName (JDBC)         honoured
    channel_binding (Neon)                          left out: sslmode=verify-full makes up for it
    pgbouncer connection_limit pool_timeout         left out: poolers are recognised
    keepalives… tcp_user_timeout sslsni …           left out (``LEFT_OUT`` has them all)
    gssencmode=require require_auth requirepeer     refused: the driver can't do it (``REFUSED``)
    sslcertmode=require sslcrldir replication …     refused: the driver can't do it

A warning is logged that names what is left out. What is refused protects in a way that would
otherwise be missing without a word; nothing is sent then.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from ...errors import StorageError
from ..url import StoreUrl
from .limits import LIMITS

__all__ = ["LEFT_OUT", "REFUSED", "Parameters", "read_parameters"]

log = logging.getLogger("graphflow_nb")

#: Other spellings of a parameter.
_ALIASES: Final[Mapping[str, str]] = {
    "ssl-mode": "sslmode",
    "ssl-root-cert": "sslrootcert",
    "ssl-ca": "sslrootcert",
    "ssl-cert": "sslcert",
    "ssl-key": "sslkey",
    "application-name": "application_name",
    "ApplicationName": "application_name",
    "fallback_application_name": "application_name",
    "schema": "search_path",
    "currentSchema": "search_path",
    "statement-cache-capacity": "statement_cache_size",
    "prepared_statement_cache_size": "statement_cache_size",
    "connectTimeout": "connect_timeout",
    "targetServerType": "target_session_attrs",
}
#: Values of a parameter that others spell otherwise.
_VALUES: Final[Mapping[str, Mapping[str, str]]] = {
    "sslmode": {"no-verify": "require", "preferred": "prefer", "required": "require"},
    "target_session_attrs": {"master": "primary", "secondary": "standby", "slave": "standby"},
}
#: A setting among the options of the server's command line.
_OPTION: Final = re.compile(r"(?:-c\s*|--)([a-z_]+)=(\S+)")
_DURATION: Final = re.compile(r"\s*[0-9]+(\.[0-9]+)?\s*(us|ms|s|min|h|d)?\s*")
_TRUE: Final = ("1", "true", "on", "yes", "require", "required")
_FALSE: Final = ("0", "false", "off", "no", "disable", "disabled")

_POOLER: Final = "poolers are recognised by themselves"
_SOCKET: Final = "the system's own settings of the socket apply"
_TIMEOUT: Final = "timeout= of open limits each statement"
_OTHERS: Final = "it is for another client"
#: What is left out, each with the reason.
LEFT_OUT: Final[Mapping[str, str]] = {
    "channel_binding": "the driver has no channel binding; sslmode=verify-full makes up for it",
    "client_encoding": "texts are exchanged as UTF-8",
    **dict.fromkeys(
        ("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"), _SOCKET
    ),
    "tcp_user_timeout": _TIMEOUT,
    **dict.fromkeys(("pgbouncer", "pool_mode", "prepareThreshold"), _POOLER),
    **dict.fromkeys(
        ("connection_limit", "pool_timeout", "max_connections"), "use max_connections="
    ),
    **dict.fromkeys(
        ("socket_timeout", "socketTimeout", "command_timeout", "timeout"), "use timeout="
    ),
    **dict.fromkeys(
        ("sslsni", "sslcompression", "sslkeylogfile", "gssdelegation", "gsslib_delegation"),
        "the driver decides it",
    ),
    **dict.fromkeys(("min_protocol_version", "max_protocol_version"), "the driver speaks 3.0"),
    **dict.fromkeys(
        (
            "uselibpqcompat",
            "supa",
            "workaround",
            "sslaccept",
            "sslidentity",
            "prepared_statement_name_func",
            "async_fallback",
            "tcpKeepAlive",
            "stringtype",
            "reWriteBatchedInserts",
        ),
        _OTHERS,
    ),
}


def _unless(*harmless: str) -> Callable[[str], bool]:
    return lambda value: value not in harmless


#: What is refused, each with the values that are, and the reason.
REFUSED: Final[Mapping[str, tuple[Callable[[str], bool], str]]] = {
    "gssencmode": (_unless("disable", "prefer"), "the driver has no encryption by GSSAPI"),
    "require_auth": (_unless(""), "the driver can't limit how it proves the password"),
    "requirepeer": (_unless(""), "the driver does not ask who runs the server"),
    "sslcertmode": (_unless("allow", "disable"), "the driver sends a certificate if it is asked"),
    "sslcrldir": (_unless(""), "the driver reads one file, sslcrl"),
    "replication": (
        _unless("false", "off", "no", "0"),
        "sessions need a plain connection",
    ),
    "scram_client_key": (_unless(""), "the driver needs the password"),
    "scram_server_key": (_unless(""), "the driver needs the password"),
    "oauth_issuer": (_unless(""), "the driver has no OAuth"),
    "oauth_client_id": (_unless(""), "the driver has no OAuth"),
}


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a URL asks for, as the driver takes it.

    Attributes:
        url: The URL with the parameters that asyncpg reads.
        settings: The settings of the server.
        limits: Those of ``LIMITS`` that the URL names.
        application_name: The name that the server shows.
        connect_timeout: The seconds to connect; None where the URL does not say.
        statement_cache_size: The number of prepared statements; None where the URL does not say.
        shuffled: Whether the hosts are tried in random order.
        notes: What was left out, each with the reason.
    """

    url: StoreUrl
    settings: dict[str, str] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)
    application_name: str = "graphflow_nb"
    connect_timeout: float | None = None
    statement_cache_size: int | None = None
    shuffled: bool = False
    notes: tuple[str, ...] = ()


def read_parameters(url: StoreUrl) -> Parameters:
    """Return what a URL of PostgreSQL asks for, and log what is left out.

    Args:
        url: The URL; ``check_postgres_url`` has accepted it.

    Raises:
        StorageError: A parameter can't be honoured safely, or its value is invalid.
    """
    parts = urlsplit(url.reveal())
    named: dict[str, str] = {}
    settings: dict[str, str] = {}
    notes = []
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if "\0" in name + value:
            raise StorageError(
                f"{url}: a parameter holds the character U+0000, which ends a text in PostgreSQL's "
                "protocol; nothing was sent. Leave it out",
                nothing_written=True,
            )
        if name.startswith("options[") and name.endswith("]"):  # sqlx
            settings[name[8:-1]] = value
        elif name in LEFT_OUT:
            if name != "client_encoding" or value.lower() not in ("utf8", "utf-8", "auto"):
                notes.append(f"{name} is left out: {LEFT_OUT[name]}")
        elif name in REFUSED:
            is_refused, reason = REFUSED[name]
            if is_refused(value):
                raise StorageError(
                    f"{url}: the parameter {name} can't be honoured, because {reason}; nothing was "
                    "sent. Leave it out if you can do without it",
                    nothing_written=True,
                )
        elif name in ("ssl", "requiressl"):
            named["sslmode"] = _read_ssl(value)
        else:
            known = _ALIASES.get(name, name)
            named[known] = _VALUES.get(known, {}).get(value.lower(), value)
    netloc = _take_hostaddr(url, parts.netloc, named)
    if (path := named.pop("search_path", None)) is not None:
        settings["search_path"] = path
    limits = _take_limits(url, named, settings)
    application_name = named.pop("application_name", "graphflow_nb")
    connect_timeout = _read_number(url, named, "connect_timeout")
    cached = _read_number(url, named, "statement_cache_size")
    shuffled = named.pop("load_balance_hosts", "disable") == "random"
    for note in notes:
        log.warning("%s: %s", url, note)
    query = urlencode(named, quote_via=quote)
    return Parameters(
        StoreUrl(urlunsplit((parts.scheme, netloc, parts.path, query, ""))),
        settings,
        limits,
        application_name,
        float(connect_timeout) if connect_timeout else None,  # 0 is no limit, as in libpq
        cached,
        shuffled,
        tuple(notes),
    )


def _take_limits(url: StoreUrl, named: dict[str, str], settings: dict[str, str]) -> dict[str, str]:
    """Return the limits of the server that a URL names, which a pooler would refuse as settings.

    Raises:
        StorageError: A value is not a time.
    """
    limits = {m[1]: m[2] for m in _OPTION.finditer(named.get("options", "")) if m[1] in LIMITS}
    for name in LIMITS:
        for given in (named, settings):
            if (value := given.pop(name, None)) is not None:
                limits[name] = value
    for name, value in limits.items():
        if not _DURATION.fullmatch(value):
            raise StorageError(
                f"{url}: the parameter {name} must be a time such as 5000 (ms), 30s or 5min; "
                "nothing was sent",
                nothing_written=True,
            )
    return limits


def _read_ssl(value: str) -> str:
    if value.lower() in _TRUE:
        return "require"
    return "disable" if value.lower() in _FALSE else value


def _read_number(url: StoreUrl, named: dict[str, str], name: str) -> int | None:
    text = named.pop(name, None)
    if text is None:
        return None
    try:
        return max(0, int(text))
    except ValueError:
        raise StorageError(
            f"{url}: the parameter {name} must be a whole number; nothing was sent",
            nothing_written=True,
        ) from None


def _take_hostaddr(url: StoreUrl, netloc: str, named: dict[str, str]) -> str:
    """Return the netloc with the address instead of the host, if there is one.

    Raises:
        StorageError: The server's certificate has to name the host.
    """
    address = named.pop("hostaddr", None)
    if not address:
        return netloc
    if named.get("sslmode", "") in ("verify-ca", "verify-full"):
        raise StorageError(
            f"{url}: the parameter hostaddr can't be honoured, because the driver would compare "
            "the address with the server's certificate; nothing was sent. Leave it out",
            nothing_written=True,
        )
    userinfo, at, host = netloc.rpartition("@")
    _, colon, port = host.rpartition("]")[2].partition(":")
    named.pop("host", None)
    shown = f"[{address}]" if ":" in address else address
    return f"{userinfo}{at}{shown}{colon}{port}"
