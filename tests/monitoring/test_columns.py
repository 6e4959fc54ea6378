"""Ids are packed, and come out as they were."""

from __future__ import annotations

import pytest

from graphflow_nb import Latency, Recorder
from graphflow_nb.monitoring.columns import PORTION, Block, Chunk
from graphflow_nb.monitoring.operation import kind_of

GET = kind_of("get", "X")


@pytest.mark.parametrize(
    "id", [None, 5, [1], "\ud800", "a" * 36, "A1B2c3d4-0000-4000-8000-000000000000", "x\0y", ""]
)
def test_ids_that_no_store_takes_are_recorded_too(id):
    recorder = Recorder()
    for each in (id, "00000000-0000-4000-8000-000000000000"):
        recorder.put(1, 2, each, GET)
    shown = [o.session_id for o in recorder.operations()]
    assert shown[1] == "00000000-0000-4000-8000-000000000000"
    if id is None or (isinstance(id, str) and id != "\ud800"):
        assert shown[0] == id
    else:
        assert isinstance(shown[0], str)
    assert len(Latency(recorder).frame()) == 2


def test_ids_that_only_together_look_like_uuids():
    recorder = Recorder()
    whole = "00000000-0000-4000-8000-000000000000" * 2
    for id in (whole[:30], whole[30:]):
        recorder.put(1, 2, id, GET)
    assert [o.session_id for o in recorder.operations()] == [whole[:30], whole[30:]]


def test_a_block_gives_each_place_once():
    block = Block()
    assert [block.take() for _ in range(PORTION)] == list(range(PORTION))
    with pytest.raises(StopIteration):
        block.take()
    block.empty()
    assert block.take() == 0


def test_a_chunk_is_split_where_asked():
    block = Block()
    for number in range(10):
        at = block.take()
        block.starts[at], block.ends[at], block.ids[at] = number, 2 * number, str(number)
        block.codes[at] = GET.code
    chunk = Chunk.pack(block)
    assert chunk is not None
    first, rest = chunk.split(3)
    assert (len(first), len(rest)) == (3, 7)
    assert [*first.duration, *rest.duration] == list(range(10))
    assert first.nbytes < 2_000
    block.empty()
    assert Chunk.pack(block) is None
