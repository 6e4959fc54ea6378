"""The content of a session, in whatever form a store writes it."""

from __future__ import annotations

from graphflow_nb import Context, Session
from graphflow_nb.storage.content import content_hash


def test_the_content_hash_is_one_for_every_store():
    def of(text):
        return content_hash(Session("a", "t", context=Context.from_json(text)))

    one = of('{"data":{"a":1e2,"b":[1.10,-0.0,true]},"chat_history":{}}')
    assert one == of('{"chat_history":{},"data":{"b":[1.10,0.0,true],"a":100}}')
    for other in (
        '{"data":{"a":1e2,"b":[1.1,-0.0,true]},"chat_history":{}}',
        '{"data":{"a":1e2,"b":[1.10,-0.0,1]},"chat_history":{}}',
        '{"data":{"a":1e3,"b":[1.10,-0.0,true]},"chat_history":{}}',
        '{"data":{"a":-100,"b":[1.10,-0.0,true]},"chat_history":{}}',
        '{"data":{"a":"1e2","b":[1.10,-0.0,true]},"chat_history":{}}',
    ):
        assert of(other) != one
