"""All that comes before a replay: what the source brings, whose code, and whether the user agreed. GUI thread."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtWidgets import QDialog, QWidget

from app import replay_state
from app.replay_consent import ConsentDialog, Question
from app.replay_project import ProjectDialog
from app.replay_recording import PLAIN, Extra
from engine_bridge.errors import PlayheadError
from engine_bridge.replay.model import Project, ReplayInput, RunnerSpec
from engine_bridge.replay.protocol import Hello
from widgets.payload.background import Background

if TYPE_CHECKING:
    from app.context import Source
    from app.jobs import Jobs
    from app.replay import ReplayDesk
    from engine_bridge.model import RunRef


@dataclass(frozen=True, slots=True)
class Known:
    """What the user's state says of a source and a project. ``unseen`` are names of payloads not agreed to yet."""

    project: Project | None = None
    how: str = ""
    agreed: bool = False
    unseen: tuple[str, ...] = ()
    stranger: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """Everything a replay needs."""

    source: Source
    ref: RunRef
    spec: RunnerSpec
    input: ReplayInput
    project: Project
    how: str
    extra: Extra = PLAIN


def known(url: str, saved: bool, project: Project | None, names: tuple[str, ...]) -> Known:
    """What is known of a source, for a project or the one used last. Does I/O."""
    from app import demo_code
    from engine_bridge.replay.project import candidates, last_project

    demo, key = demo_code.project_for(url), replay_state.source_key(url)
    found = project or last_project(replay_state.projects_file(), key) or demo
    if found is None:
        return Known()
    consents = replay_state.consents()
    how = demo_code.HOW if demo is not None and found.python == demo.python else next(
        (c.how for c in candidates(Path(found.code)) if str(c.python) == found.python), "chosen by you"
    )  # fmt: skip
    agreed = consents.given(found, key)
    unseen = consents.unseen(found, key, names)
    return Known(found, how, agreed, unseen, demo is None and not saved and _is_file(url))


def _is_file(url: str) -> bool:
    path = unquote(url.partition("://")[2].partition("?")[0]) if "://" in url else url
    with contextlib.suppress(OSError, ValueError):
        return Path(path).is_file()
    return False


