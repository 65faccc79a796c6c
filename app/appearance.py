"""The theme in force: the setting, or the desktop's own choice. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from widgets import theme


def theme_name(setting: str) -> str:
    """A theme's name for the setting; "system" is dark where the desktop says nothing."""
    if setting != "system":
        return setting
    light = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Light
    return "light" if light else "dark"


def apply(setting: str) -> None:
    """Makes the setting's theme the application's, if it is not yet."""
    app = QApplication.instance()
    if isinstance(app, QApplication):
        theme.apply(app, theme_name(setting))
