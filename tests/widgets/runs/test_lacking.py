"""The list of a source that does not count steps, in a small window: nothing empty, no number cut."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

from widgets.runs.page import RunsView


def test_columns_that_a_source_has_no_values_for_leave_room(qtbot: QtBot) -> None:
    view = RunsView()
    qtbot.addWidget(view)
    assert "steps" in view.shown_columns() and view.use_columns(entities=False, lacking=frozenset({"steps"}))
    assert "steps" not in view.shown_columns()
    view.resize(760, 500)
    view.show()
    view.show_rows()
    table = view.table
    widths = [table.columnWidth(n) for n in range(len(view.model.columns)) if not table.isColumnHidden(n)]
    assert sum(widths) == table.viewport().width()


def test_chips_keep_their_counts_where_room_is_short(qtbot: QtBot) -> None:
    view = RunsView()
    qtbot.addWidget(view)
    view.resize(760, 500)
    view.show()
    states = ("running", "delayed", "paused", "failed", "timed_out", "terminated", "cancelled", "completed")
    view.chips.set_counts(dict.fromkeys((*states, "continued"), 188))
    buttons = [view.chips._buttons[name] for name in (*states, "continued")]
    qtbot.waitUntil(lambda: all(b.width() >= b.sizeHint().width() for b in buttons))
    assert view.chips.text_of("running").strip() == "188"
