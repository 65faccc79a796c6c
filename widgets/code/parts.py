"""The code pane's parts and where they stand. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from widgets.code.bar import Band, ReplayBar
from widgets.code.card import StepCard
from widgets.code.files import FileTabs
from widgets.code.hypothesis import Hypothesis
from widgets.code.intro import Intro
from widgets.code.locals_view import LocalsView
from widgets.code.output import Output
from widgets.code.stack_view import StackView
from widgets.code.stale import StaleBand
from widgets.code.view import CodeView
from widgets.run.labels import Link, Text
from widgets.shell.label import Wrapped


class CodeParts(QWidget):
    """``pages`` shows the intro, or the code with all that is beside it."""

    def _build(self) -> None:
        self.intro, self.bar, self.band, self.output = Intro(), ReplayBar(), Band(), Output()
        self.stale, self.hypothesis = StaleBand(), Hypothesis()
        self.files, self.code, self.stack = FileTabs(), CodeView(), StackView()
        self.card, self.locals = StepCard(), LocalsView()
        self.no_source = Wrapped()
        self.no_source.setContentsMargins(12, 12, 12, 12)
        self.no_source.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.no_source.setProperty("color", "muted")
        self.heading = Text(tone="muted", size=11)
        self.pages = QStackedWidget(self)
        column_of(self).addWidget(self.pages)
        content = QWidget()
        self.pages.addWidget(self.intro)
        self.pages.addWidget(content)
        column = column_of(content)
        column.addWidget(self.bar)
        column.addWidget(self.hypothesis)
        column.addWidget(self.band)
        column.addWidget(self.stale)
        self.split = _splitter(Qt.Orientation.Horizontal)
        column.addWidget(self.split, 1)
        left, right = QWidget(), QWidget()
        self.split.addWidget(left)
        self.split.addWidget(right)
        self.upright = _splitter(Qt.Orientation.Vertical)
        main = column_of(left)
        main.addWidget(self.files)
        main.addWidget(self.upright, 1)
        self.sources = QStackedWidget()
        self.sources.addWidget(self.code)
        self.sources.addWidget(self.no_source)
        for widget, least in ((self.sources, 66), (self.stack, 24), (self.output, 60)):
            self.upright.addWidget(widget)
            widget.setMinimumHeight(least)
        self.upright.setSizes([480, 84, 140])
        self.upright.setStretchFactor(0, 1)
        side = column_of(right)
        side.addWidget(self.card)
        side.addWidget(self._questions())
        head = QHBoxLayout()
        head.setContentsMargins(10, 2, 8, 2)
        head.addWidget(self.heading)
        head.addStretch(1)
        side.addLayout(head)
        side.addWidget(self.locals, 1)
        for part in (content, left, right):
            part.setAutoFillBackground(True)
            part.setBackgroundRole(QPalette.ColorRole.Base)
        self.split.setSizes([430, 250])
        self.split.setStretchFactor(0, 3)
        self.split.setStretchFactor(1, 2)

    def _questions(self) -> QWidget:
        """What queries answer at the playhead; hidden while none is asked."""
        self.answers, self.answers_head = LocalsView(), Text(tone="muted", size=11)
        self.choose_questions = Link("Choose …", size=11)
        self.answers.setAccessibleName("Answers of queries")
        for view in (self.answers, self.locals):
            view.setMinimumHeight(42)
        self.asking = QWidget()
        column = column_of(self.asking)
        head = QHBoxLayout()
        head.setContentsMargins(10, 2, 8, 2)
        head.addWidget(self.answers_head)
        head.addStretch(1)
        head.addWidget(self.choose_questions)
        column.addLayout(head)
        column.addWidget(self.answers)
        self.asking.hide()
        return self.asking


def _splitter(orientation: Qt.Orientation) -> QSplitter:
    splitter = QSplitter(orientation)
    splitter.setHandleWidth(1)
    splitter.setChildrenCollapsible(False)
    return splitter


def column_of(widget: QWidget) -> QVBoxLayout:
    """A column without margins in a widget."""
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(0)
    return layout
