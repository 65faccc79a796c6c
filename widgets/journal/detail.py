"""One entry of the journal in full: plan, changes, evidence, hashes. GUI thread."""

from __future__ import annotations

from datetime import tzinfo

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFormLayout, QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from engine_bridge.format import duration, plain, safe_lines, timestamp
from widgets.actions.notes import Code, Note
from widgets.journal.entries import Entry
from widgets.run.labels import Chip
from widgets.shell.label import clear, label
from widgets.theme import font


class EntryDetail(QScrollArea):
    """``run_requested`` carries the Entry whose run is wanted, ``new_run_requested`` that whose new run is."""

    run_requested = Signal(object)
    new_run_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        inner = QWidget()
        self._rows = QVBoxLayout(inner)
        self._rows.setContentsMargins(16, 12, 16, 12)
        self._rows.setSpacing(10)
        self._rows.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.setWidget(inner)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setAccessibleName("Entry in full")
        self.text = ""

    def show_entry(self, entry: Entry | None, zone: tzinfo | None) -> None:
        """Shows one entry, or what to do when there is none."""
        clear(self._rows)
        self.text = ""
        if entry is None:
            self._rows.addWidget(
                label("Choose an entry to see its plan, evidence and hashes.", color="muted")
            )
            return
        self._head(entry)
        self._facts(entry, zone)
        self._code("What was to be sent", entry.plan)
        self._code("Arguments (masked)", (entry.args,) if entry.args else ())
        self._code("Changes", entry.changes)
        for text in entry.evidence:
            self._rows.addWidget(Note("evidence", "muted", text))
        if entry.pending:
            self._rows.addWidget(Note("clock", "waiting", entry.pending))
        if entry.heard:
            self._rows.addWidget(Note("clock", "waiting", f"Asked again: {entry.heard}"))
        self._code("Hashes", tuple(f"row {seq}  {digest}" for seq, digest in entry.hashes))

    def _head(self, entry: Entry) -> None:
        row = QHBoxLayout()
        title = label(plain(f"{entry.action} {entry.called}", 160), bold=True, size=13)
        chip = Chip()
        chip.set_status(entry.state, entry.words)
        row.addWidget(title)
        row.addWidget(chip)
        row.addStretch(1)
        if entry.target_kind in ("run", "step") and entry.target:
            row.addWidget(self._button("Open run", lambda: self.run_requested.emit(entry)))
        if entry.new_ref:
            row.addWidget(self._button("Open new run", lambda: self.new_run_requested.emit(entry)))
        holder = QWidget()
        holder.setLayout(row)
        row.setContentsMargins(0, 0, 0, 0)
        self._rows.addWidget(holder)

    @staticmethod
    def _button(text: str, run: object) -> QPushButton:
        button = QPushButton(text)
        button.clicked.connect(run)
        return button

    def _facts(self, entry: Entry, zone: tzinfo | None) -> None:
        facts = (
            ("when", timestamp(entry.time_ns, zone)),
            ("who", f"{entry.who} on {entry.machine}"),
            ("source", f"{entry.source_title} · {entry.environment}".rstrip(" ·")),
            ("", entry.source if entry.source != entry.source_title else ""),
            ("reason", entry.reason),
            ("request id", entry.request_id),
            ("bulk job", entry.job),
            ("new run", entry.new_ref),
            ("took", duration(entry.took_ns) if entry.took_ns is not None else ""),
        )
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(4)
        for name, value in facts:
            if value:
                words = label(safe_lines(value), wrap=True)
                words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                if name in ("request id", "new run", "bulk job", "when", ""):
                    words.setFont(font(12, code=True))
                form.addRow(label(name, color="muted"), words)
        holder = QWidget()
        holder.setLayout(form)
        self._rows.addWidget(holder)
        self.text = safe_lines("\n".join(f"{name}  {value}".strip() for name, value in facts if value))

    def _code(self, title: str, lines: tuple[str, ...]) -> None:
        if not lines:
            return
        self._rows.addWidget(label(title, color="muted", size=11, bold=True))
        self._rows.addWidget(Code("\n".join(lines), title))
        self.text += safe_lines(f"\n\n{title}\n" + "\n".join(lines))
