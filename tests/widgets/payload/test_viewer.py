"""The payload viewer: what a user sees of bytes that arrive."""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QToolButton
from pytestqt.qtbot import QtBot

from engine_bridge.errors import DecodeError
from engine_bridge.model import PayloadRef
from widgets.payload.viewer import RAW, SLICE, TEXT, TREE, WHOLE, PayloadView


class Danger:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, ("/tmp/never",)


@pytest.fixture
def view(qtbot: QtBot) -> Iterator[PayloadView]:
    view = PayloadView()
    qtbot.addWidget(view)
    view.resize(700, 400)
    view.show()
    yield view
    view.set_ref(None)


def give(
    view: PayloadView, data: bytes, encoding: str | None = "json", *, complete: bool = True
) -> PayloadRef:
    ref = PayloadRef(key="k", label="output", encoding=encoding, size=len(data))
    view.set_ref(None)
    view.set_ref(ref)
    view.set_data(ref, 0, data, complete=complete)
    return ref


def tree_lines(view: PayloadView) -> list[str]:
    model = view.tree.tree_model
    return [model.data(model.index(row, 0)) for row in range(model.rowCount())]


def test_it_asks_for_a_slice_first_and_then_for_the_rest(view: PayloadView, qtbot: QtBot) -> None:
    asked: list[tuple[int, int]] = []
    view.load_requested.connect(lambda request: asked.append(request[1:]))
    data = json.dumps(list(range(100_000))).encode()
    ref = give(view, data[:SLICE], complete=False)
    assert asked == [(0, SLICE), (0, -1)]
    view.set_data(ref, 0, data, complete=True)
    qtbot.waitUntil(lambda: not view._worker.busy)
    assert view.text.source.count == 100_002
    assert view.text.source.line(100_000) == "  99999"


