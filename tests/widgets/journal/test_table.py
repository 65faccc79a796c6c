"""Entries in a table and in full: what is shown stays chosen, foreign text is plain."""

from __future__ import annotations

from datetime import UTC

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from widgets.journal.detail import EntryDetail
from widgets.journal.entries import Entry, as_text, cells
from widgets.journal.table import EntryTable

NOW = 1_800_000_000_000_000_000


def entry(seq: int, **more: object) -> Entry:
    known = {
        "who": "anna",
        "source": "x://y",
        "source_title": "y",
        "target": f"run-{seq}",
        "action": "cancel",
    }
    return Entry(seq=seq, time_ns=NOW, **{**known, "action": "cancel", "outcome": "applied", **more})


def test_the_chosen_entry_stays_chosen(qtbot: QtBot) -> None:
    table = EntryTable("Entries")
    qtbot.addWidget(table)
    table.set_entries([entry(1), entry(2)], UTC)
    table.choose(1)
    table.set_entries([entry(3), entry(2), entry(1)], UTC)
    assert table.current().seq == 1
    table.set_entries([], UTC)
    assert table.current() is None


def test_a_table_of_one_run_leaves_its_source_and_target_out(qtbot: QtBot) -> None:
    table = EntryTable("Entries", ("when", "who", "action", "outcome", "reason"))
    qtbot.addWidget(table)
    table.set_entries([entry(1, reason="stuck")], UTC)
    assert table.row_text(0).split("\t")[1:] == ["anna", "cancel", "applied", "stuck"]


def test_words_and_clipboard() -> None:
    pending = entry(1, pending="Nothing took it.")
    assert pending.words == "applied, still awaited" and pending.state == "completed"
    assert entry(2, outcome="denied").state == "failed"
    assert [text for text, _ in cells(pending, NOW, UTC)][1:] == [
        "anna",
        "y",
        "run-1",
        "cancel",
        pending.words,
        "",
    ]
    assert as_text([pending], UTC).count("\t") == 6


def test_one_entry_in_full(qtbot: QtBot) -> None:
    detail = EntryDetail()
    qtbot.addWidget(detail)
    detail.show()
    full = entry(
        1,
        reason="<i>why</i>\x1b",
        target_kind="run",
        plan=("DELETE",),
        hashes=((1, "abc"),),
        evidence=("Seen.",),
    )
    detail.show_entry(full, UTC)
    assert "row 1  abc" in detail.text and "DELETE" in detail.text
    assert all(one.textFormat() == Qt.TextFormat.PlainText for one in detail.findChildren(QLabel))
    assert "\x1b" not in detail.text
    detail.show_entry(None, UTC)
    assert detail.text == ""