class ReplayFlow(QObject):
    """One preparation at a time; a new one, or ``stop``, drops the one before.

    ``ready`` carries a Ready; ``refused`` why there will be no replay: a PlayheadError, or a text ("" when the user
    said no); ``asking`` a word about what is being done.
    """

    ready = Signal(object)
    refused = Signal(object)
    asking = Signal(object)
    _greeted = Signal(object)

    def __init__(self, jobs: Jobs, desk: ReplayDesk, window: Callable[[], QWidget], parent: QObject) -> None:
        super().__init__(parent)
        self._jobs, self._desk, self._window = jobs, desk, window
        self._worker = Background(self)
        self._dialog: QDialog | None = None
        self._ready: Ready | None = None
        self._aloud = False
        self._choose = False
        self._greeted.connect(self._on_hello, Qt.ConnectionType.QueuedConnection)

    @property
    def dialog(self) -> QDialog | None:
        """What is being asked now."""
        return self._dialog

    @property
    def working(self) -> bool:
        """Whether files are being read for it."""
        return self._worker.busy

    def begin(
        self, source: Source, ref: RunRef, *, aloud: bool, choose: bool = False, extra: Extra = PLAIN
    ) -> None:
        """Prepares a replay. ``aloud``: the user asked for it, so that questions may be asked; ``choose`` asks whose
        code it is even if that is known."""
        self.stop()
        self._aloud, self._choose = aloud, choose
        session = source.session
        if session is None:
            return

        def failed(error: PlayheadError) -> None:
            self.refused.emit(error)

        def have_input(spec: RunnerSpec, found: ReplayInput) -> None:
            empty = Project(code="", python="")
            self._ready = Ready(source, ref, spec, found, empty, "", extra)
            self._look(None)

        def have_spec(spec: RunnerSpec) -> None:
            asked = ("what_if", ref, extra.edits) if extra.edits else ("replay_input", ref)
            self._jobs.run(
                "replay", session, *asked,
                on_result=lambda found: have_input(spec, found), on_error=failed,
            )  # fmt: skip

        if aloud:
            self.asking.emit("Reading what was recorded …")
        self._jobs.run("replay", session, "replayer", on_result=have_spec, on_error=failed)

    def stop(self) -> None:
        """Asks no more."""
        self._jobs.cancel("replay")
        self._worker.cancel()
        self._ready = None
        dialog, self._dialog = self._dialog, None
        if dialog is not None:
            dialog.close()

    def _look(self, project: Project | None) -> None:
        ready = self._ready
        if ready is None:
            return
        url, saved, names = ready.source.url, ready.source.saved, ready.input.globals
        self._worker.run(lambda: known(url, saved, project, names), self._on_known, self._on_error)

    def _on_error(self, error: Exception) -> None:
        from engine_bridge.session import describe_error

        self.refused.emit(describe_error(error))

    def _on_known(self, found: Known) -> None:
        ready = self._ready
        if ready is None:
            return
        if found.project is None or self._choose:
            self._choose = False
            self._ask_project(found.project)
            return
        self._ready = replace(ready, project=found.project, how=found.how)
        if found.agreed and not found.unseen:
            self._go()
        else:
            self._ask_consent(found)

    # -- questions ----------------------------------------------------------------------------------------

    def _ask_project(self, project: Project | None) -> None:
        ready = self._ready
        if not self._aloud or ready is None:
            self._refuse("")
            return
        dialog = ProjectDialog(self._window(), ready.spec, project)
        dialog.chosen.connect(self._on_project)
        self._open(dialog)

    def _on_project(self, project: Project) -> None:
        from engine_bridge.replay.project import save_project

        ready = self._ready
        if ready is None:
            return
        self._dialog = None
        url = ready.source.url

        def save() -> None:
            save_project(replay_state.projects_file(), replay_state.source_key(url), project)

        self._worker.run(save, lambda _: self._look(project), self._on_error)

    def _ask_consent(self, found: Known) -> None:
        ready = self._ready
        if not self._aloud or ready is None:
            names = ", ".join(found.unseen[:4]) + (" …" if len(found.unseen) > 4 else "")
            self._refuse(
                f"Its payloads mention names that you have not agreed to yet: {names}." if names else ""
            )
            return
        question = Question(
            ready.spec, ready.project, ready.how, ready.source.title, ready.input.globals,
            stranger=found.stranger, again=found.agreed,
        )  # fmt: skip
        dialog = ConsentDialog(self._window(), question)
        dialog.agreed.connect(self._on_agreed)
        dialog.other_project.connect(self._on_other)
        self._open(dialog)
        python = ready.project.python
        self._desk.greet(ready.spec, python, lambda answer: self._greet(python, answer))

    def _greet(self, python: str, answer: Hello | PlayheadError) -> None:
        # In a thread; the window may be gone by now.
        with contextlib.suppress(RuntimeError):
            self._greeted.emit((python, answer))

    @Slot(object)
    def _on_hello(self, message: tuple[str, Hello | PlayheadError]) -> None:
        python, answer = message
        dialog, ready = self._dialog, self._ready
        if isinstance(dialog, ConsentDialog) and ready is not None and ready.project.python == python:
            dialog.set_hello(answer)
            if isinstance(answer, Hello):
                self._desk.warm(ready.spec, python)

    def _on_agreed(self) -> None:
        ready = self._ready
        if ready is None:
            return
        self._dialog = None
        consents, project, url = replay_state.consents(), ready.project, ready.source.url
        names = ready.input.globals

        def give() -> None:
            consents.give(project, replay_state.source_key(url), names)

        self._worker.run(give, lambda _: self._go(), self._on_error)

    def _on_other(self) -> None:
        ready, self._dialog = self._ready, None
        if ready is not None:
            self._ask_project(ready.project)

    def _open(self, dialog: QDialog) -> None:
        self._dialog = dialog
        dialog.rejected.connect(lambda: self._on_rejected(dialog))
        dialog.open()

    def _on_rejected(self, dialog: QDialog) -> None:
        if self._dialog is dialog:
            self._dialog = None
            self._refuse("")

    def _refuse(self, words: str) -> None:
        self._ready = None
        self.refused.emit(words)

    def _go(self) -> None:
        ready, self._ready = self._ready, None
        if ready is not None:
            self.ready.emit(ready)
