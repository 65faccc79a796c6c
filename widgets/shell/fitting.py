"""How large a dialog may be: what does not fit the screen cannot be reached. GUI thread."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QWidget

_FRAME: Final = QSize(24, 48)  # px for what the desktop draws around it


def fitted(dialog: QWidget, wanted: QSize) -> QSize:
    """``wanted``, or what the dialog's screen has room for."""
    return wanted.boundedTo(dialog.screen().availableSize() - _FRAME)


def keep_on_screen(dialog: QWidget) -> None:
    """Moves a dialog up whose lower end has grown out of its screen."""
    screen, frame = dialog.screen().availableGeometry(), dialog.frameGeometry()
    if dialog.isVisible() and frame.bottom() > screen.bottom():
        dialog.move(dialog.x(), max(screen.top(), screen.bottom() - frame.height() + 1))
