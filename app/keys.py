"""Shortcuts and menus from the command registry; the key sheet and docs/keys.md from the same list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QMenu, QWidget

from app.commands import MENUS, Command, CommandRegistry
from widgets import glyphs
from widgets.shell.label import plain_tooltip
from widgets.theme import theme

_STRONG: Final = (
    Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier
)
#: Where commands of no menu and no page stand on the sheet.
GENERAL: Final = "Everywhere"


def native(key: str) -> str:
    """A portable key sequence as this system writes it ("⌘P" on macOS)."""
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)


class Shortcuts:
    """One QShortcut for each key of each command; those of other pages sleep. GUI thread."""

    def __init__(self, window: QWidget, run: Callable[[str], None]) -> None:
        self._window = window
        self._run = run
        self._made: list[tuple[str, QShortcut]] = []
        self._known: set[str] = set()

    def update(self, registry: CommandRegistry, scope: str) -> None:
        """Adds what is new in the registry, and wakes the keys of ``scope``."""
        for command in registry:
            if command.id not in self._known:
                self._known.add(command.id)
                self._made += [(command.scope, self._make(command, key)) for key in command.keys]
        for wanted, shortcut in self._made:
            shortcut.setEnabled(wanted in ("", scope))

    def _make(self, command: Command, key: str) -> QShortcut:
        shortcut = QShortcut(QKeySequence(key), self._window)
        shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
        shortcut.activated.connect(lambda: self._run(command.id))
        return shortcut


def belongs_to_widget(event: QEvent, focused: QWidget | None) -> bool:
    """Whether a ShortcutOverride is for the widget that has the keyboard: typing, or Space on a button."""
    from PySide6.QtWidgets import (
        QAbstractButton,
        QAbstractSpinBox,
        QComboBox,
        QLineEdit,
        QPlainTextEdit,
        QTextEdit,
    )

    if not isinstance(event, QKeyEvent) or event.modifiers() & _STRONG:
        return False
    key = event.key()
    if Qt.Key.Key_F1 <= key <= Qt.Key.Key_F35:
        return False
    if isinstance(focused, QLineEdit | QPlainTextEdit | QTextEdit):
        return not focused.isReadOnly()
    if isinstance(focused, QAbstractSpinBox | QComboBox):
        return True
    return isinstance(focused, QAbstractButton) and key in (
        Qt.Key.Key_Space,
        Qt.Key.Key_Return,
        Qt.Key.Key_Enter,
    )


def fill_menu(
    menu: QMenu, registry: CommandRegistry, name: str, scope: str, run: Callable[[str], None]
) -> None:
    """Fills one menu with its commands; disabled ones say why in their text."""
    menu.clear()
    for command in registry:
        if command.menu == name and command.scope in ("", scope):
            menu.addAction(_action(menu, command, run))


def _action(menu: QMenu, command: Command, run: Callable[[str], None]) -> QAction:
    reason = command.when()
    title = command.title.replace("&", "&&") + (f"  ({reason})" if reason else "")
    # The key stands in the text alone: QShortcut owns it.
    action = QAction(f"{title}\t{native(command.keys[0])}" if command.keys else title, menu)
    action.setEnabled(not reason)
    action.setToolTip(plain_tooltip(reason))
    if command.icon:
        action.setIcon(glyphs.icon(command.icon, theme().color("muted")))
    action.triggered.connect(lambda: run(command.id))
    return action


def groups(commands: Iterable[Command], titles: dict[str, str]) -> list[tuple[str, list[Command]]]:
    """Commands by page, then by menu, for the key sheet and the docs; ``titles`` maps scopes to page titles."""
    found: dict[str, list[Command]] = {}
    for command in commands:
        found.setdefault(titles.get(command.scope, command.scope) or command.menu or GENERAL, []).append(
            command
        )
    order = [*MENUS, GENERAL, *titles.values()]
    return sorted(found.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order))


def keys_markdown(commands: Iterable[Command], titles: dict[str, str]) -> str:
    """docs/keys.md: every command with its id, title and keys."""
    lines = [
        "# Keys and commands",
        "",
        "Generated from the command registry by `python -m app.keys_doc`; do not edit.",
        "",
    ]
    for title, members in groups(commands, titles):
        lines += [f"## {title}", "", "| keys | what it does | command |", "|---|---|---|"]
        for command in members:
            keys = " ".join(f"`{key}`" for key in command.keys).replace("|", "\\|")
            lines.append(f"| {keys} | {command.title} | `{command.id}` |")
        lines.append("")
    return "\n".join(lines)
