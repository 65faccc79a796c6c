"""Runs related to one: its family, and the chain of its workflow id. Recorded facts, paged."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from engine_bridge.bridge import Relation, Relations
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import server_describe as describe
from engine_bridge.engines.temporal import server_values as values
from engine_bridge.engines.temporal.events import RawEvent
from engine_bridge.engines.temporal.group_nexus import Link, callers
from engine_bridge.engines.temporal.server_history import events_of
from engine_bridge.engines.temporal.server_nexus import operations
from engine_bridge.engines.temporal.server_places import listing
from engine_bridge.engines.temporal.server_runs import Lister
from engine_bridge.engines.temporal.visibility_leaves import none_of, quoted, sendable
from engine_bridge.errors import UsageError
from engine_bridge.model import RunRef

_INITIATORS: Final = {
    "CONTINUE_AS_NEW_INITIATOR_WORKFLOW": "continued as new",
    "CONTINUE_AS_NEW_INITIATOR_RETRY": "retried",
    "CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE": "cron",
}
_FOLLOWED: Final = {
    "WorkflowExecutionContinuedAsNew": "continued as new",
    "WorkflowExecutionCompleted": "cron",
    "WorkflowExecutionFailed": "retried",
    "WorkflowExecutionTimedOut": "retried",
}
_GONE: Final = "not on the server any more"


_ORIGINS, _CHILDREN, _SAME_ID, _NEXUS = range(4)
_AT_ONCE, _MORE = 1, 40
"""Pages of a history in which Nexus operations are looked for: by itself, and when more is asked for."""


class _Place(msgspec.Struct, frozen=True, array_like=True):
    """Which section comes next, the server's token in it, and the runs of the id that were named already."""

    section: int
    token: str = ""
    named: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Found:
    role: str
    ref: RunRef
    note: str = ""
    step_id: str | None = None
    place: str = ""
    """Another namespace than the source's."""


def read(lister: Lister, ref: RunRef, cursor: bytes | None, limit: int, cancel: CancelToken) -> Relations:
    """A page of relations: parent, root, neighbours in the chain and callers, then children, then other runs of the id,
    then runs that Nexus operations started.

    Raises NotFoundError.
    """
    at: _Place | None = _decoded(cursor)
    items: list[Relation] = []
    while at is not None and len(items) < max(limit, 1):
        last = at.section == _NEXUS
        found, at = _section(lister, ref, at, limit - len(items), cursor is not None, cancel)
        items += found
        if last:
            break  # the rest of a long history is read when more is asked for
    return Relations(items=tuple(items), after=None if at is None else msgspec.json.encode(at))


def _section(
    lister: Lister, ref: RunRef, at: _Place, limit: int, asked: bool, cancel: CancelToken
) -> tuple[list[Relation], _Place | None]:
    """Relations from a place on, and the next place; None at the end."""
    if at.section == _ORIGINS:
        found = _named(lister, list(_origins(lister, ref, cancel)), cancel)
        own = [item.ref.run for item in found if item.ref.group == ref.group]
        return found, _Place(_CHILDREN, named=(ref.run, *own))
    if at.section == _NEXUS:
        pages = _MORE if asked else _AT_ONCE
        links, going_on = operations(lister.client, ref, base64.b64decode(at.token), pages, cancel)
        found = _named(lister, [_nexus(lister, *one) for one in links], cancel)
        return found, _Place(_NEXUS, base64.b64encode(going_on).decode()) if going_on else None
    if at.section == _SAME_ID and not sendable(ref.group):
        return [], _Place(_NEXUS)
    request = listing(lister.client, _clause(at, ref), limit)
    request.next_page_token = base64.b64decode(at.token)
    answer = lister.client.call("list_workflow_executions", request, cancel)
    token = base64.b64encode(answer.next_page_token).decode()
    following = _Place(at.section if token else at.section + 1, token, at.named)
    return _listed(lister, at.section, answer.executions, cancel), following


def _clause(at: _Place, ref: RunRef) -> str:
    if at.section == _CHILDREN:
        return f"ParentRunId = {quoted(ref.run)}"
    return f"WorkflowId = {quoted(ref.group)} and {none_of('RunId', at.named)}"


def _listed(lister: Lister, section: int, infos: Sequence[Any], cancel: CancelToken) -> list[Relation]:
    runs = lister.closings.told(lister.runs(infos, cancel), cancel)
    role = "child" if section == _CHILDREN else "same id"
    return [Relation(role=role, run=run, ref=run.ref) for run in runs]


