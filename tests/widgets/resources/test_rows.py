"""Columns of resources: made from what there is, and no wider."""

from __future__ import annotations

from engine_bridge.bridge import Resource
from widgets.resources.rows import columns, flat


def test_columns_that_would_be_empty_are_hidden_and_warnings_take_what_they_need() -> None:
    def of(**more: str) -> dict[str, tuple[bool, int]]:
        rows = list(flat([Resource(kind="jobs", id="1", title="one", cells={"state": "over"}, **more)]))
        return {column.id: (column.hidden, column.width) for column in columns(rows)}

    bare, full = of(), of(warning="it failed", filter="job == 1")
    assert bare["runs"][0] and bare["warning"][0]
    assert not full["runs"][0] and not full["warning"][0] and full["warning"][1] < 120
    assert of(warning="w" * 200)["warning"][1] == 300
