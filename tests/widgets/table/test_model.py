"""The paged model and its view, driven as a table: placeholders, growth, selection, keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QAbstractItemModelTester

from engine_bridge.bridge import Page
from tests.fakes import make_run
from widgets.runs.columns import COLUMNS
from widgets.table.blocks import Fetch
from widgets.table.model import PagedModel
from widgets.table.view import PagedView
from widgets.theme import ROW, theme

TOTAL = 5_000


class Feeder:
    """Answers a model's wishes from made-up runs, when told to."""

    def __init__(self, model: PagedModel) -> None:
        self.model = model
        self.asked: list[Fetch] = []
        model.wanted.connect(self.asked.extend)

    def answer(self) -> None:
        asked, self.asked[:] = list(self.asked), []
        for fetch in asked:
            start = int(fetch.cursor or 0)
            if fetch.direction == "backward":
                start = (TOTAL if fetch.cursor is None else int(fetch.cursor)) - fetch.limit
            end = min(TOTAL, start + fetch.limit)
            items = tuple(make_run(row) for row in range(start, end))
            self.model.put(fetch, Page(items=items, after=str(end).encode() if end < TOTAL else None))


@pytest.fixture
def model(qapp) -> PagedModel:
    return PagedModel(COLUMNS, lambda run: run.ref)


@pytest.fixture
def view(qtbot, model: PagedModel) -> PagedView:
    view = PagedView(model)
    qtbot.addWidget(view)
    view.resize(1_200, 600)
    view.show()
    return view


def ids(model: PagedModel, *rows: int) -> list[str]:
    return [model.index(row, 2).data() for row in rows]


def test_the_model_keeps_qt_rules_through_its_life(model: PagedModel) -> None:
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    feeder = Feeder(model)
    model.start()
    feeder.answer()
    model.set_count(TOTAL)
    model.set_anchors([str(row).encode() for row in range(0, TOTAL, 1_000)], 1_000)
    model.want(3_000, 3_040)
    feeder.answer()
    model.prepend([make_run(9_000)])
    model.clear()
    assert model.rowCount() == 0
    assert tester is not None


def test_rows_have_no_children(model: PagedModel) -> None:
    feeder = Feeder(model)
    model.start()
    feeder.answer()
    assert model.rowCount(model.index(0, 0)) == 0
    assert model.rowCount(QModelIndex()) > 0


def test_scrolling_far_shows_placeholders_then_rows(qtbot, view: PagedView, model: PagedModel) -> None:
    feeder = Feeder(model)
    model.start()
    feeder.answer()
    model.set_count(TOTAL)
    model.set_anchors([str(row).encode() for row in range(0, TOTAL, 1_000)], 1_000)
    qtbot.waitUntil(lambda: view.verticalScrollBar().maximum() > 3_300 * 26)
    view.verticalScrollBar().setValue(3_300 * 26)
    first, _ = view.visible_rows
    assert first == 3_300
    assert ids(model, first) == [""]
    qtbot.waitUntil(lambda: bool(feeder.asked))
    feeder.answer()
    assert ids(model, 3_300, 3_310) == ["run-3300", "run-3310"]


def test_home_and_end_go_to_the_ends(qtbot, view: PagedView, model: PagedModel) -> None:
    feeder = Feeder(model)
    model.start()
    feeder.answer()
    model.set_count(TOTAL)
    model.set_anchors([str(row).encode() for row in range(0, TOTAL, 1_000)], 1_000)
    view.setFocus()
    qtbot.keyClick(view, Qt.Key.Key_End)
    qtbot.waitUntil(lambda: bool(feeder.asked))
    feeder.answer()
    assert view.current_item.id == "run-4999"
    qtbot.keyClick(view, Qt.Key.Key_Home)
    assert view.current_item.id == "run-0000"


def test_rows_inserted_above_do_not_move_the_selection(qtbot, view: PagedView, model: PagedModel) -> None:
    feeder = Feeder(model)
    model.start()
    feeder.answer()
    view.selectRow(3)
    model.prepend([make_run(7_000), make_run(7_001)])
    assert [run.id for run in view.selected_items()] == ["run-0003"]


def test_several_rows_are_chosen_with_shift(qtbot, view: PagedView, model: PagedModel) -> None:
    feeder = Feeder(model)
    model.start()
    feeder.answer()
    view.selectRow(1)
    qtbot.keyClick(view, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(view, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert [run.id for run in view.selected_items()] == ["run-0001", "run-0002", "run-0003"]


def test_enter_opens_the_current_row(qtbot, view: PagedView, model: PagedModel) -> None:
    feeder = Feeder(model)
    model.start()
    feeder.answer()
    view.selectRow(4)
    with qtbot.waitSignal(view.opened) as opened:
        qtbot.keyClick(view, Qt.Key.Key_Return)
    assert opened.args[0].id == "run-0004"


def test_typing_letters_searches_nothing(qtbot, view: PagedView, model: PagedModel) -> None:
    feeder = Feeder(model)
    model.start()
    feeder.answer()
    view.selectRow(0)
    qtbot.keyClicks(view, "run-0005")
    assert view.current_item.id == "run-0000"


def test_the_header_asks_for_a_sort(qtbot, view: PagedView, model: PagedModel) -> None:
    header = view.horizontalHeader()
    with qtbot.waitSignal(view.sort_requested) as asked:
        x = header.sectionViewportPosition(6) + 10
        qtbot.mouseClick(
            header.viewport(), Qt.MouseButton.LeftButton, pos=header.rect().center().__class__(x, 8)
        )
    assert asked.args == [6]


def test_a_tooltip_shows_hostile_text_as_text(model: PagedModel) -> None:
    import msgspec

    feeder = Feeder(model)
    model.start()
    feeder.answer()
    hostile = msgspec.structs.replace(make_run(0), type="<img src='http://x/'><b>bold</b>")
    model.update_items([hostile])
    tip = model.index(0, 1).data(Qt.ItemDataRole.ToolTipRole)
    assert "<img" not in tip
    assert "&lt;img" in tip


def test_a_row_shows_its_state_as_glyph_and_a_placeholder_shows_none(
    qtbot, view: PagedView, model: PagedModel
) -> None:
    feeder = Feeder(model)
    model.start()
    feeder.answer()
    failed = theme().state(model.item(1).status)
    assert model.index(1, 0).data() == "failed"
    view.updateGeometries()
    assert _shows(view, 1, failed)
    assert not _shows(view, 0, failed)
    model.clear()
    assert not _shows(view, 1, failed)


def _shows(view: PagedView, row: int, wanted: QColor) -> bool:
    """Whether the glyph of a row has a pixel of nearly this colour (its edges are antialiased)."""
    image = view.viewport().grab().toImage()
    found = [image.pixelColor(x, y) for x in range(8, 24) for y in range(row * ROW, (row + 1) * ROW)]
    return any(
        abs(c.red() - wanted.red()) + abs(c.green() - wanted.green()) + abs(c.blue() - wanted.blue()) < 40
        for c in found
    )


@pytest.mark.parametrize("width", [400, 760, 1_000, 1_600, 3_000])
def test_the_widest_column_stays_readable_as_long_as_others_can_give_way(view: PagedView, width: int) -> None:
    view.resize(width, 400)
    view.fit_columns()
    widths = {
        column.id: view.columnWidth(n) for n, column in enumerate(COLUMNS) if not view.isColumnHidden(n)
    }
    total = sum(widths.values())
    assert widths["now"] >= 210
    assert total == view.viewport().width() or (total > width and widths["id"] == 112)
