"""Where in a text secrets are: tokens with a known beginning, passwords in URLs, ``token=…``.

A name says that a secret follows (``password: …``, ``"apiKey": …``), or a secret is known by its
own form (``ghp_…``, ``Bearer …``, a private key). Both are looked for in texts of any kind: a
message of the chat, JSON inside a string, the error of a server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple, Protocol

from .secret_keys import LAST_WORDS, MASK, URL_MASK, secret_kind
from .secret_neighbours import (
    PLAIN,
    TELLING_KEYS,
    Kind,
    Place,
    is_innocent_item,
    is_telling_key,
    is_value_key,
    look_into_list,
    look_into_object,
    may_be_name,
    names_secret,
)
from .secret_tables import find_cells, find_heads

__all__ = [
    "MAY_HIDE",
    "Scrubber",
    "Span",
    "current_scrubber",
    "find_marks",
    "find_secrets",
    "replace_spans",
    "scrub",
    "scrub_error",
    "scrub_outside_by",
    "scrubbing_by",
    "show_sign",
]


class Span(NamedTuple):
    """The part of a text that is a secret."""

    start: int
    end: int


# Tokens that say by their first letters whose they are. Each is at least 16 characters long.
_KNOWN: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)*"  # JWT, JWE
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"  # AWS
    r"|AIza[\w-]{30,}|ya29\.[\w-]{16,}|GOCSPX-[\w-]{16,}"  # Google
    r"|sk-[\w-]{16,}|(?:gsk|hf|nvapi|pplx|xai|r8|tvly)[-_][\w-]{20,}"  # of models
    r"|(?:[rs]k|pk)_(?:live|test)_\w{10,}|whsec_\w{16,}"  # Stripe
    r"|gh[pousr]_\w{16,}|github_pat_\w{16,}|gl(?:pat|dt|rt|cbt)-[\w-]{16,}"
    r"|xox[abeoprs]-[\w-]{10,}|xapp-[\w-]{10,}"  # Slack
    r"|SG\.[\w-]{16,}\.[\w-]{16,}|key-[0-9a-f]{32}"  # of mail
    r"|npm_\w{30,}|pypi-[\w-]{30,}|dckr_pat_[\w-]{16,}|do[por]_v1_[0-9a-f]{32,}"
    r"|hv[sb]\.[\w-]{20,}|shp(?:at|ca|pa|ss)_[0-9a-f]{20,}|lin_api_\w{20,}|AGE-SECRET-KEY-\w{20,}"
    r")"
)
#: What occurs in each text in which something is a secret, for a quick search in many.
MAY_HIDE: Final = (
    r"[=:：@\[(]|[,;|\t][^\n]*\n"
    r"| (?:is|was) |--[A-Za-z]|</|PRIVATE KEY|earer |asic |eyJ|AKIA|ASIA|AIza|ya29"
    r"|GOCSPX-|sk-"
    r"|(?:gsk|hf|nvapi|pplx|xai|r8|tvly)[-_]|[rsp]k_|whsec_|gh[pousr]_|github_pat_|glpat-|gldt-"
    r"|glrt-|glcbt-|xox|xapp-|SG\.|key-|npm_|pypi-|dckr_pat_|do[por]_v1_|hv[sb]\.|shp|lin_api_"
    r"|AGE-SECRET-KEY-"
)
_RUN: Final = re.compile(r"(?a:\b[\w.-]{16,})")
_PEM: Final = "PRIVATE KEY"
_PEM_BLOCK: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----(?:.*?-----END [A-Z0-9 ]*KEY[A-Z ]*-----|.*)",
    re.DOTALL,
)
# After a user's name; a port is followed by a slash. It ends where a host follows.
_URL_PASSWORD: Final = re.compile(
    r"://[^\s/:@?#\"'<>]{0,200}:(?!\d{1,5}[/?#])([^\s\"'<>]{1,200}?)@(?=[\w.\[\]:%-]{0,300}(?:[/?#\s\"'<>,;)\\]|$))"
)
# Of Go's MySQL driver: ann:pw@tcp(db:3306)/x.
_GO_PASSWORD: Final = re.compile(r"(?<![^\s\"'=])[\w.-]{1,80}:([^\s@\"'/]{1,200})@(?:tcp|unix)\(")
_AUTHORIZATION: Final = re.compile(
    r"\b(?:bearer|basic)\s+(?=[\w.~+/-]*(?:\d|=))([\w.~+/-]{8,}=*)", re.IGNORECASE
)
# A name and what follows it: in a query, a shell, a line of settings, a header.
_NAME: Final = re.compile(r"(?<![\w.-])[\w.-]+\Z")
_PHRASE: Final = re.compile(r"(?<![\w.-])(?:[\w.-]+ ){1,2}[\w.-]+\Z")  # social security number
# What follows a name: a colon also in the width of Chinese, and a sentence.
_SIGNS: Final = ("=", ":", "：", " is ", " was ")
_EMPHASIS: Final = "*`"  # **Password**: …, **Password:** …
# How Rust shows what is inside: Some("…"), String("…"), Array [String("…")].
_WRAPPERS: Final = re.compile(r"[*`]{0,3}[ \t]*(?:[A-Z]\w{0,30}(?:\(|[ ](?=[\[{])))*")
_IN_QUOTES: Final = re.compile(r"[ \t]*(\\*[\"'])(.*?)(?:\1|\Z)", re.DOTALL)
_AFTER_EQUALS: Final = re.compile(r"()\s?([^\s&;,\"'<>]+)")
_AFTER_COLON: Final = re.compile(
    r"()[ \t]*(?:(?:Bearer|Basic|Token|Digest|ApiKey|Bot)[ ]+)?"
    r"(\d{2,4}(?:[ -]\d{2,4}){2,}|[^\s,;\"'<>]+)",
    re.IGNORECASE,
)
_AFTER_IS: Final = re.compile(r"()[*`\"']{0,3}(?=\S*\d)([^\s,;\"'`<>]{3,}[^\s,;\"'`<>.!?)*])")
_OPTION: Final = re.compile(r"(?<![\w-])--([A-Za-z][\w-]{0,80})[ ]+(\"[^\"]*\"|'[^']*'|[^\s-]\S*)")
_ELEMENT: Final = re.compile(r"<((?:[\w-]{1,80}:)?[\w.-]{1,80})(?:\s[^<>]{0,200})?>([^<>]+)</")
_COOKIES: Final = re.compile(r"()[ \t]*([^\s;\"'<>]+(?:;[ ]*[^\s;\"'<>]+)*)")
#: In a text, words that are under a name without being its secret.
_PLAIN_WORDS: Final = (
    "true false none null nil undefined yes no on off ok set unset missing invalid required "
    "optional expired unknown empty hidden redacted wrong incorrect valid changed"
)
_PLAIN: Final = frozenset(_PLAIN_WORDS.split())
# In a query, which has few prose words, more names hold one; in prose these are words.
_IN_QUERIES: Final = frozenset(("sig", "signature", "pass", "auth"))
_PROSE: Final = "pass pin auth cookies secrets passwords accesskey nopasswd"
_IN_PROSE: Final = frozenset(_PROSE.split())
# A key or a name in quotes, which may be escaped: JSON inside JSON, Python's repr.
_KEY: Final = r"(\\{0,16}[\"'])((?:[^\"'\\]|\\+u[0-9a-fA-F]{4}){1,200})\1"
_QUOTED_KEY: Final = re.compile(rf"{_KEY}\s*:\s*")
_NAMED_BY: Final = r"(?:(\\{0,16}[\"'])(\w{1,40})\1\s*:\s*|[\[(]\s*)"
_QUOTED_PAIR: Final = re.compile(
    _NAMED_BY + _KEY.replace(r"\1", r"\3") + r"\s*,\s*(?:\3(\w{1,40})\3\s*:\s*)?"
)
_LISTED: Final = re.compile(r"[\[(,]\s*'([^'\\]{2,60})'")
_BARE: Final = re.compile(r"[^\s,}\])\"'{\[(\\]+")


def find_secrets(text: str, kind: Kind) -> list[Span]:
    """Return the parts of a text that are secrets, in order; none overlaps another.

    Example:
        >>> from graphflow_nb.secret_keys import secret_kind
        >>> from graphflow_nb.secret_texts import find_secrets
        >>> text = "see https://ann:pw7@host/x?page=2&token=t9"
        >>> [text[start:end] for start, end in find_secrets(text, secret_kind)]
        ['pw7', 't9']

    Args:
        text: The text.
        kind: Returns what kind of secret is under a key.
    """
    finders = (_find_named, _find_options, _find_quoted, _find_beside, _find_in_tables)
    found = sorted((*_find_known(text), *(s for find in finders for s in find(text, kind))))
    merged: list[Span] = []
    for span in found:
        if merged and span.start < merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(span.end, merged[-1].end))
        elif span.end > span.start:
            merged.append(span)
    return merged


def replace_spans(text: str, spans: Sequence[Span], show: Callable[[str], str]) -> str:
    """Return a text with something else in place of parts of it.

    Args:
        text: The text.
        spans: The parts, in order.
        show: Returns what is put in place of a part.
    """
    pieces, end = [], 0
    for span in spans:
        pieces += [text[end : span.start], show(text[span.start : span.end])]
        end = span.end
    return "".join(pieces) + text[end:] if spans else text


class Scrubber(Protocol):
    """What hides secrets in texts, such as the mask of a store."""

    @property
    def is_on(self) -> bool:
        """Whether anything is hidden."""

    def scrub(self, text: str) -> str:
        """Return a text without the secrets that are quoted in it."""


class _ByLooks:
    """What hides what looks like a secret."""

    is_on = True

    def scrub(self, text: str) -> str:
        return replace_spans(text, find_secrets(text, secret_kind), show_sign)


_outside: Scrubber = _ByLooks()
_scrubber: ContextVar[Scrubber | None] = ContextVar("graphflow_nb_scrubber", default=None)


def current_scrubber() -> Scrubber | None:
    """Return what hides secrets in the texts of the call under way; None outside of one."""
    return _scrubber.get()


def scrub_outside_by(scrubber: Scrubber) -> None:
    """Set what hides secrets in the texts that are made outside of any store's call."""
    global _outside
    _outside = scrubber


