"""What the history recorded at a step, beside what the code asked for. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from engine_bridge.bridge import Decoding
from engine_bridge.format import count, plain
from engine_bridge.model import PayloadRef
from engine_bridge.replay.model import TraceStep
from widgets.code.ends import drift_words
from widgets.payload.decoding import prepare
from widgets.run.labels import Glyph, Link, Text

PREVIEW = 4_096  # bytes of a result that are read for its one line
_DRIFTS = 4


class StepCard(QWidget):
    """``opened`` is emitted when the user wants the recorded step itself."""

    opened = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._ref: PayloadRef | None = None
        self._data = b""
        self._encoding: str | None = None
        self._reveal = False
        self._name = Link(code=True, least=80)
        self._name.activated.connect(self.opened)
        self._number = Text(tone="muted", size=11)
        self._glyph = Glyph("completed", "completed", 14)
        self._recorded = Text(least=80)
        self._result = Text(code=True, least=80)
        self._drifts = [Text(tone="retrying", least=80) for _ in range(_DRIFTS)]
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 8, 4)
        column.setSpacing(3)
        column.addLayout(_row(self._name, self._number))
        column.addLayout(_row(self._glyph, self._recorded))
        column.addWidget(self._result)
        for text in self._drifts:
            column.addWidget(text)
        self.setAccessibleName("Step and record")

    @property
    def text(self) -> str:
        """All words of the card."""
        parts = (self._name, self._number, self._recorded, self._result, *self._drifts)
        return "\n".join(part.text for part in parts if not part.isHidden() and part.text)

    def show_words(self, name: str, words: str) -> None:
        """There is no step here: before the first, or no replay."""
        self._name.set_text(name)
        self._name.set_leads(False)
        self._number.set_text("")
        self._show_record("clock", "muted", words)
        self._show_drifts(())
        self.set_result(None)

    def show_step(self, step: TraceStep, number: int, total: int, glyph: str, tone: str, record: str) -> None:
        """A step of the trace; ``record`` says what the history holds there."""
        self._name.set_text(step.name)
        self._name.set_leads(bool(step.step_id))
        self._number.set_text(f"{step.kind} · {count(number)} of {count(total)}")
        self._show_record(glyph, tone, record)
        self._show_drifts(tuple(drift_words(drift) for drift in step.drift))

    def _show_record(self, glyph: str, tone: str, words: str) -> None:
        self._glyph.set_glyph(glyph, tone)
        self._recorded.set_text(words)
        self._recorded.set_tone("failed" if tone == "failed" else "text")

    def _show_drifts(self, drifts: tuple[str, ...]) -> None:
        for index, text in enumerate(self._drifts):
            text.setVisible(index < len(drifts))
            text.set_text(f"⚠ {drifts[index]}" if index < len(drifts) else "")

    # -- result -------------------------------------------------------------------------------------------

    @property
    def ref(self) -> PayloadRef | None:
        """The payload whose first bytes the card wants."""
        return self._ref

    def set_result(self, ref: PayloadRef | None) -> bool:
        """Names the recorded result; whether its bytes are wanted."""
        if ref is not None and ref == self._ref:
            return False
        self._ref, self._data, self._encoding = ref, b"", None if ref is None else ref.encoding
        self._result.setVisible(ref is not None)
        self._result.set_text(f"{plain(ref.label, 40)} …" if ref is not None else "")
        return ref is not None

    def set_data(self, ref: PayloadRef, data: bytes) -> None:
        """The result's first bytes; those of another one are dropped."""
        self._set(ref, data, ref.encoding)

    def set_decoding(self, ref: PayloadRef, found: Decoding) -> None:
        """What an encoded result decodes to, or why it does not."""
        if found.data is None:
            self.set_error(ref, found.error)
        else:
            self._set(ref, found.data, found.encoding)

    def _set(self, ref: PayloadRef, data: bytes, encoding: str | None) -> None:
        if ref == self._ref:
            self._data, self._encoding = data[:PREVIEW], encoding
            self._show_result()

    def set_error(self, ref: PayloadRef, words: str) -> None:
        if ref == self._ref:
            self._result.set_text(f"{plain(ref.label, 40)}: {words}")

    def set_reveal(self, on: bool) -> None:
        """Shows or masks what looks like a secret."""
        self._reveal = on
        if self._data:
            self._show_result()

    def _show_result(self) -> None:
        if self._ref is None:
            return
        shown = prepare(self._data, self._encoding, reveal=self._reveal)
        text = " ".join(shown.text.line(i).strip() for i in range(min(12, shown.text.count)))
        words = text or f"{shown.format}, {len(self._data)} bytes"
        self._result.set_text(f"{plain(self._ref.label, 40)} {plain(words, 400)}")


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(8)
    for widget in widgets:
        row.addWidget(widget)
    row.addStretch(1)
    return row
