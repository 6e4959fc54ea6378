"""``%gf``: the workbench by short commands, with completion, after ``%load_ext graphflow_nb``."""

from __future__ import annotations

import argparse
import re
import shlex
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from ...errors import GraphflowError, QueryError
from ...storage.capabilities import require
from ...storage.estimates import (
    Estimate,
    answer_briefly,
    count_groups_briefly,
    sample_groups,
)
from ...storage.protocols import SupportsTable
from ...storage.query import ORDERS, Query
from ...storage.table import GroupCount
from ...storage.url import mask_text
from ..workbench import Workbench
from ..workbench import open as open_workbench
from .latency import CellLatency

if TYPE_CHECKING:
    import pandas as pd

    from ...model import Session
    from ...storage.table import GroupCount
    from ..browse import Browser
    from ..latency import Latency

__all__ = ["load_ipython_extension", "unload_ipython_extension"]

MAX_ROWS: Final = 50  # sessions shown unless more are asked for
MAX_OFFERED: Final = 50  # completions of one word
SAMPLE_SECONDS: Final = 0.5  # that Tab may wait for tasks: the first look goes to the disk
GROUPS_SECONDS: Final = 10.0  # for which Tab offers the graphs and tasks that were counted

_MATCHER: Final = "graphflow_nb.gf"
_ASSIGNMENT: Final = r"[^%]*=\s*%gf\s"  # sessions = %gf …
_START: Final = re.compile(rf"\s*%?gf\s|{_ASSIGNMENT}")
# IPython expands braces and $, and a backslash before the end of the line continues it: a text with
# one of these is not offered, since it would mean something else when typed.
_UNTYPABLE: Final = re.compile(r"[{}$\\]")


class _Parser(argparse.ArgumentParser):
    """The arguments of one command. Wrong ones raise; argparse itself would end the kernel.

    Args:
        command: The name of the command.
        description: A description of what it does.
    """

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
        self.valued: list[str] = []  # the options that take one value

    def add_option(self, name: str, **settings: Any) -> None:
        """Add an option; see ``add_argument`` for the settings."""
        self.add_argument(name, **settings)
        self.options.append(name)
        if "action" not in settings:
            self.valued.append(name)

    def usage_line(self) -> str:
        """Return the command with its arguments."""
        return " ".join(self.format_usage().split()).removeprefix("usage: ")

    def parse(self, words: Iterable[str]) -> dict[str, Any]:
        """Return the values of the arguments that were typed.

        Raises:
            QueryError: An argument is wrong, or one is missing.
        """
        joined: list[str] = []
        for word in words:
            # argparse takes the value of `--order -id`, and an id like `-7`, for an option.
            if joined and joined[-1] in self.valued and not word.startswith("--"):
                joined[-1] += f"={word}"
            else:
                joined += ["--", word] if word[:1] == "-" and not self.options else [word]
        return vars(self.parse_args(joined))

    def error(self, message: str) -> NoReturn:
        raise QueryError(f"{mask_text(message)}; type {self.usage_line()}") from None


def _make_parsers() -> dict[str, _Parser]:
    descriptions = {
        "open": "Open a store (demo, sqlite:path, postgresql://…) as wb, or as NAME.",
        "sessions": f"Show sessions as a DataFrame, by default the newest {MAX_ROWS}.",
        "show": "Show one session as a card.",
        "browse": "Find, read and edit sessions in a widget.",
        "summary": "Show how many sessions are at each task, and since when.",
        "latency": "Show what the operations cost.",
        "help": "Show this help.",
    }
    parsers = {command: _Parser(command, text) for command, text in descriptions.items()}
    opened, sessions = parsers["open"], parsers["sessions"]
    opened.add_argument("url", metavar="URL", nargs="?")
    opened.add_option("--writable", action="store_true")
    opened.add_option("--create", action="store_true")
    opened.add_option("--table", metavar="schema.table")
    opened.add_option("--mask", metavar="KEY", action="append", type=_read_mask)
    opened.add_option("--as", metavar="NAME", dest="name", type=_check_name)
    for parser in (sessions, parsers["browse"]):
        parser.add_option("--graph", metavar="G")
        parser.add_option("--task", metavar="T")
        parser.add_option("--status", metavar="TEXT")
    sessions.add_option("--id-prefix", metavar="P")
    sessions.add_option("--order", metavar="O")
    sessions.add_option("--limit", metavar="N", type=int)
    sessions.add_option("--context", metavar="PATH", nargs="+", action="extend")
    parsers["show"].add_argument("id", metavar="ID")
    return parsers


