"""What is hidden in the rows of a list (messages of failures), decoded after the rows are there. GUI thread."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from app.decoding import Decoder
from engine_bridge.bridge import FailureRow, Page
from engine_bridge.model import Run

if TYPE_CHECKING:
    from app.jobs import Jobs
    from engine_bridge.session import Session
    from widgets.table.model import PagedModel

_KEPT: Final = 5_000


class ListDecoded(Decoder):
    """Passes rows on with what is decoded of them, and brings the rest into the model when it is."""

    def __init__(self, jobs: Jobs, model: PagedModel, name: str) -> None:
        super().__init__(jobs, f"{name}:decode", jobs)
        self._model = model
        self._hidden: OrderedDict[Hashable, Run | FailureRow] = OrderedDict()
        self.told.connect(self._on_told)

    def of(self, session: Session) -> None:
        """Rows of this session come now."""
        self._hidden.clear()
        self.begin(session)

    def page(self, page: Page) -> Page:
        """A page with what is decoded of its rows."""
        return (
            page
            if self.overlay is None
            else msgspec.structs.replace(page, items=tuple(self.rows(page.items)))
        )

    def rows(self, rows: Iterable[Any]) -> Iterable[Any]:
        """Rows with what is decoded of them, in their order."""
        return rows if self.overlay is None else [self._row(row) for row in rows]

    def _row(self, row: Any) -> Any:
        if not isinstance(row, Run | FailureRow) or not _hides(row):
            return row
        self._hidden[self._model.key(row)] = row
        if len(self._hidden) > _KEPT:
            self._hidden.popitem(last=False)
        return self._shown(row)

    def _shown(self, row: Run | FailureRow) -> Run | FailureRow:
        overlay = self.overlay
        if overlay is None:
            return row
        if isinstance(row, Run):
            return overlay.run(row)
        return msgspec.structs.replace(row, failure=overlay.failure(row.failure))

    def _on_told(self) -> None:
        if not self.note:
            self._model.update_items([self._shown(row) for row in self._hidden.values()])


def _hides(row: Run | FailureRow) -> bool:
    from engine_bridge.decoding import hides

    return hides(row.failure) or (
        isinstance(row, Run) and row.blocked_on is not None and hides(row.blocked_on.failure)
    )
