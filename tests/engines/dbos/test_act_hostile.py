"""Databases and ids that want to hurt: pickles that run programs, ids that end quotes."""

from __future__ import annotations

import ast
import base64
import pickle
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine_bridge.actions.model import Target, Verdict, new_request_id
from tests.engines.dbos.act_tools import ACTIONS, ARGS, STATES, Operator, Place

PAYLOADS = {
    "workflow_status": ("inputs", "output", "error"),
    "workflow_input": ("inputs",),
    "workflow_output": ("output", "error"),
    "operation_outputs": ("output", "error"),
    "notifications": ("message",),
    "workflow_events": ("value",),
    "workflow_events_history": ("value",),
    "streams": ("value",),
    "workflow_schedules": ("context",),
}
HOSTILE = (
    "it's",
    'say "hi"',
    "$(touch pwned)",
    "`touch pwned`",
    "a; DROP TABLE workflow_status; --",
    "line\nbreak\ttab",
    "\x1b]0;title\x07",
    "Ünïcode ‮ 漢字",
    "--yes",
    "%s %(x)s {0} :name \\:y $1",
    "back\\slash\\'",
    "run:queue:x/1",
)


class Program:
    """Unpickling this runs a program."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        import os

        return os.system, (self.command,)


def poisoned(place: Place, canary: Path) -> str:
    """Replaces every payload in a database by a pickle that makes the canary file."""
    text = base64.b64encode(pickle.dumps(Program(f"touch {canary}"))).decode()
    for table, columns in PAYLOADS.items():
        for column in columns:
            place.sql(
                f"UPDATE {{s}}{table} SET {column} = :p WHERE {column} IS NOT NULL OR :always",
                p=text,
                always=True,
            )
        if table != "workflow_schedules":
            names = [
                c["name"]
                for c in sa.inspect(place.engine).get_columns(table, place.schema.strip(".") or None)
            ]
            if "serialization" in names:
                place.sql(f"UPDATE {{s}}{table} SET serialization = 'py_pickle'")
    return text


def test_no_action_executes_a_pickle(
    own_place: Place, operators: Callable[[str], Operator], tmp_path: Path
) -> None:
    place, operator = own_place, operators(own_place.url)
    canary = tmp_path / "canary"
    text = poisoned(place, canary)
    pickle.loads(base64.b64decode(text))  # the control: this pickle is live
    assert canary.exists()
    canary.unlink()
    acted = set()
    for state in STATES:
        for action in ACTIONS:
            run_id = place.in_state(state, f"{state}-{action}")
            operator.specs(run_id)
            item = operator.plan(run_id, action, **ARGS.get(action, {}))
            if item.refused:
                continue
            request = new_request_id()
            assert operator.execute(item, request).outcome.verdict is Verdict.APPLIED
            operator.settle(item, request)
            acted.add(action)
    assert acted == set(ACTIONS)
    edited = place.in_state("SUCCESS", "edited")
    assert operator.act(edited, "enqueue_like", input='{"positionalArgs": [1]}').outcome.new_ref
    for target, actions in (
        (Target(kind="queues", id="reports"), ("pause_queue", "resume_queue")),
        (Target(kind="schedules", id="drift-eu"), ("pause_schedule", "resume_schedule")),
    ):
        for action in actions:
            operator.act(target, action)
    assert not canary.exists()


def test_a_copied_input_is_the_stored_one(
    own_place: Place, operators: Callable[[str], Operator], tmp_path: Path
) -> None:
    place, operator = own_place, operators(own_place.url)
    text = poisoned(place, tmp_path / "canary")
    receipt = operator.act("order-001", "enqueue_like")
    assert receipt.outcome.new_ref is not None
    found = place.sql(
        "SELECT inputs FROM {s}workflow_input WHERE workflow_uuid = :id", id=receipt.outcome.new_ref.run
    )
    assert [row[0] for row in found] == [text]


SENT = (
    ("PENDING", "signal"),
    ("PENDING", "cancel"),
    ("CANCELLED", "resume"),
    ("ERROR", "fork"),
    ("ERROR", "enqueue_like"),
    ("ERROR", "rewind"),
    ("DELAYED", "set_delay"),
    ("SUCCESS", "delete"),
)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_ids_are_only_ids(place: Place, operator: Operator, name: str, tmp_path: Path) -> None:
    for state, action in SENT:
        run_id = place.in_state(state, f"{name}{action}")
        item = operator.plan(run_id, action, **ARGS.get(action, {}))
        assert operator.execute(item).outcome.verdict is Verdict.APPLIED
        texts = item.copy_as
        assert action == "enqueue_like" or run_id in _constants(texts["Python"])
        assert all(c == "\n" or c.isprintable() for text in texts.values() for c in text)
        assert {run_id, f"run:{run_id}"} & set(_words(texts["CLI"], tmp_path))
    assert not (tmp_path / "pwned").exists()


def _constants(script: str) -> set[object]:
    return {node.value for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Constant)}


def _words(command: str, folder: Path) -> list[str]:
    """What bash makes of a command's words."""
    script = f"for word in {command}; do printf '%s\\0' \"$word\"; done"
    done = subprocess.run(["bash", "-c", script], capture_output=True, cwd=folder, check=True)
    return [word.decode() for word in done.stdout.split(b"\0")[:-1]]


@pytest.mark.parametrize(("state", "action"), SENT)
def test_sql_to_copy_does_what_the_client_does(
    place: Place, operator: Operator, state: str, action: str
) -> None:
    """Both are run on clones of one run; rows are compared without ids and times."""
    for name in HOSTILE:
        by_client, by_sql = place.in_state(state, f"client {name}"), place.in_state(state, f"pasted {name}")
        receipt = operator.act(by_client, action, **ARGS.get(action, {}))
        script = operator.plan(by_sql, action, **ARGS.get(action, {})).copy_as["SQL"]
        new_id = _paste(place, script)
        assert _rows(place, by_client) == _rows(place, by_sql)
        if receipt.outcome.new_ref is not None:
            assert _rows(place, receipt.outcome.new_ref.run) == _rows(place, new_id)


def _paste(place: Place, script: str) -> str:
    """Runs a script as a console would; the newest run's id."""
    known = {row[0] for row in place.sql("SELECT workflow_uuid FROM {s}workflow_status")}
    raw: Any = place.engine.raw_connection()
    driver = raw.driver_connection
    raw.detach()  # never used again: it is left in a mode of its own
    if place.engine.dialect.name == "sqlite":
        driver.executescript(script)
    else:
        driver.autocommit = True
        driver.execute(script.encode())
    raw.close()
    fresh = {row[0] for row in place.sql("SELECT workflow_uuid FROM {s}workflow_status")} - known
    return str(fresh.pop()) if fresh else ""


IGNORED = {
    "workflow_uuid", "destination_uuid", "message_uuid", "created_at", "updated_at", "completed_at", "forked_from",
    "retention_timestamp", "created_at_epoch_ms", "creator_xid",
}  # fmt: skip


def _rows(place: Place, run_id: str) -> dict[str, list[dict[str, Any]]]:
    found = {}
    with place.engine.begin() as connection:
        for table in PAYLOADS:
            if table == "workflow_schedules":
                continue
            key = "destination_uuid" if table == "notifications" else "workflow_uuid"
            statement = sa.text(f"SELECT * FROM {place.schema}{table} WHERE {key} = :id")
            rows = [dict(row) for row in connection.execute(statement, {"id": run_id}).mappings()]
            kept = [{name: value for name, value in row.items() if name not in IGNORED} for row in rows]
            found[table] = sorted(kept, key=repr)
    return found
