"""The command registry: one list of commands feeds menus, palette, key sheet, buttons and tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from engine_bridge.errors import UsageError

#: Menus, in the order of the menu bar.
MENUS: Final = ("File", "Go", "View", "Run", "Actions", "Playhead", "Help")


@dataclass(frozen=True, slots=True)
class Command:
    """Something a user can do.

    ``id`` is dotted (``playhead.next_event``); ``keys`` are portable key sequences, the first is shown;
    ``when`` returns "" when it can run now, else the reason why not, which is shown on the disabled entry;
    ``scope`` is the page on which its keys are alive ("" everywhere); ``menu`` is one of MENUS or "" for none.
    """

    id: str
    title: str
    run: Callable[[], None]
    keys: tuple[str, ...] = ()
    when: Callable[[], str] = lambda: ""
    menu: str = ""
    scope: str = ""
    icon: str = ""


class CommandRegistry:
    """All commands by id. GUI thread."""

    def __init__(self) -> None:
        self._commands: dict[str, Command] = {}

    def add(self, *commands: Command) -> None:
        """Registers commands. Raises ValueError on a duplicate id, or on a key already taken in its scope."""
        for command in commands:
            if command.id in self._commands:
                raise ValueError(f"command {command.id} is registered twice")
            clash = self._clash(command)
            if clash:
                raise ValueError(f"{command.id} and {clash} share a key")
            self._commands[command.id] = command

    def _clash(self, command: Command) -> str:
        for other in self._commands.values():
            overlap = "" in (command.scope, other.scope) or command.scope == other.scope
            if overlap and set(command.keys) & set(other.keys):
                return other.id
        return ""

    def __iter__(self) -> Iterator[Command]:
        return iter(self._commands.values())

    def get(self, command_id: str) -> Command:
        """Raises UsageError for an unknown id."""
        try:
            return self._commands[command_id]
        except KeyError:
            raise UsageError(f"There is no command {command_id!r}.") from None

    def run(self, command_id: str) -> None:
        """Runs a command. Raises UsageError with the reason when it is disabled now."""
        command = self.get(command_id)
        reason = command.when()
        if reason:
            raise UsageError(f"{command.title}: {reason}")
        command.run()
