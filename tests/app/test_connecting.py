"""The connect dialog, passwords, and where secrets do not go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app import secrets
from app.window import MainWindow
from engine_bridge.bridge import ConnectField, ConnectForm
from engine_bridge.model import Environment
from tests.app.rings import memory_keyring
from tests.app.window_fixture import BRIDGES, PASSWORD, Opened
from widgets.shell import connect_dialog
from widgets.shell.ask import Ask, AskPassword
from widgets.shell.connect_dialog import ConnectDialog


@pytest.fixture
def dialog(qtbot: QtBot, window: MainWindow) -> ConnectDialog:
    window.run_command("source.connect")
    made = window.connecting
    assert made is not None
    qtbot.waitUntil(lambda: made.dialog.kind.count() == 2)
    return made.dialog


def test_connecting_by_fields(qtbot: QtBot, window: MainWindow, dialog: ConnectDialog) -> None:
    dialog.kind.setCurrentIndex(1)
    assert list(dialog.lines()) == ["host", "name"]
    qtbot.keyClicks(dialog.lines()["name"], "orders")
    qtbot.keyClicks(dialog.name, "shop")
    dialog.environment.setCurrentText("Test")
    dialog.connect_button.click()
    qtbot.waitUntil(lambda: window.top_bar.environment.text == "TEST")
    assert [(s.name, s.url, s.environment) for s in window.saved.sources()] == [
        ("shop", "fake://localhost/orders", Environment.TEST)
    ]


def test_a_long_form_scrolls_where_the_screen_is_low(
    qtbot: QtBot, dialog: ConnectDialog, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = tuple(ConnectField(f"f{n}", f"Field {n}") for n in range(12))
    dialog.set_forms([ConnectForm("fake", "Server", fields, lambda fields: "fake://h/n")])
    dialog.kind.setCurrentIndex(1)
    last = dialog.lines()["f11"]
    assert dialog._scroll.viewport().rect().contains(last.mapTo(dialog._scroll.viewport(), QPoint()))
    low = dialog.height() - 200
    monkeypatch.setattr(connect_dialog, "fitted", lambda dialog, wanted: wanted.boundedTo(QSize(2_000, low)))
    dialog.show_idle("again")
    assert dialog.height() == low and dialog.connect_button.geometry().bottom() < low
    dialog.kind.setFocus()
    for _ in range(12):
        qtbot.keyClick(dialog.focusWidget(), Qt.Key.Key_Tab)
    assert dialog.focusWidget() is last, "the keyboard goes from top to bottom"
    assert dialog._scroll.viewport().rect().contains(last.mapTo(dialog._scroll.viewport(), QPoint()))


def test_a_form_without_its_file_opens_nothing(
    qtbot: QtBot, window: MainWindow, dialog: ConnectDialog
) -> None:
    """An empty path would be the folder that the program was started in."""
    field = ConnectField("path", "File or folder")
    dialog.set_forms([ConnectForm("fake+file", "Files", (field,), lambda fields: f"fake://{fields['path']}")])
    dialog.kind.setCurrentIndex(1)
    dialog.connect_button.click()
    assert "File or folder: nothing is named." in dialog.message.text() and not window.sources.all()


def test_what_has_few_values_is_chosen(qtbot: QtBot, window: MainWindow, dialog: ConnectDialog) -> None:
    field = ConnectField("name", "TLS", choices=(("orders", "With a key"), ("stock", "Always")))
    dialog.set_forms([ConnectForm("fake", "Server", (field,), lambda fields: f"fake://h/{fields['name']}")])
    dialog.kind.setCurrentIndex(1)
    assert not dialog.lines() and dialog.value().url == "fake://h/orders"
    dialog.choices()["name"].setFocus()
    qtbot.keyClick(dialog.choices()["name"], Qt.Key.Key_Down)
    assert dialog.choices()["name"].currentText() == "Always" and dialog.value().url == "fake://h/stock"
    dialog.password.setText(PASSWORD)
    dialog.kind.setCurrentIndex(0)
    assert not dialog.choices()
    assert not dialog.password.text(), "what was typed for one kind of source goes to no other"


def test_a_test_can_succeed_fail_and_be_cancelled(
    qtbot: QtBot, window: MainWindow, dialog: ConnectDialog
) -> None:
    line = dialog.lines()["url"]
    dialog.test_button.click()
    assert "Nothing to connect to." in dialog.message.text()
    line.setText("fake://server/orders")
    dialog.test_button.click()
    qtbot.waitUntil(lambda: "Fake answers: memory" in dialog.message.text())
    line.setText("fake://server/broken")
    dialog.test_button.click()
    qtbot.waitUntil(lambda: "Nothing answers there." in dialog.message.text())
    line.setText("fake://server/slow")
    dialog.test_button.click()
    assert dialog.test_button.text() == "Cancel test"
    qtbot.waitUntil(lambda: window.connecting is not None and window.connecting._call is not None)
    dialog.test_button.click()
    assert dialog.message.text() == "Cancelled."
    assert not window.sources.all()
    dialog.reject()


def test_a_refused_password_is_asked_for(qtbot: QtBot, window: MainWindow) -> None:
    window.open("fake://ann@server/locked")
    qtbot.waitUntil(lambda: isinstance(QApplication.activeModalWidget(), AskPassword))
    ask = QApplication.activeModalWidget()
    assert isinstance(ask, AskPassword)
    assert not ask.remember
    qtbot.keyClicks(ask.line, PASSWORD)
    qtbot.keyClick(ask.line, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.sources.all()[0].state == "live")
    assert window.sources.all()[0].url == "fake://ann@server/locked"


def test_a_wrong_password_fails_again_without_a_loop(qtbot: QtBot, window: MainWindow) -> None:
    window.open("fake://ann:wrong@server/locked")
    qtbot.waitUntil(lambda: isinstance(QApplication.activeModalWidget(), AskPassword))
    ask = QApplication.activeModalWidget()
    assert isinstance(ask, AskPassword)
    ask.reject()
    assert window.sources.all()[0].state == "failed"
    assert QApplication.activeModalWidget() is None
    assert "refuses this password" in window.placeholder.text.text()


def test_a_password_in_a_url_reaches_the_bridge_and_nothing_else(
    qtbot: QtBot, window: MainWindow, opened: Opened, capsys: pytest.CaptureFixture[str]
) -> None:
    key = opened(f"fake://ann:{PASSWORD}@server/locked")
    assert BRIDGES[-1]._secret == PASSWORD
    window.run_command("source.copy_url")
    source = window.sources.get(key)
    window.close()
    config = Path(os.environ["XDG_CONFIG_HOME"])
    texts = [file.read_text() for file in config.rglob("*") if file.is_file()]
    texts += [
        repr(source),
        repr(window.sources.target(key)),
        window.windowTitle(),
        *window.top_bar.path.texts,
    ]
    texts += [
        QApplication.clipboard().text(),
        *(row.tooltip for row in window.panel.rows),
        *capsys.readouterr(),
    ]
    assert texts
    assert not [text for text in texts if PASSWORD in text or "s3cret" in text]


def test_a_driver_that_quotes_the_password_does_not_show_it(qtbot: QtBot, window: MainWindow) -> None:
    window.open(f"fake://ann:{PASSWORD}@server/crash")
    qtbot.waitUntil(lambda: window.sources.all()[0].state == "failed")
    error = window.sources.all()[0].error
    assert error is not None
    assert "RuntimeError" in window.placeholder.text.text()
    assert "s3cret" not in f"{error} {error.detail} {error!r}"


def test_the_keyring_is_used_where_there_is_one(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    with memory_keyring():
        assert secrets.keyring_available()
        url = f"fake://ann:{PASSWORD}@server/locked"
        assert secrets.remember(url, PASSWORD)
        assert secrets.find("fake://ann@server/locked") == PASSWORD
        window.open("fake://ann@server/locked")
        qtbot.waitUntil(lambda: window.sources.all()[0].state == "live")
        secrets.forget(url)
        assert secrets.find("fake://ann@server/locked") is None


def test_without_a_keyring_nothing_is_kept(window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not secrets.keyring_available()
    assert not secrets.remember("fake://ann@server/x", PASSWORD)
    assert secrets.find("fake://ann@server/x") is None
    monkeypatch.setenv(secrets.ENVIRONMENT_KEY, "from the environment")
    assert secrets.find("fake://ann@server/x") == "from the environment"


def test_sources_are_saved_renamed_and_removed(qtbot: QtBot, window: MainWindow, opened: Opened) -> None:
    opened("fake://server/orders")
    window.run_command("source.save")
    ask = QApplication.activeModalWidget()
    assert isinstance(ask, Ask)
    ask.line.setText("no good!")
    ask.accept()
    assert "cannot be called" in ask.error.text()
    ask.line.setText("shop")
    ask.accept()
    assert [s.name for s in window.saved.sources()] == ["shop"]
    window.run_command("source.rename")
    again = QApplication.activeModalWidget()
    assert isinstance(again, Ask)
    again.line.setText("shop2")
    again.accept()
    assert [s.name for s in window.saved.sources()] == ["shop2"]
    assert [row.title for row in window.panel.rows if row.kind == "source"] == ["shop2"]
    window.run_command("source.remove")
    assert window.saved.sources() == []
