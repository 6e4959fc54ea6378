"""The sample sessions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import graphflow_nb as g
from graphflow_nb.storage.demo import demo_storage


def test_demo():
    wb, other = g.open("demo"), g.open("demo")
    assert len(wb.sessions()) == 120
    session = wb.get("claim-0014")
    assert session.context["policy_number"] > 2**53
    assert len(session.context.chat_history) == 3
    session.context["documents"] = []
    wb.save(session)
    assert "documents" not in other.get("claim-0014").context
    assert set(wb.summary()["graph_id"]) == {"claims", "support"}


def test_its_times_are_spread_up_to_now():
    now = datetime(2030, 1, 1, tzinfo=UTC)
    wb = g.wrap(demo_storage(now))
    ages = now - wb.sessions()["updated_at"]
    assert ages.min() == timedelta(minutes=2)
    assert ages.max() == timedelta(days=12)
    assert timedelta(hours=1) < ages.median() < timedelta(hours=6)
    for id in wb.sessions()["id"]:
        session = wb.get(id)
        times = [message.timestamp for message in session.context.chat_history]
        assert [session.created_at, *times, session.updated_at] == sorted(
            [session.created_at, *times, session.updated_at]
        )
