"""Where in a text tables have secrets: CSV, Markdown, what a database's shell prints.

The first line of a table names its columns. What is below the name of a secret is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from .secret_neighbours import Kind, is_innocent_item, may_be_name

__all__ = ["find_cells", "find_heads"]

#: The names of columns, each of one word or in quotes; between bars also of more. Before the first
#: may be what is said of the table.
_HEAD: Final = re.compile(
    r"""[ ]*+(?:[^\W\d][^,;|\t\n"']{0,60}+|"[^"\n]{1,60}"|'[^'\n]{1,60}')[ ]*+"""
    r"""(?:[,;|\t][ ]*+(?:[^\W\d][\w.-]{0,60}+|"[^"\n]{1,60}"|'[^'\n]{1,60}')?[ ]*+)+"""
    r"""|[ ]*+\|[ ]*+[^\W\d][^|\n]*\|.*"""
    r"""|[ ]*+[^\W\d][\w. -]{0,60}+(?:\|[^|\n]+)+"""
)
#: A line between the head of a table and what is below it, or around it.
_RULE: Final = re.compile(r"[ \t]*[|+:-][-+|:= \t]*")
_SEPARATORS: Final = "\t;,"
_MOST_COLUMNS: Final = 200
_MOST_OVERLAPS: Final = 10


def find_cells(text: str, kind: Kind) -> Iterator[tuple[int, int]]:
    """Yield where the cells of tables in a text are that hold secrets, without their quotes.

    Example:
        >>> from graphflow_nb.secret_keys import secret_kind
        >>> from graphflow_nb.secret_tables import find_cells
        >>> text = "user,password\\nann,x1\\nbob,y2"
        >>> [text[start:end] for start, end in find_cells(text, secret_kind)]
        ['x1', 'y2']

    Args:
        text: The text.
        kind: Returns what kind of secret is under a key.
    """
    start = ended = overlaps = 0
    while (end := text.find("\n", start)) >= 0:
        line = text[start:end].rstrip("\r")
        if start >= ended:
            overlaps = 0
        # A row may look like a head; all of a long table is not read again for each of its rows.
        if overlaps < _MOST_OVERLAPS and _HEAD.fullmatch(line) is not None:
            find = _find_between_bars if "|" in line else _find_separated
            cells, until = find(text, line, end + 1, kind)
            yield from cells
            overlaps += until > end + 1
            ended = max(ended, until)
        start = end + 1


#: The cells that hold secrets of a table, and where in the text it ends.
_Table: TypeAlias = tuple[list[tuple[int, int]], int]


def _find_between_bars(text: str, line: str, start: int, kind: Kind) -> _Table:
    found: list[tuple[int, int]] = []
    columns = _find_columns(_split_bars(line), kind)
    if not columns:
        return found, start
    edge = line.lstrip().startswith("|")
    at = start
    for at, row in _read_bars(text, start):
        cells = list(_cells_between_bars(row, edge=edge))
        places = (cells[column] for column in columns if column < len(cells))
        found += [(at + first, at + last) for first, last in places if first < last]
    return found, at


def _split_bars(line: str) -> list[str]:
    edge = line.lstrip().startswith("|")
    return [line[start:end] for start, end in _cells_between_bars(line, edge=edge)]


def _cells_between_bars(line: str, *, edge: bool) -> Iterator[tuple[int, int]]:
    """Yield where the cells of a line are, without the blanks around them."""
    start = line.find("|") + 1 if edge else 0
    for match in re.finditer(r"(?:[^|\\]|\\.)*", line[start:]):
        cell = match[0]
        if match.start() and line[start + match.start() - 1] != "|":
            continue  # empty, at the end of the one before
        left = len(cell) - len(cell.lstrip())
        yield start + match.start() + left, start + match.start() + max(left, len(cell.rstrip()))


def _read_bars(text: str, start: int) -> list[tuple[int, str]]:
    """Return the lines of a table with their places, from below its head."""
    rows = []
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end].rstrip("\r")
        if _RULE.fullmatch(line) is None:
            if "|" not in line:
                break
            rows.append((start, line))
        start = end + 1
    return rows


def _find_separated(text: str, line: str, start: int, kind: Kind) -> _Table:
    separator = next((sign for sign in _SEPARATORS if sign in line), "")
    head = [cell for cell, _, _ in next(_read_rows(line, 0, separator))]
    columns = _find_columns(head, kind)
    found: list[tuple[int, int]] = []
    if not columns or len(head) < 2:
        return found, start
    certain, at = False, start
    for n, row in enumerate(_read_rows(text, start, separator)):
        if len(row) < 2 or (n == 0 and len(row) != len(head)):
            break
        certain = certain or any(cell and not is_innocent_item(cell) for cell, _, _ in row)
        # With more cells than names one has the separator in it.
        more = range(min(columns), len(row)) if len(row) > len(head) else columns
        found += [row[n][1:] for n in more if n < len(row) and row[n][0]]
        at = row[-1][2]
    return (found if certain else []), at  # words alone may be a list of them


def _find_columns(head: Sequence[str], kind: Kind) -> list[int]:
    names = enumerate(head[:_MOST_COLUMNS])
    return [n for n, name in names if may_be_name(name) and kind(name) is not None]


def _read_rows(text: str, start: int, separator: str) -> Iterator[list[tuple[str, int, int]]]:
    """Yield the cells of each row with their places; texts in quotes may have line breaks."""
    row = []
    for match in _cell_pattern(separator).finditer(text, start):
        quoted, bare, end = match.groups()
        if quoted is not None:
            row.append((quoted, *match.span(1)))
        else:
            cell = bare.rstrip()
            row.append((cell, match.start(2), match.start(2) + len(cell)))
        if end != separator:
            yield row
            row = []
        if not end:
            return


@lru_cache
def _cell_pattern(separator: str) -> re.Pattern[str]:
    other = rf"[^{separator}\n]*+"
    return re.compile(rf"""[ ]*+(?:"((?:[^"]|"")*+)"?+{other}|({other}))({separator}|\n|\Z)""")


# What is quick, for JSON texts of a megabyte in which mostly nothing is secret.

_WORDS: Final = re.compile(r"[^,;|\t\"'\\]+")


def find_heads(text: str, kind: Kind, *, escaped: bool) -> Iterator[str]:
    """Yield the names of secrets in what may be the heads of tables, as the text has them.

    Args:
        text: A JSON text, or another one.
        kind: Returns what kind of secret is under a key.
        escaped: Whether it is JSON, in which line breaks are escapes.
    """
    lines = text.split("\\n" if escaped else "\n")
    lines.pop()
    for line in lines:
        if escaped:
            if "\\" in line:
                line = line.replace('\\"', "'").replace("\\t", "\t").removesuffix("\\r")
            line = line.rpartition('"')[2]
        if len(line) < 10_000 and _HEAD.fullmatch(line.rstrip("\r")) is not None:
            for match in _WORDS.finditer(line):
                name = match[0].strip(" *`")
                if may_be_name(name) and kind(name) is not None:
                    yield name
