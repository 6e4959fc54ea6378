"""Fixtures: each kind of server, emptied, and what a worker writes there."""

from __future__ import annotations

import json

import pytest
import redis

import graphflow_nb as g

from ...scope import need
from ...servers import redis as redis_servers


@pytest.fixture(params=["redis_server", "valkey_server", "redis_cluster_server"])
def servers(request):
    servers = request.getfixturevalue(request.param)
    servers = servers if isinstance(servers, list) else [servers]
    for server in servers:
        with redis.Redis(port=server.port) as client:
            client.flushall()
    return servers


@pytest.fixture
def url(servers):
    return servers[0].url


@pytest.fixture
def raw(servers):
    """The driver itself, past our code."""
    if len(servers) > 1:
        client = redis.RedisCluster(host="127.0.0.1", port=servers[0].port)
    else:
        client = redis.Redis(port=servers[0].port)
    yield client
    client.close()


@pytest.fixture
def program():
    """A server's program, for tests that start servers of their own."""
    program = redis_servers.find_server()
    need("redis-server", program is not None)
    return program


@pytest.fixture
def connect(url, run):
    """Opens storages on the server, and closes them at the end."""
    opened = []

    def connect(**options):
        storage = run(g.connect(url, **options))
        opened.append(storage)
        return storage

    yield connect
    for storage in opened:
        run(storage.close())


def worker_text(id="a", n=1, **more):
    """What a worker on graph-flow writes by the documented storage."""
    context = {"data": {"n": n}, "chat_history": {"messages": [], "max_messages": 1000}}
    session = {"id": id, "graph_id": "g", "current_task_id": "t", "status_message": None}
    return json.dumps(session | {"context": context} | more)
