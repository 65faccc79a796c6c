"""Glyphs: bundled SVG shapes, tinted from the theme and cached as pixmaps. GUI thread."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap

import resources
from engine_bridge.words import EventKind, Status, StepKind, StepStatus
from widgets.theme import theme

STATE: Final[dict[str, str]] = {
    Status.QUEUED: "queued",
    Status.DELAYED: "clock",
    Status.RUNNING: "running",
    Status.PAUSED: "paused",
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
    Status.TERMINATED: "terminated",
    Status.TIMED_OUT: "timed_out",
    Status.CONTINUED: "continued",
    Status.UNKNOWN: "unknown",
    StepStatus.PENDING: "pending",
    StepStatus.SCHEDULED: "queued",
    StepStatus.WAITING: "clock",
    StepStatus.RETRYING: "retrying",
}
KIND: Final[dict[str, str]] = {
    StepKind.STEP: "step",
    StepKind.LOCAL: "step",
    StepKind.TIMER: "clock",
    StepKind.CHILD: "child",
    StepKind.SIGNAL_WAIT: "signal",
    StepKind.SIGNAL_SEND: "send",
    StepKind.RESULT_WAIT: "clock",
    StepKind.EVENT_SET: "flag",
    StepKind.STREAM: "stream",
    StepKind.PATCH: "patch",
    StepKind.STATUS: "status",
    StepKind.CONTROL: "control",
    StepKind.SIGNAL: "signal",
    StepKind.UPDATE: "control",
    StepKind.OTHER: "unknown",
}
EVENT: Final[dict[str, tuple[str, str]]] = {
    # glyph, and the state whose colour it takes
    EventKind.RUN_CREATED: ("step", "muted"),
    EventKind.RUN_QUEUED: ("queued", "waiting"),
    EventKind.RUN_DELAYED: ("clock", "waiting"),
    EventKind.RUN_STARTED: ("running", "running"),
    EventKind.RUN_COMPLETED: ("completed", "completed"),
    EventKind.RUN_FAILED: ("failed", "failed"),
    EventKind.RUN_CANCELLED: ("cancelled", "cancelled"),
    EventKind.RUN_TERMINATED: ("terminated", "failed"),
    EventKind.RUN_TIMED_OUT: ("timed_out", "failed"),
    EventKind.RUN_CONTINUED: ("continued", "completed"),
    EventKind.STEP_SCHEDULED: ("queued", "waiting"),
    EventKind.STEP_STARTED: ("running", "running"),
    EventKind.STEP_COMPLETED: ("completed", "completed"),
    EventKind.STEP_FAILED: ("failed", "failed"),
    EventKind.STEP_TIMED_OUT: ("timed_out", "failed"),
    EventKind.STEP_CANCELLED: ("cancelled", "cancelled"),
    EventKind.RETRY_SCHEDULED: ("retrying", "retrying"),
    EventKind.TIMER_STARTED: ("clock", "waiting"),
    EventKind.TIMER_FIRED: ("completed", "completed"),
    EventKind.WAIT_STARTED: ("clock", "waiting"),
    EventKind.WAIT_ENDED: ("completed", "completed"),
    EventKind.SIGNAL_RECEIVED: ("signal", "signal"),
    EventKind.SIGNAL_SENT: ("send", "signal"),
    EventKind.CHILD_STARTED: ("child", "running"),
    EventKind.CHILD_COMPLETED: ("completed", "completed"),
    EventKind.CHILD_FAILED: ("failed", "failed"),
    EventKind.EVENT_SET: ("flag", "waiting"),
    EventKind.STREAM_WRITTEN: ("stream", "muted"),
    EventKind.PATCHED: ("patch", "muted"),
    EventKind.STATUS_CHANGED: ("status", "running"),
    EventKind.OPERATOR: ("operator", "playhead"),
    EventKind.TASK: ("step", "muted"),
    EventKind.OTHER: ("info", "muted"),
}

ACTION: Final = {
    "resume": "right",
    "rewind": "back",
    "cancel": "cancelled",
    "delay": "hourglass",
    "enqueue": "queue",
    "delete": "trash",
    "pause": "paused",
}
"""Glyphs of operator actions that go by the name of what they do."""


@lru_cache(maxsize=512)
def pixmap(name: str, color: str, size: int = 14, ratio: float = 1.0) -> QPixmap:
    """A glyph as a pixmap of ``size`` device-independent px; ``unknown`` where an engine names one that is not here."""
    from PySide6.QtSvg import QSvgRenderer  # the first paint of the window does without

    file = resources.path("icons", f"{ACTION.get(name, name)}.svg")
    svg = (file if file.is_file() else resources.path("icons", "unknown.svg")).read_text("utf-8")
    svg = svg.replace("currentColor", color)
    result = QPixmap(round(size * ratio), round(size * ratio))
    result.fill(Qt.GlobalColor.transparent)
    with QPainter(result) as painter:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        QSvgRenderer(QByteArray(svg.encode())).render(painter, QRectF(result.rect()))
    result.setDevicePixelRatio(ratio)
    return result


def render_common(ratio: float) -> Iterator[None]:
    """Renders the glyphs of states and events, one a step: the first page would have to render many at once."""
    look = theme()
    for name, token in {*EVENT.values(), *((glyph, status) for status, glyph in STATE.items())}:
        for size in (12, 14):
            pixmap(name, look.state(token).name(), size, ratio)
            yield


def icon(name: str, color: QColor | str, size: int = 16) -> QIcon:
    """A glyph as an icon, at 1x and 2x."""
    text = color.name() if isinstance(color, QColor) else color
    result = QIcon(pixmap(name, text, size, 1.0))
    result.addPixmap(pixmap(name, text, size, 2.0))
    return result


def state_glyph(status: str) -> str:
    """The glyph name of a run or step status."""
    return STATE.get(status, "unknown")
