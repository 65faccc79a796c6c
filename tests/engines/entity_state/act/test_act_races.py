"""Several operators on the same rows: nothing is lost, no history link is broken, and every loser is told who won."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engines.entity_state.act.tools import Place

ROOT = Path(__file__).parents[4]


def entities(place: Place, count: int) -> list[str]:
    """Drafts of their own, without history."""
    ids = [f"race-{number:03d}" for number in range(count)]
    with place.engine.begin() as connection:
        for name in ids:
            connection.exec_driver_sql(
                f"INSERT INTO invoices (id, status, version, tenant_id) VALUES ('{name}', 'draft', 0, 'acme')"
            )
    return ids


def race(place: Place, operators: int, moves: int, rows: int) -> list[dict[str, Any]]:
    place.write('[writes]\nmode = "sql"\nallow = "any"\n')
    ids = entities(place, rows)
    command = [sys.executable, "-m", "tests.engines.entity_state.act.racer", place.url]
    running = [
        subprocess.Popen(
            [*command, f"op-{n}", str(moves), str(n), *ids], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for n in range(operators)
    ]
    told = [process.communicate(timeout=1200)[0] for process in running]
    assert [process.returncode for process in running] == [0] * operators
    return [json.loads(text) for text in told]


def check(place: Place, told: list[dict[str, Any]]) -> None:
    applied = [request for one in told for request in one["applied"]]
    rows = place.sql(
        "SELECT entity_id, from_status, to_status, correlation_id, metadata, actor FROM workflow_history "
        "WHERE entity_id LIKE 'race-%' ORDER BY id"
    )
    assert sorted(row[3] for row in rows) == sorted(applied) and len(set(applied)) == len(applied)
    standing, versions = {}, {}
    for entity, source, target, _, metadata, _ in rows:
        meta = json.loads(metadata) if isinstance(metadata, str) else metadata
        assert source == standing.get(entity, "draft"), "a broken link"
        assert meta["version"] == versions.get(entity, 0) + 1, "a lost move"
        standing[entity], versions[entity] = target, meta["version"]
    for entity, status, version in place.sql(
        "SELECT id, status, version FROM invoices WHERE id LIKE 'race-%'"
    ):
        assert (status, version) == (standing.get(entity, "draft"), versions.get(entity, 0))
    events = place.value("SELECT count(*) FROM workflow_outbox WHERE entity_id LIKE 'race-%'")
    assert events == len(applied)
    assert sum(one["untold"] for one in told) == 0


def test_four_operators_on_three_rows(own: Place) -> None:
    told = race(own, 4, 12, 2)
    check(own, told)
    assert sum(len(one["applied"]) for one in told) > 10


@pytest.mark.long
def test_eight_operators_a_thousand_moves_each_on_fifty_rows(own: Place) -> None:
    told = race(own, 8, 1000, 50)
    check(own, told)
    assert sum(len(one["applied"]) for one in told) > 4000


@pytest.mark.parametrize("kind", ["postgresql"])
def test_xmin_holds_against_everybody_at_once(places: Any, kind: str) -> None:
    """Without a version column, PostgreSQL's own row version decides."""
    place = places(kind, "own")
    place.write('[writes]\nmode = "sql"\nallow = "any"\n')
    text = place.sample.mapping.read_text().replace('label = "number"', 'label = "number"\nversion = ""')
    place.sample.mapping.write_text(text)
    place.sql("UPDATE invoices SET version = 0")
    assert "xmin" in place.operator().plan("inv-001", "move", to="approved").race
    told = race(place, 3, 12, 2)
    applied = sum(len(one["applied"]) for one in told)
    rows = place.sql(
        "SELECT entity_id, from_status, to_status FROM workflow_history WHERE entity_id LIKE 'race-%' ORDER BY id"
    )
    assert len(rows) == applied and sum(one["untold"] for one in told) == 0
    standing: dict[str, str] = {}
    for entity, source, target in rows:
        assert source == standing.get(entity, "draft")
        standing[entity] = target
