"""``playhead act``: plans an operator action, and executes it with ``--yes``."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import click

from app.cli import act_bulk
from app.cli.act_bulk import bulk_options, settings_of
from app.cli.act_print import print_actions, print_plan, print_receipt, settled_note
from app.cli.options import json_option, query_of, source_argument
from app.cli.session import call, find_exactly, opened
from app.cli.working import work
from app.journal import journal
from app.opening import ActorFactory, Opened, actor_of, source_id
from app.settle import settle
from engine_bridge.actions import confirm as confirming
from engine_bridge.actions.bulk_model import Settings
from engine_bridge.actions.command import read_target
from engine_bridge.actions.execute import Execution, deny
from engine_bridge.actions.model import ActionSpec, Plan, PlanItem, Receipt, Staged, Target, Verdict
from engine_bridge.actions.params import parse_all
from engine_bridge.bridge import Capability
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import PlayheadError, RejectedError, UnsupportedError, UsageError
from engine_bridge.format import plain
from engine_bridge.words import Environment

#: Of a bulk plan that is denied, so many targets are recorded one by one.
_DENIED: Final = 5


@click.command()
@source_argument
@click.argument("target", required=False)
@click.argument("action", required=False)
@click.argument("arguments", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--plan", "plan_only", is_flag=True, help="Print the plan and stop, even with --yes.")
@click.option("--reason", default="", help="Why; it is kept in the journal. Production asks for one.")
@click.option("--yes", is_flag=True, help="Execute. Without it nothing is sent.")
@click.option(
    "--confirm", default="", metavar="TEXT", help="What the plan asks to be typed (an id, a count)."
)
@click.option(
    "--filter",
    "filter_text",
    metavar="F",
    help="In bulk, on the runs that match: SOURCE ACTION [KEY=VALUE]... --filter F.",
)
@bulk_options
@json_option
def act(
    source: str,
    target: str | None,
    action: str | None,
    arguments: tuple[str, ...],
    plan_only: bool,
    reason: str,
    yes: bool,
    confirm: str,
    filter_text: str | None,
    as_json: bool,
    **pace: Any,
) -> None:
    """Plan ACTION on TARGET of SOURCE, and execute it with --yes. Without ACTION: list what can be done, and why not.

    TARGET is a run's id, queue:NAME, schedule:NAME or step:RUN/STEP. Without --yes the plan is printed, and nothing
    changes.
    """
    words = [word for word in (target, action) if word is not None]
    if not words:
        raise UsageError("Nothing to act on.", "Name a TARGET, or give an ACTION and --filter.")
    asked = _Asked(reason, confirm, as_json, send=yes and not plan_only)
    with opened(source) as place:
        _acts(place)
        if filter_text is None:
            _single(place, words[0], action, arguments, asked)
        else:
            _bulk(place, filter_text, words[0], (*words[1:], *arguments), settings_of(**pace), asked)


@dataclass(frozen=True, slots=True)
class _Asked:
    """How the user asked: why, what was typed, as JSON, and whether to send at all."""

    reason: str
    confirm: str
    as_json: bool
    send: bool


def _single(
    place: Opened, target: str, action: str | None, arguments: tuple[str, ...], asked: _Asked
) -> None:
    _settle_first(place, asked.send)
    aim = resolve(place, target)
    specs: list[ActionSpec] = call(place, "actions", aim)
    if action is None:
        print_actions(aim, specs, asked.as_json)
        return
    spec = spec_of(specs, action)
    staged = Staged(target=aim, action=spec.id, args=parse_all(spec, arguments))
    plan = planned(place, staged, spec)
    if not asked.send:
        print_plan(plan, confirming.needed(plan), asked.as_json)
        return
    allow(plan, asked.reason, asked.confirm)
    receipts = execute(place, plan, asked.reason)
    print_receipt(plan, receipts, asked.as_json)
    bad = [item for item, receipt in zip(plan.runnable, receipts, strict=True) if not _fine(receipt)]
    if bad:
        raise PlayheadError(f"{bad[0].title}: {_why(receipts[0])}.", "`playhead journal` keeps the record.")


def _bulk(
    place: Opened, filter_text: str, action: str, pairs: tuple[str, ...], settings: Settings, asked: _Asked
) -> None:
    _settle_first(place, asked.send)
    spec, items = act_bulk.planned(place, query_of(place, filter_text), action, pairs)
    plan = _plan(place, items)
    if not asked.send:
        act_bulk.print_plan(plan, settings, confirming.needed(plan), asked.as_json)
        return
    allow(plan, asked.reason, asked.confirm)
    jobs = act_bulk.store()
    try:
        job = jobs.create(plan, asked.reason, settings, title=spec.title, filter_text=filter_text)
        act_bulk.tell(jobs, act_bulk.drive(actor(place), jobs, job, ask=True), asked.as_json)
    finally:
        jobs.close()


def _fine(receipt: Receipt) -> bool:
    return receipt.outcome.verdict is Verdict.APPLIED


def _why(receipt: Receipt) -> str:
    return "stale, nothing was sent" if receipt.outcome.stale else receipt.outcome.verdict.value


def _acts(place: Opened) -> None:
    """Raises UnsupportedError, and what to do, for a source that is only read."""
    if Capability.ACTIONS not in place.info.capabilities:
        why = place.info.missing.get(Capability.ACTIONS.value, "it is only looked at")
        raise UnsupportedError(f"This source has no actions: {why}.")


def resolve(place: Opened, text: str) -> Target:
    """The target of a TARGET argument; a run must be named by its whole id."""
    kind, found, step = read_target(text, place.info.resource_kinds)
    if kind not in ("run", "step"):
        return Target(kind=kind, id=found, title=found)
    run = find_exactly(place, found)
    if kind == "step":
        return Target(
            kind="step", id=f"{run.ref}/{step}", title=f"step {step} of {run.id}", ref=run.ref, step_id=step
        )
    return Target(kind="run", id=str(run.ref), title=run.type, ref=run.ref)


def spec_of(specs: list[ActionSpec], action: str) -> ActionSpec:
    """The action of an id. Raises UsageError naming the actions there are."""
    for spec in specs:
        if spec.id == action:
            return spec
    names = ", ".join(spec.id for spec in specs) or "none"
    raise UsageError(f"There is no action {plain(action, 60)!r} on this target.", f"Actions: {names}.")


def planned(place: Opened, staged: Staged, spec: ActionSpec) -> Plan:
    """The plan of a staged action, as the source sees it now; a disabled one is refused without asking."""
    if spec.disabled:
        items = [PlanItem(staged=staged, title=spec.title, refused=spec.disabled, danger=spec.danger)]
    else:
        items = call(place, "plan", (staged,))
    return _plan(place, items)


def _plan(place: Opened, items: Sequence[PlanItem]) -> Plan:
    return Plan(
        id=str(uuid.uuid4()),
        source=source_id(place.target.url),
        environment=place.info.environment.value,
        items=tuple(items),
    )


def allow(plan: Plan, reason: str, typed: str) -> None:
    """Raises, and journals the attempt as denied, when the plan, the reason or the typed text forbids it."""
    why, hint = _forbidden(plan, reason, typed)
    if why:
        for item in plan.items[:_DENIED]:
            deny(journal(), plan, item, item.refused or why, reason)
        raise RejectedError(why, hint)


def _forbidden(plan: Plan, reason: str, typed: str) -> tuple[str, str]:
    if not plan.runnable:
        return f"Refused: {plan.items[0].refused if plan.items else 'nothing to do'}", ""
    needed = confirming.needed(plan)
    if needed and not confirming.fits(typed, needed):
        return "Not confirmed.", f"Add --confirm {needed!r}."
    if confirming.reason_needed(plan) and not reason.strip():
        production = plan.environment == Environment.PRODUCTION
        return f"{'A production' if production else 'This'} source needs a reason.", "Add --reason."
    return "", ""


def actor(place: Opened) -> ActorFactory:
    """What writes to an open source."""
    return actor_of(place.target)


def execute(place: Opened, plan: Plan, reason: str) -> list[Receipt]:
    """Executes what may run of a plan, in order; Ctrl+C stops what has not been sent."""

    def run(token: CancelToken) -> list[Receipt]:
        with Execution(actor(place), journal(), plan, reason) as execution:
            return [execution.run(item, token) for item in plan.runnable]

    return work(run)


def _settle_first(place: Opened, sending: bool) -> None:
    """Intents on this source that a dead Playhead left behind are settled before anything new is sent."""
    if not sending:
        return
    source = source_id(place.target.url)
    for settled in work(lambda token: settle(journal(), token, source, actor(place))):
        settled_note(settled)
