"""Starting the runs that a schedule would have started in a span of time."""

from __future__ import annotations

import time
from typing import Any, Final

from engine_bridge.actions import args as arguments
from engine_bridge.actions.confirm import LIMIT
from engine_bridge.actions.model import Change, Param, ParamType
from engine_bridge.engines.temporal.actions_facts import LEFT_OUT, STARTED, ScheduleFacts
from engine_bridge.engines.temporal.plan_base import Draft, Look, Signer
from engine_bridge.engines.temporal.plan_schedule import OVERLAPS, POLICY, facts_of, overlap
from engine_bridge.errors import RejectedError, UsageError
from engine_bridge.format import counted, plain, timestamp
from engine_bridge.query.ast import Day, Instant
from engine_bridge.query.literals import day_bounds
from engine_bridge.query.literals import time as time_literal

MOST: Final = 1_000
_DEFAULT: Final = "buffer all"
_FORMS: Final = "As 2026-05-01, 2026-05-01T06:30Z, today or yesterday."


def effect(look: Look) -> tuple[str, str]:
    return (
        f"It starts {plain(facts_of(look).workflow, 120)} for each of its times in a span, paused or not.",
        "",
    )


def params(look: Look) -> tuple[Param, ...]:
    """From when to when, and what happens to runs at the same time."""
    return (
        Param(name="from", title="From", doc=_FORMS),
        Param(name="until", title="Until", doc=f"{_FORMS} A day is meant to its end."),
        Param(
            name="overlap", title="On overlap", type=ParamType.CHOICE, required=False, default=_DEFAULT,
            choices=tuple(OVERLAPS), doc="Buffer all: one after the other. Skip leaves out those that overlap.",
        ),
    )  # fmt: skip


def _ns(look: Look, name: str, *, end: bool) -> int:
    """A time in ns; of a day its first moment, or its last one. Raises UsageError."""
    text = arguments.text(look.args, name)
    found = time_literal(text, None) if text else None
    if isinstance(found, Instant):
        return found.ns
    if isinstance(found, Day):
        first, following = day_bounds(found, time.time_ns())
        return following - 1 if end else first
    if found is not None:
        return time.time_ns()
    raise UsageError(f"{name} is {plain(text or 'missing', 60)!r}, which is no time.", _FORMS)


def span(look: Look) -> tuple[int, int]:
    """The first and the last moment, in ns. Raises UsageError."""
    start, end = _ns(look, "from", end=False), _ns(look, "until", end=True)
    if end < start:
        raise UsageError("The span ends before it begins.")
    return start, end


def matching(look: Look, start: int, end: int) -> list[int]:
    """The times of the schedule within a span, in ns, as the server computes them."""
    from temporalio.api.workflowservice.v1 import ListScheduleMatchingTimesRequest

    request = ListScheduleMatchingTimesRequest(namespace=look.namespace, schedule_id=facts_of(look).id)
    request.start_time.FromNanoseconds(start)
    request.end_time.FromNanoseconds(end)
    found = look.reads.call("list_schedule_matching_times", request).start_time
    return [one.seconds * 1_000_000_000 + one.nanos for one in found]


def plan(look: Look) -> Draft:
    facts, policy = facts_of(look), overlap(look, _DEFAULT)
    start, end = span(look)
    times = matching(look, start, end)
    if not times:
        raise RejectedError(f"No time of the schedule lies between {timestamp(start)} and {timestamp(end)}.")
    more = "at least " if len(times) >= MOST else ""
    return Draft(
        title=f"Start {more}{counted(len(times), 'run')} of the schedule {plain(facts.id, 120)}",
        send=send,
        preconditions=(STARTED, LEFT_OUT),
        args={**look.args, "start_ns": str(start), "end_ns": str(end), "times": str(len(times))},
        changes=_changes(facts, times),
        cli=("schedule", "backfill", "--schedule-id", facts.id, "--start-time", _iso(start), "--end-time", _iso(end),
             *(("--overlap-policy", POLICY[policy]) if policy else ())),
        params=params(look),
        new_run=True,
        typed=str(len(times)) if len(times) > LIMIT else "",
        irreversible="Terminate the runs that it starts to stop them.",
        race="The server does not tell whose request started a run.",
        warnings=("Its overlap policy may leave some of them out.",) if policy in _LEAVE_OUT else (),
    )  # fmt: skip


_LEAVE_OUT: Final = (0, 1, 2)


def _changes(facts: ScheduleFacts, times: list[int]) -> tuple[Change, ...]:
    between = timestamp(times[0])[:19] + (f" to {timestamp(times[-1])[:19]}" if len(times) > 1 else "")
    return (
        Change(what=STARTED, before=str(facts.started), after=str(facts.started + len(times))),
        Change(what="times", before="", after=between),
    )


def _iso(ns: int) -> str:
    from google.protobuf.timestamp_pb2 import Timestamp

    stamp = Timestamp()
    stamp.FromNanoseconds(ns)
    return stamp.ToJsonString()


def send(look: Look, signer: Signer) -> tuple[str, Any]:
    from temporalio.api.schedule.v1 import BackfillRequest, SchedulePatch
    from temporalio.api.workflowservice.v1 import PatchScheduleRequest

    policy: Any = overlap(look, _DEFAULT)
    backfill = BackfillRequest(overlap_policy=policy)
    backfill.start_time.FromNanoseconds(int(look.args["start_ns"]))
    backfill.end_time.FromNanoseconds(int(look.args["end_ns"]))
    return "patch_schedule", PatchScheduleRequest(
        namespace=look.namespace,
        schedule_id=facts_of(look).id,
        patch=SchedulePatch(backfill_request=[backfill]),
        identity=signer.identity,
        request_id=signer.id,
    )
