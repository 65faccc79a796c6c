"""The window's frame: its widgets and their places, without behaviour."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QMainWindow, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from widgets.shell.label import fill
from widgets.shell.sources_panel import SourcesPanel
from widgets.shell.status_bar import StatusBar
from widgets.shell.top_bar import TopBar
from widgets.theme import theme

if TYPE_CHECKING:
    from app.saved import SavedView
    from widgets.actions.sheet import ActionSheet
    from widgets.shell.bars import Bars
    from widgets.shell.placeholder import Placeholder
    from widgets.shell.welcome import Welcome

_EDGE = 3
_SHEET = 480  # px


class _Center(QWidget):
    """Holds everything; draws the production edge round it."""

    def __init__(self) -> None:
        super().__init__()
        self.production = False
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(0)

    def set_production(self, on: bool) -> None:
        self.production = on
        self.column.setContentsMargins(*(_EDGE if on else 0 for _ in range(4)))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            fill(painter, self.rect(), theme().color("bg"))
            if self.production:
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(theme().color("failed"), 2 * _EDGE))
                painter.drawRect(self.rect())


class Frame(QMainWindow):
    """Top bar, sources panel, bars, page stack, status bar, overlay."""

    def __init__(self) -> None:
        super().__init__()
        self._sheet_width = _SHEET
        self._sheet_home: QSplitter | None = None
        self.setWindowTitle("Playhead")
        self.setMinimumSize(720, 480)
        self.setAcceptDrops(True)
        self.top_bar = TopBar()
        self.panel = SourcesPanel()
        self.stack = QStackedWidget()
        self.status_bar = StatusBar()
        content = QWidget()
        self._column = QVBoxLayout(content)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._column.addWidget(self.stack, 1)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.panel)
        self.splitter.addWidget(content)
        self.splitter.setStretchFactor(1, 1)
        self.center = _Center()
        self.center.column.addWidget(self.top_bar)
        self.center.column.addWidget(self.splitter, 1)
        self.center.column.addWidget(self.status_bar)
        self.setCentralWidget(self.center)

    @cached_property
    def welcome(self) -> Welcome:
        """The first page; made when first used, for a window on a source never shows it."""
        from widgets.shell.welcome import Welcome

        page = Welcome()
        page.decorate()
        self.prepare_welcome(page)
        self.stack.addWidget(page)
        return page

    @cached_property
    def placeholder(self) -> Placeholder:
        """What stands for a page that cannot be shown yet."""
        from widgets.shell.placeholder import Placeholder

        page = Placeholder()
        self.stack.addWidget(page)
        return page

    @cached_property
    def bars(self) -> Bars:
        """Errors and notices above the page."""
        from widgets.shell.bars import Bars

        bars = Bars()
        self._column.insertWidget(0, bars)
        return bars

    @cached_property
    def sheet(self) -> ActionSheet:
        """Operator actions, at the right of the page."""
        from widgets.actions.sheet import ActionSheet

        sheet = ActionSheet()
        home = self._sheet_home or self.splitter
        home.addWidget(sheet)
        home.setStretchFactor(home.count() - 1, 0)
        sheet.close_requested.connect(self.sheet_closing)
        return sheet

    def show_sheet(self, page: QWidget, title: str, where: str, environment: str) -> None:
        """Shows a page in the sheet; it takes its width from the page area, or from what the page puts beside it."""
        sheet = self.sheet
        fresh = sheet.isHidden()
        sheet.show_page(page, title, where, environment)
        if fresh:
            self._fit_sheet()

    def _fit_sheet(self) -> None:
        """Gives the sheet its width, and what stands beside it the rest."""
        splitter = self._sheet_home or self.splitter
        others = splitter.sizes()[:-2]
        room = splitter.width() - sum(others) - (splitter.count() - 1) * splitter.handleWidth()
        most = room * 8 // 25 if self._sheet_home is not None else room - 320
        wide = max(self.sheet.minimumWidth(), min(self._sheet_width, most))
        splitter.setSizes([*others, room - wide, wide])

    def place_sheet(self, home: QSplitter | None) -> None:
        """Puts the sheet at the right of a page's splitter (None: of the window's own), shown or not as it was."""
        if home is self._sheet_home:
            return
        self._sheet_home = home
        if "sheet" in vars(self):
            shown = not self.sheet.isHidden()
            (home or self.splitter).addWidget(self.sheet)
            self.sheet.setVisible(shown)
            if shown:
                self._fit_sheet()

    def hide_sheet(self) -> None:
        """Hides the sheet; it comes back as wide as it was."""
        if "sheet" in vars(self) and not self.sheet.isHidden():
            self._sheet_width = self.sheet.width()
            self.sheet.hide()

    def unhide_sheet(self) -> None:
        """Shows again what the sheet held when it was hidden."""
        self.sheet.show()
        self._fit_sheet()

    def sheet_closing(self) -> None:
        """The user wants the sheet closed."""

    def prepare_welcome(self, page: Welcome) -> None:
        """Connects the first page and fills it."""

    def views(self) -> list[SavedView]:
        """Saved views for the panel."""
        return []

    def counts(self) -> dict[str, int]:
        """What the panel shows beside pages that need no source, by page."""
        return {}

    def scope_changed(self) -> None:
        """The page on the screen may be another one now."""

    def demo_progress(self) -> tuple[int, int | None, str] | None:
        """How far the demo's preparation is, None when none is under way."""
        return None

    def cancel_demo(self) -> None:
        """Gives up preparing the demo."""

    def ask_password(self, key: str) -> None:
        """Asks for a source's password and tries again."""

    def focus_page(self) -> None:
        """Gives the keyboard to the page on the screen."""
        page = self.stack.currentWidget()
        if page is not None:
            # Not a focus proxy: with one, Tab jumps over whatever stands before it on the page.
            getattr(page, "home", page).setFocus()

    def copy(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
