"""Runner part: what the code answered to the last workflow task, as the events that a server would write of it.

How commands become events: sdk-core's state machines (what is taken back in the task that asked for it is never sent)
and the server's defaults, both as histories of temporal-server 1.32 have them (tests/data/temporal/replay).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from engine_bridge.engines.temporal.replay_parts.commands import Asked
from engine_bridge.engines.temporal.replay_parts.locally import LocalMark
from engine_bridge.engines.temporal.replay_parts.matching import TAKEN_BACK
from engine_bridge.engines.temporal.replay_parts.recorded import ENDS, LOCAL, PATCH
from engine_bridge.engines.temporal.replay_parts.script import Script
from engine_bridge.engines.temporal.replay_parts.things import cancel_wanted, thing_at

_CORE_FLAGS = (1, 2, 3)
_PATCH_UPSERTS = 2  # CoreInternalFlags.UpsertSearchAttributeOnPatch
_PATCHES, _LONGEST_PATCHES = "TemporalChangeVersion", 2048
_KEPT_OF_TASKS = (
    "worker_version", "binary_checksum", "deployment", "versioning_behavior", "worker_deployment_version",
    "worker_deployment_name", "deployment_version",
)  # fmt: skip
_ABANDONED = {
    "request_cancel_activity": 2,
    "cancel_child_workflow_execution": 0,
    "request_cancel_nexus_operation": 1,
}
_TASK_TIMEOUT_S = 10  # the server's
_NORMAL, _TERMINATE, _ALLOW_DUPLICATE = 1, 1, 1
_NO_RETRY_POLICY = 5  # RetryState.RETRY_STATE_RETRY_POLICY_NOT_SET


class Answering:
    """Writes one answer behind the workflow task that a script ends with. ``asked`` are its commands, in order.

    ``rest`` is what was recorded instead: it tells of namespace and flags what the script may not.
    """

    def __init__(
        self,
        script: Script,
        asked: list[Any],
        every: dict[tuple[str, int], Asked],
        flags: set[int],
        rest: Script,
    ) -> None:
        self._script = script
        self._asked = asked
        self._every = every
        self._flags = flags
        self._rest = rest
        self._start = script.about(script.events[0])
        self._made: dict[int, int] = {}
        """The event of each command of this answer, by the command's identity in memory."""
        self.written: list[tuple[Any, int]] = []
        """Events of commands, and the step of each."""
        self._completed = 0
        self._core = _core_flags(script)

    def write(self) -> None:
        """Adds the answer."""
        fresh = [] if self._core else list(core_flags_of(self._rest) or _CORE_FLAGS)
        self._core = self._core | set(fresh)
        self._complete(fresh)
        dropped = self._taken_back()
        ended = [one for one in self._asked if isinstance(one, Asked) and one.type in ENDS]
        for one in [*(one for one in self._asked if one not in ended), *ended[:1]]:
            if isinstance(one, LocalMark):
                self._mark(one)
            elif one.what in _WRITERS and one.tells and id(one) not in dropped:
                self._write(one)

    def _complete(self, core_flags: list[int]) -> None:
        script = self._script
        started = script.events[-1]
        event, about = self._new("WorkflowTaskCompleted")
        self._completed = event.event_id
        about.started_event_id = started.event_id
        about.scheduled_event_id = script.about(started).scheduled_event_id
        about.identity = "playhead"
        tasks = [e for e in script.events[:-1] if script.type_of(e) == "WorkflowTaskCompleted"]
        before = script.about(tasks[-1]) if tasks else None
        for name in _KEPT_OF_TASKS if before is not None else ():
            if name in about.DESCRIPTOR.fields_by_name:
                _copy_field(about, name, before)
        known = {flag for task in tasks for flag in script.about(task).sdk_metadata.lang_used_flags}
        about.sdk_metadata.core_used_flags.extend(core_flags)
        about.sdk_metadata.lang_used_flags.extend(sorted(self._flags - known))
        about.metering_metadata.SetInParent()

    def _taken_back(self) -> set[int]:
        """Commands that core never sends: begun and cancelled in one answer, and cancellations that it keeps."""
        found = set()
        here = {id(one) for one in self._asked}
        for one in self._asked:
            start = TAKEN_BACK.get(getattr(one, "what", ""))
            if start is None:
                continue
            begun = self._every.get((start, _cancelled_seq(one)))
            if begun is not None and id(begun) in here:
                found |= {id(one), id(begun)}
            elif begun is None or _ABANDONED.get(one.what, -1) == getattr(
                begun.about, "cancellation_type", None
            ):
                found.add(id(one))
        return found

    def _new(self, name: str) -> tuple[Any, Any]:
        script = self._script
        event = script.made(name, len(script.events))
        script.put(len(script.events), event)
        about = script.about(event)
        if "workflow_task_completed_event_id" in about.DESCRIPTOR.fields_by_name:
            about.workflow_task_completed_event_id = self._completed
        return event, about

    def _write(self, asked: Asked) -> None:
        if asked.type == "WorkflowExecutionUpdateRejected" and not self._accepted(asked):
            self._drop_admitted(asked.about.protocol_instance_id)
            return
        type_ = asked.type.replace("Rejected", "Completed")
        request = (
            self._drop_admitted(asked.about.protocol_instance_id) if type_.endswith("Accepted") else None
        )
        if asked.what in TAKEN_BACK and self._is_over(asked):
            return
        event, about = self._new(type_)
        if asked.metadata is not None and asked.metadata.ListFields():
            event.user_metadata.CopyFrom(asked.metadata)
        self._made[id(asked)] = event.event_id
        self.written.append((event, asked.n))
        _WRITERS[asked.what](self, asked.about, about)
        if request is not None:
            about.accepted_request.CopyFrom(request)
        if asked.what == "set_patch_marker" and _PATCH_UPSERTS in self._core:
            self._upsert_patches()

    def _is_over(self, asked: Asked) -> bool:
        """Whether what is to be cancelled has ended, or is being cancelled: core does not ask again."""
        script = self._script
        thing = thing_at(script, script.index(self._event_of(TAKEN_BACK[asked.what], _cancelled_seq(asked))))
        return thing is None or thing.ended >= 0 or bool(cancel_wanted(script, thing))

    # -- activities, timers, children -----------------------------------------------------------------------

    def _event_of(self, what: str, seq: int) -> int:
        """The event of an earlier command."""
        asked = self._every[what, seq]
        return self._made.get(id(asked)) or int(asked.event.id)

    def activity(self, command: Any, about: Any) -> None:
        about.activity_id = command.activity_id or str(command.seq)
        about.activity_type.name = command.activity_type
        self._queue(about, command.task_queue)
        about.use_workflow_build_id = about.task_queue.name == self._start.task_queue.name
        _fields(about.header, command.headers)
        about.header.SetInParent()
        if command.arguments:
            about.input.payloads.extend(command.arguments)
        self._activity_limits(command, about)
        _retries_given(command, about, always=True)
        _copy_field(about, "priority", command)

    def _activity_limits(self, command: Any, about: Any) -> None:
        """As the server fills them in: each is bound by the longer ones, and by the run's own."""
        run = self._start.workflow_run_timeout.ToNanoseconds()
        whole, queued, works, beats = (
            getattr(command, name).ToNanoseconds()
            for name in ("schedule_to_close_timeout", "schedule_to_start_timeout", "start_to_close_timeout",
                         "heartbeat_timeout")
        )  # fmt: skip
        given = whole
        whole = whole or run
        queued, works = queued or whole, works or given
        whole, queued, works = (min(one, run) if run else one for one in (whole, queued, works))
        if given:
            queued, works = min(queued, whole), min(works, whole)
        about.schedule_to_close_timeout.FromNanoseconds(whole)
        about.schedule_to_start_timeout.FromNanoseconds(queued)
        about.start_to_close_timeout.FromNanoseconds(works)
        about.heartbeat_timeout.FromNanoseconds(min(beats, works) if works else beats)

    def cancel_activity(self, command: Any, about: Any) -> None:
        about.scheduled_event_id = self._event_of("schedule_activity", command.seq)

    def timer(self, command: Any, about: Any) -> None:
        about.timer_id = str(command.seq)
        about.start_to_fire_timeout.CopyFrom(command.start_to_fire_timeout)

    def cancel_timer(self, command: Any, about: Any) -> None:
        about.timer_id, about.identity = str(command.seq), "playhead"
        about.started_event_id = self._event_of("start_timer", command.seq)

    def child(self, command: Any, about: Any) -> None:
        about.namespace = command.namespace
        about.namespace_id = self._told("namespace_id")
        about.workflow_id, about.workflow_type.name = command.workflow_id, command.workflow_type
        self._queue(about, command.task_queue)
        about.inherit_build_id = about.task_queue.name == self._start.task_queue.name
        if command.input:
            about.input.payloads.extend(command.input)
        for name in (
            "workflow_execution_timeout",
            "workflow_run_timeout",
            "workflow_task_timeout",
            "priority",
        ):
            _copy_field(about, name, command)
        about.workflow_run_timeout.SetInParent()
        if not about.HasField("workflow_task_timeout"):
            about.workflow_task_timeout.FromSeconds(_TASK_TIMEOUT_S)
        about.parent_close_policy = command.parent_close_policy or _TERMINATE
        about.workflow_id_reuse_policy = command.workflow_id_reuse_policy or _ALLOW_DUPLICATE
        about.cron_schedule = command.cron_schedule
        _retries_given(command, about)
        _fields(about.header, command.headers)
        about.header.SetInParent()
        _described(command, about)

    def cancel_child(self, command: Any, about: Any) -> None:
        seq = command.child_workflow_seq
        script = self._script
        thing = thing_at(script, script.index(self._event_of("start_child_workflow_execution", seq)))
        if thing is None:
            return
        begun = script.about(script.events[thing.begins])
        about.namespace, about.namespace_id = begun.namespace, begun.namespace_id
        about.workflow_execution.workflow_id = begun.workflow_id
        if thing.started >= 0:
            started = script.about(script.events[thing.started])
            about.workflow_execution.run_id = started.workflow_execution.run_id
        about.child_workflow_only = True
        about.reason = getattr(command, "reason", "")

    def cancel_other(self, command: Any, about: Any) -> None:
        self._other(command, about)
        about.reason = getattr(command, "reason", "")

    def signal_other(self, command: Any, about: Any) -> None:
        self._other(command, about)
        about.signal_name = command.signal_name
        if command.args:
            about.input.payloads.extend(command.args)
        if command.headers:
            _fields(about.header, command.headers)

    def _other(self, command: Any, about: Any) -> None:
        """Which workflow a command is for: any, or a child of this one."""
        other = command.workflow_execution
        child = getattr(command, "child_workflow_id", "")
        about.namespace_id = self._told("namespace_id")
        about.namespace = other.namespace or self._told("namespace")
        about.workflow_execution.workflow_id = child or other.workflow_id
        about.workflow_execution.run_id = other.run_id
        about.child_workflow_only = bool(child)

    def _queue(self, about: Any, name: str) -> None:
        about.task_queue.name, about.task_queue.kind = name or self._start.task_queue.name, _NORMAL

    def _told(self, field: str) -> str:
        """What other events say of the namespace or an endpoint; the first event does not."""
        abouts = map(self._script.about, [*reversed(self._script.events), *self._rest.events])
        return next((str(value) for one in abouts if (value := getattr(one, field, ""))), "")

    # -- what the run says of itself ------------------------------------------------------------------------

    def patch(self, command: Any, about: Any) -> None:
        data = json.dumps({"id": command.patch_id, "deprecated": command.deprecated}, separators=(",", ":"))
        about.marker_name = PATCH
        _add_json(about.details["patch-data"].payloads, data)

    def _upsert_patches(self) -> None:
        marks = [
            json.loads(about.details["patch-data"].payloads[0].data).get("id")
            for event in self._script.events
            if self._script.type_of(event) == "MarkerRecorded"
            and (about := self._script.about(event)).marker_name == PATCH
        ]
        data = json.dumps(sorted({str(one) for one in marks}), separators=(",", ":"), ensure_ascii=False)
        if len(data.encode()) < _LONGEST_PATCHES:
            _, about = self._new("UpsertWorkflowSearchAttributes")
            payload = about.search_attributes.indexed_fields[_PATCHES]
            payload.data = data.encode()
            payload.metadata["encoding"], payload.metadata["type"] = b"json/plain", b"KeywordList"

    def attributes(self, command: Any, about: Any) -> None:
        _fields(about.search_attributes, command.search_attributes, "indexed_fields")

    def memo(self, command: Any, about: Any) -> None:
        about.upserted_memo.CopyFrom(command.upserted_memo)

    def _mark(self, mark: LocalMark) -> None:
        """A local activity that ended: what core keeps of it, which the next replay answers with."""
        _, about = self._new("MarkerRecorded")
        about.marker_name = LOCAL
        command, end = mark.asked.about, mark.end
        scheduled = getattr(command, "original_schedule_time", None)
        scheduled = scheduled if scheduled is not None and scheduled.seconds else mark.time
        told = {
            "seq": command.seq, "attempt": max(1, command.attempt),
            "activity_id": command.activity_id or str(command.seq), "activity_type": command.activity_type,
            "complete_time": _moment(mark.time), "backoff": None, "original_schedule_time": _moment(scheduled),
            "activation_index": mark.index,
        }  # fmt: skip
        _add_json(about.details["data"].payloads, json.dumps(told, separators=(",", ":")))
        if end.kind == "result":
            about.details["result"].payloads.append(end.what)
        else:
            about.failure.CopyFrom(end.what)

    # -- updates, operations --------------------------------------------------------------------------------

    def update(self, command: Any, about: Any) -> None:
        key = command.protocol_instance_id
        if command.WhichOneof("response") == "accepted":
            about.protocol_instance_id, about.accepted_request_message_id = key, f"{key}/request"
            started = next(
                e for e in reversed(self._script.events) if self._script.type_of(e) == "WorkflowTaskStarted"
            )
            about.accepted_request_sequencing_event_id = self._script.about(started).scheduled_event_id
            return
        accepted = self._acceptance(key)
        about.accepted_event_id = accepted.event_id if accepted is not None else 0
        about.meta.update_id = key
        about.meta.identity = self._script.about(accepted).accepted_request.meta.identity if accepted else ""
        if command.WhichOneof("response") == "completed":
            about.outcome.success.payloads.append(command.completed)
        else:
            about.outcome.failure.CopyFrom(command.rejected)

    def _accepted(self, asked: Asked) -> bool:
        return self._acceptance(asked.about.protocol_instance_id) is not None

    def _acceptance(self, key: str) -> Any:
        """The event by which an update was accepted."""
        for event in self._script.events:
            accepted = self._script.type_of(event) == "WorkflowExecutionUpdateAccepted"
            if accepted and self._script.about(event).protocol_instance_id == key:
                return event
        return None

    def _drop_admitted(self, key: str) -> Any:
        """Takes out the event that brought an update here; its request, where there is one.

        A server writes none: it hands an update to the worker with the workflow task, and keeps what was accepted.
        """
        for place, event in enumerate(self._script.events):
            if self._script.type_of(event) != "WorkflowExecutionUpdateAdmitted":
                continue
            request = self._script.about(event).request
            if request.meta.update_id == key:
                del self._script.events[place]
                return request
        return None

    def operation(self, command: Any, about: Any) -> None:
        about.endpoint, about.service, about.operation = command.endpoint, command.service, command.operation
        for name in (
            "input",
            "schedule_to_close_timeout",
            "schedule_to_start_timeout",
            "start_to_close_timeout",
        ):
            _copy_field(about, name, command)
        about.nexus_header.update(command.nexus_header)
        about.request_id = f"playhead-{command.seq}"
        about.endpoint_id = self._told("endpoint_id")

    def cancel_operation(self, command: Any, about: Any) -> None:
        about.scheduled_event_id = self._event_of("schedule_nexus_operation", command.seq)

    # -- the end of the run ---------------------------------------------------------------------------------

    def complete(self, command: Any, about: Any) -> None:
        if command.HasField("result"):
            about.result.payloads.append(command.result)

    def fail(self, command: Any, about: Any) -> None:
        about.failure.CopyFrom(command.failure)
        about.retry_state = 0 if self._start.HasField("retry_policy") else _NO_RETRY_POLICY

    def cancel(self, command: Any, about: Any) -> None:
        """Nothing more is told of it."""

    def continue_as_new(self, command: Any, about: Any) -> None:
        about.workflow_type.name = command.workflow_type or self._start.workflow_type.name
        self._queue(about, command.task_queue)
        about.inherit_build_id = about.task_queue.name == self._start.task_queue.name
        if command.arguments:
            about.input.payloads.extend(command.arguments)
        for name in ("workflow_run_timeout", "workflow_task_timeout"):
            _copy_field(about, name, self._start)
        about.workflow_run_timeout.SetInParent()
        for name in ("workflow_run_timeout", "workflow_task_timeout", "backoff_start_interval"):
            _copy_field(about, name, command)
        _fields(about.header, command.headers)
        _described(command, about)


