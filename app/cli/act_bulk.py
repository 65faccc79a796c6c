"""Bulk jobs on the command line: planned from a filter, run with progress, asked about after the canary."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from app.cli.act_print import item_json
from app.cli.output import json_line, line, note, table
from app.cli.session import call
from app.cli.working import work
from app.journal import journal
from app.opening import ActorFactory, Opened
from engine_bridge.actions.bulk import BulkRun
from engine_bridge.actions.bulk_model import ItemReport, ItemState, Job, JobState, Progress, Settings
from engine_bridge.actions.bulk_store import BulkStore
from engine_bridge.actions.bulk_targets import plan_all, resolve
from engine_bridge.actions.command import target_text
from engine_bridge.actions.model import ActionSpec, Plan, PlanItem
from engine_bridge.actions.params import parse_all
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import NotFoundError, PlayheadError, UsageError
from engine_bridge.payloads.masking import mask_text
from engine_bridge.query.ast import Node

_F = TypeVar("_F", bound=Callable[..., Any])
_SAMPLE = 10


def bulk_options(command: _F) -> _F:
    """The options of a bulk job."""
    default = Settings()
    options = (
        click.option(
            "--canary", type=click.IntRange(0), default=default.canary, show_default=True,
            help="So many first; then stop and ask. 0: none.",
        ),
        click.option(
            "--rate", type=click.FloatRange(0), default=default.rate, show_default=True,
            help="Sends a second at most. 0: no limit.",
        ),
        click.option(
            "--max-in-flight", type=click.IntRange(1, 64), default=default.in_flight, show_default=True,
            help="Under way at once at most.",
        ),
        click.option(
            "--stop-at-error-share", type=click.FloatRange(0.001, 1), default=default.stop_share, show_default=True,
            help="Stop when this share fails, after 20 items. 1: never.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def settings_of(canary: int, rate: float, max_in_flight: int, stop_at_error_share: float) -> Settings:
    return Settings(canary=canary, rate=rate, in_flight=max_in_flight, stop_share=stop_at_error_share)


def store() -> BulkStore:
    """The jobs beside this user's journal."""
    return BulkStore(journal().folder, journal().owner.dead)


def planned(
    place: Opened, query: Node | None, action: str, pairs: tuple[str, ...]
) -> tuple[ActionSpec, tuple[PlanItem, ...]]:
    """The plan of one action on all runs that match now."""
    targets = work(lambda token: resolve(place.session, query, token))
    if not targets:
        raise NotFoundError("No run matches the filter.")
    spec = _spec(call(place, "actions", targets[0]), action)
    args = parse_all(spec, pairs)
    return spec, work(lambda token: plan_all(place.session, targets, spec.id, args, token))


def _spec(specs: Sequence[ActionSpec], action: str) -> ActionSpec:
    able = [spec for spec in specs if spec.bulk]
    for spec in able:
        if spec.id == action:
            return spec
    raise UsageError(
        f"{action!r} cannot be done in bulk.", f"In bulk: {', '.join(s.id for s in able) or 'nothing'}."
    )


def print_plan(plan: Plan, settings: Settings, needed: str, as_json: bool) -> None:
    """What a job would do: numbers, a sample, and that nothing was sent."""
    runnable, refused = plan.runnable, Counter(item.refused for item in plan.items if item.refused)
    if as_json:
        head = {
            "plan_id": plan.id,
            "source": plan.source,
            "environment": plan.environment,
            "digest": plan.digest,
        }
        numbers = {
            "runnable": len(runnable),
            "refused": dict(refused),
            "confirm": needed or None,
            "sent": False,
        }
        json_line(head | numbers | {"items": [item_json(item) for item in plan.items]})
        return
    line(f"{len(runnable)} of {len(plan.items)} can be done.")
    for why, count in refused.most_common():
        line(f"  {count} refused: {why}")
    for item in runnable[:_SAMPLE]:
        changes = ", ".join(f"{c.what}: {c.before} -> {c.after}" for c in item.changes)
        line(f"  {mask_text(item.title)}  {mask_text(changes)}")
    if len(runnable) > _SAMPLE:
        line(f"  … and {len(runnable) - _SAMPLE} more")
    if runnable:
        line(_how(settings))
        confirm = f" --confirm {needed}" if needed else ""
        line(f"Nothing was sent. To execute it, add: --yes{confirm} --reason …")


