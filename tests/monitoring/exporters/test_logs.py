"""Operations arrive in logging as what they were."""

from __future__ import annotations

import logging

import graphflow_nb as g
from graphflow_nb import MonitoredStorage, Operation, Recorder

from .kit import SECRET, record_of, use


def test_a_record_says_what_an_operation_was(url, kind, run, caplog):
    recorder = Recorder()
    caplog.set_level(logging.DEBUG, "graphflow_nb.operations")

    async def main():
        inner = await g.connect(url)
        storage = MonitoredStorage(inner, [g.LoggingHook(), recorder])
        await use(storage)
        await storage.close()
        return type(inner).__name__

    name = run(main())
    records = [r for r in caplog.records if r.name == "graphflow_nb.operations"]
    told = [(r.levelname, r.graphflow_outcome, r.graphflow_error) for r in records]
    assert told == [
        ("DEBUG", "ok", None),
        ("DEBUG", "ok", None),
        ("DEBUG", "missing", None),
        ("WARNING", "conflict", "SessionConflict"),
    ]
    for record, operation in zip(records, recorder.operations(), strict=True):
        assert record.graphflow_op == operation.op
        assert record.graphflow_storage == name
        assert record.graphflow_session_id == operation.session_id
        assert record.graphflow_slow is False
        measured = {
            f"graphflow_{phase}_ms": getattr(operation, f"{phase}_ns") / 1e6
            for phase in ("wait", "encode", "execute", "decode")
        }
        measured |= {"graphflow_bytes": operation.bytes, "graphflow_rows": operation.rows}
        if kind == "memory":  # which reports none of them
            assert not measured.keys() & vars(record).keys()
        else:
            assert {name: getattr(record, name) for name in measured} == measured
        assert record.graphflow_duration_ms == operation.duration_ns / 1e6
        assert record.graphflow_code is None
        assert record.graphflow_origin == operation.origin == "user"
        assert SECRET not in str(vars(record))
    assert records[3].getMessage().startswith(f"save 'a' in {name}: conflict (SessionConflict)")


def test_slow_ones_are_warnings(caplog):
    slow = Operation("get", "Own", "a", 0, 5_000_000)
    assert record_of(slow, caplog, slow_ms=5).levelname == "WARNING"
    assert record_of(slow, caplog, slow_ms=5).graphflow_slow is True
    assert record_of(slow, caplog, slow_ms=5.1, level=logging.INFO).levelname == "INFO"
    assert record_of(slow, caplog, slow_ms=5, level=logging.ERROR).levelname == "ERROR"


def test_an_id_makes_no_lines_of_its_own(caplog):
    forged = Operation("get", "Own", "a\nERROR all is lost", 0, 1)
    assert "\n" not in record_of(forged, caplog).getMessage()


def test_nothing_is_logged_below_the_level(caplog):
    logger = logging.getLogger("tests.quiet")
    logger.setLevel(logging.WARNING)
    hook = g.LoggingHook(logger)
    hook.on_operation(Operation("get", "Own", "a", 0, 1))
    assert not caplog.records
    hook.on_operation(Operation("get", "Own", "a", 0, 1, outcome="error", error="StorageError"))
    assert [r.graphflow_error for r in caplog.records] == ["StorageError"]


def test_a_read_for_the_journal_says_so(caplog):
    read = Operation("get", "Own", "a", 0, 1, origin="journal")
    record = record_of(read, caplog)
    assert record.graphflow_origin == "journal"
    assert record.getMessage() == "get 'a' in Own: ok after 0.000 ms, for the journal"