def test_a_huge_payload_shows_its_slice_and_offers_the_rest(view: PayloadView, qtbot: QtBot) -> None:
    asked: list[tuple[int, int]] = []
    view.load_requested.connect(lambda request: asked.append(request[1:]))
    ref = PayloadRef(key="k", label="output", encoding="text", size=WHOLE + 1)
    view.set_ref(ref)
    view.set_data(ref, 0, b"line\n" * (SLICE // 5), complete=False)
    qtbot.waitUntil(lambda: not view._worker.busy)
    assert asked == [(0, SLICE)]
    assert view.message == "first 256.0 KiB are shown"
    qtbot.mouseClick(view._more, Qt.MouseButton.LeftButton)
    assert asked[-1] == (0, -1)


def test_json_shows_as_a_tree(view: PayloadView) -> None:
    give(view, b'{"order": "o-1", "total": 1.00}')
    assert view.page == TREE
    assert tree_lines(view) == ["{2}", 'order: "o-1"', "total: 1.00"]
    assert view.badge == "json · 31 B"


def test_a_pickle_names_its_globals_and_is_never_executed(view: PayloadView) -> None:
    data = base64.b64encode(pickle.dumps({"x": Danger()}))
    give(view, data, "py_pickle")
    assert "never executed" in view.badge
    assert "pathlib" in view.badge
    assert not Path("/tmp/never").exists()


def test_secrets_are_masked_until_revealed(view: PayloadView) -> None:
    give(view, b'{"user": "anna", "password": "hunter2hunter2"}')
    assert "hunter2" not in "".join(tree_lines(view))
    for source in (view.text.source, view.raw.source):
        assert b"hunter2" not in source.data
    assert view.message == "secrets are masked"
    view.set_reveal(True)
    assert "hunter2hunter2" in "".join(tree_lines(view))
    assert b"hunter2" in view.raw.source.data


def test_bytes_that_are_no_text_show_in_hexadecimal(view: PayloadView) -> None:
    give(view, b"\x00\x01\xff" * 20, None)
    view.show_page(RAW)
    assert view.raw.source.line(0).startswith("00000000  00 01 ff 00")


def test_what_cannot_be_decoded_says_why_and_keeps_its_bytes(view: PayloadView) -> None:
    give(view, b"%%% no pickle %%%", "py_pickle")
    assert view.message.startswith("Not py_pickle")
    view.show_page(RAW)
    assert view.raw.source.line(0) == "%%% no pickle %%%"


def test_an_error_of_the_source_is_told(view: PayloadView) -> None:
    ref = PayloadRef(key="k", label="output")
    view.set_ref(ref)
    view.set_error(ref, DecodeError("The payload is gone.", "It was deleted."))
    assert view.message == "The payload is gone. It was deleted."


def test_late_bytes_of_another_payload_are_dropped(view: PayloadView) -> None:
    old = give(view, b'{"a": 1}')
    new = PayloadRef(key="other", label="input", encoding="json")
    view.set_ref(new)
    view.set_data(old, 0, b'{"old": 1}', complete=True)
    assert view.message == "Loading …"


def test_find_goes_to_the_text_and_walks_its_matches(view: PayloadView, qtbot: QtBot) -> None:
    give(view, json.dumps([{"name": f"order {i}"} for i in range(100)]).encode())
    view.finder.begin()
    qtbot.keyClicks(view.finder, "order 9")
    qtbot.keyClick(view.finder, Qt.Key.Key_Return)
    assert view.page == TEXT
    lines = []
    for _ in range(3):
        lines.append(view.text.source.line(view.text._match).strip())
        qtbot.keyClick(view.finder, Qt.Key.Key_Return)
    assert lines[:3] == ['"name": "order 90"', '"name": "order 91"', '"name": "order 92"']
    qtbot.keyClick(view.finder, Qt.Key.Key_Escape)
    assert view.finder.text() == ""


def test_the_tree_opens_and_copies_from_the_keyboard(view: PayloadView, qtbot: QtBot) -> None:
    give(view, json.dumps({"big": {str(i): i for i in range(100)}}).encode())
    assert len(tree_lines(view)) == 2
    view.tree.setCurrentIndex(view.tree.tree_model.index(1, 0))
    qtbot.keyClick(view.tree, Qt.Key.Key_Right)
    assert len(tree_lines(view)) == 102
    qtbot.keyClick(view.tree, Qt.Key.Key_Down)
    qtbot.keyClick(view.tree, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "0"
    qtbot.keyClick(view.tree, Qt.Key.Key_Left)
    qtbot.keyClick(view.tree, Qt.Key.Key_Return)
    assert len(tree_lines(view)) == 2


def test_a_row_offers_its_path(view: PayloadView) -> None:
    give(view, b'{"a": [10, 20]}')
    row = view.tree.tree_model.row(3)
    assert row is not None
    menu = view.tree.menu(row)
    next(action for action in menu.actions() if action.text() == "Copy path").trigger()
    assert QGuiApplication.clipboard().text() == '$["a"][1]'


def test_text_is_selected_with_the_mouse_and_copied(view: PayloadView, qtbot: QtBot) -> None:
    give(view, b"first line\nsecond line", "text")
    text = view.text
    char, gutter = text._char, text._gutter()
    port = text.viewport()
    qtbot.mousePress(port, Qt.MouseButton.LeftButton, pos=QPoint(round(gutter + 6 * char), 4))
    qtbot.mouseMove(port, QPoint(round(gutter + 6 * char), 22))
    text._cursor = text._place(QPoint(round(gutter + 6 * char), 22).toPointF())
    qtbot.mouseRelease(port, Qt.MouseButton.LeftButton, pos=QPoint(round(gutter + 6 * char), 22))
    qtbot.keyClick(text, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "line\nsecond"


def test_saving_writes_the_stored_bytes(view: PayloadView, tmp_path: Path) -> None:
    give(view, b'{"password": "hunter2hunter2"}')
    view.save(tmp_path / "out.bin")
    assert (tmp_path / "out.bin").read_bytes() == b'{"password": "hunter2hunter2"}'
    view.save(tmp_path / "missing" / "out.bin")
    assert view.message.startswith("Cannot save")


def test_nothing_recorded_says_so(view: PayloadView) -> None:
    view.set_ref(None)
    assert view.message == "Nothing is recorded here."


@pytest.mark.parametrize("width", [260, 320, 700])
def test_buttons_are_whole_however_narrow_it_is(view: PayloadView, qtbot: QtBot, width: int) -> None:
    give(view, b'{"a": 1}', "json")
    view.resize(width, 300)
    buttons = [button for button in view.findChildren(QToolButton) if button.isVisible() and button.text()]
    assert [button.text() for button in buttons] == ["Tree", "Text", "Raw", "Reveal", "More"]

    def laid_out() -> bool:
        right = [button.mapTo(view, button.rect().bottomRight()).x() for button in buttons]
        whole = all(button.width() >= button.sizeHint().width() for button in buttons)
        return whole and view.finder.width() > 60 and max(right) < width

    qtbot.waitUntil(laid_out)
