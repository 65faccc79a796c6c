"""Histories of entities: reads the rows of one, tells them, hands them over in batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import runs
from engine_bridge.engines.entity_state.history_drafts import ORDER_DOC, Tale
from engine_bridge.engines.entity_state.history_read import read_story
from engine_bridge.engines.entity_state.history_tale import tell
from engine_bridge.engines.entity_state.history_teller import SHELF, Teller
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.history import Batch
from engine_bridge.model import Run, RunRef

_READS: Final = 3


def read_history(store: Store, ref: RunRef, cancel: CancelToken) -> Iterator[Batch]:
    """The whole history of an entity. Raises NotFoundError. The first batch comes with the header."""
    teller = Teller()
    tale, run = read_tale(store, ref, cancel)
    yield from teller.batches(tale, run, cancel)
    SHELF.put(store, ref, teller)


def read_tale(store: Store, ref: RunRef, cancel: CancelToken) -> tuple[Tale, Run]:
    """Tells an entity as of now; its header is of the same moment, unless it moves at every look."""
    for _ in range(_READS):
        story = read_story(store, ref, cancel)
        run = runs.read_run(store, ref, cancel)
        tale = tell(story)
        if tale.status == run.engine_status and run.updated_ns == story.entity.updated_ns:
            break
    return tale, run


__all__ = ["ORDER_DOC", "read_history", "read_tale"]
