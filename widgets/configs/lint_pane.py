"""Findings beside the text they are about. GUI thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine_bridge.configs import ConfigFile, Declared, Finding
from engine_bridge.format import plain
from widgets.configs.finding_table import FindingTable, sentences
from widgets.configs.origins import MERGED, Document, Origins, documents
from widgets.configs.text import ConfigText
from widgets.run.labels import Text
from widgets.shell.label import label, plain_tooltip
from widgets.table.empty import EmptyState


class LintPane(QSplitter):
    """Findings and files of a workflow type. ``entities_wanted`` carries the filter of a finding's entities."""

    entities_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.table = FindingTable()
        self.text = ConfigText()
        self.file = QComboBox()
        self.origin = Text(code=True, tone="muted", least=120)
        self.follow = QPushButton("Go to origin")
        self.entities = QPushButton("Show its entities")
        self.advice = label(color="muted", wrap=True)
        self.clean = EmptyState()
        self._documents: tuple[Document, ...] = ()
        self._origins = Origins(None)
        self._shown: Document | None = None
        self._lay_out()
        self.table.finding_chosen.connect(self._on_finding)
        self.table.finding_opened.connect(lambda _: self.text.setFocus())
        self.text.place_moved.connect(lambda _: self._show_origin())
        self.text.mark_chosen.connect(self._on_mark)
        self.text.describe = self._describe
        self.file.activated.connect(lambda row: self._show(self._documents[row]))
        self.follow.clicked.connect(self.go_to_origin)
        self.entities.clicked.connect(self._on_entities)

    def _lay_out(self) -> None:
        # From the outside in: a style sheet makes every change of parent dear, and dearer the more is below it.
        left, right = QWidget(), QWidget()
        self.addWidget(left)
        self.addWidget(right)
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 4, 8, 8)
        self._stack = QStackedWidget()
        column.addWidget(self._stack, 1)
        self._stack.addWidget(self.table)
        self._stack.addWidget(self.clean)
        under = QHBoxLayout()
        column.addLayout(under)
        under.addWidget(self.advice, 1)
        under.addWidget(self.entities)
        column = QVBoxLayout(right)
        column.setContentsMargins(8, 8, 0, 8)
        top = QHBoxLayout()
        column.addLayout(top)
        top.addWidget(self.file)
        top.addWidget(self.origin)
        top.addStretch(1)
        top.addWidget(self.follow)
        column.addWidget(self.text, 1)
        self.file.setAccessibleName("File")
        self.file.setMaximumWidth(320)
        self.file.setMinimumContentsLength(18)
        self.file.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContentsOnFirstShow)
        self.follow.setToolTip("Opens the file and line that say the value under the caret.")
        self.entities.setToolTip("Lists the entities that the finding is about.")
        self.follow.hide()
        self.entities.hide()
        self.setSizes([600, 600])
        self.setChildrenCollapsible(False)

    def show_report(
        self,
        files: Sequence[ConfigFile],
        findings: Sequence[Finding],
        declared: Declared | None,
        sides: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Shows the findings and texts of one workflow type as one tenant sees it; file and finding are kept.

        ``sides`` tell of a file's name on which side of a comparison it is.
        """
        kept, before, place = self.table.current(), self._shown, self.text.place()
        self._documents = documents(files, declared, sides)
        self._origins = Origins(declared)
        self.file.clear()
        self.file.addItems([plain(document.title, 80) for document in self._documents])
        self.table.set_findings(findings, sides)
        self._show_verdict()
        if before is None or before not in self._documents:
            again = next((d for d in self._documents if before is not None and d.name == before.name), None)
            self._show(again or (self._documents[0] if self._documents else Document("?", "", "")))
            self.text.go_to(*(place if again is not None else (1, 1)))
        else:
            self._choose_file(before)
        self._mark()
        self._show_origin()
        if kept in self.table.findings:
            self.table.selectRow(self.table.findings.index(kept))
        self._show_advice(self.table.current())

    def _show_verdict(self) -> None:
        if self.table.findings:
            self._stack.setCurrentWidget(self.table)
        else:
            self.clean.show_state(
                "completed", "No findings", "Every check passed. F5 checks again.", color="completed"
            )
            self._stack.setCurrentWidget(self.clean)

    def step(self, direction: int) -> None:
        """Goes to the next or previous finding."""
        self.table.step(direction)

    def go_to(self, file: str, line: int, column: int = 1) -> None:
        """Opens a file at a place; nothing happens for a file that is not here."""
        document = next((d for d in self._documents if d.name == file), None)
        if document is not None:
            if document is not self._shown:
                self._show(document)
            self.text.go_to(line, column)

    def go_to_origin(self) -> None:
        """Opens the file and line that say the value under the caret of the merged text."""
        place = self._origins.place(self._shown, *self.text.place()) if self._shown is not None else None
        if place is not None:
            self.go_to(*place)
            self.text.setFocus()

    @property
    def document(self) -> Document | None:
        """The text on show."""
        return self._shown

    def show_merged(self) -> None:
        """Shows what the tenant sees of all files, when there are several."""
        self.go_to(MERGED, 1)

    def _show(self, document: Document) -> None:
        self._shown = document
        self.text.show_text(document.text)
        self.text.setAccessibleName(f"Text of {plain(document.title, 80)}")
        self._choose_file(document)
        self._mark()
        self._show_origin()

    def _choose_file(self, document: Document) -> None:
        self._shown = document
        if document in self._documents:
            self.file.setCurrentIndex(self._documents.index(document))
        self.file.setToolTip(plain_tooltip(plain(document.name)))

    def _mark(self) -> None:
        marks: dict[int, str] = {}
        for finding in reversed(self.table.findings):
            if self._shown is not None and finding.file == self._shown.name and finding.line:
                marks[finding.line] = finding.severity
        self.text.set_marks(marks)

    def _on_finding(self, finding: Finding) -> None:
        self.go_to(finding.file, finding.line or 1, finding.column or 1)
        self._show_advice(finding)

    def _show_advice(self, finding: Finding | None) -> None:
        told = "Choose a finding to see where it is and what mends it." if self.table.findings else ""
        self.advice.setText(plain(sentences(finding) if finding is not None else told, 600))
        self.entities.setVisible(finding is not None and bool(finding.filter))

    def _on_mark(self, line: int) -> None:
        if self._shown is not None:
            self.table.choose_at(self._shown.name, line)

    def _on_entities(self) -> None:
        finding = self.table.current()
        if finding is not None and finding.filter:
            self.entities_wanted.emit(finding.filter)

    def _describe(self, line: int, column: int) -> str:
        if self._shown is None:
            return ""
        found = [f for f in self.table.findings if f.file == self._shown.name and f.line == line]
        told = [f"{f.severity}: {f.reason}" for f in found]
        return "\n".join([*told, self._origins.tell(self._shown, line, column)]).strip()

    def _show_origin(self) -> None:
        if self._shown is not None:
            self.origin.set_text(self._origins.tell(self._shown, *self.text.place()))
            self.follow.setVisible(self._origins.place(self._shown, *self.text.place()) is not None)
