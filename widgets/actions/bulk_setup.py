"""A bulk job before it runs: how many, a sample of plans, how carefully, why, and the typed count. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from engine_bridge.actions.bulk_model import Settings
from engine_bridge.actions.model import PlanItem
from engine_bridge.format import count, plain, safe_lines
from widgets.actions.notes import Note
from widgets.actions.plan_card import PlanCard
from widgets.shell.label import clear, label

_SAMPLE = 3


class BulkSetup(QWidget):
    """``run_requested`` starts the job; whether it may start is told by ``set_blocked``."""

    run_requested = Signal()
    discard_requested = Signal()
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.count = label(bold=True, size=13, wrap=True)
        self.refused = Note("cancelled", "retrying", "")
        self.canary, self.rate, self.flight, self.share = QSpinBox(), QDoubleSpinBox(), QSpinBox(), QSpinBox()
        self.reason, self.confirm = QLineEdit(), QLineEdit()
        self.run_button, self.discard_button = QPushButton("Run"), QPushButton("Discard")
        self.blocked = Note("lock", "retrying", "")
        self._sample = QVBoxLayout()
        self._set_up()
        self._lay_out()
        self.setAccessibleName("Bulk job")

    def _set_up(self) -> None:
        ranges = (
            (self.canary, 0, 1_000, 10, "", "run first, then it asks"),
            (self.flight, 1, 64, 4, "", "under way at once"),
            (self.share, 1, 100, 20, " %", "of the items failed"),
        )
        for box, low, high, value, suffix, tip in ranges:
            box.setRange(low, high)
            box.setValue(value)
            box.setSuffix(suffix)
            box.setToolTip(tip)
        self.rate.setRange(0, 1_000)
        self.rate.setDecimals(1)
        self.rate.setValue(20)
        self.rate.setSuffix(" / s")
        self.rate.setSpecialValueText("no limit")
        self.rate.setToolTip("sent a second; 0: no limit")
        self.reason.setAccessibleName("Reason")
        self.reason.setPlaceholderText("Reason: why is this done? It stands in the journal.")
        self.confirm.setAccessibleName("Confirmation")
        self.run_button.setProperty("primary", "true")
        self.run_button.clicked.connect(self.run_requested)
        self.discard_button.clicked.connect(self.discard_requested)
        for line in (self.reason, self.confirm):
            line.textChanged.connect(lambda _: self.changed.emit())
            line.returnPressed.connect(self.run_requested)

    def _lay_out(self) -> None:
        inner = QWidget()
        rows = QVBoxLayout(inner)
        rows.setContentsMargins(16, 8, 16, 8)
        rows.setSpacing(10)
        rows.addWidget(self.count)
        rows.addWidget(self.refused)
        rows.addLayout(self._settings())
        self._sample.setSpacing(10)
        rows.addLayout(self._sample)
        rows.addStretch(1)
        area = QScrollArea()
        area.setWidget(inner)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addStretch(1)
        buttons.addWidget(self.discard_button)
        buttons.addWidget(self.run_button)
        foot = QVBoxLayout()
        foot.setContentsMargins(16, 8, 16, 12)
        foot.setSpacing(8)
        foot.addWidget(self.reason)
        foot.addWidget(self.confirm)
        foot.addWidget(self.blocked)
        foot.addLayout(buttons)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(area, 1)
        column.addLayout(foot)

    def _settings(self) -> QFormLayout:
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(6)
        for name, box in (
            ("Canary", self.canary),
            ("Rate", self.rate),
            ("At most", self.flight),
            ("Stop at", self.share),
        ):
            box.setAccessibleName(name)
            box.setFixedWidth(96)
            row = QHBoxLayout()
            row.setSpacing(12)
            row.addWidget(box)
            row.addWidget(label(box.toolTip(), color="muted", size=11, wrap=True), 1)
            form.addRow(label(name), row)
        return form

    @property
    def settings(self) -> Settings:
        """How the job shall run."""
        return Settings(
            canary=self.canary.value(),
            rate=self.rate.value(),
            in_flight=self.flight.value(),
            stop_share=self.share.value() / 100,
        )

    def show_wait(self, text: str) -> None:
        """The targets are being found or planned."""
        self.count.setText(safe_lines(text))
        self.refused.hide()
        clear(self._sample)

    def show_plan(self, items: tuple[PlanItem, ...], needed: str) -> None:
        """What will be done; ``needed`` must be typed."""
        ready = [item for item in items if not item.refused]
        refused = [item for item in items if item.refused]
        noun = "target" if len(ready) == 1 else "targets"
        self.count.setText(f"{count(len(ready))} {noun} of {count(len(items))} will be acted on")
        self.refused.setVisible(bool(refused))
        if refused:
            why = plain(refused[0].refused, 120)
            self.refused.set_note("cancelled", "retrying", f"{count(len(refused))} refused, such as: {why}")
        clear(self._sample)
        if ready:
            self._sample.addWidget(label(f"The first {min(_SAMPLE, len(ready))} of them:", color="muted"))
        for item in ready[:_SAMPLE]:
            self._sample.addWidget(PlanCard(item, can_edit=False))
        self.confirm.setVisible(bool(needed))
        self.confirm.setPlaceholderText(f"type {plain(needed, 60)} to confirm")
        canary = min(self.canary.value(), len(ready))
        self.run_button.setText(f"Run the first {canary}" if 0 < canary < len(ready) else "Run")

    def set_blocked(self, why: str) -> None:
        """Why it cannot run now; "" when it can."""
        self.run_button.setEnabled(not why)
        self.run_button.setToolTip(why)
        self.blocked.set_note("info", "retrying", why)
        self.blocked.setVisible(bool(why))

    def begin(self) -> None:
        self.reason.setFocus()
