"""Exports runs into one file: from a run, a selection, or the review of something that deletes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog

from app.context import Source
from engine_bridge.actions.model import Danger
from engine_bridge.cancel import CancelToken
from engine_bridge.format import count, plain, size
from engine_bridge.model import RunRef

if TYPE_CHECKING:
    from app.actions_desk import Desk
    from engine_bridge.bundle import Exported
    from widgets.actions.raw_dialog import RawDialog

_SUFFIX = ".playhead"


class Exports(QObject):
    """Asks where to, and writes in a thread. GUI thread."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self.dialog: QFileDialog | None = None
        self.raw_dialog: RawDialog | None = None
        self._token = CancelToken()

    def refs(self) -> list[RunRef]:
        """The runs to export: those that the plan under review would delete, else what is chosen."""
        plan = self._desk.review.plan if self._desk.sheet_page() is self._desk.review.view else None
        if plan is not None:
            doomed = [item.staged.target.ref for item in plan.items if item.danger is Danger.DESTROYS]
            found = [ref for ref in doomed if ref is not None]
            if found:
                return found
        return [target.ref for target in self._desk.offered.targets if target.ref is not None]

    def none(self) -> str:
        """Why nothing can be exported now."""
        return "" if any(target.ref for target in self._desk.offered.targets) else "no run is chosen"

    def start(self, *, raw: bool = False) -> None:
        """Asks for the file; a raw export, which holds secrets, is confirmed first."""
        if raw:
            from widgets.actions.raw_dialog import RawDialog

            dialog = self.raw_dialog = RawDialog(self._desk.window, len(self.refs()))
            dialog.accepted.connect(lambda: self._ask(raw=True))
            dialog.open()
        else:
            self._ask(raw=False)

    def _ask(self, *, raw: bool) -> None:
        source, refs = self._desk.source(), self.refs()
        if source is None or not refs:
            return
        name = plain(refs[0].name, 80).replace("/", "_") if len(refs) == 1 else f"{len(refs)} runs"
        dialog = self.dialog = QFileDialog(self._desk.window, "Export runs")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        own = source.info.native if raw and len(refs) == 1 and source.info is not None else ""
        dialog.setNameFilters([f"Playhead bundle (*{_SUFFIX})", *([own] if own else [])])
        dialog.setDefaultSuffix(_SUFFIX[1:])
        dialog.filterSelected.connect(lambda chosen: dialog.setDefaultSuffix(_suffix(chosen)))
        dialog.selectFile(f"{name}{_SUFFIX}")
        dialog.fileSelected.connect(lambda path: self.write(source, refs, Path(path), raw=raw))
        dialog.open()

    def write(self, source: Source, refs: list[RunRef], path: Path, *, raw: bool) -> None:
        """Writes runs of a source to a file; a raw export stands in the journal."""
        session, info, target = source.session, source.info, self._desk.window.sources.target(source.key)
        token = self._token = CancelToken()

        def work() -> Any:
            from app.journal import journal
            from app.opening import source_id
            from engine_bridge import native
            from engine_bridge.bundle import export

            if session is None or info is None:
                return None
            if raw:
                for ref in refs:
                    journal().exported(
                        source=source_id(target.url),
                        environment=info.environment.value,
                        target=str(ref),
                        action="export raw",
                        reason=f"to {path.name}",
                    )
            if raw and path.suffix and path.suffix == native.suffix(info):
                return native.write(session, refs[0], path, token)
            return export(session, info, refs, path, raw=raw, cancel=token)

        def done(found: Exported | int | None) -> None:
            if isinstance(found, int):
                words = f"Exported 1 run to {plain(path.name, 60)} ({size(found)}), as its engine does."
                self._desk.window.notify(words)
            elif found is not None:
                self._desk.window.notify(_words(found, path))
            if raw:
                self._desk.journal_moved.emit()

        self._desk.window.notify(f"Exporting to {plain(path.name, 80)} …")
        self._desk.work.run("export", work, done)

    def stop(self) -> None:
        self._token.cancel()


def _suffix(chosen: str) -> str:
    """The suffix that a name filter of the dialog asks for."""
    return chosen.rpartition("*.")[2].rstrip(")")


def _words(found: Exported, path: Path) -> str:
    """What an export holds, and what it lacks."""
    noun = "run" if found.runs == 1 else "runs"
    left = sum(found.left_out.values())
    lacks = f", {count(left)} payloads left out ({'; '.join(found.left_out)})" if left else ""
    return f"Exported {count(found.runs)} {noun} to {plain(path.name, 60)} ({size(found.size)}){lacks}."
