"""Buckets of times kept as texts: grouped as coarsely as their width allows, and never beside their bucket."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from engine_bridge.engines.entity_state.facets_time import MS, buckets_of
from engine_bridge.engines.entity_state.mapping import EntityMap, WorkflowMap
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.store_time import Instant, to_ns

TEXTS = (
    "2026-03-29 01:59:59.999999", "2026-03-29 02:00:00.000000", "2026-03-29 02:30:00", "2026-03-29T23:45:01+05:45",
    "2026-03-29 23:45:01-03:30", "2026-03-29 00:00:00+00:00", "2026-03-29", "2026-10-25 02:30:00.5", "no time", None,
)  # fmt: skip
WIDTHS = (1, 15, 60, 1_800, 3_600, 10_800, 86_400, 604_800)


@pytest.mark.parametrize("unit", ["naive_utc", "timestamptz", "naive:Europe/Berlin", "naive:Asia/Kathmandu"])
def test_a_cut_text_falls_into_the_bucket_of_the_whole_one(unit: str) -> None:
    bound = Bound(WorkflowMap(type="x", profile="plain", entity=EntityMap(table="x")), {}, "")
    bound.created_at = sa.Column("at", Instant(unit, None, False))
    made = sa.Table("x", sa.MetaData(), bound.created_at)
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE x (at TEXT)")
        for width in WIDTHS:
            ((columns, decode),) = buckets_of(bound, width * 1_000, "sqlite")
            for text in TEXTS:
                connection.exec_driver_sql("DELETE FROM x")
                connection.exec_driver_sql("INSERT INTO x VALUES (?)", (text,))
                row = connection.execute(sa.select(*columns).select_from(made)).one()
                ns, found = None if text is None else to_ns(text, unit), decode(row)
                want = None if ns is None else ns // MS // (width * 1_000)
                assert (None if found is None else found // (width * 1_000)) == want, (width, text, row)
                assert width < 3_600 or text is None or len(row[0]) <= 16
    engine.dispose()