_Writer = Callable[[Answering, Any, Any], None]
_WRITERS: dict[str, _Writer] = {
    "schedule_activity": Answering.activity,
    "request_cancel_activity": Answering.cancel_activity,
    "start_timer": Answering.timer,
    "cancel_timer": Answering.cancel_timer,
    "set_patch_marker": Answering.patch,
    "start_child_workflow_execution": Answering.child,
    "cancel_child_workflow_execution": Answering.cancel_child,
    "request_cancel_external_workflow_execution": Answering.cancel_other,
    "signal_external_workflow_execution": Answering.signal_other,
    "upsert_workflow_search_attributes": Answering.attributes,
    "modify_workflow_properties": Answering.memo,
    "update_response": Answering.update,
    "schedule_nexus_operation": Answering.operation,
    "request_cancel_nexus_operation": Answering.cancel_operation,
    "complete_workflow_execution": Answering.complete,
    "fail_workflow_execution": Answering.fail,
    "cancel_workflow_execution": Answering.cancel,
    "continue_as_new_workflow_execution": Answering.continue_as_new,
}


def core_flags_of(script: Script) -> tuple[int, ...]:
    """Flags of core that a history says were used, in the order it says so."""
    tasks = (e for e in script.events if script.type_of(e) == "WorkflowTaskCompleted")
    return tuple(dict.fromkeys(f for e in tasks for f in script.about(e).sdk_metadata.core_used_flags))