def _named(lister: Lister, found: Sequence[_Found], cancel: CancelToken) -> list[Relation]:
    known = lister.by_refs([one.ref for one in found if one.ref.run and not one.place], cancel)
    by_run = {ref.run: run for ref, run in known.items()}
    told = {run.ref.run: run for run in lister.closings.told(list(by_run.values()), cancel)}
    return [
        Relation(
            role=one.role,
            run=told.get(one.ref.run),
            ref=told[one.ref.run].ref if one.ref.run in told else one.ref,
            step_id=one.step_id,
            note="; ".join(filter(None, (one.note, _where(lister, one, one.ref.run in told)))),
        )
        for one in found
    ]


def _where(lister: Lister, one: _Found, listed: bool) -> str:
    """Where a run is that is not on the list."""
    source = lister.client.source
    if one.place and not source.host:
        return f"in namespace {one.place}: open this database with namespace={one.place}"
    if one.place:
        elsewhere = dataclasses.replace(source, namespace=one.place)
        return f"in namespace {one.place}, which is another source: {elsewhere.location}"
    return "" if listed or not one.ref.run else _GONE


def _nexus(lister: Lister, step_id: str | None, link: Link) -> _Found:
    """The run that a step, an operation, started; without one whose operation this run answers."""
    place = link.place(lister.client.source.namespace)
    if step_id is None:
        return _Found("caller", link.ref, link.asked, place=place)
    return _Found("nexus run", link.ref, step_id=step_id, place=place)


def _origins(lister: Lister, ref: RunRef, cancel: CancelToken) -> Iterator[_Found]:
    found = describe.read(lister.client, ref, cancel)
    if found.row.parent is not None:
        yield _Found("parent", found.row.parent)
    first, last = edges(lister, ref, cancel)
    if first is not None:
        yield from (_nexus(lister, None, link) for link in callers((first,)))
        yield from _before(found, first)
    if last is not None and found.row.status.closed:
        yield from _after(ref, last)
    if found.row.extra.get("reset_to"):
        yield _Found("reset to", values.ref(ref.group, str(found.row.extra["reset_to"])))


def _before(found: describe.Described, first: RawEvent) -> Iterator[_Found]:
    facts, ref = first.attributes, found.ref
    root = facts.get("rootWorkflowExecution") or {}
    parent = found.row.parent
    if parent is not None and root.get("runId") not in (None, "", ref.run, parent.run):
        yield _Found("root", values.ref(str(root.get("workflowId", "")), str(root["runId"])))
    previous = facts.get("continuedExecutionRunId")
    if previous:
        how = _INITIATORS.get(str(facts.get("initiator", "")), "")
        yield _Found("previous", values.ref(ref.group, str(previous)), how)
    original = facts.get("originalExecutionRunId")
    if original and original != ref.run:
        yield _Found(
            "reset from", values.ref(ref.group, str(original)), "the history was copied up to the reset"
        )
    chain = facts.get("firstExecutionRunId")
    if chain and chain not in (ref.run, previous, original):
        yield _Found("first", values.ref(ref.group, str(chain)), "first of the chain")


def _after(ref: RunRef, last: RawEvent) -> Iterator[_Found]:
    following = last.attributes.get("newExecutionRunId")
    if not following:
        return
    how = _INITIATORS.get(str(last.attributes.get("initiator", "")), "") or _FOLLOWED.get(last.type, "")
    yield _Found("next", values.ref(ref.group, str(following)), how)


def edges(lister: Lister, ref: RunRef, cancel: CancelToken) -> tuple[RawEvent | None, RawEvent | None]:
    """The first event, and the last one of a closed run."""
    from temporalio.api.common.v1 import WorkflowExecution
    from temporalio.api.workflowservice.v1 import (
        GetWorkflowExecutionHistoryRequest,
        GetWorkflowExecutionHistoryReverseRequest,
    )

    execution = WorkflowExecution(workflow_id=ref.group, run_id=ref.run)
    place: dict[str, Any] = {"namespace": lister.client.source.namespace, "execution": execution}
    forward = GetWorkflowExecutionHistoryRequest(**place, maximum_page_size=1)
    reverse = GetWorkflowExecutionHistoryReverseRequest(**place, maximum_page_size=1)
    first = lister.client.call("get_workflow_execution_history", forward, cancel, what=str(ref))
    last = lister.client.call("get_workflow_execution_history_reverse", reverse, cancel, what=str(ref))
    begun, ended = events_of(first), last.history.events
    from engine_bridge.engines.temporal.protobuf import normal

    return (begun[0] if begun else None), (normal(ended[0]) if ended else None)


def _decoded(cursor: bytes | None) -> _Place:
    if cursor is None:
        return _Place(_ORIGINS)
    try:
        return msgspec.json.decode(cursor, type=_Place)
    except msgspec.MsgspecError:
        raise UsageError("This page of relations cannot be found.", "Read the relations again.") from None
