"""An encrypted run in the real window: without a codec server, with one that is set there, with one that goes away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app import secrets
from app.run_page import RunPage
from app.settings import Settings
from app.window import MainWindow
from engine_bridge.model import Run
from engine_bridge.payloads import reason
from tests.engines.temporal.codec.conftest import SecretShop
from tests.engines.temporal.codec.server import CodecPlace
from widgets.payload.viewer import RAW, PayloadView

TOKEN = "swordfish-swordfish"


@pytest.fixture
def window(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[MainWindow]:
    monkeypatch.setattr(secrets, "keyring_available", lambda: False)
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.show()
    yield window
    window.close()
    window.sources.close_all()


def shown(qtbot: QtBot, window: MainWindow, path: Path) -> RunPage:
    window.open(str(path))
    qtbot.waitUntil(lambda: bool(window.sources.all()) and window.sources.all()[0].state == "live")
    qtbot.waitUntil(lambda: run_of(window) is not None)
    run = run_of(window)
    assert run is not None
    window.focus.change(page="run", run=run.ref)
    page = window.router.pages.get("run")
    assert isinstance(page, RunPage)
    qtbot.waitUntil(lambda: page.feed.complete)
    validate = next(step for step in page.feed.history.all_steps() if step.name == "validate_order")
    window.focus.change(step_id=validate.id)
    return page


def run_of(window: MainWindow) -> Run | None:
    found = window.router.pages.get("runs").view.model.item(0)  # type: ignore[attr-defined]  # the runs page
    return found if isinstance(found, Run) else None


def set_codec(qtbot: QtBot, window: MainWindow, viewer: PayloadView, address: str, token: str = "") -> None:
    viewer.codec_requested.emit()
    qtbot.waitUntil(lambda: window.codec_dialog is not None)
    dialog = window.codec_dialog
    assert dialog is not None
    dialog.address.setText("codec.example")
    dialog.accept()
    assert "no http:// or https:// URL" in dialog.error.text()
    dialog.address.setText(address)
    dialog.token.setText(token)
    dialog.accept()
    window.codec_dialog = None


def words(page: RunPage) -> str:
    """All that the events say."""
    model = page.view.events.model
    return "\n".join(model.text(row, 4) for row in range(model.rowCount()))


def test_an_encrypted_run_is_decoded_in_the_window(
    qtbot: QtBot, window: MainWindow, secret_shop: SecretShop, codec: CodecPlace
) -> None:
    codec.token = TOKEN
    page = shown(qtbot, window, secret_shop.file)
    viewer = page.view.detail.payload
    qtbot.waitUntil(lambda: viewer.hidden_message == "It is encrypted (binary/encrypted).")
    assert viewer.badge.startswith("binary · binary/encrypted")
    assert "Encoded failure (encrypted)" in words(page)

    set_codec(qtbot, window, viewer, codec.url, TOKEN)
    qtbot.waitUntil(lambda: "decoded by 127.0.0.1" in viewer.badge)
    assert viewer.hidden_message == "" and viewer.text.source.data == b'"poor-1: valid"'
    viewer.show_page(RAW)
    assert b"poor-1" not in viewer.raw.source.data
    qtbot.waitUntil(lambda: "CardDeclined: insufficient funds" in words(page))
    qtbot.waitUntil(lambda: '"poor-1: valid"' in words(page))  # as it comes into sight
    qtbot.waitUntil(lambda: getattr(page.feed.history.run, "error", "") == "CardDeclined: insufficient funds")
    [source] = window.sources.all()
    assert codec.url in source.url and TOKEN not in source.url + source.title + repr(
        window.sources.target(source.key)
    )

    codec.way = "error"
    window.sources.set_codec(source.key, source.url, TOKEN)
    qtbot.waitUntil(lambda: "500 Internal Server Error" in viewer.hidden_message)
    assert viewer.badge.startswith("binary · binary/encrypted")
    qtbot.waitUntil(lambda: "500 Internal" in page.feed.decoded.note)
    codec.way = "good"
    viewer.again.activated.emit()
    qtbot.waitUntil(lambda: "decoded by 127.0.0.1" in viewer.badge)
    qtbot.waitUntil(lambda: "CardDeclined: insufficient funds" in words(page))
    assert page.feed.decoded.note == ""


def test_lists_are_decoded_after_they_are_there(
    qtbot: QtBot, window: MainWindow, secret_shop: SecretShop, codec: CodecPlace
) -> None:
    window.open(secret_shop.urls(codec.url)["database"])
    qtbot.waitUntil(lambda: bool(window.sources.all()) and window.sources.all()[0].state == "live")
    runs = window.router.pages.get("runs").view.model  # type: ignore[attr-defined]  # the runs page
    found = "CardDeclined: insufficient funds"
    qtbot.waitUntil(lambda: any(r and r.error == found for r in map(runs.item, range(runs.rowCount()))))
    window.focus.change(page="failures")
    log = window.router.pages.get("failures").view.model  # type: ignore[attr-defined]  # the failures page
    qtbot.waitUntil(
        lambda: any(
            row and "insufficient funds" in reason(row.failure)
            for row in map(log.item, range(log.rowCount()))
        ),
    )