def _core_flags(script: Script) -> set[int]:
    return set(core_flags_of(script))


def _cancelled_seq(asked: Asked) -> int:
    return int(getattr(asked.about, "child_workflow_seq", 0) or asked.seq)


def _copy_field(about: Any, name: str, source: Any) -> None:
    """A field that both may have, where it is set."""
    if name not in source.DESCRIPTOR.fields_by_name or name not in about.DESCRIPTOR.fields_by_name:
        return
    field = source.DESCRIPTOR.fields_by_name[name]
    if field.message_type is None:
        setattr(about, name, getattr(source, name))
    elif source.HasField(name):
        getattr(about, name).CopyFrom(getattr(source, name))


def _fields(target: Any, given: Any, name: str = "fields") -> None:
    """Payloads by name; older versions give them as a map, newer ones as a message of one."""
    for key, payload in getattr(given, name, given).items():
        getattr(target, name)[key].CopyFrom(payload)


def _described(command: Any, about: Any) -> None:
    if command.memo:
        _fields(about.memo, command.memo)
    given = command.search_attributes
    if getattr(given, "indexed_fields", given):
        _fields(about.search_attributes, given, "indexed_fields")


def _retries_given(command: Any, about: Any, *, always: bool = False) -> None:
    """A retry policy, with what the server fills in."""
    if not command.HasField("retry_policy") and not always:
        return
    policy = about.retry_policy
    policy.CopyFrom(command.retry_policy)
    first = policy.initial_interval.ToNanoseconds() or 1_000_000_000
    policy.initial_interval.FromNanoseconds(first)
    policy.backoff_coefficient = policy.backoff_coefficient or 2.0
    if not policy.maximum_interval.ToNanoseconds():
        policy.maximum_interval.FromNanoseconds(100 * first)


def _add_json(payloads: Any, text: str) -> None:
    payload = payloads.add(data=text.encode())
    payload.metadata["encoding"] = b"json/plain"


def _moment(time: Any) -> dict[str, int]:
    return {"seconds": int(time.seconds), "nanos": int(time.nanos)}
