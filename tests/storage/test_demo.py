"""The sample sessions."""

from __future__ import annotations

import graphflow_nb as g


def test_demo():
    wb, other = g.open("demo"), g.open("demo")
    assert len(wb.sessions()) == 120
    session = wb.get("claim-0014")
    assert session.context["policy_number"] > 2**53
    assert session.updated_at.year == 2026
    assert len(session.context.chat_history) == 3
    session.context["documents"] = []
    wb.save(session)
    assert "documents" not in other.get("claim-0014").context
    assert set(wb.summary()["graph_id"]) == {"claims", "support"}
