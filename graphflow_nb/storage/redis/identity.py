"""What a Redis server or cluster is, however its URL was spelled."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["identify_cluster", "identify_server"]


async def identify_server(parts: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Return the identity of a server's database; the server itself is not asked again.

    Args:
        parts: The parts of the URL, as the driver reads them.
        about: The answer to INFO; empty where that is not known.
    """
    path = parts.get("path")
    if path is None:
        host = await _normalize_host(parts.get("host", "localhost"))
        server = f"{host}:{parts.get('port', 6379)}"
    elif port := int(about.get("tcp_port", 0)):
        server = f"localhost:{port}"
    else:
        server = _name_socket(path)
    return f"redis {server}/{parts.get('db', 0)}"


async def identify_cluster(nodes: Iterable[tuple[str, int]]) -> str:
    """Return the identity of a cluster: the first of the addresses that its nodes announce.

    Args:
        nodes: The host and port of each node.
    """
    host, port = min(nodes)
    return f"redis cluster {await _normalize_host(host)}:{port}"


async def _normalize_host(host: str) -> str:
    """Return ``localhost`` for a name or address of this machine, else the host in lower case."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        found = []
    local = any(_is_local(family, address[0]) for family, _, _, _, address in found)
    return "localhost" if local else host.lower().rstrip(".")


def _name_socket(path: str) -> str:
    return f"unix:{os.path.realpath(path)}"


def _is_local(family: int, address: str | int) -> bool:
    """Return whether an address is one of this machine's: only those can be bound."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True
