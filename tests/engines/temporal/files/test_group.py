"""Grouping: temporal.md §2, told in one go, page by page, and with what a server knows besides."""

from __future__ import annotations

import gzip
from typing import Any

import numpy as np
import pytest

from engine_bridge.codes import STEP_KINDS, STEP_STATUSES, time_or_none
from engine_bridge.engines.temporal.group import Grouper
from engine_bridge.engines.temporal.group_event import decode_event
from engine_bridge.engines.temporal.group_facts import PendingActivity
from engine_bridge.engines.temporal.group_failures import failure, said
from engine_bridge.engines.temporal.group_run import header
from engine_bridge.engines.temporal.group_step import decode_step
from engine_bridge.history import History
from engine_bridge.model import Provenance, Run, Status, Step, StepKind, StepStatus
from engine_bridge.payloads import reason
from engine_bridge.playback import state_at
from tests.engines.temporal.files import histories as h
from widgets.run.failures import failures_of


def steps_of(data: bytes) -> dict[str, Step]:
    return {step.id: step for step in h.history_of(data).all_steps()}


def run_of(data: bytes) -> Run:
    grouper = Grouper(h.REF)
    grouper.add(h.one(data).heads)
    return header(grouper)


def until(last: int, *more: dict[str, Any]) -> bytes:
    """The kitchen up to an event, and other events after it."""
    return h.dumped([*h.events()[:last], *more])


def after(last: int, type_: str, **attributes: Any) -> dict[str, Any]:
    key = type_[:1].lower() + type_[1:] + "EventAttributes"
    from engine_bridge.engines.temporal.events_fast import screaming

    return {
        "eventId": str(last + 1),
        "eventTime": "2026-11-20T03:19:00Z",
        "eventType": screaming(type_),
        key: attributes,
    }


def test_a_retried_activity_tells_what_its_history_holds() -> None:
    flaky = steps_of(h.dialect("cli.json"))["14"]
    assert (flaky.name, flaky.status, flaky.attempts) == ("flaky", StepStatus.COMPLETED, 3)
    assert [(a.number, a.status, a.provenance) for a in flaky.attempt_list] == [
        (1, StepStatus.FAILED, Provenance.INFERRED),
        (2, StepStatus.FAILED, Provenance.REBUILT),
        (3, StepStatus.COMPLETED, Provenance.RECORDED),
    ]
    assert flaky.attempt_list[0].failure is None and flaky.attempt_list[0].start_ns is None
    assert flaky.attempt_list[1].failure is not None and flaky.attempt_list[1].failure.message == "boom 2"


def test_a_failed_activity_has_its_chain_and_its_stack() -> None:
    failed = steps_of(h.dialect("cli.json"))["20"]
    assert failed.status is StepStatus.FAILED and failed.max_attempts == 2
    assert (
        failed.failure is not None
        and failed.failure.type == "ValueError"
        and "always_fail" in (failed.failure.stack or "")
    )
    assert failed.attributes["retry state"] == "maximum attempts reached"


def test_a_handlers_commands_stand_inside_it() -> None:
    steps = steps_of(h.dialect("cli.json"))
    assert steps["25"].parent_step == "24" and steps["24"].kind is StepKind.UPDATE
    history = h.history_of(h.dialect("cli.json"))
    assert history.steps["parent"][history.step_row("25")] == history.step_row("24")


def test_a_local_activity_keeps_its_workers_clock() -> None:
    local = steps_of(h.dialect("cli.json"))["13"]
    assert (
        local.kind is StepKind.LOCAL
        and local.name == "echo"
        and local.output is not None
        and local.output.head == b'"la"'
    )
    assert local.duration_ns is not None and local.duration_ns < 0  # as recorded: never clamped
    assert local.attributes["clock"] == "the worker's"


def test_children_signals_updates_timers_patches() -> None:
    steps = steps_of(h.dialect("cli.json"))
    child = steps["33"]
    assert child.child is not None and child.child.group == "kitchen-child" and child.output is not None
    assert steps["38"].kind is StepKind.SIGNAL and steps["38"].duration_ns == 0
    assert steps["57"].status is StepStatus.FAILED and steps["57"].failure is not None
    assert "not found" in steps["57"].failure.type
    assert steps["25"].planned_end_ns == (steps["25"].start_ns or 0) + 100_000_000
    assert steps["5"].kind is StepKind.PATCH


