"""``%gf``: the workbench by short commands, with completion, after ``%load_ext graphflow_nb``."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterable, Sequence
from contextlib import suppress
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, Final, NoReturn

from ...errors import QueryError
from ...storage.query import ORDERS, Query
from ...storage.url import redact
from .latency import CellLatency

if TYPE_CHECKING:
    import pandas as pd

    from ...model import Session
    from ..browse import Browser
    from ..latency import Latency
    from ..workbench import Workbench

__all__ = ["load_ipython_extension", "unload_ipython_extension"]

MOST: Final = 50  # rows shown unless more are asked for, and completions offered

_MATCHER: Final = "graphflow_nb.gf"
_ASSIGNMENT: Final = r"[^%]*=\s*%gf\s"  # sessions = %gf …
_START: Final = re.compile(rf"\s*%?gf\s|{_ASSIGNMENT}")
# IPython expands braces and $, and a backslash before the end of the line continues that: what
# holds one of these is not offered, since it would mean something else when typed.
_UNTYPABLE: Final = re.compile(r"[{}$\\]")


class _Parser(argparse.ArgumentParser):
    """One command's arguments. Wrong ones raise; argparse's own would end the kernel."""

    def __init__(self, command: str, description: str):
        super().__init__(
            prog=f"%gf {command}",
            description=description,
            add_help=False,
            allow_abbrev=False,
            argument_default=argparse.SUPPRESS,
        )
        self.color = False  # of Python 3.14, in usage
        self.options: list[str] = []
        self.valued: list[str] = []  # those of the options that take one value

    def option(self, name: str, **how: Any) -> None:
        self.add_argument(name, **how)
        self.options.append(name)
        if "action" not in how:
            self.valued.append(name)

    def usage_line(self) -> str:
        return " ".join(self.format_usage().split()).removeprefix("usage: ")

    def parse(self, words: Iterable[str]) -> dict[str, Any]:
        joined: list[str] = []
        for word in words:
            # argparse would take the value of `--order -id`, and an id like `-7`, for an option.
            if joined and joined[-1] in self.valued and not word.startswith("--"):
                joined[-1] += f"={word}"
            else:
                joined += ["--", word] if word[:1] == "-" and not self.options else [word]
        return vars(self.parse_args(joined))

    def error(self, message: str) -> NoReturn:
        raise QueryError(f"{redact(message)}; type {self.usage_line()}") from None


def _parsers() -> dict[str, _Parser]:
    descriptions = {
        "open": "Open a store (demo, sqlite:path, postgresql://…) as wb, or as NAME.",
        "sessions": f"Sessions as a DataFrame, the newest {MOST} if nothing else is said.",
        "show": "One session as a card.",
        "browse": "Look through the sessions, and edit them, in a widget.",
        "summary": "How many sessions stand where, and since when.",
        "latency": "What the operations cost.",
        "help": "Show this.",
    }
    parsers = {command: _Parser(command, text) for command, text in descriptions.items()}
    opened, sessions = parsers["open"], parsers["sessions"]
    opened.add_argument("url", metavar="URL", nargs="?")
    opened.option("--writable", action="store_true")
    opened.option("--table", metavar="schema.table")
    opened.option("--as", metavar="NAME", dest="name", type=_name)
    for parser in (sessions, parsers["browse"]):
        parser.option("--graph", metavar="G")
        parser.option("--task", metavar="T")
        parser.option("--status", metavar="TEXT")
    sessions.option("--id-prefix", metavar="P")
    sessions.option("--order", metavar="O")
    sessions.option("--limit", metavar="N", type=int)
    sessions.option("--context", metavar="PATH", nargs="+", action="extend")
    parsers["show"].add_argument("id", metavar="ID")
    return parsers


def _name(text: str) -> str:
    if not text.isidentifier() or iskeyword(text):
        raise argparse.ArgumentTypeError(f"{text!r} can't be the name of a variable")
    return text


_PARSERS: Final = _parsers()


class _Gf:
    """The magic of one shell."""

    def __init__(self, shell: Any):
        self._shell = shell
        self.cells = CellLatency(shell)
        self._opened: Workbench | None = None

    def run(self, line: str) -> Any:
        words, quote = _split(line)
        if quote:
            raise QueryError(f"a quote is not closed: type another {quote}")
        command, *rest = words or ["help"]
        parser = _PARSERS.get(command)
        if parser is None:
            raise QueryError(
                f"%gf has no command {redact(command)!r}; type %gf and one of {', '.join(_PARSERS)}"
            )
        return getattr(self, f"_{command}")(**parser.parse(rest))

    run.__doc__ = "Look at the sessions of a graph-flow store.\n\n" + "\n".join(
        f"{parser.usage_line()}\n    {parser.description}" for parser in _PARSERS.values()
    )

    def _workbench(self) -> Workbench:
        from ..workbench import Workbench

        found = self._opened or self._shell.user_ns.get("wb")
        if not isinstance(found, Workbench):
            raise QueryError("no store is open; type %gf open URL, e.g. %gf open demo")
        return found

    def _open(self, url: str | None = None, name: str = "wb", **options: Any) -> Workbench:
        from ..workbench import open

        self._opened = open(url, **options)
        self._shell.push({name: self._opened})
        return self._opened

    def _sessions(self, **filters: Any) -> pd.DataFrame:
        frame = self._workbench().sessions(**{"limit": MOST} | filters)
        if "limit" not in filters and frame.attrs["next"] is not None:
            print(f"The first {MOST} sessions; there are more, add --limit N.")
        return frame

    def _show(self, id: str) -> Session:
        return self._workbench().get(id)

    def _browse(self, **filters: Any) -> Browser:
        return self._workbench().browse(**filters)

    def _summary(self) -> pd.DataFrame:
        return self._workbench().summary()

    def _latency(self) -> Latency:
        return self._workbench().latency

    def _help(self) -> None:
        print(self.run.__doc__)

    def complete(self, _shell: Any, event: Any) -> list[str]:
        """What the word before the cursor can become, each with IPython's own part of it in front.

        IPython replaces ``event.symbol``, the end of the word after the last of its delimiters.
        """
        try:
            typed = event.text_until_cursor
            start = _START.match(typed)
            if start is None:
                return []
            words, quote = _split(typed[start.end() :])
            word = words.pop() if quote or not typed[-1].isspace() else ""
            word, candidates = self._candidates(words, word)
            closed = event.line.startswith(quote, len(typed))
            return [
                event.symbol + _written(text[len(word) :], quote, closed)
                for text in candidates
                if text.startswith(word) and text.isprintable() and not _UNTYPABLE.search(text)
            ][:MOST]
        except Exception:
            return []  # whatever is wrong, pressing Tab is no place to say it

    def _candidates(self, words: Sequence[str], word: str) -> tuple[str, Iterable[str]]:
        """What could stand after these words, and the part of it that is typed already."""
        if not words:
            return word, _PARSERS
        parser = _PARSERS[words[0]]
        option, equals, value = word.partition("=")
        if equals and option in parser.valued:
            word = value
        else:
            option = words[-1]
        if option in ("--graph", "--task"):
            field = "graph_id" if option == "--graph" else "current_task_id"
            return word, sorted({getattr(row, field) for row in self._read("counts", Query())})
        if option == "--order":
            return word, [f"{sign}{order}" for order in ORDERS for sign in ("", "-")]
        if list(words) == ["show"]:
            return word, self._read("table", Query(id_prefix=word, order="id", limit=MOST)).id
        return word, [] if option in parser.valued else parser.options

    def _read(self, method: str, query: Query) -> Any:
        wb = self._workbench()
        return wb.bridge.run(getattr(wb.storage.background, method)(query))


def _split(line: str) -> tuple[list[str], str]:
    """The words of a line, and the quote that is still open at its end.

    As a shell does it, but a backslash is a character like others, for paths under Windows.
    """
    for quote in ("", "'", '"'):
        lexer = shlex.shlex(line + quote, posix=True)
        lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
        with suppress(ValueError):
            return list(lexer), quote
    raise AssertionError("a line has one quote open at most")


def _written(rest: str, quote: str, closed: bool) -> str:
    """The rest of a word as it has to be typed after an opening quote or none."""
    if not quote:
        return rest and shlex.quote(rest)
    other = "'" if quote == '"' else '"'
    return rest.replace(quote, quote + other + quote + other + quote) + quote * (not closed)


def load_ipython_extension(ipython: Any) -> None:
    """Give a shell the magics ``%gf`` and ``%%latency``; ``%load_ext graphflow_nb`` calls this."""
    lines = ipython.magics_manager.magics["line"]
    if isinstance(getattr(lines.get("gf"), "__self__", None), _Gf):
        return
    gf = _Gf(ipython)
    gf.cells.load()
    ipython.register_magic_function(gf.run, "line", "gf")
    ipython.set_hook("complete_command", gf.complete, str_key="%gf")
    ipython.set_hook("complete_command", gf.complete, re_key=_ASSIGNMENT)
    with suppress(ImportError):  # which older ones than IPython 8.6 raise
        from IPython.core.completer import context_matcher

        # A hook alone lets Jedi put Python's names in front of ours, as if these were code.
        def without_jedi(context: Any) -> dict[str, Any]:
            if not _START.match(context.text_until_cursor):
                return {"completions": []}
            return {**ipython.Completer.custom_completer_matcher(context), "do_not_suppress": set()}

        matcher = context_matcher(identifier=_MATCHER)(without_jedi)
        ipython.Completer.custom_matchers.append(matcher)


def unload_ipython_extension(ipython: Any) -> None:
    """Take the magics away again; the variables that they made stay."""
    gf = ipython.magics_manager.magics["line"].pop("gf", None)
    if gf is None:
        return
    gf.__self__.cells.unload()
    hooks = ipython.strdispatchers["complete_command"]
    hooks.strs.pop("%gf", None)
    hooks.regexs.pop(re.compile(_ASSIGNMENT), None)
    matchers = getattr(ipython.Completer, "custom_matchers", [])
    matchers[:] = [m for m in matchers if getattr(m, "matcher_identifier", None) != _MATCHER]
