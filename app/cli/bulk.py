"""``playhead bulk``: jobs made by ``playhead act --filter`` or in the window."""

from __future__ import annotations

import click

from app import secrets
from app.cli.act_bulk import drive, print_jobs, report_json, store, tell
from app.cli.options import json_option
from app.cli.output import json_line, line
from app.cli.working import work
from app.journal import journal
from app.opening import actor_of, target_of
from app.saved import Saved
from app.settle import follow
from engine_bridge.actions.bulk_model import JobState
from engine_bridge.actions.bulk_settle import catch_up
from engine_bridge.errors import RejectedError


@click.group()
def bulk() -> None:
    """Bulk jobs: what they did, item by item; going on; giving up."""


@bulk.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the jobs, newest first."""
    print_jobs(store().jobs(), as_json)


@bulk.command()
@click.argument("job")
@json_option
def show(job: str, as_json: bool) -> None:
    """Show what became of each item of JOB, by its id or the beginning of it; what is awaited is asked for first."""
    jobs = store()
    found = jobs.job(job)
    wanted = {item.request_id for item in jobs.report(found.id) if item.why}
    work(lambda token: follow(journal(), token, wanted, found.source))
    catch_up(journal(), jobs, found.id)
    if as_json:
        for item in jobs.report(found.id):
            json_line(report_json(item))
        return
    print_jobs([found], as_json=False)
    for item in jobs.report(found.id):
        line(f"{item.state.value:<12} {item.title}{': ' + item.why if item.why else ''}")


@bulk.command()
@click.argument("job")
@click.option("--yes", is_flag=True, help="Go on. Without it nothing is sent.")
@json_option
def resume(job: str, yes: bool, as_json: bool) -> None:
    """Go on with JOB where it stopped; what was left open is settled first. It was confirmed when it was made."""
    jobs = store()
    found = jobs.job(job)
    if not yes:
        print_jobs([found], as_json)
        if not as_json:
            line("Nothing was sent. To go on, add: --yes")
        return
    target = target_of(found.source, Saved(), secrets.find(found.source))
    try:
        tell(jobs, drive(actor_of(target), jobs, found, ask=True), as_json)
    finally:
        jobs.close()


@bulk.command()
@click.argument("job")
def cancel(job: str) -> None:
    """Give JOB up for good: what was not sent never will be."""
    jobs = store()
    found = jobs.job(job)
    if found.state.final or found.state is JobState.RUNNING:
        raise RejectedError(f"This job is {found.state.value}.", "Ctrl+C stops a running one.")
    jobs.leave(found.id, JobState.CANCELLED, "cancelled")
    jobs.close()
    line(f"Cancelled job {found.id[:8]}.")
