"""What differs between two configs: as rows, and as marks on the graphs of both sides. GUI thread."""

from __future__ import annotations

from collections.abc import Sequence

from engine_bridge.configs import Declared, Impact, StatusChange
from engine_bridge.format import plain
from widgets.configs.graph_paint import MARKS, Overlay
from widgets.run.list_table import Cell, ListTable


def cells(change: StatusChange) -> tuple[Cell, ...]:
    """The row of one change."""
    glyph, tone = MARKS.get(change.kind, ("info", "muted"))
    name = f"{change.name} → {change.to}" if change.to else change.name
    return (
        Cell(plain(change.kind), tone, glyph=glyph),
        Cell(plain(change.what), tone="muted"),
        Cell(plain(name), code=True, tooltip=name),
        Cell(plain(change.detail, 1_000), tone="muted", tooltip=change.detail),
    )


class ChangeTable(ListTable):
    """The changes of one workflow type, statuses first."""

    def __init__(self) -> None:
        super().__init__("Changes", ("change", "of", "name", "what differs"), (120, 72, 320))

    def show_changes(self, changes: Sequence[StatusChange]) -> None:
        ranked = sorted(changes, key=lambda change: change.what != "status")
        self.list_model.set_rows(0, lambda row: ())
        self.list_model.set_rows(len(ranked), lambda row: cells(ranked[row]))


def overlays(impact: Impact) -> tuple[Overlay, Overlay]:
    """The marks of a change on the old graph, and on the new one."""
    return _overlay(impact, impact.old, old=True), _overlay(impact, impact.new, old=False)


def _overlay(impact: Impact, declared: Declared | None, *, old: bool) -> Overlay:
    gone = "added" if old else "removed"
    statuses: dict[str, str] = {}
    steps: dict[str, str] = {}
    for change in impact.changes:
        if change.kind != gone:
            name = change.name if old or not change.to else change.to
            (statuses if change.what == "status" else steps)[name] = change.kind
    flows = declared.flows if declared is not None else ()
    ways = {
        (flow.source, flow.target): next(steps[step] for step in flow.steps if step in steps)
        for flow in flows
        if any(step in steps for step in flow.steps)
    }
    return Overlay(marks=statuses, way_marks=ways)
