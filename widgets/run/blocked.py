"""The "blocked on" line: what an open run waits for, since when, and how we know. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QFontMetrics,
    QGuiApplication,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPalette,
)
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from engine_bridge import format as fmt
from engine_bridge.model import Blocked, Evidence, Provenance
from engine_bridge.steps import GRACE_NS
from widgets.run.entity import WHY
from widgets.run.labels import Link, Text
from widgets.run.moment import Moment
from widgets.shell.label import Wrapped
from widgets.theme import RADIUS, font, theme

_POPUP = 560  # px
_SCRAP = 140  # px: less of a sentence says nothing
_UNTIL = {"timer": "due", "delay": "due", "retry": "next try"}
_TITLES = {"nothing": "Not blocked", WHY: "Why"}


def evidence_text(evidence: tuple[Evidence, ...]) -> str:
    """Rules and facts as lines of text, for tooltips and copying."""
    lines: list[str] = []
    for item in evidence:
        lines.append(item.rule)
        lines.extend(f"  • {fact}" for fact in item.facts)
    return "\n".join(lines)


def since_text(blocked: Blocked, moment: Moment) -> str:
    """ "since 14:06:29 (29 s), expires 15:06:29": what is known of it, nothing made up."""
    parts: list[str] = []
    now = moment.time_ns
    if blocked.since_ns is not None:
        parts.append(f"since {_short(blocked.since_ns, moment)}{_waited(blocked.since_ns, now)}")
    if blocked.until_ns is not None:
        overdue = now is not None and now > blocked.until_ns + GRACE_NS and moment.live
        word = "was due" if overdue else _UNTIL.get(blocked.kind, "expires")
        parts.append(f"{word} {_short(blocked.until_ns, moment)}")
    return ", ".join(parts)


def _waited(since_ns: int, now_ns: int | None) -> str:
    # Two clocks differ by some milliseconds: less than a second before its beginning is its beginning.
    if now_ns is None or -1_000_000_000 < now_ns - since_ns < 0:
        return ""
    return f" ({fmt.duration(now_ns - since_ns)})"


def _short(ns: int, moment: Moment) -> str:
    return fmt.short_time(ns, moment.now_ns or ns, moment.zone)


class EvidencePopup(QFrame):
    """Lists the rules and facts behind something inferred, over the page; Escape or a click elsewhere closes it."""

    def __init__(self, title: str, evidence: tuple[Evidence, ...], hint: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAccessibleName("Evidence")
        self.setFrameShape(QFrame.Shape.Box)
        self.setAutoFillBackground(True)
        self.setBackgroundRole(QPalette.ColorRole.AlternateBase)
        self.setForegroundRole(QPalette.ColorRole.Mid)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(14, 12, 14, 12)
        self._add(title, bold=True)
        for item in evidence:
            self._add(item.rule)
            for fact in item.facts:
                self._add(f"•  {fact}", muted=True)
        if not evidence:
            self._add("No evidence is recorded.", muted=True)
        if hint:
            self._add(hint)
        copy = QPushButton("Copy")
        copy.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        copy.clicked.connect(lambda: _copy("\n".join([title, evidence_text(evidence), hint]).strip()))
        self._layout.addWidget(copy, 0, Qt.AlignmentFlag.AlignLeft)

    def _add(self, text: str, *, bold: bool = False, muted: bool = False) -> None:
        label = Wrapped(fmt.plain(text, 2_000))
        label.setFont(font(12, bold=bold))
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        if muted:
            label.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self._layout.addWidget(label)

    def show_below(self, anchor: QWidget) -> None:
        """Opens under ``anchor``, their right edges aligned, inside the parent."""
        parent = self.parentWidget()
        if parent is None:
            return
        width = min(_POPUP, parent.width() - 32)
        self.resize(width, self._layout.totalHeightForWidth(width))
        corner = anchor.mapTo(parent, QPoint(anchor.width() - width, anchor.height() + 6))
        self.move(max(8, corner.x()), corner.y())
        self.show()
        self.raise_()
        self.setFocus()

    def event(self, event: QEvent) -> bool:
        # Escape goes back to the list elsewhere on the page.
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            event.setAccepted(event.key() == Qt.Key.Key_Escape)
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.close()
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        focused = QApplication.focusWidget()
        if focused is None or not self.isAncestorOf(focused):
            self.close()


def _copy(text: str) -> None:
    QGuiApplication.clipboard().setText(text)


class _How(Text):
    """How it is known, and a hint: as much of it as can be read, never a scrap."""

    _parts: tuple[str, ...] = ("",)

    def set_words(self, *parts: str) -> None:
        """What each says more than the one before it."""
        self._parts = tuple(fmt.plain("".join(parts[: n + 1])) for n in range(len(parts)))
        self.set_text(self._parts[-1])

    def sizeHint(self) -> QSize:
        """Whether it is a guess is always read; the rest stands where there is room."""
        least = QFontMetrics(self.font()).horizontalAdvance(self._parts[0]) + 2
        return QSize(least, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def shown(self, width: int) -> str:
        """What is drawn in so many px."""
        metrics, said = QFontMetrics(self.font()), ""
        for part in self._parts:
            if metrics.horizontalAdvance(part) > width:
                left = width - metrics.horizontalAdvance(said)
                return metrics.elidedText(part, Qt.TextElideMode.ElideRight, width) if left > _SCRAP else said
            said = part
        return said

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as p:
            p.setFont(self.font())
            p.setPen(theme().color("muted"))
            p.drawText(self.rect(), int(Qt.AlignmentFlag.AlignVCenter), self.shown(self.width()))


class BlockedLine(QWidget):
    """One line under the header; hidden when the run waits for nothing at the playhead."""

    run_opened = Signal(object)
    step_selected = Signal(object)
    place_chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._blocked: Blocked | None = None
        self._title = Text("Blocked on", bold=True, least=120)
        self._what = Link(code=True, least=120, most=640)
        self._what.activated.connect(self._follow)
        self._since = Text(least=260)
        self._place = Link(code=True, least=120, most=420)
        self._place.activated.connect(self.place_chosen)
        self._place.hide()
        self._how = _How(tone="muted")
        self._how.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._evidence = Link("Evidence", least=120)
        self._evidence.activated.connect(self.show_evidence)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 5, 12, 5)
        layout.setSpacing(10)
        for widget in (self._title, self._what, self._place, self._since):
            layout.addWidget(widget)
        layout.addWidget(self._how, 1)
        layout.addWidget(self._evidence)
        self.setAccessibleName("Blocked on")
        self.hide()

    @property
    def text(self) -> str:
        """The whole line as words."""
        parts = (self._title, self._what, self._place, self._since, self._how)
        return " ".join(part.text for part in parts if part.text)

    def show_place(self, words: str) -> None:
        """The line of the user's code that waits ("waits at orders.py:122 in recv"); "" when it is not known."""
        self._place.set_text(words)
        self._place.setVisible(bool(words))

    def show_blocked(self, blocked: Blocked | None, moment: Moment) -> None:
        """Shows what the run waits for at the moment, or hides the line."""
        self._blocked = blocked
        self.setVisible(blocked is not None)
        if blocked is None:
            return
        self._title.set_text(_TITLES.get(blocked.kind, "Blocked on"))
        self._what.set_text(blocked.what)
        self._what.set_leads(blocked.ref is not None or blocked.step_id is not None)
        self._since.set_text(since_text(blocked, moment))
        known = blocked.provenance is not Provenance.RECORDED
        rule = f": {blocked.evidence[0].rule}" if known and blocked.evidence else ""
        how = f"· {blocked.provenance.value}" if known else "· recorded"
        self._how.set_words(how, rule, f" · {blocked.hint}" if blocked.hint else "")

    def _follow(self) -> None:
        if self._blocked is None:
            return
        if self._blocked.ref is not None:
            self.run_opened.emit(self._blocked.ref)
        elif self._blocked.step_id is not None:
            self.step_selected.emit(self._blocked.step_id)

    def show_evidence(self) -> None:
        """Opens the popup with rules and facts."""
        if self._blocked is not None:
            title = f"{self._title.text} {self._blocked.what}"
            popup = EvidencePopup(title, self._blocked.evidence, self._blocked.hint, self.window())
            popup.show_below(self._evidence)

    def paintEvent(self, event: QPaintEvent) -> None:
        t = theme()
        state = "retrying" if self._blocked is not None and self._blocked.kind == WHY else "waiting"
        with QPainter(self) as p:
            p.setRenderHint(QPainter.RenderHint.Antialiasing)
            p.setPen(Qt.PenStyle.NoPen)
            p.setBrush(t.fill(state, 0.16))
            p.drawRoundedRect(QRectF(self.rect()), RADIUS, RADIUS)
            p.fillRect(0, 0, 3, self.height(), t.state(state))
