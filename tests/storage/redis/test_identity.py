"""What a Redis server is, however its URL was spelled."""

from __future__ import annotations

import socket

import graphflow_nb as g
from graphflow_nb.storage.redis.identity import identify_cluster, identify_server

from ...servers.redis import RedisServer


def test_other_spellings_are_the_same_server(connect, servers, run):
    port = servers[0].port
    identity = connect().identity
    others = [f"redis://localhost:{port}", f"valkey://127.0.0.1:{port}/0", servers[-1].url]
    for url in others:
        storage = run(g.connect(url))
        assert storage.identity == identity
        run(storage.close())
    assert connect(prefix="flows:").identity != identity


def test_it_survives_a_restart_and_a_socket_is_the_same_server(program, tmp_path, run):
    path = f"/tmp/graphflow_nb-{socket.gethostname()[:20]}-{tmp_path.name[-10:]}.sock"
    server = RedisServer(program, "--unixsocket", path)
    server.start()
    try:
        first = run(g.connect(server.url))
        by_socket, elsewhere = run(g.connect(f"unix://{path}")), run(g.connect(f"{server.url}/3"))
        assert by_socket.identity == first.identity != elsewhere.identity
        for storage in (by_socket, elsewhere, first):
            run(storage.close())
        server.kill()
        server.start()
        again = run(g.connect(server.url))
        assert again.identity == first.identity
        run(again.close())
    finally:
        server.kill()


def test_hosts(run):
    remote = run(identify_server({"host": "Redis.Example.", "port": 7000, "db": 2}, {}))
    assert remote == "redis redis.example:7000/2"
    assert (
        run(identify_server({"path": "/nowhere/redis.sock"}, {}))
        == "redis unix:/nowhere/redis.sock/0"
    )
    nodes = [("10.255.255.2", 7001), ("10.255.255.1", 7002)]
    assert run(identify_cluster(nodes)) == "redis cluster 10.255.255.1:7002"
    assert run(identify_cluster(reversed(nodes))) == run(identify_cluster(nodes))
