"""Broken storages, each of which fails the properties of queries that it breaks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

import graphflow_nb as g
from graphflow_nb.testing import queries

from .kit import Broken, find_failing, properties_of


class Misreads(Broken):
    """Answers another query than the one that is asked."""

    def misread(self, query):
        raise NotImplementedError

    async def query(self, query):
        return await super().query(self.misread(query))

    async def table(self, query, context=()):
        return await super().table(self.misread(query), context)

    async def count(self, query):
        return await super().count(self.misread(query))

    async def counts(self, query):
        return await super().counts(self.misread(query))


class IgnoresTheTask(Misreads):
    def misread(self, query):
        return replace(query, task=None)


class IncludesUntil(Misreads):
    def misread(self, query):
        for name in ("updated_until", "created_until"):
            if (until := getattr(query, name)) is not None:
                query = replace(query, **{name: until + timedelta(microseconds=1)})
        return query


class PagesByNumber(Broken):
    """OFFSET: what is deleted in front makes it skip."""

    def __init__(self):
        super().__init__()
        self.shown = 0

    async def table(self, query, context=()):
        whole = await super().table(replace(query, limit=None, after=None), context)
        start = 0 if query.after is None else self.shown
        ids = list(whole.id)[start : start + (query.limit or len(whole))]
        self.shown = start + len(ids)
        part = await super().table(replace(query, ids=ids, limit=None, after=None), context)
        more = self.shown < len(whole)
        part.next = g.Cursor(query.order, ids[-1] if ids else "") if more and ids else None
        return part


class PagesByTimeAlone(Broken):
    async def table(self, query, context=()):
        if query.after is None or query.after.time is None:
            return await super().table(query, context)
        edge = {"updated_at": "updated", "created_at": "created"}[query.order_by]
        name = f"{edge}_until" if query.descending else f"{edge}_since"
        return await super().table(replace(query, after=None, **{name: query.after.time}), context)


class NoContextColumns(Broken):
    async def table(self, query, context=()):
        table = await super().table(query, context)
        table.context = [[None] * len(table) for _ in context]
        return table


class NeverEmpty(Broken):
    async def count(self, query):
        return max(1, await super().count(query))


class CountsByGraph(Broken):
    async def counts(self, query):
        return (await super().counts(query))[:1]


class ListsWellFormed(Broken):
    async def table(self, query, context=()):
        table = await super().table(query, context)
        keep = [id for id in table.id if "malformed" not in id]
        return await super().table(replace(query, ids=keep), context)


MUTANTS = {
    IgnoresTheTask: {"filters"},
    IncludesUntil: {"times_filter"},
    PagesByNumber: {"pages_while_others_write"},
    PagesByTimeAlone: {"order_and_pages", "pages_of_equal_times"},
    NoContextColumns: {"columns_of_a_table"},
    NeverEmpty: {"an_empty_store"},
    CountsByGraph: {"counts_by_task"},
    ListsWellFormed: {"odd_values_are_listed"},
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_what_is_broken_is_found(mutant):
    assert find_failing(mutant, MUTANTS[mutant]) == MUTANTS[mutant]


def test_every_property_can_fail():
    assert properties_of(queries) == set().union(*MUTANTS.values())
