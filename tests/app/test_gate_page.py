"""The Replay page in the real window, on real histories and on the demo."""

from __future__ import annotations

import gzip
import json
import shutil
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

import resources
from app import appearance
from app.cli.main import main
from app.gate_page import GatePage
from app.replay_consent import ConsentDialog
from app.replay_project import ProjectDialog
from app.replay_state import consents
from app.settings import Settings
from app.window import MainWindow
from engine_bridge.replay.gate_report import Section
from tests.app.demo_sample import small_past

DATA = Path(__file__).parents[1] / "data" / "dbos"


@dataclass
class Story:
    """A window on a copy of a database."""

    window: MainWindow
    key: str
    qtbot: QtBot

    @property
    def page(self) -> GatePage:
        page = self.window.router.pages.get("replay")
        assert isinstance(page, GatePage)
        return page

    def until(self, condition: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()))

    def choose(self, code: Path) -> None:
        """Chooses the code in the dialog."""
        page = self.page
        self.window.run_command("gate.code")
        dialog = page.code.dialog
        assert isinstance(dialog, ProjectDialog)
        dialog.code.setText(str(code))
        self.until(lambda: dialog.use.isEnabled())
        dialog.python.setEditText(sys.executable)
        dialog.accept()
        self.until(lambda: page.code.project is not None and page.code.project.code == str(code))

    def agree(self) -> ConsentDialog:
        """Says yes when asked, after the interpreter told what it denies."""
        self.until(lambda: isinstance(self.page.code.dialog, ConsentDialog))
        dialog = self.page.code.dialog
        assert isinstance(dialog, ConsentDialog)
        self.until(lambda: dialog.run_button.isEnabled())
        return dialog

    def replayed(self) -> None:
        self.until(lambda: not self.page.running and self.page.view.shows_report)


def opened(qtbot: QtBot, database: Path) -> Story:
    appearance.apply("dark")
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.resize(1440, 900)
    window.show()
    key = window.sources.open(str(database))
    story = Story(window, key, qtbot)
    story.until(lambda: window.sources.get(key).info is not None)
    window.focus.change(source=key, page="replay")
    story.until(lambda: story.page.code.spec is not None)
    return story


