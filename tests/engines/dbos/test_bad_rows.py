"""Hostile and damaged rows: each shows as a bad row, and the page, counts and histories go on."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from engine_bridge.bridge import Bridge, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.model import Run, RunRef, Status
from engine_bridge.payloads import decode
from engine_bridge.query import parse
from tests.contract.test_runs import look_at_everything
from tests.engines.dbos.databases import Open, writer

NEVER = CancelToken()


def change(path: Path, run_id: str, **values: Any) -> None:
    assignments = ", ".join(f"{name} = ?" for name in values)
    with writer(path) as client:
        done = client.execute(
            f"UPDATE workflow_status SET {assignments} WHERE workflow_uuid = ?", (*values.values(), run_id)
        )
        assert done.rowcount == 1


def runs_of(bridge: Bridge) -> dict[str, Run]:
    return {run.id: run for run in bridge.runs(None, Sort(), None, "forward", 1000, NEVER).items}


def ref(run_id: str) -> RunRef:
    return RunRef("workflow", run_id, run_id)


def test_text_that_is_not_utf8(orders_file: Path, open_bridge: Open) -> None:
    with writer(orders_file) as client:
        client.execute(
            "UPDATE workflow_status SET name = CAST(x'6162ff63' AS TEXT) WHERE workflow_uuid = 'order-002'"
        )
        client.execute(
            "UPDATE workflow_status SET error = CAST(x'fffe' AS TEXT) WHERE workflow_uuid = 'order-001'"
        )
        client.execute(
            "UPDATE operation_outputs SET function_name = CAST(x'c3' AS TEXT) WHERE workflow_uuid = 'order-004'"
        )
    bridge = open_bridge(orders_file)
    runs = runs_of(bridge)
    assert len(runs) > 30
    assert runs["order-002"].type == r"ab\xffc"
    assert runs["order-002"].bad == "unreadable: name"
    assert runs["order-003"].bad is None
    look_at_everything(bridge)
    assert sum(len(batch.event_records) for batch in bridge.history(ref("order-004"), NEVER)) > 3


def test_values_of_impossible_types(orders_file: Path, open_bridge: Open) -> None:
    change(orders_file, "order-002", name=b"\x00\x01", priority="high", completed_at="never")
    change(orders_file, "order-003", created_at=1 << 62, attributes="[1, 2", recovery_attempts=1.5)
    change(orders_file, "order-004", status="EXPLODED", attributes='{"a": ' * 5000)
    change(orders_file, "order-005", status=None, name=None, attributes='"text"')
    bridge = open_bridge(orders_file)
    runs = runs_of(bridge)
    assert len(runs) > 30
    assert "name" in (runs["order-002"].bad or "") and "priority" in (runs["order-002"].bad or "")
    assert runs["order-003"].created_ns is None and "created_at" in (runs["order-003"].bad or "")
    assert runs["order-004"].status is Status.UNKNOWN and runs["order-004"].engine_status == "EXPLODED"
    assert "attributes" in (runs["order-004"].bad or "")
    assert runs["order-005"].engine_status == "" and runs["order-005"].type == ""
    look_at_everything(bridge)
    for name in ("order-002", "order-003", "order-004", "order-005"):
        list(bridge.history(ref(name), NEVER))


class Canary:
    """Its pickle creates a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, (f"touch {self.path}",)


def hostile_pickle(path: Path) -> str:
    import pickle

    return base64.b64encode(pickle.dumps(Canary(path))).decode()