def _read_mask(text: str) -> tuple[str, bool]:
    """Return the name of a key, and whether what is under it is hidden: ``cookie=off`` shows it."""
    name, equals, value = text.partition("=")
    if equals and value not in ("on", "off"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither KEY nor KEY=off")
    return name, value != "off"


def _check_name(text: str) -> str:
    if not text.isidentifier() or iskeyword(text):
        raise argparse.ArgumentTypeError(f"{text!r} can't be the name of a variable")
    return text


_PARSERS: Final = _make_parsers()


class _Choices(NamedTuple):
    """The words that can be at the cursor, and the part that is typed already."""

    typed: str
    texts: Iterable[str]


class GfMagic:
    """The magic ``%gf`` of one shell.

    Args:
        shell: The IPython shell.
    """

    def __init__(self, shell: Any):
        self._shell = shell
        self.cells = CellLatency(shell)
        self._opened: Workbench | None = None
        self._groups: _Groups | None = None
        self._commands: Mapping[str, Callable[..., Any]] = {
            "open": self._open,
            "sessions": self._sessions,
            "show": self._show,
            "browse": self._browse,
            "summary": self._summary,
            "latency": self._latency,
            "help": self._help,
        }

    def run(self, line: str) -> Any:
        try:
            return self._run(line)
        except GraphflowError as error:
            # IPython asks an exception for this: a traceback says nothing about a typo.
            lines = [f"Error: {error}"]
            vars(error)["_render_traceback_"] = lambda: lines
            raise

    def _run(self, line: str) -> Any:
        words, quote = _split(line)
        if quote:
            raise QueryError(f"a quote is not closed: type another {quote}")
        command, *rest = words or ["help"]
        parser = _PARSERS.get(command)
        if parser is None:
            raise QueryError(
                f"%gf has no command {mask_text(command)!r}; type %gf and one of "
                f"{', '.join(_PARSERS)}"
            )
        return self._commands[command](**parser.parse(rest))

    run.__doc__ = "See the sessions of a graph-flow store by short commands.\n\n" + "\n".join(
        f"{parser.usage_line()}\n    {parser.description}" for parser in _PARSERS.values()
    )

    def _workbench(self) -> Workbench:
        found = self._opened or self._shell.user_ns.get("wb")
        if not isinstance(found, Workbench):
            raise QueryError("no store is open; type %gf open URL, e.g. %gf open demo")
        return found

    def _open(
        self,
        url: str | None = None,
        name: str = "wb",
        mask: Sequence[tuple[str, bool]] = (),
        **options: Any,
    ) -> Workbench:
        names = dict(mask)
        if "off" in names and len(names) > 1:
            raise QueryError("--mask off shows all secrets: name no other key with it")
        if names:
            options["mask"] = False if "off" in names else names
        self._opened = open_workbench(url, **options)
        self._shell.push({name: self._opened})
        return self._opened

    def _sessions(self, **arguments: Any) -> pd.DataFrame:
        frame = self._workbench().sessions(**{"limit": MAX_ROWS} | arguments)
        if "limit" not in arguments and frame.attrs["next"] is not None:
            print(f"The first {MAX_ROWS} sessions; there are more, add --limit N.")
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
        """Return what the word before the cursor can become.

        Args:
            event: The event of IPython, which replaces ``event.symbol`` by one of the texts: the
                end of the word after the last of its delimiters.
        """
        try:
            typed = event.text_until_cursor
            start = _START.match(typed)
            if start is None:
                return []
            words, quote = _split(typed[start.end() :])
            word = words.pop() if quote or not typed[-1].isspace() else ""
            choices = self._find_choices(words, word)
            closed = event.line.startswith(quote, len(typed))
            return [
                event.symbol + _quote_rest(text[len(choices.typed) :], quote, closed)
                for text in choices.texts
                if text.startswith(choices.typed)
                and text.isprintable()
                and not _UNTYPABLE.search(text)
            ][:MAX_OFFERED]
        except Exception:
            return []  # pressing Tab is not the place to say what is wrong

    def _find_choices(self, words: Sequence[str], word: str) -> _Choices:
        """Return what can follow these words."""
        if not words:
            return _Choices(word, _PARSERS)
        parser = _PARSERS[words[0]]
        option, equals, value = word.partition("=")
        if equals and option in parser.valued:
            word = value
        else:
            option = words[-1]
        if option == "--graph":
            return _Choices(word, sorted({count.graph_id for count in self._count_groups()}))
        if option == "--task":
            return _Choices(word, sorted({count.current_task_id for count in self._count_groups()}))
        if option == "--order":
            return _Choices(word, [f"{sign}{order}" for order in ORDERS for sign in ("", "-")])
        if list(words) == ["show"]:
            return _Choices(word, self._find_ids(word))
        return _Choices(word, [] if option in parser.valued else parser.options)

    # Background traffic: pressing Tab is not an operation of the user's.

    def _count_groups(self) -> Sequence[GroupCount]:
        wb = self._workbench()
        known = self._groups
        if known is None or known.store is not wb or time.monotonic() - known.at > GROUPS_SECONDS:
            storage = wb.storage.background
            groups = wb.bridge.run(count_groups_briefly(storage))
            if isinstance(groups, Estimate):
                # Where counting takes long, Tab offers what some of the sessions have.
                sampled = wb.bridge.run(
                    answer_briefly(storage, sample_groups(storage), SAMPLE_SECONDS)
                )
                if sampled is None:  # the next Tab tries again
                    return ()
                groups = sampled
            known = self._groups = _Groups(wb, groups, time.monotonic())
        return known.groups

    def _find_ids(self, prefix: str) -> Sequence[str]:
        wb = self._workbench()
        storage = wb.storage.background
        query = Query(id_prefix=prefix, order="id", limit=MAX_OFFERED)
        reading = require(storage, SupportsTable).table(query)
        table = wb.bridge.run(answer_briefly(storage, reading))
        return () if table is None else table.id


class _Groups(NamedTuple):
    """The sessions at each task of a store, and when they were counted."""

    store: Workbench
    groups: Sequence[GroupCount]
    at: float


class _Line(NamedTuple):
    """The words of a line, and the quote that is still open at its end; empty if none is."""

    words: list[str]
    quote: str


def _split(line: str) -> _Line:
    """Split a line.

    As a shell splits it, but a backslash is a character like others, for paths under Windows.
    """
    for quote in ("", "'", '"'):
        lexer = shlex.shlex(line + quote, posix=True)
        lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
        with suppress(ValueError):
            return _Line(list(lexer), quote)
    raise AssertionError("a line has at most one open quote")


def _quote_rest(rest: str, quote: str, closed: bool) -> str:
    """Return the rest of a word as it must be typed.

    Args:
        rest: The rest of the word.
        quote: The quote that was opened before it; empty if none was.
        closed: Whether that quote is already closed after the cursor.
    """
    if not quote:
        return rest and shlex.quote(rest)
    other = "'" if quote == '"' else '"'
    return rest.replace(quote, quote + other + quote + other + quote) + quote * (not closed)


def load_ipython_extension(ipython: Any) -> None:
    """Give a shell the magics ``%gf`` and ``%%latency``; ``%load_ext graphflow_nb`` calls this.

    Args:
        ipython: The IPython shell.
    """
    lines = ipython.magics_manager.magics["line"]
    if isinstance(getattr(lines.get("gf"), "__self__", None), GfMagic):
        return
    gf = GfMagic(ipython)
    gf.cells.load()
    ipython.register_magic_function(gf.run, "line", "gf")
    ipython.set_hook("complete_command", gf.complete, str_key="%gf")
    ipython.set_hook("complete_command", gf.complete, re_key=_ASSIGNMENT)
    with suppress(ImportError):  # which IPython before 8.6 raises
        from IPython.core.completer import context_matcher

        # With a hook alone, Jedi puts Python's names in front of ours, as if the line were code.
        def without_jedi(context: Any) -> dict[str, Any]:
            if not _START.match(context.text_until_cursor):
                return {"completions": []}
            return {**ipython.Completer.custom_completer_matcher(context), "do_not_suppress": set()}

        matcher = context_matcher(identifier=_MATCHER)(without_jedi)
        ipython.Completer.custom_matchers.append(matcher)


def unload_ipython_extension(ipython: Any) -> None:
    """Remove the magics again; the variables that they made stay.

    Args:
        ipython: The IPython shell.
    """
    gf = ipython.magics_manager.magics["line"].pop("gf", None)
    if gf is None:
        return
    gf.__self__.cells.unload()
    hooks = ipython.strdispatchers["complete_command"]
    hooks.strs.pop("%gf", None)
    hooks.regexs.pop(re.compile(_ASSIGNMENT), None)
    matchers = getattr(ipython.Completer, "custom_matchers", [])
    matchers[:] = [m for m in matchers if getattr(m, "matcher_identifier", None) != _MATCHER]