@pytest.fixture
def story(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[Story]:
    database = tmp_path / "orders.sqlite"
    database.write_bytes(gzip.decompress((DATA / "orders.sqlite.gz").read_bytes()))
    story = opened(qtbot, database)
    yield story
    story.window.close()


@pytest.fixture
def code(tmp_path: Path) -> Path:
    path = tmp_path / "shop" / "orders_app.py"
    path.parent.mkdir()
    text = gzip.decompress((DATA / "orders_app.py.gz").read_bytes()).decode()
    step = '        DBOS.set_event("stage", "reserving")\n'
    path.write_text(text.replace(step, "        validate_order(order)\n" + step))
    return path


def test_an_edited_workflow_is_stopped_and_leads_to_the_event(
    story: Story, code: Path, tmp_path: Path
) -> None:
    view = story.page.view
    story.choose(code)
    view.bar.filter.setText('status == running and type == "fulfil_order"')
    story.window.run_command("gate.run")
    dialog = story.agree()
    assert "unpickled" in dialog.text and "datetime.datetime" in dialog.text
    assert not story.page.running, "nothing runs before the yes"
    dialog.accept()
    story.replayed()
    line = next(
        n
        for n, text in enumerate(code.read_text().splitlines(), 1)
        if text == "        validate_order(order)"
    )
    (group,) = view.report.of(Section.DIVERGED)
    assert (group.at.line, group.expected, group.actual) == (line, "DBOS.setEvent", "validate_order")
    assert "would break with this code" in view.verdict.text
    story.until(lambda: len(view.finding.divergence.pairs) > 4)
    for kind, file in (("json", tmp_path / "r.json"), ("junit", tmp_path / "r.xml")):
        story.page.write(kind, file)
        story.until(file.is_file)
    story.until(lambda: (tmp_path / "r.xml").read_text().endswith(">\n"))
    assert json.loads((tmp_path / "r.json").read_text())["passed"] is False
    assert int(ET.parse(tmp_path / "r.xml").getroot().get("failures") or 0) == group.count
    story.window.run_command("gate.open")
    focus = story.window.focus.current
    assert (focus.page, focus.step_id) == ("run", "4") and focus.run.run == view.finding.result.run_id
    assert focus.position is not None
    # What was agreed to in the window by a path needs no question on the command line, by a URL.
    database = tmp_path / "shop" / ".." / "orders.sqlite"
    assert cli("replay", f"dbos+sqlite:///{database}", "order-00022", "--code", str(code)) == 1
    story.window.focus.back()
    assert view.shows_report, "the report is still there"


def cli(*args: str) -> int:
    """A command without a terminal, in this process; its exit code."""
    with pytest.raises(SystemExit) as stop:
        main(list(args))
    return int(stop.value.code or 0)


def test_a_no_runs_nothing(story: Story, code: Path) -> None:
    story.choose(code)
    story.window.run_command("gate.run")
    story.agree().reject()
    story.until(lambda: "Nothing was run" in story.page.view.empty.message)
    assert consents().all() == []


def test_cancel_shows_what_was_replayed_so_far(story: Story, code: Path) -> None:
    story.choose(code)
    view = story.page.view
    view.bar.filter.setText("status in (completed, failed, running)")
    view.bar.start()
    story.agree().accept()
    story.until(lambda: story.page.running and story.page._far[0] > 3)
    story.window.run_command("gate.cancel")
    story.until(lambda: not story.page.running)
    assert view.shows_report and not view.report.complete
    assert "Cancelled before the end." in view.verdict.text
    assert 0 < len(view.report.results) < 140


def test_wrong_filters_and_empty_choices_say_what_to_do(story: Story, code: Path) -> None:
    story.choose(code)
    view = story.page.view
    view.bar.filter.setText("status ==")
    view.bar.start()
    story.until(lambda: "Expected a value" in view.empty.message)
    view.bar.filter.setText('id == "nobody"')
    view.bar.start()
    story.until(lambda: "No run matches" in view.empty.message)


def test_the_demo_is_stopped_by_its_next_release(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> None:
    """As docs/demo.md tells it."""
    database = tmp_path / "shop.sqlite"
    shutil.copy(small_past().after, database)
    story = opened(qtbot, database)
    try:
        story.choose(resources.path().resolve() / "demo_next" / "orders.py")
        view = story.page.view
        view.bar.filter.setText("type == fulfil_order and status == running")
        view.bar.start()
        story.agree().accept()
        story.replayed()
        (group,) = view.report.of(Section.DIVERGED)
        source = Path(group.at.file).read_text().splitlines()
        assert "check_fraud(order, total)" in source[group.at.line - 1]
        assert (group.what, group.expected, group.actual) == ("extra step", "DBOS.setEvent", "check_fraud")
        assert group.count == len(view.report.results) >= 2
        assert {view.report.results[n].divergence.step_id for n in group.runs} == {"4"}
    finally:
        story.window.close()


def test_the_next_release_is_the_demo_with_one_edit() -> None:
    now, then = (resources.path() / name / "orders.py" for name in ("demo", "demo_next"))
    kept = [line for line in now.read_text().splitlines()[1:] if line.strip()]
    new = then.read_text().splitlines()
    assert [line for line in kept if line not in new] == []
    added = [line for line in new if line.strip() and line not in kept]
    assert len(added) < 12 and any("check_fraud" in line for line in added)


def test_the_sample_s_code_is_known_and_its_next_release_is_stopped(qtbot: QtBot, qapp: QApplication) -> None:
    """A history whose records are the engine's own; as resources/samples/README.md tells it."""
    samples = resources.path().resolve() / "samples"
    story = opened(qtbot, samples / "loan")
    try:
        story.until(lambda: story.page.code.project is not None)
        assert story.page.code.project.code == str(samples / "loan")
        story.choose(samples / "loan_next")
        view = story.page.view
        view.bar.filter.setText("status == completed")
        view.bar.start()
        story.agree().accept()
        story.replayed()
        story.until(lambda: len(view.finding.divergence.pairs) > 1)
        had = [pair.expected for pair in view.finding.divergence.pairs]
        assert had[:3] == ["activity send_thank_you_to_customer", "activity charge_customer", "timer"]
    finally:
        story.window.close()
