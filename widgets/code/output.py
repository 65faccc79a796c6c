"""What the code printed and logged, and stacks: below the code, hidden until asked for. GUI thread."""

from __future__ import annotations

from typing import Final

from PySide6.QtWidgets import QTabWidget

from engine_bridge.replay.protocol import Log
from widgets.payload.sources import TextSource
from widgets.payload.text_view import TextView

_KEPT: Final = 200_000  # characters of output


class Output(QTabWidget):
    """Two tabs: the stack of what went wrong, and what was printed."""

    def __init__(self) -> None:
        super().__init__()
        self._text = ""
        self.stack, self.printed = TextView(), TextView()
        self.stack.setAccessibleName("Stack of the error")
        self.printed.setAccessibleName("What the code printed")
        self.addTab(self.printed, "Output")
        self.addTab(self.stack, "Stack")
        self.setDocumentMode(True)
        self.tabBar().setDrawBase(False)
        self.hide()

    def clear_all(self) -> None:
        """Another replay begins."""
        self._text = ""
        self.printed.set_source(TextSource(b""))
        self.set_stack("")
        self.hide()

    def add(self, logs: list[Log]) -> None:
        """More output. What is beyond a bound falls away at the front."""
        for log in logs:
            level = f"{log.level}: " if log.level else ""
            self._text += level + log.text + ("" if log.text.endswith("\n") else "\n")
        self._text = self._text[-_KEPT:]
        if self.isVisible():
            self._show_printed()

    @property
    def text(self) -> str:
        return self._text

    def set_stack(self, stack: str) -> None:
        """The stack of an error; "" for none."""
        self.stack.set_source(TextSource(stack.encode("utf-8", "replace"), "traceback" if stack else "text"))
        self.setTabVisible(1, bool(stack))

    def show_stack(self) -> None:
        self.show()
        self.setCurrentIndex(1)

    def toggle(self) -> None:
        """Shows or hides what was printed."""
        self.setVisible(self.isHidden())
        if self.isVisible():
            self.setCurrentIndex(0)
            self._show_printed()

    def _show_printed(self) -> None:
        text = self._text or "Nothing was printed or logged."
        self.printed.set_source(TextSource(text.encode("utf-8", "replace")))
        bar = self.printed.verticalScrollBar()
        bar.setValue(bar.maximum())
