"""Path analysis: all ways through a config, shortest, longest, loops, what only an admin can do. GUI thread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from engine_bridge.configs import Path, Paths
from engine_bridge.format import count, plain
from widgets.run.labels import Text
from widgets.run.list_table import Cell, ListTable


@dataclass(frozen=True, slots=True)
class Way:
    """One row: what it is, the statuses it goes through (none: it is only told), and how."""

    kind: str
    statuses: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    tone: str = ""
    told: str = ""

    def cells(self) -> tuple[Cell, ...]:
        shown = self.told or " → ".join(self.statuses)
        hops = count(len(self.statuses) - 1) if self.statuses and not self.told else ""
        by = ", ".join(self.steps)
        return (
            Cell(
                self.kind,
                self.tone,
                glyph={"retrying": "retrying", "playhead": "operator"}.get(self.tone, ""),
            ),
            Cell(hops, code=True),
            Cell(plain(shown, 2_000), tooltip=shown),
            Cell(plain(by, 1_000), code=True, tone="muted", tooltip=by),
        )


def ways(paths: Paths) -> tuple[Way, ...]:
    """Shortest and longest first, then loops and overrides, then every path."""
    return tuple(_ways(paths))


def _ways(paths: Paths) -> Iterator[Way]:
    for kind, path in (("shortest", paths.shortest), ("longest", paths.longest)):
        if path is not None:
            yield _way(kind, path)
    for loop in paths.loops:
        yield Way("loop", loop, tone="retrying")
    for override in paths.overrides:
        yield Way("admin override", _ends(override), tone="playhead", told=override)
    for path in paths.paths:
        yield _way("good end" if path.good else "bad end", path)


def _way(kind: str, path: Path) -> Way:
    return Way(kind, path.statuses, path.steps, "completed" if path.good else "failed")


class PathsPane(QWidget):
    """``way_chosen`` carries the statuses of the way to draw on the graph, in order."""

    way_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.ways: tuple[Way, ...] = ()
        self.table = ListTable("Paths", ("way", "steps", "statuses", "by"), (130, 56, 560))
        self.note = Text(tone="muted")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 8)
        column.addWidget(self.table, 1)
        column.addWidget(self.note)
        self.table.chosen.connect(lambda row: self.way_chosen.emit(self.ways[row].statuses))

    def show_paths(self, paths: Paths) -> None:
        """Shows the ways of one config."""
        self.ways = ways(paths)
        self.table.list_model.set_rows(0, lambda row: ())
        self.table.list_model.set_rows(len(self.ways), lambda row: self.ways[row].cells())
        self.note.set_text(_words(paths))

    def chosen(self) -> tuple[str, ...]:
        """The statuses of the way that is chosen."""
        row = self.table.currentIndex().row()
        return self.ways[row].statuses if 0 <= row < len(self.ways) else ()


def _ends(override: str) -> tuple[str, ...]:
    """The two statuses of "send_back: pending_approval → pending_documents"."""
    source, arrow, target = override.rpartition(": ")[2].partition(" → ")
    return (source, target) if arrow else ()


def _words(paths: Paths) -> str:
    if not paths.paths:
        return "No status that ends a life can be reached from the initial one: see the findings."
    more = "at least " if paths.truncated else ""
    parts = (
        _many(len(paths.paths), "way"),
        _many(len(paths.loops), "loop"),
        _many(len(paths.overrides), "admin override"),
    )
    return f"{more}{', '.join(parts)}. Choose one to see it on the graph."


def _many(number: int, noun: str) -> str:
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"