@contextmanager
def scrubbing_by(scrubber: Scrubber | None) -> Iterator[None]:
    """Let errors, warnings and log records that are made inside hide what one store's mask hides.

    Args:
        scrubber: The mask; None as outside of any call.
    """
    token = _scrubber.set(scrubber)
    try:
        yield
    finally:
        _scrubber.reset(token)


def scrub(text: str) -> str:
    """Return a text, such as an error's, with ``•••`` in place of each secret in it.

    What is a secret is said by the mask of the store whose call is under way. What is hidden
    already in a store's URL stays ``***``.

    Example:
        >>> from graphflow_nb.secret_texts import scrub
        >>> scrub("{'user': 'ann', 'password': 'x1'} at https://ann:x1@host/")
        "{'user': 'ann', 'password': '•••'} at https://ann:•••@host/"
    """
    return (_scrubber.get() or _outside).scrub(text)


def scrub_error(error: BaseException) -> None:
    """Take the secrets that it quotes out of an exception that is not ours, as a cause is shown."""
    scrubbed = tuple(scrub(part) if isinstance(part, str) else part for part in error.args)
    if scrubbed != error.args:
        error.args = scrubbed


def show_sign(secret: str) -> str:
    """Return what is shown instead of a secret in a text that quotes it."""
    return secret if secret == URL_MASK else MASK


