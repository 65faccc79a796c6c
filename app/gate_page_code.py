"""Whose code a gate runs, and whether the user agreed: the same questions as for one run's replay. GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QDialog, QWidget

from app.actions_work import Work
from app.context import Source
from app.replay_consent import ConsentDialog, Question
from app.replay_project import ProjectDialog
from engine_bridge.errors import PlayheadError
from engine_bridge.replay.model import Project, RunnerSpec
from engine_bridge.replay.protocol import Hello

if TYPE_CHECKING:
    from app.gate_setup import Ready
    from app.replay_flow import Known


class GateCode(QObject):
    """The project of the focused source. ``changed`` comes when it is another one, or is known at last."""

    changed = Signal()

    def __init__(
        self, work: Work, window: Callable[[], QWidget], failed: Callable[[PlayheadError], None]
    ) -> None:
        super().__init__(work)
        self.spec: RunnerSpec | None = None
        self.project: Project | None = None
        self.how = ""
        self.dialog: QDialog | None = None
        self._work, self._window, self._failed = work, window, failed
        self._source: Source | None = None

    def load(self, source: Source | None) -> None:
        """Finds what was used last with a source; None: there is none to ask."""
        self.close_dialog()
        self._source, self.spec, self.project, self.how = source, None, None, ""
        session, url = (source.session, source.url) if source is not None else (None, "")
        if session is None:
            return

        def work() -> tuple[RunnerSpec, Known]:
            from app.replay_flow import known

            return session.call("replayer").result(), known(url, False, None, ())

        self._work.run("gate-code", work, self._on_loaded, self._failed)

    def _on_loaded(self, found: tuple[RunnerSpec, Known]) -> None:
        self.spec = found[0]
        self.project, self.how = found[1].project, found[1].how
        self.changed.emit()

    def choose(self, then: Callable[[], None] = lambda: None) -> None:
        """Asks for code, interpreter and modules; remembers them for the source."""
        if self.spec is None or self._source is None:
            return
        url = self._source.url
        dialog = ProjectDialog(self._window(), self.spec, self.project)

        def chosen(project: Project) -> None:
            def save() -> None:
                from app.replay_state import projects_file, source_key
                from engine_bridge.replay.project import save_project

                save_project(projects_file(), source_key(url), project)

            self.project, self.how = project, "chosen by you"
            self.changed.emit()
            self._work.run("gate-code", save, lambda _: then(), self._failed)

        dialog.chosen.connect(chosen)
        self._open(dialog)

    def ask(self, ready: Ready, then: Callable[[], None], refused: Callable[[], None]) -> None:
        """Asks whether the code may be run and payloads unpickled; ``then`` comes after a yes, remembered."""
        source = self._source
        if source is None:
            return
        names = tuple(sorted(ready.names))

        def known() -> Known:
            from app.replay_flow import known as look

            return look(source.url, source.saved, ready.project, names)

        def asked(found: Known) -> None:
            question = Question(
                ready.spec,
                ready.project,
                found.how,
                source.title,
                names,
                stranger=found.stranger,
                again=ready.given,
            )
            dialog = ConsentDialog(self._window(), question)
            dialog.agreed.connect(
                lambda: self._work.run("gate-agree", ready.agree, lambda _: then(), self._failed)
            )
            dialog.other_project.connect(lambda: self.choose())
            dialog.rejected.connect(refused)
            self._open(dialog)
            self._greet(ready, dialog)

        self._work.run("gate-ask", known, asked, self._failed)

    def _greet(self, ready: Ready, dialog: ConsentDialog) -> None:
        """Asks the interpreter what it denies, while the user reads."""

        def work() -> Hello:
            from engine_bridge.replay.probe import greet

            return greet(ready.spec, ready.project.python, lambda: self.dialog is dialog)

        def answered(answer: Hello | PlayheadError) -> None:
            if self.dialog is dialog:
                dialog.set_hello(answer)

        self._work.run("gate-hello", work, answered, answered)

    def _open(self, dialog: QDialog) -> None:
        self.close_dialog()
        self.dialog = dialog
        dialog.finished.connect(lambda _: self._forget(dialog))
        dialog.open()

    def _forget(self, dialog: QDialog) -> None:
        if self.dialog is dialog:
            self.dialog = None

    def close_dialog(self) -> None:
        """Asks no more."""
        dialog, self.dialog = self.dialog, None
        if dialog is not None:
            dialog.close()
