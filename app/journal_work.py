"""Reads, verifies and exports the journal in threads, for pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from app.actions_work import Failed, Work
from app.context import Context
from engine_bridge.errors import PlayheadError

if TYPE_CHECKING:
    from app.target import Target
    from widgets.journal.entries import Entry

Entries = tuple[list["Entry"], int | None]


class Reader(QObject):
    """Asks the journal, and knows which of the listed sources its names mean. GUI thread."""

    def __init__(self, context: Context, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._work = Work(context.sources, context.report, self)
        self._known: dict[str, tuple[str, str]] = {}  # the journal's name of a source: key, title

    def key_of(self, source: str) -> str | None:
        """The key of the listed source that the journal names so; None when it is not listed."""
        return self._known.get(source, (None, ""))[0]

    def read(
        self,
        then: Callable[[Entries], None],
        failed: Failed,
        *,
        key: str | None = None,
        target: str | None = None,
        text: str = "",
        before_seq: int | None = None,
    ) -> None:
        """Reads entries, newest first, of one source (its key) or of all, and of one target or of all."""
        sources = [(s.key, s.title, self._context.sources.target(s.key)) for s in self._context.sources.all()]

        def work() -> tuple[Entries, dict[str, tuple[str, str]]]:
            from app.journal import journal
            from app.journal_entries import read

            known = {name_of(place): (k, title) for k, title, place in sources}
            names = {k: name for name, (k, _) in known.items()}
            found = read(
                journal(),
                lambda name: known[name][1] if name in known else short(name),
                source=None if key is None else names.get(key, ""),
                target=target,
                text=text,
                before_seq=before_seq,
            )
            return found, known

        def arrived(result: tuple[Entries, dict[str, tuple[str, str]]]) -> None:
            found, self._known = result
            then(found)

        self._work.run("read", work, arrived, failed)

    def count(self, then: Callable[[int], None]) -> None:
        """How many rows the journal has."""

        def work() -> int:
            from app.journal import journal

            return journal().count()

        self._work.run("count", work, then, lambda error: None)

    def verify(self, then: Callable[[tuple[Any, int]], None], failed: Failed) -> None:
        """The first row that does not fit, or None; and how many rows there are."""

        def work() -> tuple[Any, int]:
            from app.journal import journal

            book = journal()
            return book.verify(), book.count()

        self._work.run("verify", work, then, failed)

    def export(self, path: Path, then: Callable[[int], None], failed: Failed) -> None:
        """Writes all rows to a file: CSV where its name ends so, else JSON lines."""

        def work() -> int:
            from app.journal import journal

            return journal().export(path, "csv" if path.suffix == ".csv" else "jsonl")

        self._work.run("export", work, then, failed)

    def stop(self) -> None:
        self._work.stop()


def name_of(target: Target) -> str:
    """The journal's name of a source; its URL where nothing can open it."""
    from app.opening import source_id

    try:
        return source_id(target.url)
    except PlayheadError:
        return target.url


def short(name: str) -> str:
    """A name for a source that is not listed here."""
    from app.opening import title_of

    return title_of(name)