def _find_known(text: str) -> Iterator[Span]:
    for run in _RUN.finditer(text):
        for match in _KNOWN.finditer(text, run.start(), run.end()):
            yield Span(*match.span())
    if _PEM in text:
        yield from (Span(*match.span()) for match in _PEM_BLOCK.finditer(text))
    if "://" in text and "@" in text:
        yield from (Span(*match.span(1)) for match in _URL_PASSWORD.finditer(text))
    if "@tcp(" in text or "@unix(" in text:
        yield from (Span(*match.span(1)) for match in _GO_PASSWORD.finditer(text))
    if "earer " in text or "asic " in text:
        yield from (Span(*match.span(1)) for match in _AUTHORIZATION.finditer(text))


def _find_named(text: str, kind: Kind) -> Iterator[Span]:
    ends = dict.fromkeys(_SIGNS, 0)  # of the last secret behind each: it has no more of them
    for name, sign, at in _names_in(text, kind):
        if at < ends[sign]:
            continue
        bare = _BARE_AFTER.get(sign, _AFTER_COLON)
        if bare is _AFTER_COLON and kind(name) == "cookie":
            bare = _COOKIES
        start, match = at + len(sign), None
        if bare is not _AFTER_IS:
            start = _skip_wrappers(text, start)
            match = _IN_QUOTES.match(text, start)
        match = match or bare.match(text, start)
        if match is None or match[2].lower().rstrip(".") in _PLAIN:
            continue
        if match[2].startswith(sign):  # a comparison, a name in C++
            continue
        if name in ("PWD", "OLDPWD") and match[2].startswith("/"):  # a shell's folder
            continue
        # Behind a colon may be prose: "token: see below".
        prose = bare is _AFTER_COLON and not match[1] and match[2].isalpha()
        if not (prose and text[match.end() : match.end() + 1] == " "):
            ends[sign] = match.end(2)
            yield Span(*match.span(2))


