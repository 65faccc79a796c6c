"""Many rectangles, lines or pixmap pieces in one call, straight from numpy. GUI thread.

A C++ array of QRectF, QLineF or QPainter.PixmapFragment is nothing but doubles in a row, so a numpy buffer is handed to
Qt by address (as in pyqtgraph's PrimitiveArray). The buffer lives as long as this object.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shiboken6
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QRectF
from PySide6.QtGui import QPainter, QPixmap


class RectArray:
    """Reusable rectangles: ``fill`` them, ``draw`` some of them."""

    def __init__(self) -> None:
        self._data = np.zeros((256, 4))

    def fill(self, x: Any, y: Any, width: Any, height: Any) -> None:
        """Sets the first ``len(x)`` rectangles (px)."""
        if len(x) > len(self._data):
            self._data = np.zeros((2 * len(x), 4))
        for column, values in enumerate((x, y, width, height)):
            self._data[: len(x), column] = values

    def draw(self, painter: QPainter, first: int, last: int) -> None:
        """Draws rectangles ``first .. last`` with the painter's pen and brush."""
        if last > first:
            address = self._data.ctypes.data + first * self._data.strides[0]
            painter.drawRects(shiboken6.wrapInstance(address, QRectF), last - first)


def draw_lines(painter: QPainter, segments: NDArray[np.float64]) -> None:
    """Draws segments, an array of shape (n, 4) of x0, y0, x1, y1, with the painter's pen."""
    if len(segments):
        data = np.ascontiguousarray(segments)
        painter.drawLines(shiboken6.wrapInstance(data.ctypes.data, QLineF), len(data))


class FragmentArray:
    """Reusable pixmap pieces: copies of parts of one atlas."""

    def __init__(self) -> None:
        self._data = np.zeros((64, 10))

    def draw(
        self,
        painter: QPainter,
        atlas: QPixmap,
        x: NDArray[Any],
        y: NDArray[Any],
        piece: NDArray[Any],
        size: int,
    ) -> None:
        """Draws piece ``i`` (a square of ``size`` px at ``i * size`` of the atlas) centred on each point."""
        count = len(x)
        if not count:
            return
        if count > len(self._data):
            self._data = np.zeros((2 * count, 10))
        ratio = atlas.devicePixelRatio()
        data = self._data[:count]
        data[:] = (0, 0, 0, 0, size * ratio, size * ratio, 1 / ratio, 1 / ratio, 0, 1)
        data[:, 0], data[:, 1], data[:, 2] = x, y, piece * (size * ratio)
        fragments = shiboken6.wrapInstance(self._data.ctypes.data, QPainter.PixmapFragment)
        painter.drawPixmapFragments(fragments, count, atlas)
