"""A failure and its causes: type, message, attempt, and stack traces with their syntax coloured. GUI thread."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from engine_bridge.decoding import hides
from engine_bridge.format import safe_lines
from engine_bridge.model import Failure
from engine_bridge.payloads.masking import mask_text
from widgets.payload.decoding import LINE_MASK
from widgets.payload.sources import TextSource
from widgets.payload.text_view import TextView
from widgets.run.labels import Link

_DEEPEST = 20


def failure_text(failure: Failure) -> str:
    """The whole chain as text, outermost first; causes and earlier attempts are indented by two blanks a level."""
    return "\n".join(_lines(failure, 0))


def _lines(failure: Failure, depth: int) -> Iterator[str]:
    pad = "  " * depth
    title = ": ".join(part for part in (failure.type, failure.message) if part) or "(no type recorded)"
    attempt = f"  (attempt {failure.attempt})" if failure.attempt is not None and not depth else ""
    first, *rest = safe_lines(title).split("\n")
    yield f"{pad}{first}{attempt}"
    yield from (f"{pad}{line}" for line in rest)
    if failure.code:
        yield f"{pad}code {safe_lines(failure.code)}"
    if failure.stack:
        yield from (f"{pad}{line}" for line in safe_lines(failure.stack).rstrip("\n").split("\n"))
    if depth >= _DEEPEST and failure.causes:
        yield f"{pad}  … {len(failure.causes)} deeper causes are not shown"
        return
    for cause in failure.causes:
        yield ""
        yield f"{pad}attempt {cause.attempt}" if cause.attempt is not None else f"{pad}caused by"
        yield from _lines(cause, depth + 1)


class FailureView(QWidget):
    """A failure chain in a text view: scrolls and copies as payloads do; secrets are masked until revealed.

    ``codec_requested``: its messages are hidden, and the user wants to name a codec server.
    """

    codec_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.codec = Link("Decode with a codec server …")
        self.codec.activated.connect(self.codec_requested)
        self.codec.hide()
        self.view = TextView()
        self.view.setAccessibleName("Failure chain")
        self._shown: Failure | None = None
        self._reveal = False
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.codec)
        layout.addWidget(self.view, 1)

    @property
    def text(self) -> str:
        """The chain as shown."""
        return self.view.source.data.decode()

    def set_failure(self, failure: Failure | None) -> None:
        """Shows a chain; None clears."""
        if failure != self._shown:
            self._shown = failure
            self.codec.setVisible(hides(failure))
            self._show()

    def set_reveal(self, on: bool) -> None:
        """Shows or masks what looks like a secret."""
        self._reveal = on
        self._show()

    def _show(self) -> None:
        text = failure_text(self._shown) if self._shown is not None else ""
        late = mask_text if not self._reveal and len(text) > LINE_MASK else None
        shown = text if self._reveal or late is not None else mask_text(text)
        self.view.set_source(TextSource(shown.encode("utf-8", "backslashreplace"), "traceback", late))
