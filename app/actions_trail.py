"""What operators did to the run that is looked at: for its Operators tab and the marks on its timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from app.journal_follow import Follow
from app.journal_work import Reader

if TYPE_CHECKING:
    from app.actions_desk import Desk
    from app.journal_work import Entries

_SETTLE_MS = 80


class Trail(QObject):
    """Reads the journal's entries of the focused run, again whenever the journal moved. GUI thread."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self._reader = Reader(desk.window.context, self)
        self._follow = Follow(desk.window.context, self)
        self._asked: object = None
        self.count = 0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLE_MS)
        self._timer.timeout.connect(self._read)
        desk.journal_moved.connect(self._on_moved)
        self._timer.start()

    def look(self) -> None:
        """The focus moved: another run may be on the screen."""
        focus = self._desk.window.focus.current
        asked = (focus.page, focus.source, focus.run)
        if asked != self._asked:
            self._asked = asked
            self._timer.start()

    def _on_moved(self) -> None:
        page = self._desk.page()
        if page is not None and page.name == "journal":
            page.refresh()
        self._timer.start()

    def _read(self) -> None:
        self._reader.count(self._on_count)
        focus, page = self._desk.window.focus.current, self._desk.page()
        if page is not None and focus.page == "run" and focus.run is not None and focus.source is not None:

            def arrived(found: Entries) -> None:
                page.show_trail(self._follow.told(found[0]))
                self._follow.look(found[0], lambda moved: self._timer.start())

            self._reader.read(arrived, lambda error: None, key=focus.source, target=str(focus.run))

    def _on_count(self, rows: int) -> None:
        if rows != self.count:
            self.count = rows
            self._desk.window.router.show()

    def stop(self) -> None:
        self._timer.stop()
        self._reader.stop()
        self._follow.stop()
