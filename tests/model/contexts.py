"""Contexts that graph-flow reads, and those that it does not."""

from __future__ import annotations

from graphflow_nb.model import exactjson

MESSAGE = '{"role":"User","content":"x","timestamp":"2026-01-01T00:00:00Z"}'


def chat(*messages, limit="1000"):
    return '{"data":{},"chat_history":{"messages":[%s],"max_messages":%s}}' % (
        ",".join(messages),
        limit,
    )


def timed(timestamp):
    return chat(MESSAGE.replace("2026-01-01T00:00:00Z", timestamp))


def data(text):
    return '{"data":{"k":%s},"chat_history":{"messages":[]}}' % text


def nested(levels):
    return "[" * levels + "]" * levels


#: Contexts that graph-flow reads; tests/interop checks that with the crate itself.
READABLE = [
    '{"data":{},"chat_history":{"messages":[]}}',
    '{"data":{"a":1,"a":2},"chat_history":{"messages":[]}}',
    '{ "chat_history" : {"messages" : [ ]},"data":{ } , "later":[1]}',
    *map(
        timed,
        [
            "2026-01-01T00:00:00.123456789Z",
            "2026-01-01t00:00:00z",
            "2026-01-01 00:00:00Z",
            "2016-12-31T23:59:60Z",
            "2016-12-31T23:59:60.5+01:00",
            "2026-01-01T00:00:00-23:59",
            "2024-02-29T23:59:59Z",
            "0000-02-29T00:00:00Z",
            "9999-12-31T23:59:59-23:59",
        ],
    ),
    *(chat(MESSAGE, limit=limit) for limit in ("null", "0", str(2**64 - 1))),
    *(chat(MESSAGE.replace("User", role)) for role in ("Assistant", "System")),
    *(chat(MESSAGE.replace('"x"', text)) for text in ('""', '"\\u0000"', '"\\ud83d\\ude00"')),
    chat(MESSAGE.replace('"x"', '"role"'), MESSAGE[:-1] + ',"extra":{"role":1}}'),
    chat(MESSAGE.replace('"role"', '"\\u0072ole"')),
    *map(
        data,
        [
            *("1e308", "-1.7e308", "1e-400", "9" * 308, "18446744073709551615", "0e999"),
            *("18446744073709551616", "-9223372036854775809", "-0", "1.10", '"1e400"'),
            nested(exactjson.MAX_DEPTH),
        ],
    ),
]

#: Contexts that graph-flow does not read, with the place and what is said of it.
UNREADABLE = [
    ("7", "/context is 7, but context must be an object"),
    ('{"data":{}}', "/context/chat_history is missing"),
    ('{"chat_history":{"messages":[]}}', "/context/data is missing"),
    ('{"data":{},"chat_history":{}}', "/context/chat_history/messages is missing"),
    ('{"data":[],"chat_history":{"messages":[]}}', "/context/data is [], but"),
    ('{"data":{},"chat_history":null}', "/context/chat_history is null, but"),
    ('{"data":{},"chat_history":{"messages":null}}', "/context/chat_history/messages is null"),
    ('{"data":{},"data":{},"chat_history":{"messages":[]}}', "/context/data is twice"),
    ('{"data":{},"chat_history":{"messages":[],"messages":[]}}', "/messages is twice"),
    *(
        (chat(MESSAGE, limit=limit), f"/context/chat_history/max_messages is {limit}, but")
        for limit in ("-1", "1.0", "1e3", str(2**64), '"5"', "true", "-0", "9" * 25)
    ),
    *((chat(MESSAGE, text), f"/messages/1 is {text}, but") for text in ("null", "7", '"x"')),
    *(
        (chat(MESSAGE.replace('"x"', text)), f"/messages/0/content is {text}, but")
        for text in ("null", "7", '["x"]', '{"text":"x"}', "true")
    ),
    *(
        (chat(MESSAGE.replace('"User"', role)), f"/messages/0/role is {role}, but")
        for role in ('"user"', '"Tool"', "null", "1")
    ),
    (chat(MESSAGE.replace('"content":"x",', "")), "/messages/0/content is missing"),
    (chat(MESSAGE.replace('"role":"User",', "")), "/messages/0/role is missing"),
    (chat('{"role":"User","content":"x"}'), "/messages/0/timestamp is missing"),
    (chat(MESSAGE[:-1] + ',"role":"User"}'), "/messages/0/role is twice"),
    *(
        (timed(text), f'/messages/0/timestamp is "{text}", but')
        for text in [
            "",
            "1767225600",
            "2026-01-01",
            "2026-01-01T00:00Z",
            "2026-01-01T00:00:00",
            "20260101T000000Z",
            "2026-W01-1T00:00:00Z",
            "2026-01-01T00:00:00,5Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:61Z",
            "2026-01-01T24:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-01-01T00:00:00+00",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00+00:60",
            "2026-01-01T00:00:00+01:00:30",
            "٢026-01-01T00:00:00Z",
        ]
    ),
    *(
        (data(text), "/context/data/k is")
        for text in ("1e400", "-1e309", "9" * 309, "1" + "0" * 5000, "0.1e310", "1E+00400")
    ),
    (data('{"n":[1,{"m":1e999}]}'), "/context/data/k/n/1/m is 1e999, a number beyond f64"),
    (data(nested(exactjson.MAX_DEPTH + 1)), "levels deep"),
]
NO_JSON = [
    ("{", "/context is not JSON"),
    (data('"\\ud800"'), "is not JSON"),
    (data("01"), "is not JSON"),
    (data(nested(3000)), "levels deep"),
]

#: What chrono reads though RFC 3339 has it otherwise: nothing writes it, so it is refused too.
STRICTER = [*map(timed, ["2026-1-1T0:0:0Z", "2026-01-01T00:00:00+0000", "2026-01-01T00:00:00UTC"])]
