"""``runs`` and ``show`` of entities: their own statuses, who moved them and why, and filters that find nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.app.cli.conftest import Run
from tests.engines.entity_state.fixtures import Sample, make_file


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    return make_file("own", tmp_path / "app")


def _one(sample: Sample, sql: str) -> str:
    engine = sample.engine()
    with engine.connect() as connection:
        found = str(connection.execute(sa.text(sql)).scalar_one())
    engine.dispose()
    return found


def test_a_listing_shows_the_own_status_and_json_both(sample: Sample, playhead: Run) -> None:
    shown = playhead("runs", sample.url, "--filter", "type == invoice and state == paid", "--limit", "1")
    assert shown.out.splitlines()[1].split()[0] == "paid"
    found = playhead("runs", sample.url, "--filter", "type == invoice and state == paid", "--json").lines
    assert {(run["status"], run["engine_status"]) for run in found} == {("completed", "paid")}


def test_a_status_that_only_an_old_row_has_is_found_and_a_misspelt_one_doubted(
    sample: Sample, playhead: Run
) -> None:
    engine = sample.engine()
    with engine.begin() as connection:
        oldest = connection.execute(
            sa.text("SELECT id FROM invoices ORDER BY created_at LIMIT 1")
        ).scalar_one()
        connection.execute(sa.text("UPDATE invoices SET status = 'frozen' WHERE id = :id"), {"id": oldest})
    engine.dispose()
    found = playhead("runs", sample.url, "--filter", "state == frozen", "--json")
    assert [run["id"] for run in found.lines] == [oldest] and not found.err
    nothing = playhead("runs", sample.url, "--filter", "state == piad")
    assert nothing.code == 0 and nothing.out.strip() == "No runs."
    assert nothing.err.strip() == "playhead: No state “piad” was seen. Did you mean paid?"


def test_show_tells_who_moved_it_and_under_which_correlation_id(sample: Sample, playhead: Run) -> None:
    entity = _one(sample, "SELECT entity_id FROM workflow_history WHERE workflow_type = 'invoice' LIMIT 1")
    wanted = _one(sample, f"SELECT correlation_id FROM workflow_history WHERE entity_id = '{entity}' LIMIT 1")
    assert wanted in playhead("show", sample.url, f"invoice/{entity}").out
    events = playhead("show", sample.url, f"invoice/{entity}", "--json").document["events"]
    assert wanted in {event["attributes"].get("correlation_id") for event in events}
