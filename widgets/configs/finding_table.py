"""The findings of a set of configs as a table. GUI thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from PySide6.QtCore import Signal

from engine_bridge.configs import Finding
from engine_bridge.format import count, plain
from widgets.configs.origins import short
from widgets.configs.text import GLYPH
from widgets.run.list_table import Cell, ListTable


def where(finding: Finding) -> str:
    """ "registration.json:14", as short as it can be."""
    line = f":{finding.line}" if finding.line else ""
    return f"{short(finding.file)}{line}" if finding.file else ""


def sentences(finding: Finding) -> str:
    """What is wrong, and what mends it."""
    parts = (
        text if text.endswith((".", "?", "!")) else f"{text}."
        for text in (finding.reason, finding.fix)
        if text
    )
    return " ".join(parts)


def cells(finding: Finding, side: str = "") -> tuple[Cell, ...]:
    """The row of one finding; ``side`` of a comparison it is on."""
    glyph, tone = GLYPH.get(finding.severity, ("info", "waiting"))
    whole = f"{sentences(finding)}\n{finding.pointer or '/'}"
    number = "" if finding.count is None else count(finding.count)
    place = f"{finding.file}:{finding.line}:{finding.column}\n{finding.pointer or '/'}"
    return (
        Cell(finding.severity, tone, glyph=glyph, tooltip=finding.code),
        Cell(plain(f"{side} {where(finding)}".strip()), code=True, tone="muted", tooltip=place),
        Cell(number, code=True, tooltip=f"{number} entities" if number else ""),
        Cell(plain(finding.reason), tooltip=whole),
    )


class FindingTable(ListTable):
    """``finding_chosen`` carries the finding that became current, ``finding_opened`` that of Enter."""

    finding_chosen = Signal(object)
    finding_opened = Signal(object)

    def __init__(self) -> None:
        super().__init__("Findings", ("severity", "where", "entities", "what is wrong"), (92, 196, 72))
        self.findings: tuple[Finding, ...] = ()
        self.chosen.connect(lambda row: self.finding_chosen.emit(self.findings[row]))
        self.opened.connect(lambda row: self.finding_opened.emit(self.findings[row]))

    def set_findings(
        self, findings: Sequence[Finding], sides: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Shows findings: errors first, each kind in the order of files and lines. ``sides`` by file."""
        ranked = {"error": 0, "warning": 1}
        self.findings = tuple(
            sorted(findings, key=lambda f: (ranked.get(f.severity, 2), f.file, f.line, f.column))
        )
        self.setColumnHidden(2, all(finding.count is None for finding in findings))
        self.list_model.set_rows(0, lambda row: ())
        self.list_model.set_rows(
            len(self.findings), lambda row: cells(self.findings[row], sides.get(self.findings[row].file, ""))
        )

    def current(self) -> Finding | None:
        row = self._row()
        return self.findings[row] if 0 <= row < len(self.findings) else None

    def _row(self) -> int:
        """The chosen row; the keyboard may stand on one that nobody has chosen."""
        rows = self.selectionModel().selectedRows()
        return rows[0].row() if rows else -1

    def choose(self, row: int) -> None:
        """Makes a row current, and tells so."""
        if 0 <= row < len(self.findings):
            self.selectRow(row)
            self.finding_chosen.emit(self.findings[row])

    def step(self, direction: int) -> None:
        """Goes to the next (+1) or previous (-1) finding; wraps around."""
        if self.findings:
            at = self._row()
            start = -1 if at < 0 and direction > 0 else max(at, 0)
            self.choose((start + direction) % len(self.findings))

    def choose_at(self, file: str, line: int) -> None:
        """Makes the first finding of a line current."""
        rows = (row for row, f in enumerate(self.findings) if f.file == file and f.line == line)
        self.choose(next(rows, -1))
