"""Pens, brushes and lookup tables of the timeline, made once a theme. GUI thread."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetrics, QPainter, QPen, QPixmap

from widgets import glyphs, theme
from widgets.timeline.tones import TONES

GLYPH: Final = 12
_GLYPHS: Final = (
    "unknown",
    "completed",
    "cancelled",
    "pending",
    "queued",
    "clock",
    "running",
    "retrying",
    "failed",
)
_BODY_SHARE: Final = 0.75
FADE: Final = 0.62
"""How much of the panel's colour lies over what comes after the playhead."""


@dataclass(frozen=True)
class Paints:
    """By tone: ``stroke``, ``fill``, ``pen`` and ``brush``; ``cells`` is an ARGB table of raster cells, muted ones
    first and then (from ``len(TONES)`` on) the same at full strength, which ``full`` is by itself."""

    stroke: list[QColor]
    fill: list[QColor]
    pen: list[QPen]
    dashed: list[QPen]
    brush: list[QBrush]
    solid: list[QBrush]
    cells: NDArray[np.uint32]
    full: NDArray[np.uint32]
    tokens: dict[str, QColor]
    veil: QColor
    hatch: QBrush


def paints() -> Paints:
    """The paints of the theme in force."""
    return _paints(theme.theme().name)


@lru_cache(maxsize=4)
def _paints(name: str) -> Paints:
    look = theme.load(name)
    stroke = [look.state(tone) for tone in TONES]
    fill = [look.fill(tone) for tone in TONES]
    panel = look.color("panel")
    body = [theme.mix(color, panel, _BODY_SHARE) for color in stroke]
    veil = QColor(panel)
    veil.setAlphaF(FADE)
    return Paints(
        stroke,
        fill,
        [QPen(color, 1) for color in stroke],
        [QPen(color, 1, Qt.PenStyle.DashLine) for color in stroke],
        [QBrush(color) for color in fill],
        [QBrush(color) for color in stroke],
        np.concatenate([_table(body), _table(stroke)]),
        _table(stroke),
        {token: look.color(token) for token in look.tokens},
        veil,
        QBrush(_faint(stroke[TONES.index("cancelled")]), Qt.BrushStyle.BDiagPattern),
    )


def _faint(color: QColor) -> QColor:
    result = QColor(color)
    result.setAlphaF(0.35)
    return result


def _table(colors: list[QColor]) -> NDArray[np.uint32]:
    table = np.array([color.rgba() for color in colors], np.uint32)
    table[0] = 0
    return table


@lru_cache(maxsize=8)
def atlas(name: str, ratio: float) -> QPixmap:
    """The glyphs of all tones side by side, GLYPH px each, in their strokes."""
    look = _paints(name)
    result = QPixmap(round(GLYPH * len(TONES) * ratio), round(GLYPH * ratio))
    result.setDevicePixelRatio(ratio)
    result.fill(Qt.GlobalColor.transparent)
    with QPainter(result) as painter:
        for tone, glyph in enumerate(_GLYPHS):
            painter.drawPixmap(GLYPH * tone, 0, glyphs.pixmap(glyph, look.stroke[tone].name(), GLYPH, ratio))
    return result


@lru_cache(maxsize=8)
def font(size: int, *, code: bool = False) -> tuple[QFont, QFontMetrics]:
    """A font of the theme with its metrics; not to be changed by its users."""
    chosen = theme.font(size, code=code)
    return chosen, QFontMetrics(chosen)


@lru_cache(maxsize=64)
def tone_glyph(name: str, tone: int, ratio: float) -> QPixmap:
    """The glyph of one tone in a theme."""
    return glyphs.pixmap(_GLYPHS[tone], _paints(name).stroke[tone].name(), GLYPH, ratio)
