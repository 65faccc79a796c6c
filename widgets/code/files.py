"""Tabs of source files. GUI thread."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QTabBar

from engine_bridge.format import plain
from widgets.run.labels import tip

_MOST: Final = 24


class FileTabs(QTabBar):
    """One tab a file, the user's first; ``file_chosen`` carries a path."""

    file_chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._files: list[str] = []
        self.setExpanding(False)
        self.setDrawBase(False)
        self.setUsesScrollButtons(True)
        self.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.setAccessibleName("Source files")
        self.tabBarClicked.connect(self._on_clicked)

    @property
    def files(self) -> list[str]:
        return self._files

    def set_files(self, files: list[str]) -> None:
        """The files that can be shown; those shown already keep their place."""
        for file in files[:_MOST]:
            self._add(file)

    def clear(self) -> None:
        """No file."""
        self._files = []
        while self.count():
            self.removeTab(0)

    def show_file(self, file: str) -> None:
        """Brings a file's tab to the front, and makes one where there is none."""
        self._add(file)
        index = self._files.index(file)
        if index != self.currentIndex():
            self.setCurrentIndex(index)

    def _add(self, file: str) -> None:
        if file in self._files:
            return
        self._files.append(file)
        index = self.addTab(plain(_title(file, self._files), 48).replace("&", "&&"))
        self.setTabToolTip(index, tip(file))

    def _on_clicked(self, index: int) -> None:
        if 0 <= index < len(self._files):
            self.file_chosen.emit(self._files[index])


def _title(file: str, others: list[str]) -> str:
    """The file's name, with its folder where another has the same."""
    path = PurePath(file)
    same = any(other != file and PurePath(other).name == path.name for other in others)
    return f"{path.parent.name}/{path.name}" if same else path.name
