"""Where runs come from and what is around them: servers, older schemas, serialisers, names, rows that are gone."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from engine_bridge.bridge import Capability
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import NotFoundError
from engine_bridge.model import RunRef
from engine_bridge.replay.model import Outcome
from engine_bridge.sqlite_library import sqlite3
from tests.engines.dbos.databases import APP, OLD, bridge_url, make_database, unpacked
from tests.engines.dbos.replay.conftest import ORDER, SHAPES
from tests.engines.dbos.replay.replays import APPS, edited, execute, inputs_of, opened, posing, replay

CUSTOM = APPS / "custom.py"


@pytest.fixture(scope="module")
def custom_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("custom")
    execute(CUSTOM, str(folder))
    return folder / "custom.sqlite"


def changed(file: Path, folder: Path, *statements: str) -> Path:
    """A copy of a database with rows changed."""
    copy = Path(shutil.copy(file, folder / f"changed{len(list(folder.iterdir()))}.sqlite"))
    with closing(sqlite3.connect(copy)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    return copy


def test_runs_of_a_server_replay_like_those_of_a_file(made_postgresql: str) -> None:
    with psycopg.connect(made_postgresql) as connection:
        rows = connection.execute("SELECT workflow_uuid, status FROM dbos.workflow_status").fetchall()
    told = replay(inputs_of(bridge_url(made_postgresql), [run for run, _ in rows]), APP)
    over = {run for run, status in rows if status in ("SUCCESS", "ERROR")}
    assert len(over) > 30
    assert {told[run].end.outcome for run in over} == {Outcome.SAME}
    assert {told[run].end.outcome for run, _ in rows if run not in over} == {Outcome.STOPPED}
    assert not [told[run].end.drift for run, _ in rows if told[run].end.drift]


def test_runs_of_older_schemas_replay(tmp_path: Path) -> None:
    inputs = []
    for name in OLD:
        file = unpacked(name, tmp_path)
        bridge = opened(file)
        assert Capability.REPLAY in bridge.open(CancelToken()).capabilities
        bridge.close()
        inputs.append(posing(inputs_of(file, ["w1"])[0], name, "w"))
    told = replay(inputs, APPS / "old.py")
    assert {told[name].end.outcome for name in OLD} == {Outcome.SAME}
    assert {tuple(told[name].asked) for name in OLD} == {("DBOS.setEvent", "s")}


def test_a_schema_that_is_not_known_is_not_replayed_and_says_why(order_file: Path, tmp_path: Path) -> None:
    newer = changed(order_file, tmp_path, "UPDATE dbos_migrations SET version = 999")
    unknown = changed(order_file, tmp_path, "DROP TABLE dbos_migrations")
    for file, said in ((newer, "schema version 999 is not one that was tested"), (unknown, "does not say")):
        bridge = opened(file)
        info = bridge.open(CancelToken())
        assert Capability.REPLAY not in info.capabilities
        assert said in info.missing[Capability.REPLAY]
        bridge.close()


def test_a_run_that_is_gone(order_file: Path) -> None:
    bridge = opened(order_file)
    with pytest.raises(NotFoundError):
        bridge.replay_input(RunRef("workflow", "", "nobody"), CancelToken())
    bridge.close()


def test_what_payloads_would_import_is_known_before(shapes_file: Path) -> None:
    (item,) = inputs_of(shapes_file, ["steps"])
    assert {"__main__.Parcel", "__main__.Plain", "__main__.Colour"} <= set(item.globals)
    assert (item.type, item.version, item.steps) == ("steps", "one", 3)


def test_a_serialiser_of_the_applications_own(custom_file: Path, tmp_path: Path) -> None:
    inputs = inputs_of(custom_file, ["plain", "failing", "count"])
    options = {"serializer": "custom:Reversed", "setup": "custom:make"}
    told = replay(inputs, CUSTOM, options=options)
    assert {run: told[run].end.outcome for run in told.runs} == dict.fromkeys(told.runs, Outcome.SAME)
    assert not [told[run].drift for run in told.runs if told[run].drift]
    told = replay(inputs, edited(CUSTOM, tmp_path, ('{"at": value}', '{"at": -value}'), ('"too much"', '"too big"')),
                  options=options)  # fmt: skip
    assert told["plain"].drift == ["event stage"]
    # The error came from a step, and that is on record.
    assert told["failing"].end.outcome is Outcome.SAME and not told["failing"].drift


def test_a_serialiser_in_a_config_at_import_is_found(custom_file: Path, tmp_path: Path) -> None:
    config = '\nDBOS(config={"name": "custom", "serializer": Reversed(), "system_database_url": "postgresql://nobody@nowhere/x"})\n'
    app = edited(CUSTOM, tmp_path, ("\n\ndef main()", f"{config}make()\nDBOS.launch()\n\n\ndef main()"))
    told = replay(inputs_of(custom_file, ["plain", "count"]), app)
    assert {told[run].end.outcome for run in told.runs} == {Outcome.SAME}


def test_reasons_when_a_run_cannot_begin(custom_file: Path, order_file: Path, tmp_path: Path) -> None:
    (count,) = inputs_of(custom_file, ["count"])
    end = replay([count], CUSTOM, options={"serializer": "custom:Reversed"})["count"].end
    assert end.outcome is Outcome.FAILED and "Shelf/left" in end.error
    assert "made when the module is imported" in end.hint
    end = replay([count], CUSTOM, options={"setup": "custom:make"})["count"].end
    assert end.outcome is Outcome.FAILED and "Serialization reversed is not available" in end.error
    assert end.hint.startswith("The application has a serialiser of its own")
    gone = changed(order_file, tmp_path, "DELETE FROM workflow_input WHERE workflow_uuid = 'old'")
    (unknown,) = inputs_of(order_file, ["order"])
    told = replay([*inputs_of(gone, ["old"]), posing(unknown, "unknown", "nowhere")], ORDER)
    assert told["old"].end.error == "The run's input is not in the database any more."
    assert told["unknown"].end.error == "The code has no workflow nowhere."
    assert told["unknown"].end.hint.startswith("It has: approval, approved, bill")


def test_a_child_that_was_deleted_or_runs_again_gave_what_the_run_got(
    shapes_file: Path, tmp_path: Path
) -> None:
    file = changed(
        shapes_file,
        tmp_path,
        "DELETE FROM workflow_status WHERE parent_workflow_id IN ('children', 'failed_children')",
        "UPDATE workflow_status SET status = 'PENDING' WHERE parent_workflow_id = 'async_children'",
    )
    told = replay(inputs_of(file, ["children", "failed_children", "async_children"]), SHAPES)
    assert {run: told[run].end.outcome for run in told.runs} == dict.fromkeys(told.runs, Outcome.SAME)
    assert not [told[run].drift for run in told.runs if told[run].drift]


def test_a_poisoned_run_stands_where_it_killed_its_worker(shapes_file: Path, tmp_path: Path) -> None:
    file = changed(shapes_file, tmp_path, "UPDATE workflow_status SET status = 'MAX_RECOVERY_ATTEMPTS_EXCEEDED',"
                   " recovery_attempts = 200 WHERE workflow_uuid = 'stuck'")  # fmt: skip
    end = replay(inputs_of(file, ["stuck"]), SHAPES)["stuck"].end
    assert end.outcome is Outcome.STOPPED and end.now is not None and end.now.what == "hang"


def test_projects_whose_packages_have_our_names(order_file: Path, tmp_path: Path) -> None:
    for package in ("app", "widgets", "engine_bridge"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(f"OWNER = {package!r}\n")
    text = ORDER.read_text("utf-8")
    own = "import app, widgets\nassert (app.OWNER, widgets.OWNER) == ('app', 'widgets')\n"
    (tmp_path / "engine_bridge" / "orders.py").write_text(text.replace("import os\n", f"import os\n{own}"))
    told = replay(
        inputs_of(order_file, ["order"]), tmp_path, modules=("engine_bridge.orders",), paths=(str(tmp_path),)
    )
    assert told["order"].end.outcome is Outcome.SAME, told["order"].end


def test_an_environment_with_another_major_version_is_refused(order_file: Path, tmp_path: Path) -> None:
    """A stand-in for dbos 2: what counts is what the interpreter has installed."""
    # The interpreter's own site-packages come first, so the stand-in is an environment of its own.
    import venv

    venv.create(tmp_path / "env", symlinks=True, with_pip=False)
    site = next((tmp_path / "env").glob("lib/python3*/site-packages"))
    (site / "dbos").mkdir()
    (site / "dbos" / "__init__.py").write_text("")
    (site / "dbos-2.31.0.dist-info").mkdir()
    (site / "dbos-2.31.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: dbos\nVersion: 2.31.0\n"
    )
    end = replay(inputs_of(order_file, ["old"]), ORDER, python=str(tmp_path / "env" / "bin" / "python"))[
        "old"
    ].end
    assert end.outcome is Outcome.FAILED
    assert "has dbos 2.31.0; a replay needs dbos>=3,<4" in end.error


def test_transactions_of_asynchronous_datasources(server: Any, tmp_path: Path) -> None:
    """The application's own database is not reached: its results are in DBOS' own record."""
    app = APPS / "datasources.py"
    execute(app, str(tmp_path), make_database(server, "datasources"))
    runs = ["sells", "sells_too_many", "fails", "sells_and_waits"]
    told = replay(inputs_of(tmp_path / "datasources.sqlite", runs), app)
    assert [told[run].end.outcome for run in runs] == [Outcome.SAME] * 3 + [Outcome.STOPPED]
    assert not [told[run].end for run in runs if told[run].end.drift]
    assert told["sells"].asked == ["sell", *["sell"] * 4, "price", "inline"]
    assert told["sells"].steps[0].stack[0].function == "sells"
