"""Theme tokens, fonts, palette and the little style sheet. GUI thread.

Colours come from resources/themes/*.toml only; widgets ask ``theme()`` while painting, and repaint on
``QEvent.PaletteChange``. State is never colour alone: pair every state colour with its glyph and text.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication, QStyleFactory

import resources
from engine_bridge.words import Status, StepStatus

THEMES: Final = ("dark", "light", "high_contrast")
WORDS: Final = "Inter"
CODE: Final = "JetBrains Mono"
ROW: Final = 26  # px, height of a table row
GRID: Final = 4
RADIUS: Final = 6
_AS_TYPED: Final = ("calt", "liga")  # OpenType features that draw -> != := 3x4 as something else

_STATE: Final[dict[str, str]] = {
    Status.QUEUED: "waiting",
    Status.DELAYED: "waiting",
    Status.RUNNING: "running",
    Status.PAUSED: "cancelled",
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
    Status.TERMINATED: "failed",
    Status.TIMED_OUT: "failed",
    Status.CONTINUED: "completed",
    StepStatus.PENDING: "faint",
    StepStatus.SCHEDULED: "waiting",
    StepStatus.WAITING: "waiting",
    StepStatus.RETRYING: "retrying",
    "signal": "signal",
}


@dataclass(frozen=True)
class Theme:
    """Colour tokens by name, as ``#rrggbb``."""

    name: str
    dark: bool
    tokens: dict[str, str]

    def color(self, token: str) -> QColor:
        """A token's colour. Raises KeyError for an unknown token."""
        return QColor(self.tokens[token])

    def state(self, status: str) -> QColor:
        """The stroke colour of a run or step status, or of a token's own name."""
        return self.color(_STATE.get(status) or (status if status in self.tokens else "muted"))

    def fill(self, status: str, share: float = 0.2) -> QColor:
        """A status's fill: its stroke mixed at ``share`` over the panel."""
        return mix(self.state(status), self.color("panel"), share)


def mix(over: QColor, under: QColor, share: float) -> QColor:
    """``share`` of one colour over another, opaque."""
    return QColor(
        *(
            round(a * share + b * (1 - share))
            for a, b in zip(
                (over.red(), over.green(), over.blue()),
                (under.red(), under.green(), under.blue()),
                strict=True,
            )
        )
    )


@cache
def load(name: str) -> Theme:
    """A bundled theme. Raises KeyError for an unknown name."""
    if name not in THEMES:
        raise KeyError(name)
    tables = resources.flat_toml(resources.path("themes", f"{name}.toml").read_text("utf-8"))
    if tables is None:
        raise ValueError(f"theme {name} is no flat TOML")
    return Theme(
        name, bool(tables[""]["dark"]), {token: str(value) for token, value in tables["tokens"].items()}
    )


_current: list[Theme] = []


def theme() -> Theme:
    """The theme in force (dark until one is applied)."""
    return _current[0] if _current else load("dark")


@cache
def _register_font(code: bool, bold: bool) -> None:
    """Registers one bundled file when it is first asked for: each takes a millisecond of the start."""
    name = (
        f"JetBrainsMono-{'Bold' if bold else 'Regular'}.ttf"
        if code
        else f"Inter-{'SemiBold' if bold else 'Regular'}.otf"
    )
    QFontDatabase.addApplicationFont(str(resources.path("fonts", name)))


def font(size: int = 12, *, code: bool = False, bold: bool = False) -> QFont:
    """A bundled font at 11, 12, 13 or 18 px, without hinting so that pictures are the same everywhere."""
    _register_font(code, bold)
    result = QFont(CODE if code else WORDS)
    result.setPixelSize(size)
    result.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    result.setStyleStrategy(
        QFont.StyleStrategy(
            QFont.StyleStrategy.NoSubpixelAntialias.value | QFont.StyleStrategy.PreferAntialias.value
        )
    )
    for feature in _AS_TYPED:
        result.setFeature(QFont.Tag(feature), 0)
    if bold:
        result.setWeight(QFont.Weight.Bold if code else QFont.Weight.DemiBold)
    return result


def apply(app: QApplication, name: str) -> Theme:
    """Makes a theme the application's: style, palette, fonts, style sheet."""
    chosen = load(name)
    if not _current:
        app.setStyle(QStyleFactory.create("Fusion"))
        app.setFont(font(12))
    _current[:] = [chosen]
    # Qt would hand a new palette down through the old sheet, widget by widget: five times the time.
    app.setStyleSheet("")
    app.setPalette(_palette(chosen))
    app.setStyleSheet(_style_sheet(chosen))
    return chosen


def _palette(t: Theme) -> QPalette:
    roles = QPalette.ColorRole
    palette = QPalette()
    table = {
        roles.Window: "bg",
        roles.Base: "panel",
        roles.AlternateBase: "raised",
        roles.Button: "raised",
        roles.ToolTipBase: "raised",
        roles.WindowText: "text",
        roles.Text: "text",
        roles.ButtonText: "text",
        roles.ToolTipText: "text",
        roles.PlaceholderText: "muted",
        roles.Highlight: "selection",
        roles.HighlightedText: "text",
        roles.Link: "accent",
        roles.Mid: "line",
        roles.Dark: "line",
        roles.Light: "raised",
        roles.BrightText: "text",
    }
    for role, token in table.items():
        palette.setColor(role, t.color(token))
    for role in (roles.Text, roles.WindowText, roles.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, t.color("faint"))
    return palette


def _style_sheet(t: Theme) -> str:
    rules = resources.path("themes", "style.qss").read_text("utf-8")
    rules = rules.replace("@themes", resources.path("themes").as_posix())
    for token, value in sorted(t.tokens.items(), key=lambda item: -len(item[0])):
        rules = rules.replace(f"@{token}", value)
    return rules
