"""The events table: rows on demand, the playhead's row, find, growth at the tail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from engine_bridge.codes import NONE
from engine_bridge.history import BatchBuilder, History, decode_event
from engine_bridge.model import Event, EventKind
from tests.widgets.run.histories import fake_history, long_history
from widgets.run.event_filter import EventFilter
from widgets.run.event_model import DETAIL, EVENT, NUMBER, STEP, TIME, EventModel
from widgets.run.event_table import EventsPane


@pytest.fixture
def pane(qtbot: QtBot) -> Iterator[EventsPane]:
    pane = EventsPane()
    qtbot.addWidget(pane)
    pane.set_zone(UTC)
    pane.resize(640, 400)
    pane.show()
    yield pane
    pane.set_history(None)


def row_texts(pane: EventsPane, row: int) -> list[str]:
    return [pane.model.text(row, column) for column in range(DETAIL + 1)]


def test_the_model_keeps_qts_rules(qtmodeltester: object) -> None:
    model = EventModel()
    model.set_history(fake_history(1)[1])
    qtmodeltester.check(model)
    assert model.rowCount() == 10


def test_a_row_says_what_happened(pane: EventsPane) -> None:
    pane.set_history(fake_history(1)[1])
    assert row_texts(pane, 8) == [
        "9",
        "08:00:15.500",
        "step failed",
        "create_shipment",
        "CardDeclined: insufficient funds",
    ]
    index = pane.model.index(8, TIME)
    assert "08:00:15.500000000+0000" in pane.model.data(index, int(Qt.ItemDataRole.ToolTipRole))


def test_inferred_events_say_so(pane: EventsPane) -> None:
    pane.set_history(long_history(20)[1])
    assert pane.model.text(2, DETAIL) == "item 1 (inferred)"


def test_only_seen_rows_are_decoded(pane: EventsPane, qtbot: QtBot) -> None:
    _, history = long_history(51_200)
    decoded: list[int] = []
    original = history.event

    def spy(row: int) -> Event:
        decoded.append(row)
        return original(row)

    history.event = spy
    pane.set_history(history)
    pane.set_position(40_000)
    pane.grab()
    assert pane.model.rowCount() == 51_200
    assert len(set(decoded)) < 200


def test_the_keyboard_moves_the_playhead(pane: EventsPane, qtbot: QtBot) -> None:
    pane.set_history(fake_history(1)[1])
    pane.set_position(3)
    picked: list[Event] = []
    pane.event_picked.connect(picked.append)
    qtbot.keyClick(pane.table, Qt.Key.Key_Down)
    assert [event.position for event in picked] == [4]
    assert picked[0].step_name == "charge_card"


def test_later_rows_fade_and_the_playheads_row_is_marked(pane: EventsPane) -> None:
    pane.set_history(fake_history(1)[1])
    pane.set_position(5)
    assert pane.table.current == 4
    assert not pane.model.later(4)
    assert pane.model.later(5)
    pane.set_position(None)
    assert not pane.model.later(9)
    assert pane.table.current == -1


def test_find_narrows_to_events_that_hold_all_words(pane: EventsPane, qtbot: QtBot) -> None:
    pane.set_history(long_history(2_000)[1])
    pane.finder.setFocus()
    qtbot.keyClicks(pane.finder, "STARTED item 77")
    qtbot.waitUntil(lambda: pane.model.rowCount() == 19 and not pane._filter.running)
    assert pane._count.text == "19 of 2\u202f000"
    assert {pane.model.text(row, EVENT) for row in range(19)} == {"step started"}
    qtbot.keyClick(pane.finder, Qt.Key.Key_Escape)
    assert pane.model.rowCount() == 2_000


def test_enter_in_the_find_box_walks_the_matches(pane: EventsPane, qtbot: QtBot) -> None:
    pane.set_history(long_history(200)[1])
    picked: list[int] = []
    pane.event_picked.connect(
        lambda event: (picked.append(event.position), pane.set_position(event.position))
    )
    qtbot.keyClicks(pane.finder, "step failed")
    qtbot.waitUntil(lambda: pane.model.rowCount() == 10 and not pane._filter.running)
    qtbot.keyClick(pane.finder, Qt.Key.Key_Return)
    qtbot.keyClick(pane.finder, Qt.Key.Key_Return)
    assert picked == [20, 40]


def test_no_match_says_what_to_do(pane: EventsPane, qtbot: QtBot) -> None:
    pane.set_history(fake_history(1)[1])
    qtbot.keyClicks(pane.finder, "nowhere")
    qtbot.waitUntil(lambda: pane._empty.isVisible())
    assert pane._empty.text == "No event holds these words. Clear the box with Escape."


def test_no_events_says_so(pane: EventsPane) -> None:
    pane.set_history(History())
    assert pane._empty.text == "No events are recorded for this run yet."


def append_event(history: History, builder: BatchBuilder, detail: str) -> None:
    event = Event(position=history.last_position + 1, kind=EventKind.OTHER, name="note", detail=detail)
    history.append(builder.build(None, [(event, NONE)], []))


def test_growth_moves_nothing_that_is_read(pane: EventsPane) -> None:
    _, history = long_history(400)
    pane.set_history(history)
    pane.set_position(100)
    top = pane.table.rowAt(0)
    append_event(history, BatchBuilder(), "late")
    pane.refresh()
    assert pane.model.rowCount() == 401
    assert pane.table.rowAt(0) == top


def test_live_follows_the_tail(pane: EventsPane) -> None:
    _, history = long_history(400)
    pane.set_history(history)
    pane.set_position(None)
    append_event(history, BatchBuilder(), "late")
    pane.refresh()
    assert pane.table.rowAt(pane.table.viewport().height() - 4) == 400


def test_what_arrives_is_found_too(pane: EventsPane, qtbot: QtBot) -> None:
    _, history = fake_history(0)
    pane.set_history(history)
    qtbot.keyClicks(pane.finder, "late")
    qtbot.waitUntil(lambda: pane._empty.isVisible())
    append_event(history, BatchBuilder(), "late news")
    pane.refresh()
    qtbot.waitUntil(lambda: pane.model.rowCount() == 1)
    assert pane.model.text(0, DETAIL) == "late news"


def test_cells_offer_copies_and_filters(pane: EventsPane) -> None:
    pane.set_history(fake_history(1)[1])
    pane.filter_fields = frozenset({"error", "step"})
    asked: list[tuple[str, str]] = []
    pane.filter_requested.connect(asked.append)
    event = pane.model.event_at(8)
    assert event is not None
    menu = pane.menu(pane.model.index(8, STEP), event)
    titles = [action.text() for action in menu.actions() if action.text()]
    assert titles[:4] == ["Copy cell", "Copy row", "Copy exact time", "Copy event as JSON"]
    for action in menu.actions():
        if action.text() in ("Copy cell", "Filter runs by error CardDeclined"):
            action.trigger()
    assert QGuiApplication.clipboard().text() == "create_shipment"
    assert asked == [("error", "CardDeclined")]


def test_an_undecodable_record_is_a_row_that_says_so(pane: EventsPane) -> None:
    _, history = fake_history(1)
    history._event_records[2] = b"\xc1garbage"
    pane.set_history(history)
    assert row_texts(pane, 2)[NUMBER] == "3"
    assert row_texts(pane, 2)[DETAIL].startswith("this record cannot be decoded")
    assert row_texts(pane, 3)[STEP] == "charge_card"


def test_steps_by_name_are_found_at_once_and_the_rest_falls_into_place(qtbot: QtBot) -> None:
    history = fake_history(1)[1]
    name = next(name for name in history.names if name)
    model, finder = EventModel(), EventFilter()
    model.set_history(history)
    model.set_rows(np.zeros(0, np.int64))
    finder.found.connect(model.add_rows)
    first: list[int] = []
    finder.found.connect(lambda rows: first or first.extend(rows.tolist()))
    with qtbot.waitSignal(finder.finished):
        finder.start(history, name[:3])
    step = history.events["step"]
    named = [i for i, row in enumerate(step.tolist()) if row >= 0 and name[:3] in history.step(row).name]
    assert first == named
    shown = [model.source_row(row) for row in range(model.rowCount())]
    assert shown == sorted(set(shown)) and set(named) <= set(shown)


def test_what_a_record_holds_is_found_before_events_are_decoded(qtbot: QtBot) -> None:
    decoded: list[bytes] = []

    def decode(record: bytes) -> Event:
        decoded.append(record)
        return decode_event(record)

    class Records:
        def prepare(self, block: int, records: Sequence[bytes]) -> None:
            prepared.append((block, len(records)))

        def holding(self, block: int, records: Sequence[bytes], words: Sequence[str]) -> list[int]:
            asked.append(block)
            wanted = [word.lower().encode() for word in words]
            return [at for at, one in enumerate(records) if all(word in one.lower() for word in wanted)]

    asked: list[int] = []
    prepared: list[tuple[int, int]] = []
    history, builder, finder = History(decode, looker=Records), BatchBuilder(), EventFilter()
    for number in range(600):
        attributes = {"note": {100: "needle in the HAY", 500: "Needle in the hay"}.get(number, "hay")}
        event = Event(position=number + 1, kind=EventKind.OTHER, name="note", attributes=attributes)
        history.append(builder.build(None, [(event, NONE)], []))
    found: list[int] = []
    decoded_before: list[int] = []
    finder.found.connect(lambda rows: (found.extend(rows.tolist()), decoded_before.append(len(decoded))))
    with qtbot.waitSignal(finder.finished):
        finder.start(history, "Needle hay")
    assert found == [100, 500] and not any(decoded_before)
    assert asked == [0, 1, 2]
    while history.lay_out(2):
        pass
    assert prepared == [(0, 256), (1, 256), (2, 88)]
    assert len(decoded) == 598  # what is shown of an event may hold words that its record does not
