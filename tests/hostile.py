"""Sessions that try to run something, to break the page, or to get damaged on the way.

What runs sets ``window.__pwned`` to the name of its case, so that a test can tell which it was.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from graphflow_nb import Session
from graphflow_nb.model import stored_session

from .scope import COMPLETE

CHAT = '{"messages": [], "max_messages": 1000}'


@dataclass(frozen=True)
class Case:
    """A stored session; ``context`` is its JSON to the letter.

    Attributes:
        postgres: whether TEXT and JSONB can hold it.
    """

    name: str
    id: str
    graph_id: str = "g"
    current_task_id: str = "t"
    status_message: str | None = None
    context: str = f'{{"data": {{}}, "chat_history": {CHAT}}}'
    postgres: bool = True

    def session(self) -> Session:
        return stored_session(
            self.id,
            self.graph_id,
            self.current_task_id,
            self.status_message,
            self.context,
            1,
            None,
            None,
        )


def data(text: str, chat: str = CHAT) -> str:
    return f'{{"data": {text}, "chat_history": {chat}}}'


def message(content: str, role: str = "User", more: str = "") -> str:
    return (
        f'{{"role": "{role}", "content": {json.dumps(content)}, '
        f'"timestamp": "2026-01-02T03:04:05.678901234Z"{more}}}'
    )


def chat(*messages: str) -> str:
    return f'{{"messages": [{", ".join(messages)}], "max_messages": 1000}}'


# JS stands for what sets the mark; each payload runs it in another way.
ACTIVE = {
    "script": "<script>JS</script>",
    "script-upper": "<SCRIPT >JS</SCRIPT\n>",
    "script-nested": "<scr<script>ipt>JS</scr</script>ipt>",
    "script-slash": "<script/x>JS</script>",
    "script-src": '<script src="data:text/javascript,JS"></script>',
    "img": "<img src=x onerror=JS>",
    "img-quoted": '"><img src="x" onerror="JS">',
    "img-single": "'><img src='x' onerror='JS'>",
    "svg": "<svg onload=JS>",
    "svg-script": "<svg><script>JS</script></svg>",
    "svg-animate": '<svg><animate onbegin="JS" attributeName="x" dur="1s"></svg>',
    "details": "<details open ontoggle=JS><summary>x</summary></details>",
    "focus": "<input autofocus onfocus=JS>",
    "video": "<video><source onerror=JS></video>",
    "iframe": '<iframe srcdoc="<script>parent.JS</script>"></iframe>',
    "iframe-link": '<iframe src="javascript:parent.JS"></iframe>',
    "object": '<object data="javascript:JS"></object>',
    "meta": '<meta http-equiv="refresh" content="0;url=javascript:JS">',
    "link-js": '<a href="javascript:JS" autofocus onfocus=JS>click</a>',
    "style": "<style>@import 'javascript:JS';</style>",
    "style-end": "</style><script>JS</script>",
    "textarea-end": "</textarea><script>JS</script>",
    "title-end": "</title></head><body onload=JS>",
    "option-end": "</option></select><img src=x onerror=JS>",
    "table-end": "</td></tr></table><img src=x onerror=JS>",
    "code-end": "</code></pre></div><img src=x onerror=JS>",
    "comment": "<!--><img src=x onerror=JS>-->",
    "cdata": "<![CDATA[<img src=x onerror=JS>]]>",
    "template": "<template><script>JS</script></template>",
    "math": "<math><mtext><style><img src=x onerror=JS></style></mtext></math>",
    "noscript": '<noscript><p title="</noscript><img src=x onerror=JS>">',
    "markdown": "[click](javascript:JS)",
    "markdown-img": '![x](x"onerror="JS)',
    "mathjax": r"$$\href{javascript:JS}{x}$$",
    "mustache": "{{constructor.constructor('JS')()}}",
    "dollar": "${JS}",
    "entities": "&lt;script&gt;JS&lt;/script&gt;",
    "entities-number": "&#60;script&#62;JS&#60;/script&#62;",
    "lookalike": "‹script›JS‹/script›",
    "null-split": "<scr\u200bipt>JS</scr\u200bipt>",
}
PLACES = ("id", "graph", "task", "status", "value", "key", "nested", "chat")


def active(kind: str, payload: str, place: str) -> Case:
    name = f"{kind}-in-{place}"
    text = payload.replace("JS", f"window.__pwned='{name}'")
    quoted = json.dumps(text)
    context = {
        "value": data(f'{{"v": {quoted}}}'),
        "key": data(f'{{{quoted}: 1, "o": {{{quoted}: []}}}}'),
        "nested": data(f'{{"o": {{"l": [{quoted}, [{quoted}]]}}}}'),
        "chat": data("{}", chat(message(text), message(text, "System"))),
    }.get(place, data("{}"))
    return Case(
        name,
        text if place == "id" else name,
        text if place == "graph" else "g",
        text if place == "task" else "t",
        text if place == "status" else None,
        context,
    )


TEXTS = {
    "empty": "",
    "blanks": "   \t ",
    "bidi-override": "\u202eesrever\u202c",
    "bidi-isolates": "\u2066\u2067\u2068a",
    "bidi-unclosed": "a\u202e\u202b\u2067",
    "right-to-left": "مرحبا بالعالم שלום",
    "zero-width": "a\u200b\u200c\u200d\ufeffb",
    "combining": "Z" + "\u0337\u0321\u035b" * 60,
    "emoji": "👩\u200d👩\u200d👧\u200d👦🏳\ufe0f\u200d🌈",
    "composed": "é",
    "decomposed": "e\u0301",
    "line-separators": "a\u2028b\u2029c",
    "crlf": "a\r\nb\rc\n",
    "noncharacter": "a\ufffe\uffffb",
    "controls": "".join(map(chr, range(1, 32))) + "\x7f",
    "unit-separator": "a\x1fb\x1f",
    "ansi": "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "csv": "=cmd|' /C calc'!A0",
    "sql": "'; DROP TABLE sessions; --",
    "traversal": "../../../../etc/passwd",
    "format": "%s%n{0}{x!r}",
    "undefined": "undefined",
    "null-word": "null",
    "nan-word": "NaN",
    "number-word": "9007199254740993",
    "quotes": "\"'`\\",
    "long-word": "w" * 20_000,
    "long-lines": "line\n" * 5_000,
    "astral": "𝕳\U0010ffff",
    "confusable": "аdmin",
    "html-words": "a < b && c > d",
    "tabs": "a\tb\tc",
}


def odd(kind: str, text: str) -> list[Case]:
    cases = [Case(f"{kind}-value", f"{kind}-value", context=data(f'{{"v": {json.dumps(text)}}}'))]
    cases.append(
        Case(f"{kind}-chat", f"{kind}-chat", context=data("{}", chat(message(text, "Assistant"))))
    )
    cases.append(Case(f"{kind}-status", f"{kind}-status", status_message=text))
    cases.append(Case(f"{kind}-key", f"{kind}-key", context=data(f"{{{json.dumps(text)}: [1]}}")))
    if text and len(text) < 3_000:
        cases.append(Case(f"{kind}-id", f"{text}"))
    return cases


NUMBERS = {
    "past-double": str(2**53 + 1),
    "past-64-bits": str(2**64),
    "negative-64": str(-(2**63) - 1),
    "400-digits": str(10**400),
    "5000-digits": "7" * 5_000,
    "trailing-zero": "1.10",
    "exponent": "1e2",
    "exponent-plus": "1E+2",
    "minus-zero": "-0",
    "minus-zero-point": "-0.0",
    "past-double-exponent": "1e400",
    "tiny": "1e-400",
    "forty-digits": "0." + "1234567890" * 4,
}
SHAPES = {
    "deep-arrays": '{"v": ' + "[" * 120 + "]" * 120 + "}",
    "deep-objects": '{"v": ' + '{"a":' * 120 + "1" + "}" * 120 + "}",
    "deep-mixed": '{"v": ' + '[{"a":' * 60 + "1" + "}]" * 60 + "}",
    "many-keys": json.dumps({f"k{n}": n for n in range(10_000)}),
    "long-array": '{"v": [' + ",".join(["1"] * 100_000) + "]}",
    "five-megabytes": '{"v": "' + "<b>x" * 1_250_000 + '"}',
    "prototype": '{"__proto__": {"polluted": 1}, "constructor": {"prototype": 2}, "toString": 3}',
    "empty-keys": '{"": {"": {"": 1}}}',
    "path-like": '{"a.b": 1, "a": {"b": 2}, "a/b": 3, "a~b": 4, "~1": 5, "/": 6, "0": 7}',
    "normal-forms": '{"\u00e9": 1, "e\u0301": 2}',
    "same-words": '{"true": true, "null": null, "1": 1, "1.0": 1.0}',
    "odd-keys": '{"a\\nb": 1, "\\"": 2, "\\\\": 3, "\'": 4, " ": 5}',
    "mixed-array": '{"v": [null, true, false, 0, "", [], {}, [[]], {"a": {}}]}',
}

#: Every case. ``SAMPLE`` is what a run takes that is not complete, where many are shown at once:
#: each payload, text, number and shape, and each place.
CASES: list[Case] = [
    *(active(kind, text, place) for kind, text in ACTIVE.items() for place in PLACES),
    *(case for kind, text in TEXTS.items() for case in odd(kind, text)),
    *(
        Case(f"number-{kind}", f"number-{kind}", context=data(f'{{"n": {text}, "l": [{text}]}}'))
        for kind, text in NUMBERS.items()
    ),
    *(Case(f"shape-{k}", f"shape-{k}", context=data(text)) for k, text in SHAPES.items()),
    Case("long-id", "i" * 2_000),
    Case("nul", "nul", context=data('{"v": "a\\u0000b"}'), postgres=False),
    Case("huge-exponent", "huge-exponent", context=data('{"v": 1e200000}'), postgres=False),
    Case("unknown-members", "unknown-members", context=f'{{"later": 1, {data("{}")[1:]}'),
    Case("no-chat", "no-chat", context='{"data": {"a": 1}}'),
    Case("no-data", "no-data", context=f'{{"chat_history": {CHAT}}}'),
    Case(
        "roles",
        "roles",
        context=data("{}", chat(*(message("x", r) for r in ("User", "Assistant", "System")))),
    ),
    Case(
        "message-more", "message-more", context=data("{}", chat(message("x", more=', "z": 1.10')))
    ),
    Case("thousand", "thousand", context=data("{}", chat(*(message(str(n)) for n in range(1000))))),
]


def _sample() -> list[Case]:
    payloads, texts = list(ACTIVE), list(TEXTS)
    chosen = {f"{kind}-in-{PLACES[n % len(PLACES)]}" for n, kind in enumerate(payloads)}
    parts = ("value", "chat", "status", "key")
    # Half of the texts, which run nothing; all four parts have some.
    chosen |= {f"{kind}-{parts[n // 2 % len(parts)]}" for n, kind in enumerate(texts) if n % 2}
    several = {f"{kind}-in-{place}" for kind in payloads for place in PLACES}
    several |= {f"{kind}-{part}" for kind in texts for part in (*parts, "id")}
    return [case for case in CASES if case.name not in several or case.name in chosen]


SAMPLE = CASES if COMPLETE else _sample()


def _everywhere(kind: str, texts: dict[str, str], *, with_id: bool) -> Case:
    """Return one session with a text in each of ``PLACES``."""
    value, key, nested = (json.dumps(texts[place]) for place in ("value", "key", "nested"))
    said = texts["chat"]
    return Case(
        f"{kind}-everywhere",
        texts["id"] if with_id else f"{kind}-everywhere",
        texts["graph"],
        texts["task"],
        texts["status"],
        data(
            f'{{"v": {value}, {key}: 1, "o": {{{key}: [], "l": [{nested}, [{nested}]]}}}}',
            chat(message(said), message(said, "Assistant"), message(said, "System")),
        ),
    )


def _shown() -> list[Case]:
    apart = {f"{kind}-in-{place}" for kind in ACTIVE for place in PLACES}
    apart |= {case.name for kind, text in TEXTS.items() for case in odd(kind, text)}
    marks = {place: f"window.__pwned='KIND-in-{place}'" for place in PLACES}
    return [
        *(
            _everywhere(
                kind,
                {p: text.replace("JS", m.replace("KIND", kind)) for p, m in marks.items()},
                with_id=True,
            )
            for kind, text in ACTIVE.items()
        ),
        *(
            _everywhere(kind, dict.fromkeys(PLACES, text), with_id=0 < len(text) < 3_000)
            for kind, text in TEXTS.items()
        ),
        *(case for case in CASES if case.name not in apart),
    ]


#: What is shown in a browser, where each session takes long: one for each payload and text, which
#: has it in every place, and the others.
SHOWN = _shown()
