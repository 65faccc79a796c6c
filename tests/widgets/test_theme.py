"""Bundled fonts: what is recorded is read as it was written."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QFont, QTextLayout
from PySide6.QtWidgets import QApplication

from widgets.theme import font


def _glyphs(text: str, used: QFont) -> list[int]:
    layout = QTextLayout(text, used)
    layout.beginLayout()
    layout.createLine()
    layout.endLayout()
    return [glyph for run in layout.glyphRuns() for glyph in run.glyphIndexes()]


@pytest.mark.parametrize("bold", [False, True])
@pytest.mark.parametrize("code", [False, True])
def test_no_characters_are_joined_or_drawn_as_others(qapp: QApplication, code: bool, bold: bool) -> None:
    used = font(12, code=code, bold=bold)
    for text in ("-<", ":<", "==", "->", "=>", "!=", "<=", "www", "3x4", "fi", "/*", "|>"):
        assert _glyphs(text, used) == [glyph for one in text for glyph in _glyphs(one, used)]
