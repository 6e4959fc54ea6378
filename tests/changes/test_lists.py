"""Merges of lists: against a reference that knows which element is which."""

from __future__ import annotations

import itertools
import json
import random

import pytest
from msgspec import Raw

from graphflow_nb import Merge
from graphflow_nb.changes import Draft
from graphflow_nb.changes.lists import merge_lists, merge_messages

from ..scope import size
from .kit import CHAT, stored


def merge(base, theirs, mine):
    """The merged list; None for a clash at the list."""
    merge = Merge(*(stored({"jobs": items}) for items in (base, theirs, mine)))
    if merge.clashes:
        (clash,) = merge.clashes
        assert clash.pointer == "/context/data/jobs"
        assert json.loads(bytes(clash.stored)) == theirs
        assert json.loads(bytes(clash.mine)) == mine
        return None
    return merge.session({}).context["jobs"]


def job(number, *, paid=False):
    return {"id": number, "paid": paid}


ONE, TWO, THREE, FOUR = map(job, (1, 2, 3, 4))
PAID_ONE, PAID_TWO, PAID_THREE = (job(number, paid=True) for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("base", "theirs", "mine", "merged"),
    [
        # A worker removed one and appended one.
        ([ONE, TWO], [TWO, THREE], [PAID_ONE, TWO], None),
        ([ONE], [TWO], [PAID_ONE], None),
        ([ONE, TWO], [TWO], [ONE, PAID_TWO], None),
        ([ONE, TWO, THREE], [ONE, THREE], [ONE, TWO, PAID_THREE], None),
        ([ONE, TWO], [TWO, ONE], [PAID_ONE, TWO], None),
        ([ONE, TWO], [FOUR, ONE, TWO], [PAID_ONE, TWO], None),
        ([ONE, TWO, THREE], [TWO, ONE, THREE], [ONE, TWO, PAID_THREE], None),
        ([ONE, TWO], [PAID_TWO, THREE], [ONE, {"id": 2, "note": ""}], None),
        # At the same place in all three.
        ([ONE, TWO], [ONE, PAID_TWO], [PAID_ONE, TWO], [PAID_ONE, PAID_TWO]),
        ([ONE, TWO], [ONE, TWO, THREE], [PAID_ONE, TWO], [PAID_ONE, TWO, THREE]),
        ([ONE, TWO], [PAID_ONE, TWO], [ONE, TWO, THREE], [PAID_ONE, TWO, THREE]),
        ([ONE, TWO], [PAID_ONE, TWO, THREE], [ONE, PAID_TWO], [PAID_ONE, PAID_TWO, THREE]),
        ([ONE, TWO, THREE], [PAID_ONE, PAID_TWO, THREE], [PAID_ONE, TWO, PAID_THREE],
         [PAID_ONE, PAID_TWO, PAID_THREE]),
        # Which of two equal elements, nobody knows.
        ([0, 0, 0], [0, 5, 0], [0, 0, 7], None),
        ([0, 0, 1], [0, 1, 2], [9, 0, 1], None),
        ([1], [1, 1], [2], None),
        ([1, 1, 2], [1, 1, 3], [1, 1, 2, 4], [1, 1, 3, 4]),
        ([1, 2], [1, 3], [1.0, 2], [1.0, 3]),
        ([1, True], [1, 0], [2, True], [2, 0]),
        # The order of what both appended is not known; one side's is.
        ([1], [1, 2], [1, 3], None),
        ([1], [1, 2], [1, 2], [1, 2]),
        ([], [1], [2], None),
        ([], [], [2], [2]),
        # Both changed one element: its members do not say that it is the same one.
        ([{"a": 1, "b": 1}], [{"a": 2, "b": 1}], [{"a": 1, "b": 2}], None),
        ([[1, 2], [3]], [[1, 2, 5], [3]], [[1, 2], [4]], [[1, 2, 5], [4]]),
        ([[1, 2], [3]], [[1, 2, 5], [3]], [[0, 2], [3]], None),
        ([ONE, TWO], [ONE, "two"], [ONE, PAID_TWO], None),
        ([ONE, TWO], {"1": ONE}, [ONE, PAID_TWO], None),
    ],
)  # fmt: skip
def test_a_list_merges_where_its_elements_are_certain(base, theirs, mine, merged):
    assert merge(base, theirs, mine) == merged
    assert merge(base, mine, theirs) == merged


def test_a_list_in_a_list_and_in_an_object():
    base = {"o": {"l": [[1], 2]}, "k": 1}
    theirs = {"o": {"l": [[1, 5], 2]}, "k": 2}
    mine = {"o": {"l": [[3], 2]}, "k": 1}
    (clash,) = Merge(*map(stored, (base, theirs, mine))).clashes
    assert clash.pointer == "/context/data/o/l"


def text(number):
    return {"role": "User", "content": str(number), "timestamp": f"2026-01-01T00:00:{number:02}Z"}


