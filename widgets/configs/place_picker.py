"""Where configs come from: the source's own, files, folders, or ``REV:path`` in git. GUI thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QSizePolicy, QToolButton, QWidget

from engine_bridge.format import plain
from widgets import glyphs
from widgets.shell.label import plain_tooltip
from widgets.theme import font, theme

OWN: Final = "the source's own configs"
_SEPARATOR: Final = ";"
_REVISIONS: Final = ("HEAD", "HEAD~1")


class PlacePicker(QWidget):
    """A line for places, with a button for files. ``changed`` comes with each edit, ``entered`` with Enter."""

    changed = Signal()
    entered = Signal()

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.line = QComboBox()
        self.line.setEditable(True)
        self.line.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.line.setFont(font(12, code=True))
        self.line.setAccessibleName(title)
        self.line.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.line.setMinimumContentsLength(12)
        self.line.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.line.setToolTip(
            plain_tooltip(f"A file, a folder, or REV:path in git. Several are parted by “{_SEPARATOR}”.")
        )
        self.browse = QToolButton()
        self.browse.setAccessibleName(f"{title}: choose files")
        self.browse.setToolTip("Choose files…")
        self.dialog: QFileDialog | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.line, 1)
        row.addWidget(self.browse)
        edit = self.line.lineEdit()
        if edit is not None:
            edit.setPlaceholderText(OWN)
            edit.setClearButtonEnabled(True)
            edit.returnPressed.connect(self.entered)
        self.setFocusProxy(self.line)
        self.line.editTextChanged.connect(lambda _: self.changed.emit())
        self.browse.clicked.connect(self._ask)
        self.tint()

    def tint(self) -> None:
        self.browse.setIcon(glyphs.icon("folder", theme().color("text")))

    def places(self) -> tuple[str, ...]:
        """What was entered; nothing stands for the source's own configs."""
        parts = (part.strip() for part in self.line.currentText().split(_SEPARATOR))
        return tuple(part for part in parts if part and part != OWN)

    def set_places(self, places: Sequence[str]) -> None:
        self.line.setEditText(f"{_SEPARATOR} ".join(places))

    def suggest(self, files: Sequence[str], *, revisions: bool = True) -> None:
        """Offers the source's own configs and those of two git revisions; what was entered stays."""
        text = self.line.currentText()
        self.line.blockSignals(True)
        self.line.clear()
        self.line.addItem(OWN)
        names = [name for name in files if ":" not in name[2:]]
        if revisions and names:
            for revision in _REVISIONS:
                self.line.addItem(f"{_SEPARATOR} ".join(f"{revision}:{name}" for name in names))
        for row in range(self.line.count()):
            self.line.setItemData(row, plain_tooltip(self.line.itemText(row)), Qt.ItemDataRole.ToolTipRole)
        self.line.setEditText(text)
        self.line.blockSignals(False)

    def words(self) -> str:
        """What was chosen, in words."""
        return plain(", ".join(self.places()), 120) or OWN

    def _ask(self) -> None:
        dialog = self.dialog = QFileDialog(self, "Choose configs")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.setNameFilters(["Configs (*.json)", "All files (*)"])
        dialog.filesSelected.connect(self.set_places)
        dialog.open()
