"""Filters that find nothing say which of their values was never seen."""

from __future__ import annotations

import pytest

from engine_bridge.bridge import Field, FieldType
from engine_bridge.query import parse
from engine_bridge.query.doubts import doubt

FIELDS = [
    Field(name="state", type=FieldType.TEXT, values=("pending_email", "pending_documents", "active")),
    Field(name="id", type=FieldType.TEXT),
    Field(name="here_for", type=FieldType.DURATION),
]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ""),
        ("state == active and here_for > 3d", ""),
        ("state contains zzz or state ~ 'pend*'", ""),
        ("id == u-1", ""),
        ("state == on_hold", "No state “on_hold” was seen. Seen: pending_email, pending_documents, active."),
        ("here_for > 3d and state in (active, pending_dokuments)", "No state “pending_dokuments” was seen. "
         "Did you mean pending_documents?"),
    ],
)  # fmt: skip
def test_values_that_nobody_saw_are_doubted(text: str, told: str) -> None:
    assert doubt(parse(text, FIELDS), FIELDS) == told
