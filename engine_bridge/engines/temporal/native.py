"""A history as Temporal itself exports it: JSON that SDKs replay and its tools read. Nothing is decoded or masked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.events_read import event_of
from engine_bridge.engines.temporal.replay_input import encoded
from engine_bridge.errors import UsageError

TITLE: Final = "Temporal history (*.json)"
_EVERY: Final = 500


def history_json(records: Sequence[Any], missing: int, cancel: CancelToken) -> bytes:
    """The events of a run, in order, as ``temporal workflow show --output json`` writes them.

    Raises UsageError when events are missing: what is not whole does not replay.
    """
    from google.protobuf.json_format import MessageToDict
    from temporalio.api.history.v1 import HistoryEvent

    if missing or not records:
        raise UsageError(
            f"{missing:,} events of this history are missing, so it cannot be exported whole.",
            "Export a bundle: it holds what there is.",
        )
    events = []
    for number, record in enumerate(records):
        if number % _EVERY == 0:
            cancel.progress(number, len(records), "writing events")
            cancel.raise_if_cancelled()
        events.append(MessageToDict(HistoryEvent.FromString(_bytes(record))))
    return msgspec.json.format(msgspec.json.encode({"events": events}), indent=2)


def _bytes(record: Any) -> bytes:
    """A record as protobuf; those of JSON files are made it."""
    raw = record[0] if isinstance(record, tuple) else record
    return raw if isinstance(raw, bytes) and raw[:1] != b"{" else encoded(event_of(record))