@pytest.mark.parametrize("path", h.CORPUS, ids=lambda path: path.name)
def test_columns_say_what_steps_say(path: Any) -> None:
    history = h.history_of(gzip.decompress(path.read_bytes()))
    columns = history.steps
    for row, step in enumerate(history.all_steps()):
        assert STEP_STATUSES[columns["status"][row]] is step.status
        assert STEP_KINDS[columns["kind"][row]] is step.kind
        assert history.names[columns["name"][row]] == step.name
        for name in ("start_ns", "end_ns", "planned_end_ns"):
            assert time_or_none(columns[name][row]) == getattr(step, name), (step.id, name)
    for row, number, end in zip(
        *(history.attempts[name] for name in ("step", "number", "end_ns")), strict=True
    ):
        last = history.step(row).attempt_list[-1]
        assert (last.number, last.end_ns) == (number, time_or_none(end))
    for row, event in enumerate(history.all_events()):
        assert event.position == history.events["position"][row]
        at = int(history.events["step"][row])
        assert event.step_id == (history.step(at).id if at >= 0 else None)
        assert not any("{'" in str(value) for value in event.attributes.values()), "no code of Python's"


@pytest.mark.parametrize("size", [1, 7, 30])
def test_pages_tell_the_same_as_the_whole(size: int) -> None:
    heads = h.one(h.dialect("cli.json")).heads
    grouper, paged = Grouper(h.REF), History(decode_event, decode_step)
    for at in range(0, len(heads), size):
        grouper.add(heads.pick(np.arange(at, min(at + size, len(heads)))))
        paged.append(grouper.batch())
    assert h.told(paged) == h.told(h.history_of(h.dialect("cli.json")))
    grouper.add(heads)
    assert grouper.skipped == 62 and not len(grouper.batch().events["position"])


def test_playback_passes_through_the_statuses_of_a_step() -> None:
    history = h.history_of(h.dialect("cli.json"))
    row = history.step_row("20")
    said = [STEP_STATUSES[state_at(history, at).step_status[row]].value for at in (19, 20, 26, 27)]
    assert said == ["pending", "scheduled", "running", "failed"]
    assert (
        state_at(history, 10).run_status is Status.RUNNING
        and state_at(history, 62).run_status is Status.CONTINUED
    )


def test_open_steps_of_a_closed_run_ended_with_it() -> None:
    steps = steps_of(until(25, after(25, "WorkflowExecutionTerminated", reason="enough", identity="ada")))
    for id_ in ("20", "24", "25"):
        assert (
            steps[id_].status is StepStatus.CANCELLED and steps[id_].fields["end_ns"] is Provenance.INFERRED
        )
        assert steps[id_].evidence[0].facts[0] == "event 26 WorkflowExecutionTerminated"


@pytest.mark.parametrize(
    ("last", "kind", "what"),
    [
        (1, "queue", "its first workflow task"),
        (2, "queue", "a worker to take its workflow task"),
        (3, "queue", "a worker to answer its workflow task"),
        (7, "step", "echo"),
        (25, "step", "always_fail and 2 more"),
        (34, "child", "Child"),
    ],
)
def test_an_open_run_says_what_it_waits_for(last: int, kind: str, what: str) -> None:
    run = run_of(until(last))
    assert run.status is Status.RUNNING and run.blocked_on is not None
    assert (run.blocked_on.kind, run.blocked_on.what) == (kind, what)
    assert run.blocked_on.evidence and run.now.startswith("waiting for ")


def test_a_run_with_nothing_open_waits_for_a_message() -> None:
    signalled = [{**h.events()[37], "eventId": "5"}]
    run = run_of(until(4, *signalled))
    assert run.blocked_on is not None and run.blocked_on.kind == "signal"
    assert (
        run.blocked_on.provenance is Provenance.INFERRED
        and "it has received go" in run.blocked_on.evidence[0].facts[0]
    )


def test_pauses_are_seen() -> None:
    run = run_of(until(7, after(7, "WorkflowExecutionPaused", identity="ada", reason="look first")))
    assert run.status is Status.PAUSED and run.blocked_on is not None
    assert run.blocked_on.what == "paused by ada: look first"


def test_ends_of_runs() -> None:
    failure = {
        "message": "no",
        "applicationFailureInfo": {"type": "Bad"},
        "cause": {"message": "why", "applicationFailureInfo": {}},
    }
    ends = {
        "WorkflowExecutionCompleted": (Status.COMPLETED, None),
        "WorkflowExecutionFailed": (Status.FAILED, "Bad: no"),
        "WorkflowExecutionTimedOut": (Status.TIMED_OUT, "WorkflowTimeout: the run took longer than it may"),
        "WorkflowExecutionCanceled": (Status.CANCELLED, None),
        "WorkflowExecutionTerminated": (Status.TERMINATED, "Terminated: enough · by ada"),
    }
    for type_, (status, error) in ends.items():
        run = run_of(until(7, after(7, type_, failure=failure, reason="enough", identity="ada")))
        assert (run.status, run.error) == (status, error) and run.ended_ns is not None
    chain = run_of(until(7, after(7, "WorkflowExecutionFailed", failure=failure))).failure
    assert chain is not None and chain.causes[0].message == "why"


