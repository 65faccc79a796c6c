"""Settings as a table of data, kept in ``settings.toml`` of the configuration folder."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, Final

from app import toml_file
from engine_bridge.errors import PlayheadError, UsageError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. ``choices`` empty: any value of the default's type."""

    id: str
    default: Any
    doc: str
    choices: tuple[Any, ...] = ()

    def fits(self, value: object) -> bool:
        return type(value) is type(self.default) and (not self.choices or value in self.choices)


SETTINGS: Final = (
    Setting(
        "theme",
        "system",
        "Colours: the desktop's choice, dark, light or high contrast.",
        ("system", "dark", "light", "high_contrast"),
    ),
    Setting("zone", "local", "Time zone of shown times: the machine's, or UTC.", ("local", "utc")),
    Setting("panel_width", 248, "Width of the sources panel, in pixels."),
    Setting("panel_shown", True, "Whether the sources panel is shown."),
    Setting("window", "", "Size and state of the window: 1440x900, or maximized."),
    Setting("page_counts", True, "Whether runs and failures are counted in the sources panel."),
    Setting("runs_columns", "", "Columns of the runs table by id, comma-separated; empty: the usual ones."),
    Setting(
        "life_columns",
        "",
        "Columns of the runs table of entities by id, comma-separated; empty: the usual ones.",
    ),
    Setting(
        "entities_columns", "", "Columns of the entities list by id, comma-separated; empty: the usual ones."
    ),
    Setting(
        "unlock_minutes",
        15,
        "How long a source stays unlocked for writing, in minutes.",
        tuple(range(1, 241)),
    ),
    Setting(
        "reason_required",
        "production",
        "Where an operator action needs a written reason.",
        ("never", "production", "always"),
    ),
    Setting("replay_on_save", False, "Whether a saved source file replays the run on show again."),
    Setting("recents", 10, "How many recently opened sources are remembered.", tuple(range(51))),
)


class Settings:
    """The user's settings. GUI thread, or the command line's only thread.

    Unknown ids and values that do not fit are left in the file, and replaced by the default here; ``notices``
    says so. ``changed`` callbacks get the id and the new value.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or toml_file.config_path("settings.toml")
        self._table = {setting.id: setting for setting in SETTINGS}
        self._values = {setting.id: setting.default for setting in SETTINGS}
        self.notices: list[str] = []
        self.changed: list[Callable[[str, Any], None]] = []
        self._load()

    def _load(self) -> None:
        try:
            found = toml_file.read(self._path)
        except PlayheadError as error:
            self.notices.append(str(error))
            return
        for name, value in found.items():
            setting = self._table.get(name)
            if setting is None:
                self.notices.append(f"settings.toml: there is no setting {name!r}.")
            elif setting.fits(value):
                self._values[name] = value
            else:
                default = setting.default
                self.notices.append(f"settings.toml: {name} does not fit; using {default!r}.")

    def get(self, name: str) -> Any:
        """A setting's value. Raises UsageError for an unknown id."""
        self._setting(name)
        return self._values[name]

    def set(self, name: str, value: object) -> None:
        """Changes a setting now and in the file. Raises UsageError for an unknown id or a bad value.

        A file that cannot be written is logged; the change holds until the end of the process.
        """
        setting = self._setting(name)
        if not setting.fits(value):
            options = (
                f"one of {', '.join(map(str, setting.choices))}" if setting.choices else "of another type"
            )
            raise UsageError(f"{name} cannot be {value!r}.", f"It is {options}.")
        if self._values[name] == value:
            return
        self._values[name] = value
        self._save(name, value)
        for callback in list(self.changed):
            callback(name, value)

    def _save(self, name: str, value: object) -> None:
        try:
            toml_file.update(self._path, lambda content: content.update({name: value}), durable=False)
        except PlayheadError as error:
            log.info("%s", error)

    def _setting(self, name: str) -> Setting:
        try:
            return self._table[name]
        except KeyError:
            raise UsageError(f"There is no setting {name!r}.", f"Known: {', '.join(self._table)}.") from None

    def zone(self) -> tzinfo | None:
        """The zone for ``engine_bridge.format``: None is the machine's."""
        return UTC if self.get("zone") == "utc" else None
