"""The gate page's controller: recorded runs of the focused source against the code that is to be deployed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QFileDialog, QWidget

from app.actions_work import Work
from app.commands import Command
from app.context import Context, PageController, Source
from app.gate_page_code import GateCode
from app.gate_page_commands import gate_commands
from engine_bridge.bridge import Capability
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import CancelledError, PlayheadError
from engine_bridge.focus import Focus
from engine_bridge.format import plain
from engine_bridge.history import History
from engine_bridge.model import RunRef
from engine_bridge.replay.gate_report import GateReport, Result, to_json
from engine_bridge.session import Session
from widgets.gate.bar import GateAsked
from widgets.gate.cells import verdict
from widgets.gate.page import GateView
from widgets.table.empty import error_details

if TYPE_CHECKING:
    from app.gate_setup import Ready

_TICK_MS: Final = 100
_KINDS: Final = {"json": ("JSON (*.json)", "json"), "junit": ("JUnit XML (*.xml)", "xml")}


class GatePage(PageController):
    """Asks for code and runs, replays them, and shows what would break."""

    name = "replay"
    title = "Replay"

    def __init__(self, context: Context, view: GateView | None = None) -> None:
        super().__init__(context)
        self.view = view = view or GateView()
        self.dialog: QFileDialog | None = None
        self.ready: Ready | None = None
        self._token: CancelToken | None = None
        self._far: tuple[int, int | None, str] = (0, None, "")
        self._history: tuple[str, History] | None = None
        self._loaded: tuple[str | None, Session | None] = (None, None)
        self._error: PlayheadError | None = None
        self._work = Work(context.sources, self._on_failed, self)
        self._tick = QTimer(self)
        self._tick.setInterval(_TICK_MS)
        self._tick.timeout.connect(self._show_far)
        self.code = GateCode(self._work, view.window, self._on_failed)
        self.code.changed.connect(self._on_code)
        view.bar.run_requested.connect(self.start)
        view.bar.code_requested.connect(lambda: self.code.choose())
        view.cancel_requested.connect(self.cancel)
        view.empty.chosen.connect(self._on_chosen)
        view.run_chosen.connect(self._on_run)
        view.opened.connect(self.open_run)
        view.save_requested.connect(self.save)
        context.sources.changed.connect(self._on_source)

    @classmethod
    def build(cls, context: Context) -> Iterator[PageController | None]:
        view = GateView(whole=False)
        for _ in view.pieces:
            yield None
        yield cls(context, view)

    @property
    def widget(self) -> QWidget:
        return self.view

    @property
    def running(self) -> bool:
        return self._token is not None

    def focus_changed(self, new: Focus, old: Focus) -> None:
        if new.page != self.name:
            return
        source = self.source()
        if self._loaded != (new.source, source.session if source else None):
            self._load(source)

    def _on_source(self, key: str) -> None:
        focus = self.context.focus.current
        if key == focus.source and focus.page == self.name:
            self.focus_changed(focus, focus)

    def refresh(self) -> None:
        if self.view.shows_report and not self.running:
            self.start()

    def close(self) -> None:
        self.context.sources.changed.disconnect(self._on_source)
        self._leave()
        super().close()

    def _leave(self) -> None:
        """Nothing that is under way is wanted any more."""
        self._rest()
        self._work.stop()
        self.code.close_dialog()
        self.jobs.cancel_all()
        self.ready, self._history = None, None

    def _load(self, source: Source | None) -> None:
        self._leave()
        session = source.session if source else None
        self._loaded = (self.context.focus.current.source, session)
        self.status_changed.emit("")
        self.view.bar.filter.clear()
        self.view.bar.show_code(None, "")
        self.view.bar.setEnabled(not self.unready())
        self.code.load(None if self.unready() else source)
        if source is None or session is None:
            self.view.show_nothing(
                "No source is open", "Choose one in the sources panel, or connect.", glyph="runs"
            )
        elif source.can(Capability.REPLAY):
            why = source.can(Capability.REPLAY)
            self.view.show_nothing("Runs of this source cannot be replayed", f"{why}.", glyph="runs")
        else:
            self.view.show_nothing()

    def unready(self) -> str:
        """Why nothing can be replayed here, "" when something can."""
        source = self.source()
        return "no source is open" if source is None else source.can(Capability.REPLAY)

    # -- the gate ---------------------------------------------------------------------------------------------

    def _on_code(self) -> None:
        self.view.bar.show_code(self.code.project, self.code.how)

    def start(self, asked: GateAsked | None = None) -> None:
        """From what was asked to the question, or straight to the replay; asks for the code first if need be."""
        asked = asked or self.view.bar.asked()
        source, spec, project = self.source(), self.code.spec, self.code.project
        if self.running or self.unready() or source is None or spec is None:
            return
        if project is None:
            self.code.choose(lambda: self.start(asked))
            return
        session, info, fields = source.session, source.info, tuple(source.fields)
        if session is None or info is None:
            return
        self._error = None
        token, text, sample = self._begin("Choosing runs"), asked.filter_text, asked.sample

        def work() -> Ready:
            from app import gate_setup
            from app.replay_state import source_key

            place = gate_setup.Place(session, info, fields, source_key(source.url))
            return gate_setup.prepare(place, spec, project, text, sample, token)

        self._work.run("gate", work, self._on_ready)

    def _begin(self, words: str) -> CancelToken:
        def far(done: int, total: int | None, text: str) -> None:
            self._far = (done, total, text)

        self._far = (0, None, words)
        self._token = CancelToken(far)
        self.view.show_running(words)
        self._tick.start()
        return self._token

    def _rest(self) -> None:
        token, self._token = self._token, None
        self._tick.stop()
        self.view.rest()
        if token is not None:
            token.cancel()

    def _show_far(self) -> None:
        done, total, text = self._far
        self.view.progress.show_far(text.capitalize() or "Working", done, total)

    def _on_ready(self, ready: Ready) -> None:
        self._rest()
        self.ready = ready
        if not ready.runs:
            asked = self.view.bar.filter.text().strip()
            title = "No run matches" if asked else "No run is open"
            self.view.show_nothing(
                title, "Choose other runs with the filter: status == completed", glyph="filter"
            )
        elif ready.agreed:
            self._replay(ready)
        else:
            self.view.show_nothing("Waiting for your answer", "", glyph="unlock")
            self.code.ask(ready, lambda: self._replay(ready), self._on_refused)

    def _on_refused(self) -> None:
        if not self.running and not self.view.shows_report:
            self.view.show_nothing(
                "Nothing was run", "You did not agree.", ("again", "Ask Again"), glyph="lock"
            )

    def _replay(self, ready: Ready) -> None:
        self.view.show_nothing("Replaying …", "Every run goes up to where it stands.", glyph="hourglass")
        token = self._begin("Starting processes")

        def work() -> GateReport:
            from app import gate_setup

            return gate_setup.run(ready, token)

        self._work.run("gate", work, self._on_report)

    def _on_report(self, report: GateReport) -> None:
        self._rest()
        if not report.complete and not report.error and not report.results:
            self._show_cancelled()
            return
        self.view.show_report(report)
        self.status_changed.emit(verdict(report)[2])

    def cancel(self) -> None:
        """Ends what is under way; what was replayed so far is shown."""
        if self._token is not None:
            self._token.cancel()

    def _on_failed(self, error: PlayheadError) -> None:
        self._rest()
        if isinstance(error, CancelledError):
            self._show_cancelled()
            return
        self._error = error
        self.view.empty.show_error(error)
        self.view.stack.setCurrentWidget(self.view.empty)

    def _show_cancelled(self) -> None:
        self.view.show_nothing("Cancelled", "Nothing was replayed.", ("again", "Replay"), glyph="cancelled")

    def _on_chosen(self, action: str) -> None:
        if action == "copy" and self._error is not None:
            QApplication.clipboard().setText(error_details(self._error))
        elif action in ("retry", "again"):
            self.start()
        elif action == "code":
            self.code.choose()

    # -- where it leads ---------------------------------------------------------------------------------------

    def _ref(self, result: Result) -> RunRef | None:
        runs = self.ready.runs if self.ready is not None else ()
        return next((run.ref for run in runs if str(run.ref) == result.run_id), None)

    def _on_run(self, result: Result | None) -> None:
        """The history of a run that diverged is read, to be shown beside the code."""
        self.jobs.cancel("history")
        session, ref = self._loaded[1], self._ref(result) if result is not None else None
        if session is None or ref is None or result is None or result.divergence is None:
            return
        history = session.empty_history()

        def done(_: Any) -> None:
            self._history = (result.run_id, history)
            self.view.set_history(result, history)

        self.jobs.run(
            "history",
            session,
            "history",
            ref,
            on_result=done,
            on_item=history.append,
            on_error=lambda error: None,
        )

    def open_run(self, found: tuple[Result, str]) -> None:
        """Goes to a run, at the event where it and the code part."""
        result, step_id = found
        ref = self._ref(result)
        if ref is not None:
            position = self._position(result, step_id)
            self.context.focus.change(page="run", run=ref, position=position, step_id=step_id or None)

    def _position(self, result: Result, step_id: str) -> int | None:
        if result.divergence is not None and result.divergence.position is not None:
            return result.divergence.position
        if self._history is None or self._history[0] != result.run_id:
            return None
        history = self._history[1]
        row = history.step_row(step_id) if step_id else -1
        return int(history.steps["first"][row]) if row >= 0 else None

    def save(self, kind: str) -> None:
        """Asks for a file, and writes the report into it."""
        if self.view.report is None:
            return
        names, suffix = _KINDS[kind]
        dialog = self.dialog = QFileDialog(self.view, "Save the report")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilters([names])
        dialog.setDefaultSuffix(suffix)
        dialog.selectFile(f"replay.{suffix}")
        dialog.fileSelected.connect(lambda path: self.write(kind, Path(path)))
        dialog.open()

    def write(self, kind: str, path: Path) -> None:
        """Writes the report as JSON or JUnit XML."""
        report = self.view.report
        if report is None:
            return

        def work() -> None:
            import json

            from engine_bridge.replay.junit import to_junit

            data = to_junit(report) if kind == "junit" else json.dumps(to_json(report), indent=1).encode()
            try:
                path.write_bytes(data)
            except OSError as error:
                raise PlayheadError(
                    f"{plain(path.name, 80)} cannot be written: {error.strerror}.", "Choose another folder."
                ) from None

        saved = f"Saved {plain(path.name, 80)}."
        self._work.run("gate-save", work, lambda _: self.context.notify(saved), self.context.report)

    def commands(self) -> list[Command]:
        return gate_commands(self)
