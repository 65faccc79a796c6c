"""Runs exported from the window: masked by default, raw only when confirmed and journalled, first before a deletion."""

from __future__ import annotations

from pathlib import Path

from tests.app.acting import Open


def test_a_run_is_exported_before_it_is_deleted(acting: Open, tmp_path: Path) -> None:
    a = acting()
    a.go("run-0000")
    a.run("action.delete")
    a.planned()
    view = a.desk.review.view
    assert view.export_button.isVisible()
    view.export_button.click()
    a.desk.exports.dialog.fileSelected.emit(str(tmp_path / "run.playhead"))
    a.until(lambda: "Exported 1 run to run.playhead" in a.window.status_bar.note.text)
    assert (tmp_path / "run.playhead").stat().st_size > 100
    a.desk.exports.dialog.reject()
    assert a.journal() == []


def test_a_raw_export_is_confirmed_and_journalled(acting: Open, tmp_path: Path) -> None:
    a = acting()
    a.go("run-0000")
    a.run("action.export_raw")
    dialog = a.desk.exports.raw_dialog
    assert not dialog.export_button.isEnabled()
    dialog.box.click()
    dialog.export_button.click()
    a.desk.exports.dialog.fileSelected.emit(str(tmp_path / "raw.playhead"))
    a.until(lambda: "Exported 1 run to raw.playhead" in a.window.status_bar.note.text)
    a.desk.exports.dialog.reject()
    assert a.journal() == [("export", "export raw", "")]
