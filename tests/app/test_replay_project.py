"""Whose code is replayed: what the dialog finds in a project, and offers."""

from __future__ import annotations

from pathlib import Path

from pytestqt.qtbot import QtBot

from app.replay_consent import ConsentDialog, Question
from app.replay_project import ProjectDialog
from engine_bridge.engines.temporal.replay_input import SPEC
from engine_bridge.replay.model import Project
from engine_bridge.replay.modules import entry_point

SAMPLES = Path(__file__).parents[2] / "resources" / "samples"


def test_what_starts_the_workers_is_offered(qtbot: QtBot) -> None:
    dialog = ProjectDialog(None, SPEC)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.code.setText(str(SAMPLES / "loan"))
    qtbot.waitUntil(dialog.entry.isVisible)
    assert dialog.entry.text() == "Replay as the workers of worker.py would"
    dialog.options.setPlainText("sandbox=false")
    dialog.entry.click()
    assert dialog.options.toPlainText() == "sandbox=false\nworker_script=worker.py"
    assert not dialog.entry.isVisible()
    assert dialog._given_options()["worker_script"] == str(SAMPLES / "loan" / "worker.py")


def test_who_agrees_is_told_that_it_is_run(qtbot: QtBot) -> None:
    project = Project(
        code="shop", python="python", modules=("shop.flows",), options={"worker_script": "worker.py"}
    )
    dialog = ConsentDialog(None, Question(SPEC, project, "", "orders"))
    qtbot.addWidget(dialog)
    assert "worker.py is run until it makes its workers, with nothing connected" in dialog.text
    assert "shop.flows" not in dialog.text


def test_the_likeliest_entry_point_is_found_by_what_it_imports(tmp_path: Path) -> None:
    for name, text in (
        ("app/a.py", "from temporalio.worker import Worker"),
        ("app/run_worker.py", "from temporalio.worker import Interceptor, Worker"),
        ("app/worker.py", "from temporalio.worker import Interceptor  # Worker"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    wanted = SPEC.entry[1]
    assert entry_point(tmp_path, wanted) == tmp_path / "app" / "run_worker.py"
    assert entry_point(tmp_path / "app" / "a.py", wanted) == tmp_path / "app" / "run_worker.py"
    assert entry_point(SAMPLES / "loan_next", wanted) is None
    assert entry_point(tmp_path, "") is None