_BARE_AFTER: Final = {"=": _AFTER_EQUALS, " is ": _AFTER_IS, " was ": _AFTER_IS}


def _skip_wrappers(text: str, start: int) -> int:
    wrappers = _WRAPPERS.match(text, start)
    return start if wrappers is None else wrappers.end()


def _find_options(text: str, kind: Kind) -> Iterator[Span]:
    """Find what follows ``--password`` in a command, and what is in ``<password>``."""
    for pattern in (_OPTION, _ELEMENT):
        for match in pattern.finditer(text):
            if kind(match[1]) is not None and match[2].lower() not in _PLAIN:
                yield Span(*match.span(2))


def _names_in(text: str, kind: Kind) -> Iterator[tuple[str, str, int]]:
    """Yield each name of a secret that is not in quotes, and the sign behind it with its place."""
    for sign in _SIGNS:
        at = text.find(sign)
        while at >= 0:
            end = at
            while 0 < end > at - 3 and text[end - 1] in _EMPHASIS:
                end -= 1
            before = text[end - 1 : end]
            if before.isalnum() or (before == " " and sign == "="):
                end -= before == " "
                match = None
                # Most sentences tell no secret.
                if len(sign) == 1 or _AFTER_IS.match(text, at + len(sign)) is not None:
                    match = _NAME.search(text[max(0, end - 80) : end])
                if match is not None and _holds_secret(match, sign, kind):
                    yield match[0], sign, at
            at = text.find(sign, at + 1)


def _holds_secret(match: re.Match[str], sign: str, kind: Kind) -> bool:
    name = match[0].lower()
    in_query = sign == "=" and match.string[match.start() - 1 : match.start()] in ("?", "&")
    if in_query and (name in _IN_QUERIES or name.endswith("-signature")):
        return True
    # In a sentence what has a digit follows a name in the singular.
    if (name not in _IN_PROSE or len(sign) > 1) and kind(match[0]) is not None:
        return True
    if name not in LAST_WORDS:
        return False
    phrase = _PHRASE.search(match.string)
    return phrase is not None and kind(phrase[0]) is not None


def _find_quoted(text: str, kind: Kind) -> Iterator[Span]:
    end = 0  # of the last secret: there is nothing more to be found in it
    for match in _QUOTED_KEY.finditer(text):
        if match.start() >= end and kind(_read_key(match[2])) is not None:
            for span in _find_value(text, match.end(), match[1]):
                end = span.end
                yield span
    end = 0
    for match in _QUOTED_PAIR.finditer(text):
        named = match[2] is not None and is_telling_key(match[2])
        value = match[5] is not None and is_value_key(match[5])
        key = _read_key(match[4])
        may_be = may_be_name(key) and named == value and (named or match[2] is None)
        if match.start() >= end and may_be and names_secret(match[2] or "name", key, kind):
            before = text[max(0, match.start() - 20) : match.start()].rstrip()[-1:]
            alone = not named and before not in ("[", "(", ",")
            for span in _find_value(text, match.end(), match[3], alone=alone):
                end = span.end
                yield span


def _find_in_tables(text: str, kind: Kind) -> Iterator[Span]:
    """Find the cells of tables in a text below the name of a secret."""
    return (Span(*cell) for cell in find_cells(text, kind))


