"""A shown timeline, and histories to put into it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine_bridge.history import BatchBuilder, History
from tests.fakes import NOW, make_history, make_run
from widgets import theme
from widgets.timeline import TimelineView

MakeView = Callable[..., TimelineView]


def small_history(i: int = 1) -> History:
    """The fakes' run ``i``: 1 failed, 2 waits for a signal, 0 completed."""
    history = History()
    events, steps = make_history(make_run(i))
    history.append(BatchBuilder().build(make_run(i), events, steps, engine_now_ns=NOW))
    return history


@pytest.fixture
def make_view(qtbot: QtBot, qapp: QApplication) -> MakeView:
    """Makes a shown view of 1000 x 400 px in a theme."""

    def make(
        history: History | None, name: str = "dark", width: int = 1000, height: int = 400
    ) -> TimelineView:
        theme.apply(qapp, name)
        view = TimelineView()
        qtbot.addWidget(view)
        view.set_zone(UTC)
        view.resize(width, height)
        view.show()
        qtbot.waitExposed(view)
        view.set_history(history)
        qapp.processEvents()
        return view

    return make
