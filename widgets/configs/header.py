"""The config page's header: which workflow, as which tenant, and whether it passes its checks. GUI thread."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QSignalBlocker, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QWidget

from engine_bridge.configs import Finding
from engine_bridge.format import count, plain
from widgets import glyphs
from widgets.configs.text import GLYPH
from widgets.run.labels import Text
from widgets.shell.label import label
from widgets.theme import theme

BASE_TITLE = "none (the base)"


def verdict(findings: Sequence[Finding]) -> str:
    """ "3 errors · 1 warning", "lint clean"."""
    counted = []
    for severity in ("error", "warning"):
        number = sum(found.severity == severity for found in findings)
        if number:
            counted.append(f"{count(number)} {severity}{'' if number == 1 else 's'}")
    return " · ".join(counted) or "lint clean"


class ConfigHeader(QWidget):
    """``type_chosen`` and ``tenant_chosen`` carry names ("" is the base), ``wanted`` the id of a button's command."""

    type_chosen = Signal(object)
    tenant_chosen = Signal(object)
    wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = Text(size=18, bold=True, least=120)
        self.facts = Text(tone="muted")
        self.types, self.tenants = QComboBox(), QComboBox()
        self.verdict = QPushButton()
        self.impact = QPushButton("Impact of a change…")
        self.save = QPushButton("Save report as HTML…")
        self._types: tuple[str, ...] = ()
        self._tenants: tuple[str, ...] = ()
        self._state = ("completed", "completed")
        self._tenant_label = label("Tenant", color="muted")
        self._lay_out()
        self.types.activated.connect(lambda row: self.type_chosen.emit(self._types[row]))
        self.tenants.activated.connect(lambda row: self.tenant_chosen.emit(self._tenants[row]))
        for button, command in (
            (self.verdict, "config.next_finding"),
            (self.impact, "config.impact"),
            (self.save, "config.save_report"),
        ):
            button.clicked.connect(lambda _=False, c=command: self.wanted.emit(c))

    def _lay_out(self) -> None:
        self.types.setAccessibleName("Workflow type")
        self.tenants.setAccessibleName("Tenant")
        self.tenants.setToolTip("Whose overlay lies over the base (T)")
        self.verdict.setToolTip("Goes to the next finding (F8)")
        for box in (self.types, self.tenants):
            box.setMaximumWidth(220)
            box.setMinimumContentsLength(8)
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.title)
        row.addWidget(self.types)
        row.addWidget(self.facts)
        row.addStretch(1)
        row.addWidget(self._tenant_label)
        row.addWidget(self.tenants)
        for button in (self.verdict, self.impact, self.save):
            row.addWidget(button)

    def show_names(self, types: Sequence[str], shown: str, tenants: Sequence[str], tenant: str) -> None:
        """The workflow types and the tenants of the one on show; a choice of one is no choice."""
        self._types, self._tenants = tuple(types), tuple(tenants)
        self.title.set_text(shown)
        self.title.setVisible(len(types) < 2)
        _fill(self.types, [plain(name, 60) for name in types], types.index(shown) if shown in types else 0)
        self.types.setVisible(len(types) > 1)
        names = [plain(name, 60) or BASE_TITLE for name in tenants]
        _fill(self.tenants, names, tenants.index(tenant) if tenant in tenants else 0)
        for widget in (self.tenants, self._tenant_label):
            widget.setVisible(len(tenants) > 1)

    def show_verdict(self, findings: Sequence[Finding], facts: str) -> None:
        """What the checks found, and how many files they read."""
        self.facts.set_text(facts)
        worst = next((s for s in GLYPH if any(f.severity == s for f in findings)), "")
        self._state = GLYPH.get(worst, ("completed", "completed"))
        self.verdict.setText(verdict(findings))
        self._tint()

    def step_tenant(self) -> None:
        """Goes to the next tenant."""
        if len(self._tenants) > 1:
            self.tenant_chosen.emit(self._tenants[(self.tenants.currentIndex() + 1) % len(self._tenants)])

    def _tint(self) -> None:
        name, tone = self._state
        self.verdict.setIcon(glyphs.icon(name, theme().color(tone)))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "verdict"):
            self._tint()


def _fill(box: QComboBox, titles: Sequence[str], at: int) -> None:
    with QSignalBlocker(box):
        box.clear()
        box.addItems(list(titles))
        box.setCurrentIndex(at)