# What brackets, commas and texts in quotes say: JSON, or what Python shows of objects.
_TOKEN: Final = re.compile(
    r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|([{\[(])|([}\])])|(,)|(:)|[^\s{}\[\](),:"']+|["']""",
    re.DOTALL,
)


class _Node:
    """A value in a text: its place, and what is in it.

    Attributes:
        start, end: Where it is.
        quoted: The text in its quotes; None if it has none.
        list: The items of a list; None if it is none.
        object: The values of an object by their keys; None if it is none.
    """

    __slots__ = ("end", "list", "object", "quoted", "start")

    def __init__(self, start: int, end: int, quoted: str | None = None, opening: str = ""):
        self.start, self.end, self.quoted = start, end, quoted
        self.list: list[_Node] | None = [] if opening in ("[", "(") else None
        self.object: dict[str, _Node] | None = {} if opening == "{" else None


class _NodeReader:
    """How what is beside a value is read in a text."""

    def text(self, value: _Node) -> str | None:
        return value.quoted if value.quoted is None else _read_key(value.quoted[:400])

    def is_list(self, value: _Node) -> bool:
        return value.list is not None

    def items(self, value: _Node) -> Sequence[_Node]:
        return value.list or ()

    def parts(self, value: _Node) -> Mapping[str, _Node] | None:
        return value.object


_NODES: Final = _NodeReader()
_QUOTED: Final = re.compile(_KEY)
_OPENING: Final = re.compile(r"[{\[(]")
_DEEPEST: Final = 100


def _read_nodes(text: str) -> Iterator[_Node]:
    """Yield the outermost objects and lists in a text; one that is cut off has what is left."""
    start = 0
    while (opening := _OPENING.search(text, start)) is not None:
        node, start = _read_node(text, opening.start())
        yield node


def _read_node(text: str, start: int) -> tuple[_Node, int]:
    """Return the object or list that begins somewhere, and where to go on."""
    top = _Node(start, len(text), opening=text[start])
    stack, keys = [top], [""]  # the key that a value of each is under, if there is one
    last: _Node | None = None
    for match in _TOKEN.finditer(text, start + 1):
        quoted, opening, closing, comma, colon = match.groups()
        if closing:
            last = stack.pop()
            last.end = match.end()
            keys.pop()
            if not stack:
                return top, match.end()
        elif comma:
            keys[-1], last = "", None
        elif colon:
            keys[-1] = "" if last is None or last.quoted is None else _read_key(last.quoted)
        elif len(stack) == _DEEPEST:
            break
        else:
            last = _Node(*match.span(), quoted and quoted[1:-1], opening or "")
            inside = stack[-1]
            if inside.list is not None:
                inside.list.append(last)
            elif inside.object is not None and keys[-1]:
                inside.object[keys[-1]] = last
            if opening:
                last.end = len(text)
                stack.append(last)
                keys.append("")
    return top, len(text)


def _find_beside(text: str, kind: Kind) -> Iterator[Span]:
    """Find what a name, or the head of a column, beside it says to be a secret."""
    if not any(opening in text for opening in "{[("):
        return
    if not any(may_be_name(m[2]) and kind(_read_key(m[2])) for m in _QUOTED.finditer(text)):
        return
    for node in _read_nodes(text):
        yield from _look_into(text, node, PLAIN, kind)


def _look_into(text: str, node: _Node, place: Place, kind: Kind) -> Iterator[Span]:
    if place.covered:
        if node.quoted is not None:
            yield Span(node.start + 1, node.end - 1)
        elif node.list or node.object or text[node.start : node.end].lower() not in _PLAIN:
            yield Span(node.start, node.end)
        return
    if node.object is not None:
        find = look_into_object(node.object, _NODES, kind)
        for key, part in node.object.items():
            yield from _look_into(text, part, find(key), kind)
    elif node.list:
        places = look_into_list(node.list, place, _NODES, kind)
        for n, item in enumerate(node.list):
            yield from _look_into(text, item, places.at(n), kind)


def _read_key(text: str) -> str:
    if "\\u" not in text:
        return text
    try:
        return str(json.loads('"' + re.sub(r"\\+u", r"\\u", text) + '"'))
    except ValueError:
        return text


def _find_value(text: str, start: int, quote: str, *, alone: bool = False) -> Iterator[Span]:
    """Yield the place of the value that begins somewhere: without its quotes, or all of a list."""
    start = _skip_wrappers(text, start)
    if text[start : start + 1] in ("{", "[", "("):
        yield Span(start, _find_close(text, start, quote))
        return
    opening = re.compile(r"\\*[\"']").match(text, start)
    if opening is not None:
        closing = re.compile(rf"(?<!\\){re.escape(opening[0])}").search(text, opening.end())
        end = len(text) if closing is None else closing.start()
        if alone and is_innocent_item(text[opening.end() : end]):
            return
        yield Span(opening.end(), end)
        return
    bare = _BARE.match(text, start)
    if bare is not None and bare[0].lower() not in _PLAIN:
        yield Span(*bare.span())


def _find_close(text: str, start: int, quote: str) -> int:
    """Return where an object or list ends; where it is cut off, the end of the text."""
    quotes = r"[\"']" if len(quote) == 1 else re.escape(quote)
    token = re.compile(rf"({quotes})(?:.*?)(?<!\\)\1|[{{}}\[\]()]", re.DOTALL)
    depth = 0
    for match in token.finditer(text, start):
        if match[1] is None:
            depth += 1 if match[0] in "{[(" else -1
            if not depth:
                return match.end()
    return len(text)


# What is quick, for JSON texts of a megabyte in which mostly nothing is secret.

_BEFORE_NAME: Final = re.compile(
    rf"(?:[\[,]|\b(?:{'|'.join(sorted(TELLING_KEYS))})\\*\"\s*:)\s*\\*\Z"
)
_BLANK: Final = "\\ \n\t\r"
_ESCAPE: Final = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)", re.DOTALL)
_UNICODE: Final = re.compile(r"\\u([0-9a-fA-F]{4})")
#: A sign or an ASCII letter that is written as an escape: nothing in the text is looked for.
_ODD_ESCAPE: Final = re.compile(r"\\(?:/|u00(?:[2-7]|0[9aAdD]))")


