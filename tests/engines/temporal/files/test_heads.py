"""Heads that are read column by column are those of each event's normal form, whatever its times are."""

from __future__ import annotations

import numpy as np
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from engine_bridge.codes import NO_TIME
from engine_bridge.engines.temporal.events import UNKNOWN, Heads
from engine_bridge.engines.temporal.events_heads import heads_of
from engine_bridge.engines.temporal.protobuf import event_of_message, heads_of_messages

_ARRAYS = ("id", "type", "time", "link", "attempt", "planned", "status", "kind", "event")
_TIMES = (1_700_000_000, 0, -5, 2**40, None)


def _event(number: int, type_: str, seconds: int | None) -> HistoryEvent:
    event = HistoryEvent(event_id=number, event_type=EventType.Value(f"EVENT_TYPE_{type_}"))
    if seconds is not None:
        event.event_time.seconds, event.event_time.nanos = seconds, number
    return event


def _written() -> list[bytes]:
    found = []
    for at, seconds in enumerate(_TIMES):
        first = 10 * at + 1
        scheduled = _event(first, "ACTIVITY_TASK_SCHEDULED", seconds)
        scheduled.activity_task_scheduled_event_attributes.activity_type.name = "pack" * 10**at
        scheduled.event_group_markers.add().inbound_event.inbound_event_id = 7
        started = _event(first + 1, "ACTIVITY_TASK_STARTED", seconds)
        started.activity_task_started_event_attributes.scheduled_event_id = first
        started.activity_task_started_event_attributes.attempt = at
        timer = _event(first + 2, "TIMER_STARTED", seconds)
        timer.timer_started_event_attributes.start_to_fire_timeout.seconds = 3 * at
        timer.event_group_markers.add().inbound_update.inbound_update_id = "u"
        fired = _event(first + 3, "TIMER_FIRED", seconds)
        fired.timer_fired_event_attributes.started_event_id = first + 2
        signal = _event(first + 4, "WORKFLOW_EXECUTION_SIGNALED", seconds)
        signal.workflow_execution_signaled_event_attributes.signal_name = "approve"
        task = _event(first + 5, "WORKFLOW_TASK_COMPLETED", seconds)
        task.workflow_task_completed_event_attributes.scheduled_event_id = first + 4
        found += [e.SerializeToString() for e in (scheduled, started, timer, fired, signal, task)]
    return found


def _told(heads: Heads) -> list[object]:
    arrays = [getattr(heads, name).tolist() for name in _ARRAYS]
    return [*arrays, heads.name, heads.cause, heads.answers, heads.worker]


def test_heads_are_those_of_the_normal_form() -> None:
    records = _written()
    heads = heads_of_messages(records)
    assert _told(heads) == _told(heads_of([event_of_message(record) for record in records]))
    assert len(heads.cause) == 10 and int(np.count_nonzero(heads.time == NO_TIME)) == 12


def test_a_damaged_event_leaves_the_others_as_they_are() -> None:
    records = _written()
    records[3] = records[3][:-1]
    heads, whole = heads_of_messages(records), heads_of_messages(records[:3] + records[4:])
    assert heads.type[3] == UNKNOWN and heads.id[3] == 0 and heads.time[3] == NO_TIME
    kept = np.flatnonzero(np.arange(len(records)) != 3)
    assert _told(heads.pick(kept)) == _told(whole)
