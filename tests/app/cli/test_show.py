"""``show`` and ``snapshot`` of one run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.app.cli.conftest import Run
from tests.app.cli.test_listing import ns, rows


def test_every_run_agrees_with_sql_field_by_field(playhead: Run, orders: Path) -> None:
    ids = [r["workflow_uuid"] for r in rows(orders, "SELECT workflow_uuid FROM workflow_status ORDER BY 1")]
    for run_id in ids[::4]:
        document = playhead("show", orders, run_id, "--json").document
        assert document["run"]["id"] == run_id
        recorded = rows(orders, "SELECT * FROM operation_outputs WHERE workflow_uuid=?", run_id)
        steps = {step["id"]: step for step in document["steps"]}
        for row in recorded:
            step = steps[str(row["function_id"])]
            assert step["name"] == row["function_name"]
            if "start_ns" not in step["fields"]:
                assert step["started_ns"] == ns(row["started_at_epoch_ms"])
            if "end_ns" not in step["fields"] and step["planned_end_ns"] is None:
                assert step["ended_ns"] == ns(row["completed_at_epoch_ms"])
            assert step["child_id"] == row["child_workflow_id"] or step["child_id"] is not None
            assert (step["failure"] is not None) >= (row["error"] is not None)
        extra = set(steps) - {str(row["function_id"]) for row in recorded}
        assert all(steps[i]["provenance"] != "recorded" for i in extra)
        positions = [event["position"] for event in document["events"]]
        assert positions == sorted(set(positions))


def test_the_beginning_of_an_id_is_enough_when_it_is_unambiguous(playhead: Run, orders: Path) -> None:
    assert playhead("show", orders, "stuck", "--json").document["run"]["id"] == "stuck-1"
    answer = playhead("show", orders, "order-0")
    assert answer.code == 2 and "Several runs" in answer.err
    assert playhead("show", orders).code == 2
    for nothing in ("nothing-like-it", "\udcff"):
        answer = playhead("show", orders, nothing)
        assert answer.code == 1 and "No run" in answer.err


def test_a_waiting_run_says_what_it_waits_for_and_how_we_know(playhead: Run, orders: Path) -> None:
    document = playhead("show", orders, "order-00022", "--json").document
    blocked = document["blocked_on"]
    assert blocked["kind"] == "signal" and blocked["provenance"] == "inferred"
    assert blocked["evidence"] and blocked["until_ns"] > blocked["since_ns"]
    assert "blocked   on" in playhead("show", orders, "order-00022").out


def test_a_retried_step_lists_its_attempts_and_others_do_not_know(playhead: Run, orders: Path) -> None:
    steps = playhead("show", orders, "order-00002", "--json").document["steps"]
    charge = next(step for step in steps if step["name"] == "charge_card")
    assert charge["attempts"] == len(charge["attempt_list"]) == 4
    assert {step["attempts"] for step in steps if step["status"] == "completed"} == {None}


def test_payloads_are_decoded_without_being_executed(playhead: Run, orders: Path) -> None:
    document = playhead("show", orders, "order-00006", "--json").document
    assert document["run"]["input"]["args"][0]["id"] == "o00006"
    validated = next(s for s in document["steps"] if s["name"] == "validate_order")
    assert validated["output"]["validated_at"]["$type"] == "datetime.datetime"
    assert playhead("show", orders, "order-00006", "--json", "--no-payloads").document["run"]["input"] is None


def test_snapshot_draws_without_a_display(playhead: Run, orders: Path, tmp_path: Path, qapp: object) -> None:
    pictures = []
    for name, extra in (("a", []), ("b", ["--theme", "light", "--at", "3", "--size", "900x700"])):
        path = tmp_path / f"{name}.png"
        answer = playhead("snapshot", orders, "order-00006", "-o", path, *extra)
        assert answer.code == 0, answer.err
        pictures.append(path.read_bytes())
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert size(pictures[0]) == (1600, 1000) and size(pictures[1]) == (900, 700)


def size(png: bytes) -> tuple[int, int]:
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


@pytest.mark.parametrize("text", ["big", "10x10", "99999x10", "1600"])
def test_a_size_that_is_none_is_refused(playhead: Run, orders: Path, tmp_path: Path, text: str) -> None:
    answer = playhead("snapshot", orders, "order-00006", "-o", tmp_path / "x.png", "--size", text)
    assert answer.code == 2 and not (tmp_path / "x.png").exists()


def test_saved_names_open_sources(playhead: Run, orders: Path) -> None:
    assert playhead("source", "add", "orders", f"dbos+sqlite:///{orders}", "--environment", "test").code == 0
    listed = playhead("source", "list", "--json").lines
    assert [(s["name"], s["environment"]) for s in listed] == [("orders", "test")]
    assert len(playhead("runs", "@orders", "--limit", "2", "--json").lines) == 2
    assert playhead("source", "add", "orders", "x").code == 2
    assert playhead("source", "remove", "orders").code == 0
    assert playhead("runs", "@orders").code == 1


def test_doctor_reports_every_part(playhead: Run) -> None:
    found = {check["name"]: check for check in playhead("doctor", "--json").lines}
    assert {"python", "Qt", "SQLite", "keyring", "engine dbos"} <= set(found)
    assert all(check["state"] in ("ok", "note", "missing") for check in found.values())
    assert json.dumps(found)
