"""Resources of a server: schedules, task queues, workers, search attributes, batch operations, namespaces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import zip_longest
from typing import Any, Final

from engine_bridge.bridge import Resource
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import server_values as values
from engine_bridge.engines.temporal.client import Client, pages
from engine_bridge.engines.temporal.group_facts import told
from engine_bridge.engines.temporal.server_runs import Lister
from engine_bridge.errors import PlayheadError, UnsupportedError, UsageError
from engine_bridge.format import counted
from engine_bridge.query.text import quote

_PAGES: Final = 10
_QUEUES: Final = 100
_WORKFLOW, _ACTIVITY = 1, 2
_DESCRIBED: Final = 50
_BATCH: Final = {1: "running", 2: "completed", 3: "failed"}


def read(lister: Lister, kind: str, cancel: CancelToken) -> list[Resource]:
    """The resources of a kind. Raises UsageError for one that is not known."""
    found = _KINDS.get(kind)
    if found is None:
        raise UsageError(f"There are no {kind}.", f"Known: {', '.join(_KINDS)}.")
    try:
        return found(lister, cancel)
    except UnsupportedError:
        return []


def _schedules(lister: Lister, cancel: CancelToken) -> list[Resource]:
    from temporalio.api.workflowservice.v1 import ListSchedulesRequest

    client = lister.client
    request = ListSchedulesRequest(namespace=client.source.namespace, maximum_page_size=500)
    answers = pages(client, "list_schedules", request, cancel, most=_PAGES)
    return [_schedule(entry) for answer in answers for entry in answer.schedules]


def _schedule(entry: Any) -> Resource:
    info = entry.info
    following = [at.seconds * 1_000_000_000 + at.nanos for at in info.future_action_times]
    recent = list(info.recent_actions)
    cells: dict[str, Any] = {
        "workflow": info.workflow_type.name,
        "state": "paused" if info.paused else "active",
        "spec": _spec(info.spec),
        "next_ns": following[0] if following else None,
        "last_ns": values.time_ns(recent[-1], "actual_time") if recent else None,
        "last_run": recent[-1].start_workflow_result.workflow_id if recent else None,
        "notes": told(info.notes) or None,
    }
    return Resource(
        kind="schedules",
        id=entry.schedule_id,
        title=entry.schedule_id,
        cells=cells,
        warning="paused: it starts no runs" if info.paused else "",
        filter=f"schedule == {quote(entry.schedule_id)}",
    )


def _spec(spec: Any) -> str:
    parts = [*spec.cron_string]
    parts += [f"every {_span(one.interval)}" for one in spec.interval]
    parts += [one.comment or "calendar" for one in (*spec.calendar, *spec.structured_calendar)]
    return "; ".join(parts)


def _span(duration: Any) -> str:
    from engine_bridge.format import duration as words

    return words(duration.seconds * 1_000_000_000 + duration.nanos)


def _queues(lister: Lister, cancel: CancelToken) -> list[Resource]:
    """The task queues of the newest runs: Temporal keeps no list of its queues."""
    runs = lister.matching("", 1_000, cancel)
    names = [name for name, _ in Counter(run.queue for run in runs if run.queue).most_common(_QUEUES)]
    kinds = (_WORKFLOW, _ACTIVITY)
    asked = [(name, kind) for name in names for kind in kinds]
    answers = dict(
        zip(
            asked,
            lister.client.call_all(
                "describe_task_queue", [_ask(lister.client, *one) for one in asked], cancel
            ),
            strict=True,
        )
    )
    open_ = Counter(run.queue for run in runs if not run.status.closed)
    return [_queue(name, [answers[name, kind] for kind in kinds], open_[name]) for name in sorted(names)]


def _ask(client: Client, name: str, kind: int) -> Any:
    from temporalio.api.taskqueue.v1 import TaskQueue
    from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

    return DescribeTaskQueueRequest(
        namespace=client.source.namespace,
        task_queue=TaskQueue(name=name),
        task_queue_type=kind,  # type: ignore[arg-type]  # the generated enum is an int
        report_stats=True,
    )


def _queue(name: str, answers: list[Any], open_runs: int) -> Resource:
    cells: dict[str, Any] = {"open_runs": open_runs}
    children: list[Resource] = []
    missing = []
    for word, answer in zip(("workflow", "activity"), answers, strict=True):
        if isinstance(answer, PlayheadError):
            cells[f"{word}_pollers"] = None
            continue
        cells[f"{word}_pollers"] = len(answer.pollers)
        cells[f"{word}_backlog"] = answer.stats.approximate_backlog_count
        cells[f"{word}_backlog_age_dur_ns"] = values.duration_ns(answer.stats, "approximate_backlog_age")
        children += [_poller(name, word, poller) for poller in answer.pollers]
        if not answer.pollers:
            missing.append(word)
    warning = f"no worker polls for {' and '.join(missing)} tasks" if missing and open_runs else ""
    return Resource(
        kind="task queues",
        id=name,
        title=name,
        cells=cells,
        warning=warning,
        children=tuple(children),
        filter=f"queue == {quote(name)}",
    )


def _poller(queue: str, kind: str, poller: Any) -> Resource:
    version = poller.deployment_options.build_id or poller.worker_version_capabilities.build_id
    cells = {
        "polls": kind,
        "last_seen_ns": values.time_ns(poller, "last_access_time"),
        "version": version or None,
    }
    return Resource(
        kind="task queues", id=f"{queue} {kind} {poller.identity}", title=poller.identity, cells=cells
    )


def _workers(lister: Lister, cancel: CancelToken) -> list[Resource]:
    from temporalio.api.workflowservice.v1 import ListWorkersRequest

    client = lister.client
    request = ListWorkersRequest(namespace=client.source.namespace, page_size=500)
    answers = pages(client, "list_workers", request, cancel, most=_PAGES)
    return [_worker(one.worker_heartbeat) for answer in answers for one in answer.workers_info]


def _worker(beat: Any) -> Resource:
    cells: dict[str, Any] = {
        "queue": beat.task_queue,
        "host": beat.host_info.host_name or None,
        "process": beat.host_info.process_id or None,
        "sdk": f"{beat.sdk_name} {beat.sdk_version}".strip() or None,
        "version": beat.deployment_version.build_id or None,
        "started_ns": values.time_ns(beat, "start_time"),
        "heartbeat_ns": values.time_ns(beat, "heartbeat_time"),
    }
    return Resource(
        kind="workers",
        id=beat.worker_instance_key,
        title=beat.worker_identity or beat.worker_instance_key,
        cells=cells,
    )


def _attributes(lister: Lister, cancel: CancelToken) -> list[Resource]:
    return [
        Resource(
            kind="search attributes",
            id=name,
            title=name,
            cells={"type": kind, "set_by": "the application"},
            filter=f"attributes.{name} exists",
        )
        for name, kind in lister.known.custom.items()
    ]


def _batches(lister: Lister, cancel: CancelToken) -> list[Resource]:
    """Lists tell their states only; what the newest did and how far they came is asked one by one."""
    from temporalio.api.workflowservice.v1 import DescribeBatchOperationRequest, ListBatchOperationsRequest

    client = lister.client
    name = client.source.namespace
    request = ListBatchOperationsRequest(namespace=name, page_size=100)
    answers = pages(client, "list_batch_operations", request, cancel, most=_PAGES)
    listed = [one for answer in answers for one in answer.operation_info]
    asked = [DescribeBatchOperationRequest(namespace=name, job_id=one.job_id) for one in listed[:_DESCRIBED]]
    told_more = client.call_all("describe_batch_operation", asked, cancel)
    more = [None if isinstance(one, PlayheadError) else one for one in told_more]
    return [_batch(one, at) for one, at in zip_longest(listed, more)]


def _batch(one: Any, more: Any) -> Resource:
    """``more`` is its description, None where there is none."""
    cells: dict[str, Any] = {"state": _BATCH.get(one.state, f"state {one.state}")}
    cells |= {} if more is None else _done(more)
    cells |= {
        "started_ns": values.time_ns(one, "start_time"),
        "closed_ns": values.time_ns(one, "close_time"),
    }
    failed = 0 if more is None else more.failure_operation_count
    warning = f"{counted(failed, 'run')} failed" if failed else ""
    if not warning and cells["state"] == "failed":
        warning = "stopped, or failed"
    return Resource(kind="batch operations", id=one.job_id, title=one.job_id, cells=cells, warning=warning)


def _done(more: Any) -> dict[str, Any]:
    from temporalio.api.enums.v1 import BatchOperationType

    known = more.operation_type in BatchOperationType.values()
    kind = BatchOperationType.Name(more.operation_type) if known else f"type {more.operation_type}"
    return {
        "operation": kind.removeprefix("BATCH_OPERATION_TYPE_")
        .removesuffix("_WORKFLOW")
        .replace("_", " ")
        .lower(),
        "done": f"{more.complete_operation_count:,} of {more.total_operation_count:,}",
        "by": more.identity or None,
        "reason": told(more.reason) or None,
        "query": more.query or None,
    }


def _namespaces(lister: Lister, cancel: CancelToken) -> list[Resource]:
    return [_namespace(one, lister.client.source.namespace) for one in namespaces(lister.client, cancel)]


def namespaces(client: Client, cancel: CancelToken) -> list[Any]:
    """The namespaces that these credentials may see."""
    from temporalio.api.workflowservice.v1 import ListNamespacesRequest

    answers = pages(client, "list_namespaces", ListNamespacesRequest(page_size=200), cancel, most=_PAGES)
    return [one for answer in answers for one in answer.namespaces]


def _namespace(one: Any, shown: str) -> Resource:
    info = one.namespace_info
    cells: dict[str, Any] = {
        "state": {1: "registered", 2: "deprecated", 3: "deleted"}.get(info.state, ""),
        "retention_dur_ns": values.duration_ns(one.config, "workflow_execution_retention_ttl"),
        "owner": info.owner_email or None,
        "description": info.description or None,
        "shown": info.name == shown,
    }
    return Resource(kind="namespaces", id=info.name, title=info.name, cells=cells)


_KINDS: Final[dict[str, Callable[[Lister, CancelToken], list[Resource]]]] = {
    "schedules": _schedules,
    "task queues": _queues,
    "workers": _workers,
    "search attributes": _attributes,
    "batch operations": _batches,
    "namespaces": _namespaces,
}
KINDS: Final = tuple(_KINDS)