def test_a_hostile_pickle_is_shown_and_never_run(
    orders_file: Path, tmp_path: Path, open_bridge: Open
) -> None:
    canary = tmp_path / "canary"
    bomb = hostile_pickle(canary)
    with writer(orders_file) as client:
        client.execute("UPDATE workflow_input SET inputs = ?", (bomb,))
        client.execute("UPDATE workflow_output SET output = ?, error = ?", (bomb, bomb))
        client.execute("UPDATE operation_outputs SET output = ?, error = ?", (bomb, bomb))
        client.execute("UPDATE notifications SET message = ?", (bomb,))
        client.execute("UPDATE workflow_events SET value = ?", (bomb,))
        client.execute("UPDATE workflow_schedules SET context = ?", (bomb,))
    bridge = open_bridge(orders_file)
    look_at_everything(bridge)
    for run in runs_of(bridge).values():
        list(bridge.history(run.ref, NEVER))
    header = bridge.run(ref("order-002"), NEVER)
    assert header.input is not None
    shown = decode(bridge.payload(header.input.key, 0, -1, NEVER), header.input.encoding)
    assert "touch" in shown.text and any("system" in name for name in shown.globals)
    list(bridge.search("touch", "all", 50, NEVER))
    bridge.resources("schedules", NEVER)
    assert not canary.exists()


def test_errors_that_do_not_decode(orders_file: Path, open_bridge: Open) -> None:
    broken = ["", "!!! not base64 !!!", base64.b64encode(b"\x80\x05garbage").decode(), "{", "A" * 300_000]
    with writer(orders_file) as client:
        ids = [
            row[0]
            for row in client.execute("SELECT workflow_uuid FROM workflow_status WHERE status = 'ERROR'")
        ]
        for run_id, text in zip(ids, broken, strict=False):
            client.execute("UPDATE workflow_output SET error = ? WHERE workflow_uuid = ?", (text, run_id))
    bridge = open_bridge(orders_file)
    runs = runs_of(bridge)
    assert all(runs[run_id].failure is not None for run_id in ids)
    assert {row.ref.run for row in bridge.failures(None, "", None, 1000, NEVER).items} >= set(ids)


def test_hostile_names_come_through_unchanged(orders_file: Path, open_bridge: Open) -> None:
    names = [
        "<img src=http://evil/x.png>",
        "\x1b[31mred\x1b[0m",
        "\u202egnirts\u202c",
        "a\x00b",
        "x" * 1_000_000,
        "'; DROP TABLE workflow_status; --",
        "%_*?[",
    ]
    with writer(orders_file) as client:
        for number, name in enumerate(names):
            change(orders_file, f"order-{number:03d}", name=name)
            client.execute(
                "UPDATE workflow_status SET workflow_uuid = ? WHERE workflow_uuid = ?",
                (name, f"order-{number:03d}"),
            )
    bridge = open_bridge(orders_file)
    runs = runs_of(bridge)
    assert set(names) <= runs.keys()
    fields = bridge.fields(NEVER)
    for name in names:
        assert runs[name].type == name
        assert bridge.run(ref(name), NEVER).id == name
        if "\x00" in name:
            continue
        assert bridge.find(name, 3, NEVER)[0].id == name
        if len(name) > 1000 or "\x1b" in name:
            continue
        query = parse(f"type == {json.dumps(name, ensure_ascii=False)}", fields)
        assert [run.id for run in bridge.runs(query, Sort(), None, "forward", 9, NEVER).items] == [name]


def test_huge_payloads_are_measured_and_read_in_part(orders_file: Path, open_bridge: Open) -> None:
    with writer(orders_file) as client:
        client.execute(
            "UPDATE workflow_output SET output = ? WHERE workflow_uuid = 'order-002'",
            (json.dumps("é" * 5_000_000),),
        )
    bridge = open_bridge(orders_file)
    header = bridge.run(ref("order-002"), NEVER)
    assert header.output is not None and header.output.size == 30_000_002
    assert bridge.payload(header.output.key, 1, 6, NEVER) == b"\\u00e9"


def test_cancelled_runs_that_never_began_have_no_start(orders_file: Path, open_bridge: Open) -> None:
    change(orders_file, "held-1", status="CANCELLED", completed_at=1 << 41)
    run = runs_of(open_bridge(orders_file))["held-1"]
    assert run.started_ns is None and run.duration_ns is None and run.ended_ns == (1 << 41) * 1_000_000