def _how(settings: Settings) -> str:
    canary = f"{settings.canary} first, then it asks; " if settings.canary else ""
    rate = f"{settings.rate:g} a second" if settings.rate else "as fast as it goes"
    return f"{canary}{rate}, {settings.in_flight} at once, stops at {settings.stop_share:.0%} errors."


def drive(factory: ActorFactory, jobs: BulkStore, job: Job, *, ask: bool) -> Job:
    """Runs a job until it ends or somebody must decide; on a terminal the canary's question is asked here."""
    with BulkRun(factory, journal(), jobs, job.id) as run:
        while True:
            job = work(lambda token: run.run(token, _Bar(token)))
            if job.state is not JobState.CANARY or not (ask and sys.stdin.isatty()):
                return job
            note(_counts(job))
            if not click.confirm(f"Go on with the other {job.count(ItemState.WAITING)}?", err=True):
                return job


class _Bar:
    """Passes a job's progress on to the line on the terminal."""

    def __init__(self, token: CancelToken) -> None:
        self._token = token

    def __call__(self, progress: Progress) -> None:
        job = progress.job
        failed = job.total - job.count(ItemState.WAITING, ItemState.APPLIED, ItemState.REFUSED)
        text = f"{progress.rate:.1f}/s, {failed} not applied,"
        self._token.progress_through(job.done, job.total, text)


def tell(jobs: BulkStore, job: Job, as_json: bool) -> None:
    """What became of a job. Raises PlayheadError unless all of it was applied."""
    if as_json:
        json_line(job_json(job) | {"items": [report_json(item) for item in jobs.report(job.id)]})
    else:
        line(_counts(job))
        states = (ItemState.NOT_APPLIED, ItemState.STALE, ItemState.UNKNOWN, ItemState.OPEN)
        for item in jobs.report(job.id, states, limit=_SAMPLE):
            line(f"  {item.state.value}: {item.title}: {item.why}")
    if not job.state.final:
        why = f" ({job.why})" if job.why else ""
        left = job.count(ItemState.WAITING)
        raise PlayheadError(
            f"{job.state.value.capitalize()}{why}: {left} were not sent.",
            f"Go on: playhead bulk resume {job.id[:8]} --yes",
        )
    bad = job.total - job.count(ItemState.APPLIED, ItemState.REFUSED, ItemState.WAITING)
    if bad:
        raise PlayheadError(
            f"{bad} of {job.total} were not applied.",
            f"Each with its reason: playhead bulk show {job.id[:8]}",
        )


def _counts(job: Job) -> str:
    counts = ", ".join(f"{count} {state}" for state, count in sorted(job.counts.items()) if count)
    return f"Job {job.id[:8]}, {job.state.value}: {counts}."


def job_json(job: Job) -> dict[str, Any]:
    """One job (docs/cli.md)."""
    return {
        "job": job.id,
        "source": job.source,
        "environment": job.environment,
        "action": job.action,
        "reason": job.reason,
        "filter": job.filter,
        "created_ns": job.created_ns,
        "state": job.state.value,
        "why": job.why or None,
        "total": job.total,
        "counts": job.counts,
    }


def report_json(item: ItemReport) -> dict[str, Any]:
    """One item of a report (docs/cli.md)."""
    return {
        "target": target_text(item.target),
        "state": item.state.value,
        "why": item.why or None,
        "request_id": item.request_id,
        "new_run_id": item.new_ref or None,
        "took_ns": item.took_ns,
    }


def print_jobs(jobs: Sequence[Job], as_json: bool) -> None:
    """A listing, newest first."""
    if as_json:
        for job in jobs:
            json_line(job_json(job))
    elif jobs:
        rows = [(j.id[:8], j.state.value, j.action, f"{j.done} of {j.total}", j.source, j.why) for j in jobs]
        table(("job", "state", "action", "done", "source", "why"), rows)
    else:
        line("No bulk job was made yet.")
