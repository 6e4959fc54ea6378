"""A plain model of queries: lists and dicts, written without the code of any store."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

DIGITS = "0123456789"
MISSING = object()


@dataclass(frozen=True)
class Row:
    """A stored session."""

    id: str
    graph: str
    task: str
    status: str | None
    data: Mapping[str, Any]
    created: datetime
    updated: datetime

    def context_json(self) -> bytes:
        chat = {"messages": [], "max_messages": 1000}
        return json.dumps({"data": self.data, "chat_history": chat}).encode()


def are_equal(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal: numbers by value, and no number is a boolean."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(are_equal(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(are_equal, one, other))
    if isinstance(one, int | float | Decimal) and isinstance(other, int | float | Decimal):
        if isinstance(one, bool) or isinstance(other, bool):
            return one is other
        return Decimal(str(one)) == Decimal(str(other))
    return type(one) is type(other) and one == other


def _step(inside: Any, key: str) -> Any:
    if isinstance(inside, dict):
        return inside.get(key, MISSING)
    digits = key.lstrip(" \t\n\v\f\r")
    negative = digits.startswith("-")
    if digits[:1] in ("-", "+"):
        digits = digits[1:]
    if not isinstance(inside, list) or not digits or any(c not in DIGITS for c in digits):
        return MISSING
    for index, item in enumerate(reversed(inside) if negative else inside, start=negative):
        if str(index) == (digits.lstrip("0") or "0"):
            return item
    return inside[0] if negative and inside and not digits.strip("0") else MISSING


def _descend(inside: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        inside = _step(inside, key)
        if inside is MISSING:
            break
    return inside


def find(data: Any, path: str | Sequence[str]) -> Any:
    """Return the value at a path; MISSING where there is none."""
    if not isinstance(path, str):
        return _descend(data, path)
    parts = path.split(".")
    found = _descend(data, parts)
    lengths = range(len(parts), 1, -1) if len(parts) <= 6 else [len(parts)]
    for length in lengths:
        for start in range(len(parts) - length + 1):
            if found is MISSING:
                key = ".".join(parts[start : start + length])
                found = _descend(data, [*parts[:start], key, *parts[start + length :]])
    return found


def select(rows: Sequence[Row], filters: Mapping[str, Any]) -> list[Row]:
    """Return the rows that filters select, named as ``wb.sessions`` names them."""
    filters = dict(filters)
    if filters.pop("ignore_case", False):
        folded = {name: _fold(filters[name]) for name in ("status", "text") if name in filters}
        rest = {name: filters[name] for name in filters.keys() - folded.keys()}
        texts = [
            replace(row, id=_fold(row.id), status=row.status and _fold(row.status)) for row in rows
        ]
        rows = [row for row, text in zip(rows, texts, strict=True) if _meets(text, folded)]
        filters = rest
    return [row for row in rows if _meets(row, filters)]


def _meets(row: Row, filters: Mapping[str, Any]) -> bool:
    return all(_passes(row, *item) for item in filters.items())


def _fold(text: str) -> str:
    """Return a text in lower case, of the letters that have one upper and one lower case."""
    pairs = ((c, c.lower()) for c in text)
    return "".join(low if len(low) == 1 and low.upper() == c else c for c, low in pairs)


def _compare(found: Any, operator: str, wanted: Any) -> bool:
    if found is MISSING or operator == "!=":
        return found is not MISSING and not are_equal(found, wanted)
    if isinstance(found, bool) or type(found) is not type(wanted):
        numbers = isinstance(found, int | float) and isinstance(wanted, int | float)
        if not numbers or isinstance(found, bool):
            return False
    if not isinstance(found, int | float | str):
        return False
    if isinstance(found, str):
        # UTF-8 is in the order of code points.
        sides: tuple[Any, Any] = (found.encode(), wanted.encode())
    else:
        sides = (Decimal(str(found)), Decimal(str(wanted)))
    less, same = sides[0] < sides[1], sides[0] == sides[1]
    return {"<": less, "<=": less or same, ">": not less and not same, ">=": not less}[operator]


def _passes(row: Row, name: str, wanted: Any) -> bool:
    match name:
        case "graph" | "task":
            return bool(getattr(row, name) == wanted)
        case "status":
            return row.status is not None and wanted in row.status
        case "text":
            return wanted in row.id or (row.status is not None and wanted in row.status)
        case "id_prefix":
            return row.id[: len(wanted)] == wanted
        case "ids":
            return row.id in wanted
        case "updated_since" | "created_since":
            return bool(getattr(row, name.partition("_")[0]) >= wanted)
        case "updated_until" | "created_until":
            return bool(getattr(row, name.partition("_")[0]) < wanted)
        case "where":
            values = [(find(row.data, path), value) for path, value in wanted.items()]
            return all(found is not MISSING and are_equal(found, v) for found, v in values)
        case "has":
            return all(find(row.data, path) is not MISSING for path in wanted)
        case "lacks":
            return all(find(row.data, path) is MISSING for path in wanted)
        case "compare":
            return all(_compare(find(row.data, path), sign, value) for path, sign, value in wanted)
    raise AssertionError(name)


def order(rows: Sequence[Row], by: str) -> list[Row]:
    """Return the rows in an order, as ``wb.sessions`` names it."""
    times = {"id": lambda _: timedelta(0), "created_at": lambda r: r.created}
    time = times.get(by.removeprefix("-"), lambda r: r.updated)
    return sorted(rows, key=lambda r: (time(r), r.id), reverse=by.startswith("-"))


def count_groups(rows: Sequence[Row]) -> dict[tuple[str, str], tuple[int, datetime, datetime]]:
    """Return for each graph and task the number of rows, the oldest and the newest update."""
    groups: dict[tuple[str, str], list[datetime]] = {}
    for row in rows:
        groups.setdefault((row.graph, row.task), []).append(row.updated)
    return {place: (len(times), min(times), max(times)) for place, times in groups.items()}
