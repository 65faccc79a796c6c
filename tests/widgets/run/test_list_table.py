"""Small tables: their columns are as wide as their texts need."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

from widgets.run.list_table import Cell, ListTable


def shown(qtbot: QtBot, width: int, rows: list[tuple[str, ...]]) -> list[int]:
    table = ListTable("Relations", ("role", "run", "type", "note"), (80, 220, 120), firm=(0,))
    qtbot.addWidget(table)
    table.resize(width, 200)
    table.show()
    qtbot.waitExposed(table)
    table.list_model.set_rows(len(rows), lambda row: tuple(Cell(text) for text in rows[row]))
    return [table.columnWidth(column) for column in range(4)]


def test_a_long_type_takes_the_room_that_others_do_not_need(qtbot: QtBot) -> None:
    long = "com.example.billing.InvoiceReconciliation"
    role, run, kind, note = shown(qtbot, 700, [("child", "order-7", long, "")])
    assert role == 80 and kind > 250 and sum((role, run, kind, note)) <= 700
    role, run, kind, note = shown(qtbot, 420, [("child", "order-7", long, "")])
    assert role == 80 and 40 < run < 120 and kind > 160 and sum((role, run, kind, note)) <= 420


def test_where_it_scrolls_the_last_column_can_be_read_too(qtbot: QtBot) -> None:
    widths = shown(qtbot, 260, [("child", "order-7 of acme", "fulfil_order", "because")])
    assert sum(widths) > 260 and min(widths[1:]) > 50


def test_with_room_columns_keep_their_widths_and_the_last_gets_the_rest(qtbot: QtBot) -> None:
    assert shown(qtbot, 900, [("child", "order-7", "order", "x" * 40)])[:3] == [80, 220, 120]
    assert shown(qtbot, 1200, [("child", "x" * 300, "order", "why")])[1] == 660, "endless names are cut"
    assert shown(qtbot, 300, [])[0] == 80