def find_marks(
    text: str, kind: Kind, stems: re.Pattern[str] | None = None, *, escaped: bool = True
) -> tuple[str, ...]:
    """Return texts of which one occurs in each part of a JSON text in which a secret may be.

    Args:
        text: The JSON text.
        kind: Returns what kind of secret is under a key.
        stems: What is found in each such key of ASCII letters, in lower case, for a quick look.
        escaped: Whether it is JSON; False for other texts.

    Returns:
        The texts; an empty text if it can't be said; nothing if there is no secret.
    """
    escaped = escaped and "\\" in text
    if escaped and _ODD_ESCAPE.search(text) is not None:
        return ("",)
    pieces = text.split('"')
    after = pieces[1:]
    keys = {piece for piece, rest in zip(pieces, after, strict=False) if rest.lstrip()[:1] == ":"}
    marks = [f'"{key}"' for key in keys if kind(_read_key(key.rstrip("\\"))) is not None]
    names = {
        name
        for before, name in zip(pieces, after, strict=False)
        if before.rstrip(_BLANK)[-1:] in ("[", ",")
    }
    names -= keys
    if named := {key for key in keys if key.rstrip("\\") in TELLING_KEYS}:
        names |= {name for key, name in zip(pieces, pieces[2:], strict=False) if key in named}
    for name in names if stems is None else _with_stems(names, stems):
        if may_be_name(name) and kind(_read_key(name.rstrip("\\"))) is not None:
            marks += _find_before(text, f'"{name}"')
    flat = _ESCAPE.sub(" ", _UNICODE.sub(_read_escape, text)) if escaped else text
    marks += (flat[start:end] for start, end in _find_known(flat) if " " not in flat[start:end])
    if _PEM in flat:
        marks.append(_PEM)
    marks += (name for name, *_ in _names_in(flat.replace('":', '"'), kind))
    for pattern in (_OPTION, _ELEMENT):
        marks += (m[1] for m in pattern.finditer(flat) if kind(m[1]) is not None)
    if "\\n" in text if escaped else "\n" in text:
        marks += find_heads(text, kind, escaped=escaped)
    if "'" in text:
        marks += (m[1] for m in _LISTED.finditer(flat) if kind(m[1]) is not None)
        marks += (
            m[2] for m in _QUOTED_KEY.finditer(flat) if m[1] == "'" and kind(m[2]) is not None
        )
        marks += (
            m[4] for m in _QUOTED_PAIR.finditer(flat) if m[3] == "'" and kind(m[4]) is not None
        )
    if escaped and not all(mark in text for mark in marks):
        return ("",)  # a name that is written with escapes
    return tuple(dict.fromkeys(marks))


def _with_stems(names: Collection[str], stems: re.Pattern[str]) -> Collection[str]:
    """Return the names that may be those of secrets: none of most lists of words."""
    text = "\n".join(names)
    if text.isascii() and "\\" not in text and stems.search(text.lower()) is None:
        return ()
    return [n for n in names if not n.isascii() or "\\" in n or stems.search(n.lower())]


def _read_escape(escape: re.Match[str]) -> str:
    letter = chr(int(escape[1], 16))
    return letter if letter.isalnum() or letter in _SIGNS else " "


def _find_before(text: str, name: str) -> Iterator[str]:
    """Yield a name with what is before it, where that says that it is a name."""
    at = text.find(name)
    while at >= 0:
        before = _BEFORE_NAME.search(text, max(0, at - 40), at)
        if before is not None:
            yield before[0] + name
        at = text.find(name, at + 1)
