"""Colours of JSON over a text document, line by line: no value of JSON goes on over the end of a line."""

from __future__ import annotations

from typing import Final

from PySide6.QtGui import QSyntaxHighlighter, QTextCharFormat

from widgets.payload.highlight import json_spans
from widgets.theme import theme

LINES: Final = 5_000  # of a longer text none is coloured: it would take more than a frame


class JsonColours(QSyntaxHighlighter):
    """Colours names, strings, numbers and words. GUI thread."""

    def highlightBlock(self, text: str) -> None:
        if self.document().blockCount() > LINES:
            return
        for start, end, tone in json_spans(text, len(text)):
            look = QTextCharFormat()
            look.setForeground(theme().color(tone))
            self.setFormat(start, end - start, look)
