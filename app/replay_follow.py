"""What becomes of a recording when its code is edited: told, and replayed on every save if so wanted. GUI thread."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.replay_watch import Watch, words

if TYPE_CHECKING:
    from app.replay_page import RunReplay
    from app.replay_recording import Recording

SETTING = "replay_on_save"


class Follow(QObject):
    """Watches the files of the recording that is shown, and of the one that is about to replace it."""

    def __init__(self, replay: RunReplay) -> None:
        super().__init__(replay)
        self._replay = replay
        self._settings = replay.page.context.settings
        self._recording: Recording | None = None
        self._pending = False
        self.watch = Watch(self)
        self.watch.changed.connect(self._on_changed)
        self._settings.changed.append(self._on_setting)
        self._show_on_save()

    @property
    def on_save(self) -> bool:
        """Whether every save replays again."""
        return bool(self._settings.get(SETTING))

    def toggle(self) -> None:
        """Turns replays on save on or off; what was changed already is replayed at once."""
        self._settings.set(SETTING, not self.on_save)
        if self.on_save and self.watch.differing():
            self._again()

    def _on_setting(self, name: str, _: object) -> None:
        if name == SETTING:
            self._show_on_save()

    def _show_on_save(self) -> None:
        self._replay.pane.set_on_save(self.on_save)

    # -- recordings ---------------------------------------------------------------------------------------

    def began(self, recording: Recording) -> None:
        """A replay was started: it answers to the files as they are now."""
        before = list(self._recording.marks) if self._recording is not None else []
        self._recording, self._pending = recording, False
        self.watch.mark(recording.marks, [*before, *_entry(recording)], recording.began_ns)
        self._tell(())

    def shown(self, recording: Recording) -> None:
        """A recording of before is shown again."""
        if recording is not self._recording:
            self._recording, self._pending = recording, False
            self.watch.resume(recording.marks, recording.began_ns)
        self._tell(self.watch.differing())

    def grew(self, recording: Recording) -> None:
        """It may show more files now."""
        if recording is self._recording:
            end = recording.trace.end
            self.watch.add([*recording.trace.files(), *(end.coverage if end is not None else ())])

    def ended(self, recording: Recording) -> None:
        """What was saved meanwhile is replayed now."""
        self.grew(recording)
        if self._pending and recording is self._recording:
            self._again()

    def leave(self) -> None:
        """No recording is shown."""
        self.watch.stop()
        self._recording, self._pending = None, False
        self._tell(())

    # -- edits --------------------------------------------------------------------------------------------

    def _on_changed(self, files: tuple[str, ...]) -> None:
        self._tell(files)
        if files and self.on_save:
            self._again()

    def _tell(self, files: tuple[str, ...]) -> None:
        self._replay.pane.stale.show_words(words(files), "\n".join(files))

    def _again(self) -> None:
        """Replays once more, without a question; when one is under way, after it."""
        self._pending = self._replay.busy
        if not self._pending:
            self._replay.follow()


def _entry(recording: Recording) -> list[str]:
    """The files that a project names itself."""
    project = recording.project
    named = [project.code, *project.modules]
    files = [name for name in named if name.endswith(".py")]
    dotted = [name for name in named if not name.endswith(".py") and "/" not in name]
    return files + [
        str(Path(path, *name.split(".")).with_suffix(".py")) for name in dotted for path in project.paths
    ]
