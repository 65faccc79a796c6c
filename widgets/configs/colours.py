"""Colours of JSON by Pygments, made off the GUI thread and laid over a text document."""

from __future__ import annotations

from typing import Final

from PySide6.QtGui import QSyntaxHighlighter, QTextCharFormat, QTextDocument

from widgets.payload.background import Background
from widgets.theme import theme

Spans = dict[int, list[tuple[int, int, str]]]

LIMIT: Final = 400_000  # characters; longer text stays plain
_TOKENS: Final = (
    ("Token.Name.Tag", "signal"),
    ("Token.Literal.String", "completed"),
    ("Token.Literal.Number", "retrying"),
    ("Token.Keyword", "running"),
    ("Token.Comment", "muted"),
    ("Token.Error", "failed"),
    ("Token.Punctuation", "muted"),
)


def json_colours(text: str) -> Spans:
    """Spans (start, length, theme token) by line. Imports Pygments: not on the GUI thread."""
    from pygments.lexers.data import JsonLexer

    found: Spans = {}
    line = column = 0
    for kind, value in JsonLexer(stripnl=False, ensurenl=False).get_tokens(text):
        token = next((t for prefix, t in _TOKENS if str(kind).startswith(prefix)), "")
        for number, part in enumerate(value.split("\n")):
            if number:
                line, column = line + 1, 0
            if part and token:
                found.setdefault(line, []).append((column, len(part), token))
            column += len(part)
    return found


class JsonColours(QSyntaxHighlighter):
    """Colours a document when its spans have come. GUI thread."""

    def __init__(self, document: QTextDocument) -> None:
        super().__init__(document)
        self._spans: Spans = {}
        self._background = Background(self)

    def begin(self, text: str) -> None:
        """Forgets the old colours, and makes those of a new text."""
        self._spans = {}
        self._background.cancel()
        if 0 < len(text) <= LIMIT:
            self._background.run(lambda: json_colours(text), self._arrived)

    @property
    def busy(self) -> bool:
        return self._background.busy

    def _arrived(self, spans: Spans) -> None:
        self._spans = spans
        self.rehighlight()

    def highlightBlock(self, text: str) -> None:
        for start, length, token in self._spans.get(self.currentBlock().blockNumber(), ()):
            look = QTextCharFormat()
            look.setForeground(theme().color(token))
            self.setFormat(start, length, look)
