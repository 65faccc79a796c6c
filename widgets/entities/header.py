"""The head of the entities page: the type, what is known of it, what is wrong, and where to go. GUI thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from engine_bridge.format import count, plain
from engine_bridge.populations import Population
from widgets import glyphs
from widgets.entities.words import totals
from widgets.shell.label import ElidedLabel, plain_tooltip
from widgets.shell.top_bar import read_forwards
from widgets.theme import font, theme

#: Name of a list worth opening (a key of ``Population.filters``): glyph, state, what it lists.
BADGES: Final = {
    "drift": ("swap", "retrying", "whose last history row says another status"),
    "stuck": ("lock", "retrying", "whose claim is older than its time to live"),
    "unknown": ("warning", "retrying", "on a status that the config does not know"),
    "failures": ("failed", "failed", "with an open permanent failure"),
}
LINT: Final = "lint"
_LEAST: Final = 320


class Badge(QToolButton):
    """A pill with a glyph and a figure that can be pressed."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setIconSize(QSize(13, 13))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFont(font(12))
        self._glyph, self._state, self._chosen = "", "muted", False
        self.hide()

    def show_badge(self, glyph: str, state: str, text: str, tip: str, *, chosen: bool = False) -> None:
        """Shows it; ``chosen``: the list shows what it counts."""
        self._glyph, self._state, self._chosen = glyph, state, chosen
        self.setText(f" {text}")
        self.setAccessibleName(f"{text}{', shown in the list' if chosen else ''}")
        self.setAccessibleDescription(tip)
        self.setToolTip(plain_tooltip(tip))
        self._tint()
        self.show()

    def _tint(self) -> None:
        t = theme()
        stroke, fill = t.state(self._state), t.fill(self._state, 0.4 if self._chosen else 0.18)
        border = stroke.name() if self._chosen else fill.name()
        style = (
            f"QToolButton {{ background: {fill.name()}; border: 1px solid {border}; border-radius: 12px;"
            f" padding: 1px 9px; color: {t.tokens['text']}; }}"
            f" QToolButton:focus {{ border-color: {t.tokens['accent']}; }}"
        )
        self.setIcon(glyphs.icon(self._glyph, stroke, 13))
        if style != self.styleSheet():
            self.setStyleSheet(style)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._glyph:
            self._tint()


