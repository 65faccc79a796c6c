"""Operator actions as entries of a context menu; disabled ones stay, with their reason. GUI thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QMenu

from engine_bridge.actions.model import ActionSpec
from engine_bridge.format import plain
from widgets import glyphs
from widgets.shell.label import plain_tooltip
from widgets.theme import theme


def add_actions(menu: QMenu, actions: Sequence[tuple[ActionSpec, str]], start: Callable[[str], None]) -> None:
    """Appends actions, each with why it cannot be done now ("" when it can); ``start`` gets the chosen one's id."""
    if actions and not menu.isEmpty():
        menu.addSeparator()
    for spec, why in actions:
        title = plain(spec.title, 60).replace("&", "&&")
        action = menu.addAction(f"{title}  ({plain(why, 90)})" if why else title)
        action.setEnabled(not why)
        action.setToolTip(plain_tooltip(why or spec.effect))
        action.setIcon(glyphs.icon(spec.glyph or "operator", theme().color("muted")))
        action.triggered.connect(lambda _=False, name=spec.id: start(name))
