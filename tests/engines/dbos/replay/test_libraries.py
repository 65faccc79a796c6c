"""What dbos does with other libraries, executed by real workers and replayed with the same code: no alarm."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from engine_bridge.replay.model import Outcome
from engine_bridge.sqlite_library import sqlite3
from tests.engines.dbos.replay.replays import APPS, All, execute, inputs_of, replay

OVER = ("SUCCESS", "ERROR")


def replayed(app: str, folder: Path, *arguments: str) -> tuple[All, dict[str, str]]:
    """Has an application make a database named as itself, and replays every run of it; with the runs' statuses."""
    code = APPS / f"{app}.py"
    execute(code, str(folder), *arguments)
    with closing(sqlite3.connect(folder / f"{app}.sqlite")) as connection:
        runs = dict(connection.execute("SELECT workflow_uuid, status FROM workflow_status").fetchall())
    return replay(inputs_of(folder / f"{app}.sqlite", runs), code), runs


def no_alarm(told: All, runs: dict[str, str]) -> None:
    wanted = {run: Outcome.SAME if status in OVER else Outcome.STOPPED for run, status in runs.items()}
    assert {run: told[run].end.outcome for run in runs} == wanted
    assert not [(run, told[run].end) for run in runs if told[run].end.drift or told[run].end.notes]


def test_debouncers_of_workflows_applications_and_clients(tmp_path: Path) -> None:
    told, runs = replayed("debounce", tmp_path)
    no_alarm(told, runs)
    assert len(runs) >= 8  # a busy machine comes too late to push a run back, and enqueues another one
    bounces = [step for step in told["asks_async"].steps if step.name == "DBOS.debounce_delayed_workflow"]
    assert len(bounces) == 2 and {step.recorded for step in bounces} == {"DBOS.debounce_delayed_workflow"}
    assert [frame.function for step in bounces for frame in step.stack[:1]] == ["asks_async"] * 2
    assert told["waits_for_debounced"].at.endswith(".get_result()")


@pytest.mark.long
def test_messages_of_kafka(tmp_path: Path) -> None:
    """Needs confluent-kafka. There is no broker: messages go to where the consumer's loop puts those it got."""
    told, runs = replayed("kafka", tmp_path)
    no_alarm(told, runs)
    assert told["kafka-unique-id-orders-0-shop-1"].asked == ["DBOS.setEvent", "book"]
    assert told["kafka-unique-id-waits-0-shop-0"].at == 'return DBOS.recv("go", timeout_seconds=3600)'


@pytest.mark.long
def test_workflows_on_uvloop(tmp_path: Path) -> None:
    """Needs uvloop."""
    told, runs = replayed("uvloops", tmp_path)
    no_alarm(told, runs)
    assert told["waits"].at.startswith("return await asyncio.gather")


@pytest.mark.long
def test_asynchronous_datasources_on_sqlite(tmp_path: Path) -> None:
    """Needs aiosqlite."""
    told, runs = replayed("datasources", tmp_path, f"sqlite+aiosqlite:///{tmp_path}/shop.sqlite")
    no_alarm(told, runs)