def test_messages_that_both_appended_follow_each_other():
    base = [text(n) for n in range(3)]

    def contents(theirs, mine):
        merge = Merge(*(stored({}, chat) for chat in (base, theirs, mine)))
        if merge.clashes:
            assert [clash.pointer for clash in merge.clashes] == ["/context/chat_history/messages"]
            return None
        return "".join(message.content for message in merge.session({}).context.chat_history)

    edited = [text(0) | {"content": "x"}, *base[1:]]
    assert contents([*base, text(3)], [*base, text(4)]) == "01234"
    assert contents([*base, text(3)], [*base, text(3), text(4)]) == "01234"
    assert contents([*base, text(3)], [*edited, text(4)]) == "x1234"
    assert contents([*edited, text(3)], [*base, text(4)]) == "x1234"
    # Both dropped the oldest at the limit.
    assert contents([*base[1:], text(3)], [*base[1:], text(4)]) == "1234"
    assert contents([*base[2:], text(3), text(5)], [*base, text(4)]) == "2354"
    # One side removed or changed what the other may have changed too.
    assert contents([text(3)], [*base, text(4)]) == "34"
    assert contents([base[0], base[2]], edited) is None
    assert contents([base[1], base[2], text(3)], edited) is None


def test_a_message_added_at_the_limit_merges_with_those_added_meanwhile():
    chat = [text(n) for n in range(3)]
    base = stored({}, chat)
    base = base.with_context_json(
        json.dumps({"data": {}, "chat_history": CHAT | {"messages": chat, "max_messages": 3}})
    )
    theirs, mine = Draft(base), Draft(base)
    theirs.add_message("User", "theirs")
    mine.add_message("User", "mine")
    merge = Merge(base, theirs.session(), mine.session())
    assert not merge.clashes
    found = [message.content for message in merge.session({}).context.chat_history]
    assert found == ["1", "2", "theirs", "mine"]


class Side:
    """One who changes a list and knows which element is which.

    An element is a name, which is its identity, and a value, which is what is seen.
    """

    def __init__(self, base, names):
        self.items = list(base)
        self.edits = {}
        self.removed = set()
        self._names = names

    def _new(self):
        name = next(self._names)
        return name, {"id": name, "paid": 0}

    def step(self, chance, merge, keep_id):
        items = self.items
        steps = ["edit", "edit", "append", "insert", "remove", "replace"]
        # A chat history is never put into another order.
        what = chance.choice([*steps, "move"] if merge is merge_lists else steps)
        place = chance.randrange(len(items)) if items else None
        if what == "append":
            items.append(self._new())
        elif what == "insert":
            items.insert(chance.randint(0, len(items)), self._new())
        elif place is None:
            return
        elif what == "edit":
            name, value = items[place]
            mark = next(self._names)
            self.edits[name] = value | ({"paid": mark} if keep_id else {"id": mark})
            items[place] = name, self.edits[name]
        elif what == "move":
            items.insert(chance.randrange(len(items)), items.pop(place))
        else:
            name, _ = items.pop(place)
            self.removed.add(name)
            self.edits.pop(name, None)
            if what == "replace":
                items.insert(place, self._new())


def merge_by_identity(base, theirs, mine):
    """The values of all elements, by name; None where both touched the same one."""
    for one, other in ((theirs, mine), (mine, theirs)):
        if one.edits.keys() & (other.removed | other.edits.keys()):
            return None
    found = dict(base) | {name: value for side in (theirs, mine) for name, value in side.items}
    for side in (theirs, mine):
        found |= {name: value for name, value in side.items if name in side.edits}
    removed = theirs.removed | mine.removed
    return {name: value for name, value in found.items() if name not in removed}


@pytest.mark.parametrize("keep_id", [False, True], ids=["edits change ids", "edits keep ids"])
@pytest.mark.parametrize("merge", [merge_lists, merge_messages])
def test_no_merge_takes_one_element_for_another(merge, keep_id):
    """A merge has each element as the side that touched it left it, or it is a clash."""
    chance = random.Random(repr((merge.__name__, keep_id)))
    merged = 0
    for _ in range(size(10_000, 1_500)):
        names = itertools.count()
        base = [
            (next(names), {"id": -1 - place, "paid": 0}) for place in range(chance.randint(0, 5))
        ]
        theirs, mine = Side(base, names), Side(base, names)
        for side in (theirs, mine):
            for _ in range(chance.choice([1, 1, 1, 2, 3])):
                side.step(chance, merge, keep_id)
        raws = [
            [Raw(json.dumps(value).encode()) for _, value in items]
            for items in (base, theirs.items, mine.items)
        ]
        found = merge(*raws)
        if found is None:
            continue
        merged += 1
        wanted = merge_by_identity(base, theirs, mine)
        values = [json.loads(bytes(item)) for item in found]
        case = (base, theirs.items, mine.items, values)
        assert wanted is not None, case
        assert sorted(map(repr, values)) == sorted(map(repr, wanted.values())), case
    assert merged > 100
