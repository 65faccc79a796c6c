"""What can be made of a command that code would give: a line of links, one for each way it may go on. GUI thread."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from engine_bridge.format import plain
from engine_bridge.replay.model import EditKind
from widgets.run.labels import Link, Text
from widgets.shell.label import clear


class AnswerBar(QWidget):
    """``chosen`` carries the EditKind that the user follows, None for anything else that could happen."""

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._kinds: tuple[EditKind, ...] = ()
        self.what = Text(bold=True, least=60, elide=Qt.TextElideMode.ElideRight)
        self.links: list[Link] = []
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(self.what)
        self._row = QHBoxLayout()
        self._row.setSpacing(12)
        row.addLayout(self._row)
        row.addStretch(1)
        self.setAccessibleName("What then?")
        self.hide()

    @property
    def text(self) -> str:
        """What it offers."""
        return "" if self.isHidden() else " · ".join([self.what.text, *(link.text for link in self.links)])

    def show_kinds(self, kinds: Sequence[EditKind], others: Sequence[EditKind]) -> None:
        """The ways of one step, and what could happen besides; nothing of both hides it."""
        self._kinds = tuple(kinds)
        titles = [plain(kind.title, 160) for kind in kinds]
        common = _common(titles)
        self.what.set_text(f"{common} …" if common else "Then …")
        clear(self._row)
        self.links = [
            self._link(title.removeprefix(common).strip(), kind)
            for title, kind in zip(titles, kinds, strict=True)
        ]
        at_once = [kind for kind in others if kind.step < 0 and not kind.needs]
        self.links += [self._link(_lower(plain(kind.title, 160)), kind) for kind in at_once]
        if len(others) > len(at_once):
            self.links.append(self._link("something else …", None))
        self.setVisible(bool(self.links))

    def _link(self, words: str, kind: EditKind | None) -> Link:
        link = Link(words + (" …" if kind is not None and kind.needs else ""), most=240)
        link.setAccessibleName(plain(kind.title, 160) if kind is not None else "Something else happens then")
        link.activated.connect(lambda: self.chosen.emit(kind))
        self._row.addWidget(link)
        return link

    def first(self) -> None:
        """As the first link."""
        if self._kinds:
            self.chosen.emit(self._kinds[0])


def _lower(title: str) -> str:
    return title[:1].lower() + title[1:]


def _common(titles: Sequence[str]) -> str:
    """The words that all begin with; those of a single one but its last."""
    if len(titles) == 1:
        return titles[0].rpartition(" ")[0]
    common = []
    for words in zip(*(title.split(" ") for title in titles), strict=False):
        if len(set(words)) > 1:
            break
        common.append(words[0])
    return " ".join(common)