def test_a_start_delay_is_a_delay() -> None:
    events = h.events()[:1]
    events[0]["workflowExecutionStartedEventAttributes"]["firstWorkflowTaskBackoff"] = "60s"
    run = run_of(h.dumped(events))
    assert run.status is Status.DELAYED and run.started_ns is None and run.created_ns is not None
    assert run.delay_until_ns == run.created_ns + 60_000_000_000
    early = run_of(h.dumped([*events, *h.events()[1:4]]))  # a signal woke it before that
    assert early.status is Status.RUNNING and early.started_ns == early.created_ns + 160_510


def test_a_reset_names_its_run_and_where_it_came_from() -> None:
    from engine_bridge.engines.temporal.file_bridge_index import reference

    data = h.corpus("reset-workflow-after-child-complete")
    run = run_of(data)
    assert run.forked_from is not None and run.forked_from.run == "01950160-2559-7b46-8447-568b05b19367"
    assert reference(h.one(data), "x").run != run.forked_from.run
    (reset,) = [step for step in steps_of(data).values() if step.name == "reset"]
    assert reset.kind is StepKind.CONTROL and reset.status is StepStatus.COMPLETED and reset.failure is None


def test_failed_workflow_tasks_are_steps_but_unhandled_commands_are_no_failures() -> None:
    failed = [step for step in steps_of(h.corpus("fail_wf_task")).values() if step.name == "workflow task"]
    assert failed and failed[0].status.bad and failed[0].failure is not None
    retried = [
        step
        for step in steps_of(h.corpus("unhandled_cmd_timer_cancel")).values()
        if step.name == "workflow task"
    ]
    assert retried and not retried[0].status.bad


def test_local_activities_of_every_sdk() -> None:
    for part, name in (
        ("parallel-local-activities", ""),
        ("laRetriesAndFails", "ThrowIO"),
        ("long_local_activity_with_update-0", ""),
    ):
        steps = [step for step in steps_of(h.corpus(part)).values() if step.kind is StepKind.LOCAL]
        assert steps and steps[0].end_ns is not None, part
        assert all(step.name != "local activity" and step.name.endswith(name) for step in steps)


def test_a_local_activity_that_backs_off_says_when_it_is_tried_again() -> None:
    recorded = gzip.decompress((h.DATA / "replay" / "local.json.gz").read_bytes())
    details = [step.detail for step in steps_of(recorded).values() if step.name == "flaky"]
    assert details == ["tried again after 300 ms", "attempt 2 · tried again after 300 ms", "attempt 3", ""]


def test_nexus_operations() -> None:
    (operation,) = [
        s
        for s in steps_of(h.corpus("testCancelNexusOperationHistory")).values()
        if s.engine_name == "Nexus operation"
    ]
    assert "." in operation.name and operation.status is StepStatus.CANCELLED


def test_events_whose_beginning_is_missing_are_still_steps() -> None:
    events = [event for event in h.events() if event["eventId"] not in ("14", "33")]
    steps = steps_of(h.dumped(events))
    assert steps["14"].provenance is Provenance.INFERRED and steps["14"].start_ns is None
    assert steps["14"].status is StepStatus.COMPLETED and steps["33"].name == "Child"


def test_pending_facts_of_a_server_are_recorded_facts() -> None:
    grouper = Grouper(h.REF)
    grouper.add(h.one(until(20)).heads)
    history = History(decode_event, decode_step)
    history.append(grouper.batch())
    failure = {"message": "503", "applicationFailureInfo": {"type": "Down"}}
    one = PendingActivity(activity_id="4", state="scheduled", attempt=4, next_attempt_ns=77, failure=failure)
    grouper.set_pending([one])
    history.append(grouper.batch())
    step = history.step(history.step_row("20"))
    assert (step.status, step.attempts, step.planned_end_ns) == (StepStatus.RETRYING, 4, 77)
    assert step.failure is not None and step.failure.message == "503"
    assert STEP_STATUSES[history.steps["status"][history.step_row("20")]] is StepStatus.RETRYING
    assert history.steps["planned_end_ns"][history.step_row("20")] == 77
    row = history.step_row("20")
    assert [key.number for key in failures_of(history) if key.step_row == row] == [3]
    grouper.set_pending([])
    history.append(grouper.batch())
    assert history.step(history.step_row("20")).status is StepStatus.SCHEDULED


def test_a_run_that_failed_by_an_activity_tells_what_failed_in_it() -> None:
    declined = {"message": "insufficient funds", "applicationFailureInfo": {"type": "CardDeclined"}}
    info = {"activityType": {"name": "charge_card"}}
    found = failure({"message": "Activity task failed", "activityFailureInfo": info, "cause": declined})
    assert found is not None and found.wraps == "charge_card"
    assert said(found) == reason(found) == "CardDeclined: insufficient funds"
    bare = failure({"message": "Activity task failed", "activityFailureInfo": info})
    assert bare is not None and said(bare) == "ActivityError: Activity task failed (charge_card)"
