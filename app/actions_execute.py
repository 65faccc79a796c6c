"""Executes a confirmed plan in a worker thread, and shows what becomes of each item."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
from PySide6.QtCore import QObject, Qt, Signal

from app.context import Source
from engine_bridge.actions.model import Intent, Outcome, Plan, Receipt, Staged, Verdict
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import CancelledError, PlayheadError
from engine_bridge.model import RunRef
from widgets.actions.receipts import ReceiptsView

if TYPE_CHECKING:
    from app.actions_desk import Desk
    from app.target import Target
    from engine_bridge.actions.execute import Execution

_LOOK_S: Final = 1.5
_LOOK_FOR_S: Final = 600.0


class _Job:
    """One execution, in its thread. ``told`` gets (job, kind, index, value): progress, receipt, failed, done."""

    def __init__(self, plan: Plan, reason: str, target: Target, told: Any) -> None:
        self.plan, self.reason = plan, reason
        self.items = plan.runnable
        self._target = target
        self._told = told
        self._index = 0
        self.token = CancelToken(lambda done, total, text: told((self, "progress", self._index, text)))
        self.done = self.halted = False
        self.left = CancelToken()  # cancelled when nobody looks at it any more

    def run(self) -> None:
        from app.journal import journal
        from app.opening import actor_of, source_id
        from engine_bridge.actions.execute import Execution
        from engine_bridge.session import describe_error

        try:
            self.plan = msgspec.structs.replace(self.plan, source=source_id(self._target.url))
            with Execution(actor_of(self._target), journal(), self.plan, self.reason) as execution:
                pending = self._run_items(execution)
                self._told((self, "done", 0, None))
                self._wait_for(execution, pending)
        except BaseException as error:  # noqa: BLE001  whatever it was is shown on the item
            self._told((self, "failed", self._index, describe_error(error)))
        self._told((self, "done", 0, None))

    def _run_items(self, execution: Execution) -> list[tuple[int, Intent]]:
        from engine_bridge.actions.execute import LATER

        pending = []
        for index, item in enumerate(self.items):
            self._index = index
            if self.halted:
                raise CancelledError("the source was locked")
            self._told((self, "progress", index, "starting"))
            receipt = execution.run(item, self.token)
            self._told((self, "receipt", index, receipt))
            if receipt.outcome.pending not in ("", LATER):
                sure = receipt.outcome.verdict is Verdict.APPLIED
                asked = Intent(
                    request_id=receipt.request_id, source=self.plan.source, item=item, applied=sure
                )
                pending.append((index, asked))
        return pending

    def _wait_for(self, execution: Execution, pending: list[tuple[int, Intent]]) -> None:
        """Looks until what was sent has had its effect, and tells how far it is; the journal then says so.

        Who looks at the journal later asks again (app/settle.py).
        """
        until = time.monotonic() + _LOOK_FOR_S
        shown: dict[int, Outcome] = {}
        while pending and time.monotonic() < until and not self.left.wait(_LOOK_S):
            for entry in list(pending):
                index, intent = entry
                outcome = _followed(execution, intent, self.left)
                if outcome is None or outcome == shown.get(index):
                    continue
                shown[index] = outcome
                if not outcome.pending:
                    pending.remove(entry)
                self._told((self, "taken", index, outcome))


def _followed(execution: Execution, intent: Intent, left: CancelToken) -> Outcome | None:
    """How far it is; None while its source cannot be asked."""
    try:
        return execution.follow(intent, left)
    except PlayheadError:
        return None


class Executions(QObject):
    """At most one at a time. GUI thread. ``ended`` comes when its last item has an outcome."""

    ended = Signal()
    _told = Signal(object)

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self._job: _Job | None = None
        self._key = ""
        self.view: ReceiptsView | None = None
        self._told.connect(self._on_told, Qt.ConnectionType.QueuedConnection)
        desk.unlocks.changed.connect(self._on_lock)

    @property
    def running(self) -> bool:
        return self._job is not None and not self._job.done

    def start(self, source: Source, plan: Plan, reason: str) -> None:
        """Executes what of the plan may be; the draft loses what was applied."""
        self.leave()
        window = self._desk.window
        self._key = source.key
        job = self._job = _Job(plan, reason, window.sources.target(source.key), self._told.emit)
        view = self.view = ReceiptsView(job.items)
        view.cancel_requested.connect(self.cancel)
        view.close_requested.connect(self._desk.close_sheet)
        view.undo_requested.connect(self.undo)
        view.run_opened.connect(self._open)
        view.plan_again.connect(self._plan_again)
        self.show()
        view.cancel_button.setFocus()
        window.sources.in_thread("playhead-execute", job.run)

    def show(self) -> None:
        """Brings the execution back into the sheet."""
        source = self._desk.window.sources.get(self._key)
        if self._job is None or self.view is None or source is None:
            return
        items = self._job.items
        title = items[0].title if len(items) == 1 else f"{len(items)} actions"
        self._desk.show(self.view, title, source)

    def _on_lock(self, key: str) -> None:
        if self._job is not None and key == self._key and not self._desk.unlocks.unlocked(key):
            self._job.halted = True

    def cancel(self) -> None:
        """Stops what is under way; what became of it is then found out by reading."""
        if self._job is not None:
            self._job.token.cancel()

    def leave(self) -> None:
        """Nobody looks at the last execution any more."""
        if self._job is not None and self._job.done:
            self._job.left.cancel()
            if self.view is not None:
                self._desk.window.sheet.drop(self.view)
            self._job, self.view = None, None

    def forget_refused(self) -> None:
        """What did not apply leaves the draft with its receipt: it must not go out with the next action."""
        if self._job is not None and self._job.done and self.view is not None:
            receipts = [row.receipt for row in self.view.rows]
            items = zip(self._job.items, receipts, strict=True)
            self._desk.drafts.remove(
                self._key, *(item.staged for item, receipt in items if receipt is not None)
            )

    def stop(self) -> None:
        """The application is closing."""
        if self._job is not None:
            self._job.token.cancel()
            self._job.left.cancel()

    def _on_told(self, message: tuple[_Job, str, int, Any]) -> None:
        job, kind, index, value = message
        if job is not self._job or self.view is None:
            return
        row = self.view.rows[index] if index < len(self.view.rows) else None
        if kind == "progress" and row is not None and row.receipt is None:
            row.show_progress(value)
        elif kind == "receipt":
            self._on_receipt(job, index, value)
        elif kind == "taken":
            self._on_taken(index, value)
        elif kind == "failed":
            self._on_failed(index, value)
        elif kind == "done" and not job.done:
            job.done = True
            self.view.set_running(False)
            self.ended.emit()

    def _on_receipt(self, job: _Job, index: int, receipt: Receipt) -> None:
        if self.view is None:
            return
        self.view.rows[index].show_receipt(receipt)
        self.view.set_running(True)
        if receipt.outcome.verdict is not Verdict.NOT_APPLIED:
            self._desk.drafts.remove(self._key, job.items[index].staged)
        self._desk.journal_moved.emit()

    def _on_taken(self, index: int, outcome: Outcome) -> None:
        receipt = self.view.rows[index].receipt if self.view is not None else None
        if self.view is not None and receipt is not None:
            self.view.rows[index].show_receipt(msgspec.structs.replace(receipt, outcome=outcome))
        self._desk.journal_moved.emit()

    def _on_failed(self, index: int, error: PlayheadError) -> None:
        if self.view is None:
            return
        cancelled = isinstance(error, CancelledError)
        for row in self.view.rows[index:]:
            if row.receipt is None:
                row.show_failed(f"Not sent: {error.message if cancelled else error}")
        self._desk.journal_moved.emit()

    def undo(self, inverse: Staged) -> None:
        """Stages what undoes an action, and plans it."""
        self._desk.drafts.add(self._key, inverse)
        self._desk.review.open()

    def undo_last(self) -> None:
        """As ``undo``, for the newest receipt that has an inverse."""
        for row in reversed(self.view.rows if self.view is not None else []):
            if row.receipt is not None and row.receipt.inverse is not None:
                self.undo(row.receipt.inverse)
                return

    def no_undo(self) -> str:
        rows = self.view.rows if self.view is not None else []
        found = any(row.receipt is not None and row.receipt.inverse is not None for row in rows)
        return "" if found else "nothing that was just executed can be undone"

    def _open(self, ref: RunRef) -> None:
        focus = self._desk.window.focus
        focus.change(page="run", source=self._key, run=ref, position=None, step_id=None)

    def _plan_again(self, staged: Staged) -> None:
        self._desk.drafts.add(self._key, staged)
        self._desk.review.open()
