"""``playhead act``: plans an operator action, and executes it with ``--yes``."""

from __future__ import annotations

import uuid

import click

from app.cli.act_print import print_actions, print_plan, print_receipt, settled_note
from app.cli.options import json_option, source_argument
from app.cli.session import call, find_exactly, opened
from app.cli.working import work
from app.journal import journal
from app.opening import ActorFactory, Opened, actor_of, source_id
from app.settle import settle
from engine_bridge.actions import confirm as confirming
from engine_bridge.actions.command import read_target
from engine_bridge.actions.execute import Execution, deny
from engine_bridge.actions.model import ActionSpec, Plan, PlanItem, Receipt, Staged, Target, Verdict
from engine_bridge.actions.params import parse_all
from engine_bridge.bridge import Capability
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import PlayheadError, RejectedError, UnsupportedError, UsageError
from engine_bridge.format import plain
from engine_bridge.words import Environment


@click.command()
@source_argument
@click.argument("target")
@click.argument("action", required=False)
@click.argument("arguments", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--plan", "plan_only", is_flag=True, help="Print the plan and stop, even with --yes.")
@click.option("--reason", default="", help="Why; it is kept in the journal. Production asks for one.")
@click.option("--yes", is_flag=True, help="Execute. Without it nothing is sent.")
@click.option(
    "--confirm", default="", metavar="TEXT", help="What the plan asks to be typed (an id, a count)."
)
@json_option
def act(
    source: str,
    target: str,
    action: str | None,
    arguments: tuple[str, ...],
    plan_only: bool,
    reason: str,
    yes: bool,
    confirm: str,
    as_json: bool,
) -> None:
    """Plan ACTION on TARGET of SOURCE, and execute it with --yes. Without ACTION: list what can be done, and why not.

    TARGET is a run's id, queue:NAME, schedule:NAME or step:RUN/STEP. Without --yes the plan is printed, and nothing
    changes.
    """
    with opened(source) as place:
        _settle_first(place, yes and not plan_only)
        aim = resolve(place, target)
        specs: list[ActionSpec] = call(place, "actions", aim)
        if action is None:
            print_actions(aim, specs, as_json)
            return
        spec = spec_of(specs, action)
        staged = Staged(target=aim, action=spec.id, args=parse_all(spec, arguments))
        plan = planned(place, staged, spec)
        needed = confirming.needed(plan)
        if plan_only or not yes:
            print_plan(plan, needed, as_json)
            return
        allow(plan, reason, confirm)
        receipts = execute(place, plan, reason)
    print_receipt(plan, receipts, as_json)
    bad = [item for item, receipt in zip(plan.runnable, receipts, strict=True) if not _fine(receipt)]
    if bad:
        raise PlayheadError(f"{bad[0].title}: {_why(receipts[0])}.", "`playhead journal` keeps the record.")


def _fine(receipt: Receipt) -> bool:
    return receipt.outcome.verdict is Verdict.APPLIED


def _why(receipt: Receipt) -> str:
    return "stale, nothing was sent" if receipt.outcome.stale else receipt.outcome.verdict.value


def resolve(place: Opened, text: str) -> Target:
    """The target of a TARGET argument; a run must be named by its whole id."""
    if Capability.ACTIONS not in place.info.capabilities:
        why = place.info.missing.get(Capability.ACTIONS.value, "It is only looked at.")
        raise UnsupportedError("This source has no actions.", why)
    kind, found, step = read_target(text, place.info.resource_kinds)
    if kind not in ("run", "step"):
        return Target(kind=kind, id=found, title=found)
    run = find_exactly(place, found)
    if kind == "step":
        return Target(
            kind="step", id=f"{run.id}/{step}", title=f"step {step} of {run.id}", ref=run.ref, step_id=step
        )
    return Target(kind="run", id=run.id, title=run.type, ref=run.ref)


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
        for item in plan.items:
            deny(journal(), plan, item, item.refused or why, reason)
        raise RejectedError(why, hint)


def _forbidden(plan: Plan, reason: str, typed: str) -> tuple[str, str]:
    if not plan.runnable:
        return f"Refused: {plan.items[0].refused if plan.items else 'nothing to do'}", ""
    needed = confirming.needed(plan)
    if needed and not confirming.fits(typed, needed):
        return "Not confirmed.", f"Add --confirm {needed!r}."
    if plan.environment == Environment.PRODUCTION and not reason.strip():
        return "A production source needs a reason.", "Add --reason."
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
