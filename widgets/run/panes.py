"""Tabs that come from a list, so that other parts of the application can add theirs. GUI thread."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QTabWidget, QWidget


@dataclass(frozen=True, slots=True)
class Pane:
    """A tab: ``id`` is stable, ``title`` is shown, with a count behind it when there is one."""

    id: str
    title: str
    widget: QWidget


class Panes(QTabWidget):
    """Tabs addressed by id."""

    def __init__(self, name: str, panes: list[Pane]) -> None:
        super().__init__()
        self._panes: list[Pane] = []
        self.setDocumentMode(True)
        self.tabBar().setDrawBase(False)
        self.tabBar().setExpanding(False)
        self.tabBar().setAccessibleName(name)
        for pane in panes:
            self.add(pane)

    def add(self, pane: Pane) -> None:
        """Appends a tab. Raises ValueError on a known id."""
        if pane.id in self.ids:
            raise ValueError(f"the tab {pane.id} is there already")
        self._panes.append(pane)
        self.addTab(pane.widget, pane.title)

    @property
    def ids(self) -> list[str]:
        return [pane.id for pane in self._panes]

    @property
    def current_id(self) -> str:
        return self._panes[self.currentIndex()].id

    def show_pane(self, pane_id: str) -> None:
        """Brings a tab to the front."""
        self.setCurrentIndex(self.ids.index(pane_id))

    def take_keyboard(self) -> None:
        """The list of the tab in front gets the keyboard, else the tab's own widget."""
        pane = self._panes[self.currentIndex()].widget
        lists = pane.findChildren(QAbstractItemView, options=Qt.FindChildOption.FindDirectChildrenOnly)
        (lists[0] if lists and pane.focusProxy() is None else pane).setFocus()

    def set_shown(self, pane_id: str, shown: bool) -> None:
        """Shows or hides a tab; the first one takes the place of a hidden current one."""
        index = self.ids.index(pane_id)
        if not shown and self.currentIndex() == index:
            self.setCurrentIndex(0)
        self.setTabVisible(index, shown)

    def is_shown(self, pane_id: str) -> bool:
        return self.isTabVisible(self.ids.index(pane_id))

    def set_count(self, pane_id: str, count: str) -> None:
        """Shows a count behind a title; "" for none."""
        index = self.ids.index(pane_id)
        self.setTabText(index, f"{self._panes[index].title}  {count}".strip())
