"""What earlier Playheads left open: intents are settled in the background, bulk jobs are offered again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer

from engine_bridge.cancel import CancelToken
from engine_bridge.format import count, plain

if TYPE_CHECKING:
    from app.actions_desk import Desk
    from app.settle import Settled
    from app.target import Target as Place
    from engine_bridge.actions.bulk_model import Job
    from engine_bridge.actions.journal import Journal

_AFTER_MS = 400


class Unfinished(QObject):
    """Looks once after the start, and at a source again when it was opened. GUI thread."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self.jobs: list[Job] = []
        self._token = CancelToken()
        self._looks = 0
        self._told: set[str] = set()
        self._live: set[str] = set()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_AFTER_MS)
        self._timer.timeout.connect(lambda: self.look())
        self._timer.start()
        desk.window.sources.changed.connect(self._on_source)

    def _on_source(self, key: str) -> None:
        """A source that was opened, or answers again, can be read now, perhaps with a password."""
        source = self._desk.window.sources.get(key)
        if source is None or source.state != "live":
            self._live.discard(key)
        elif key not in self._live:
            self._live.add(key)
            self.look(self._desk.window.sources.target(key))

    def look(self, target: Place | None = None) -> None:
        """Settles intents of ended Playheads, on one source or on all, and finds jobs that can go on."""
        token = self._token

        def work() -> tuple[list[Settled], list[Job]]:
            from app.journal import folder, journal

            if not folder().exists():
                return [], []
            from app.actions_bulk_run import store

            return _settle(journal(), target, token), [job for job in store().jobs() if _waits(job)]

        # What one look settled no later look finds: each must be heard.
        self._looks += 1
        self._desk.work.run(f"unfinished {self._looks}", work, self._on_found)

    def _on_found(self, found: tuple[list[Settled], list[Job]]) -> None:
        settled, self.jobs = found
        if settled:
            self._desk.journal_moved.emit()
            self._desk.window.report_notice(_settled_words(settled))
        fresh = {job.id for job in self.jobs} - self._told
        self._told |= fresh
        if fresh:
            noun = "job is" if len(self.jobs) == 1 else "jobs are"
            self._desk.window.report_notice(
                f"{count(len(self.jobs))} bulk {noun} unfinished: {plain(self.jobs[0].title, 80)}, "
                f"{count(self.jobs[0].done)} of {count(self.jobs[0].total)}. "
                "Open its source, then “Unfinished Bulk Jobs …” goes on with it."
            )

    def none(self) -> str:
        return "" if self.jobs else "there are no unfinished bulk jobs"

    def choose(self) -> None:
        """Chooses one of the jobs."""
        self._desk.window.overlays.jobs(self.jobs, self.open)

    def open(self, job: Job) -> None:
        """Shows a job; its source must be open."""
        sources = [(s.key, self._desk.window.sources.target(s.key)) for s in self._desk.window.sources.all()]

        def work() -> str | None:
            from app.opening import source_id

            return next((key for key, target in sources if source_id(target.url) == job.source), None)

        def found(key: str | None) -> None:
            source = self._desk.window.sources.get(key) if key is not None else None
            if source is None or source.session is None:
                self._desk.window.notify(f"Open {plain(job.source, 120)} first.")
            else:
                self._desk.bulk.runs.open(source, job)

        self._desk.work.run("unfinished-open", work, found)

    def stop(self) -> None:
        self._timer.stop()
        self._token.cancel()


def _settle(book: Journal, target: Place | None, token: CancelToken) -> list[Settled]:
    """Settles what ended Playheads left open: everywhere, or on one open source with its password."""
    from app.opening import actor_of, source_id
    from app.settle import settle
    from engine_bridge.errors import PlayheadError

    if not book.open_intents():
        return []
    if target is None:
        return settle(book, token)
    try:
        return settle(book, token, source_id(target.url), actor_of(target))
    except PlayheadError:
        return []  # nothing acts on such sources, so nothing is open on them


def _waits(job: Job) -> bool:
    """Whether a job can go on, and nobody runs it."""
    return not job.state.final and job.state.value != "running"


def _settled_words(settled: list[Settled]) -> str:
    """What became of actions whose outcome nobody knew: a Playhead ended meanwhile, or the source was away."""
    from engine_bridge.actions.execute import LATER

    counts: dict[str, int] = {}
    for one in settled:
        words = "still open" if one.outcome.pending == LATER else one.outcome.verdict.value
        counts[words] = counts.get(words, 0) + 1
    told = ", ".join(f"{count(number)} {words}" for words, number in counts.items())
    first: Any = settled[0].intent.item.staged
    which = f" ({plain(first.action, 40)} {plain(first.target.label, 80)})" if len(settled) == 1 else ""
    return f"Actions had been left open{which}. What became of it was read back: {told}. See the journal."