class EntitiesHeader(QWidget):
    """``type_chosen`` carries another type; ``badge_pressed`` a key of ``BADGES`` or ``LINT``; ``asked`` "steps",
    "simulate" or "impact"."""

    type_chosen = Signal(object)
    badge_pressed = Signal(object)
    asked = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = QToolButton(self)
        self.facts = ElidedLabel("muted")
        self.badges = {name: Badge(self) for name in (*BADGES, LINT)}
        self.tenant = Badge(self)
        self.buttons = {
            "steps": self._button("Step resolution"),
            "simulate": self._button("Simulate"),
            "impact": self._button("Impact of a change…"),
        }
        self._menu = QMenu(self.title)
        read_forwards(self._menu)
        self._strip = QWidget(self)
        self._column, self._top = QVBoxLayout(self), QHBoxLayout()
        self._folded = False
        self._types: tuple[str, ...] = ()
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        self.title.setFont(font(18, bold=True))
        self.title.setProperty("flat", "true")
        self.title.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        self.title.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.tenant.setEnabled(False)
        # Of its own: what stands in it folds before it would widen the window.
        self.setMinimumWidth(_LEAST)
        # The figures give way first: the header must never widen the window.
        self.facts.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        strip = QHBoxLayout(self._strip)
        strip.setContentsMargins(0, 0, 0, 0)
        strip.setSpacing(8)
        for badge in (self.tenant, *self.badges.values()):
            strip.addWidget(badge)
        strip.addStretch(1)
        self._top.setSpacing(8)
        self._top.addWidget(self.title)
        self._top.addWidget(self.facts, 1000)
        self._top.addWidget(self._strip)
        self._top.addStretch(1)
        for button in self.buttons.values():
            self._top.addWidget(button)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(6)
        self._column.addLayout(self._top)

    def _fold(self) -> None:
        """Badges stand beside the figures, or below them where there is not enough room."""
        wide = sum(
            widget.sizeHint().width() + 12 for widget in (self.title, self.facts, *self.buttons.values())
        )
        folded = wide + self._strip.sizeHint().width() > self.width()
        if folded == self._folded:
            return
        self._folded = folded
        if folded:
            self._column.addWidget(self._strip)
        else:
            self._top.insertWidget(2, self._strip)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fold()

    def _connect(self) -> None:
        for name, badge in self.badges.items():
            badge.clicked.connect(lambda _=False, n=name: self.badge_pressed.emit(n))
        for name, button in self.buttons.items():
            button.clicked.connect(lambda _=False, n=name: self.asked.emit(n))

    def _button(self, text: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        return button

    def set_types(self, types: Sequence[str], shown: str) -> None:
        """The workflow types of the source, and the one on the page."""
        several = len(types) > 1
        if tuple(types) != self._types:
            self._types = tuple(types)
            self._menu.clear()
            for name in types:
                action = self._menu.addAction(plain(name, 80).replace("&", "&&"))
                action.triggered.connect(lambda _=False, n=name: self.type_chosen.emit(n))
            self.title.setMenu(self._menu)
        self.title.setText(plain(shown, 48).replace("&", "&&"))
        self.title.setEnabled(several)
        place = f" ({types.index(shown) + 1} of {len(types)})" if several and shown in types else ""
        self.title.setAccessibleName(f"Workflow type: {plain(shown, 80)}{place}")
        others = "\n[ and ] go to the other types" if several else ""
        self.title.setToolTip(plain_tooltip(plain(shown, 200) + others))
        self._tint()

    def set_population(
        self, population: Population | None, chosen: str = "", config_reason: str = ""
    ) -> None:
        """Figures and badges; ``chosen`` is the badge whose list is shown, ``config_reason`` why no config page is."""
        self.facts.set_text(totals(population) if population is not None else "")
        if population is None:
            for badge in (self.tenant, *self.badges.values()):
                badge.hide()
            return
        self._show_tenant(population.tenant)
        for name in BADGES:
            self._show_badge(name, population, chosen == name)
        self._show_lint(population, config_reason)
        self._fold()

    def _show_tenant(self, tenant: str) -> None:
        if tenant:
            tip = "Only this tenant's rows are seen."
            self.tenant.show_badge("worker", "muted", f"tenant {plain(tenant, 40)}", tip)
        else:
            self.tenant.hide()

    def _show_badge(self, name: str, population: Population, chosen: bool) -> None:
        glyph, state, words = BADGES[name]
        number = int(getattr(population, name))
        badge = self.badges[name]
        if not number and not chosen:
            badge.hide()
            return
        least = "" if population.exact or name != "drift" else "≥ "
        tip = f"{count(number)} entities {words}."
        if name == "drift":
            tip += f" {count(population.checked)} were compared with their history."
        tip += " Press to show all again." if chosen else " Press to list them."
        badge.show_badge(glyph, state, f"{name} {least}{count(number)}", tip, chosen=chosen)

    def _show_lint(self, population: Population, config_reason: str) -> None:
        # What stands on a status that no config knows is a finding, too.
        lost = sum(node.role == "unknown" and node.count > 0 for node in population.nodes)
        badge, errors = self.badges[LINT], population.errors + lost
        found = errors + population.warnings
        if not population.config and not found:
            badge.hide()
            return
        tip = config_reason or "Press to open the config page."
        if not found:
            badge.show_badge("completed", "completed", "lint clean", f"The config has no finding. {tip}")
            return
        words = f"{count(found)} {'finding' if found == 1 else 'findings'}"
        kinds = f"{count(errors)} errors, {count(population.warnings)} warnings"
        state = "failed" if errors else "retrying"
        badge.show_badge("failed" if errors else "warning", state, words, f"{kinds}. {tip}")

    def set_reasons(self, reasons: dict[str, str]) -> None:
        """Why a button leads nowhere now, by its name; "" where it does lead somewhere."""
        for name, button in self.buttons.items():
            why = reasons.get(name, "")
            button.setEnabled(not why)
            button.setToolTip(plain_tooltip(f"Not now: {why}." if why else ""))
            button.setAccessibleDescription(why)

    def _tint(self) -> None:
        t, several = theme(), len(self._types) > 1
        styles = Qt.ToolButtonStyle
        self.title.setToolButtonStyle(
            styles.ToolButtonTextBesideIcon if several else styles.ToolButtonTextOnly
        )
        self.title.setIcon(glyphs.icon("expand", t.color("muted"), 14))
        # A disabled button would be greyed; the only type's name is a title all the same.
        self.title.setStyleSheet(
            f"QToolButton {{ padding: 0 4px 0 0; color: {t.tokens['text']}; }}"
            " QToolButton::menu-indicator { image: none; }"
        )

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._tint()
