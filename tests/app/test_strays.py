"""Nothing flashes as a window of its own: a widget that is shown before it has a parent takes the keyboard away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QApplication, QWidget

from tests.app.acting import Open

_FREE = (
    Qt.WindowType.Popup,
    Qt.WindowType.ToolTip,
    Qt.WindowType.Dialog,
    Qt.WindowType.Sheet,
)


class Watcher(QObject):
    """Notes every widget that is shown as a plain window."""

    def __init__(self) -> None:
        super().__init__()
        self.strays: list[str] = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        shown = event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow()
        if shown and isinstance(watched, QWidget) and watched.windowType() not in _FREE:
            self.strays.append(type(watched).__name__)
        return False


@pytest.fixture
def watcher(qapp: QApplication) -> Iterator[Watcher]:
    made = Watcher()
    qapp.installEventFilter(made)
    yield made
    qapp.removeEventFilter(made)


def test_pages_forms_and_reviews_are_built_inside_the_window(acting: Open, watcher: Watcher) -> None:
    opened = acting()
    watcher.strays.clear()
    opened.window.router.pages.build_all()
    opened.go("run-0002")
    opened.run("action.signal")
    assert opened.desk.forms.view is not None
    opened.run("action.submit")
    opened.planned()
    opened.run("app.quick_open")
    assert watcher.strays == []
