"""What ``playhead act`` prints: actions, plans, receipts. docs/cli.md lists the keys of the JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import msgspec

from app.cli.output import json_line, line, note, table
from app.settle import Settled
from engine_bridge import format as fmt
from engine_bridge.actions.command import target_text
from engine_bridge.actions.model import ActionSpec, Plan, PlanItem, Receipt, Staged, Target
from engine_bridge.actions.params import form, show
from engine_bridge.payloads.masking import mask, mask_text


def _called(target: Target) -> str:
    """A target as it can be typed again, and what people call it where that is another."""
    text = target_text(target)
    return text if target.name in text else f"{text} ({fmt.plain(target.name, 120)})"


def print_actions(target: Target, specs: Sequence[ActionSpec], as_json: bool) -> None:
    """What can be done to a target, and why the rest cannot."""
    if as_json:
        for spec in specs:
            json_line({"target": target_text(target), **_spec(spec)})
        return
    rows = [
        (spec.id, "no" if spec.disabled else "yes", _params(spec), spec.disabled or spec.effect)
        for spec in specs
    ]
    table(("action", "now", "parameters", "effect, or why not"), rows)


def _spec(spec: ActionSpec) -> dict[str, Any]:
    return {
        "action": spec.id,
        "title": spec.title,
        "enabled": not spec.disabled,
        "disabled": spec.disabled or None,
        "effect": spec.effect,
        "danger": spec.danger.value,
        "bulk": spec.bulk,
        "dedupes": spec.dedupes,
        "params": [
            {
                "name": param.name,
                "title": param.title,
                "type": param.type.value,
                "takes": form(param),
                "required": param.required,
                "default": mask(param.default),
                "choices": list(param.choices),
                "doc": param.doc,
            }
            for param in spec.params
        ],
    }


def _params(spec: ActionSpec) -> str:
    return " ".join(p.name if p.required and p.default is None else f"[{p.name}]" for p in spec.params) or "-"


def print_plan(plan: Plan, needed: str, as_json: bool) -> None:
    """A plan, and that nothing was sent."""
    if as_json:
        json_line(_document(plan, needed) | {"sent": False})
        return
    for item in plan.items:
        _print_item(item)
    place = f" on a {plan.environment} source" if plan.environment != "dev" else ""
    click.echo()
    if not plan.runnable:
        line("Refused: nothing can be sent.")
        return
    confirm = f" --confirm {needed!r}" if needed else ""
    line(f"Nothing was sent{place}. To execute it, add: --yes{confirm} --reason …")


def _document(plan: Plan, needed: str) -> dict[str, Any]:
    return {
        "plan_id": plan.id,
        "source": plan.source,
        "environment": plan.environment,
        "digest": plan.digest,
        "confirm": needed or None,
        "items": [item_json(item) for item in plan.items],
    }


def item_json(item: PlanItem) -> dict[str, Any]:
    """One item of a plan (docs/cli.md)."""
    return {
        "target": target_text(item.staged.target),
        "action": item.staged.action,
        "args": mask(item.staged.args),
        "title": item.title,
        "refused": item.refused or None,
        "calls": [mask_text(one) for one in item.calls],
        "changes": [
            {"what": c.what, "before": mask_text(c.before), "after": mask_text(c.after)} for c in item.changes
        ],
        "preconditions": [{"what": p.what, "value": mask(p.value)} for p in item.preconditions],
        "new_run": item.new_run,
        "inverse": _staged(item.inverse),
        "irreversible": item.irreversible or None,
        "race": item.race or None,
        "side_effects": list(item.side_effects),
        "warnings": list(item.warnings),
        "dedupes": item.dedupes,
        "danger": item.danger.value,
        "copy_as": {name: mask_text(text) for name, text in item.copy_as.items()},
    }


def _staged(staged: Staged | None) -> dict[str, Any] | None:
    if staged is None:
        return None
    return {"target": target_text(staged.target), "action": staged.action, "args": mask(staged.args)}


def _print_item(item: PlanItem) -> None:
    line(mask_text(item.title))
    if item.refused:
        line(f"  refused      {item.refused}")
    for title, texts in _facts(item):
        for text in texts:
            line(f"  {title:<12} {mask_text(text)}")


def _facts(item: PlanItem) -> list[tuple[str, Sequence[str]]]:
    inverse = item.inverse
    undo = f"{inverse.action} {_called(inverse.target)}" if inverse else ""
    return [
        ("target", (_called(item.staged.target),)),
        ("with", [f"{name} = {show(mask(value))}" for name, value in item.staged.args.items()]),
        ("sends", item.calls),
        ("changes", [f"{c.what}: {c.before} -> {c.after}" for c in item.changes]),
        ("only if", [f"{p.what} is {show(mask(p.value))}" for p in item.preconditions]),
        ("result", ("another run",) if item.new_run else ()),
        ("also", item.side_effects),
        ("undo", (undo,) if undo else ()),
        ("no undo", (item.irreversible,) if item.irreversible else ()),
        ("race", (item.race,) if item.race else ()),
        ("warning", item.warnings),
    ]


def print_receipt(plan: Plan, receipts: Sequence[Receipt], as_json: bool) -> None:
    """What was done."""
    if as_json:
        found = [receipt_json(receipt) for receipt in receipts]
        json_line(_document(plan, "") | {"sent": True, "receipts": found})
        return
    for item, receipt in zip(plan.runnable, receipts, strict=True):
        _print_receipt(item, receipt)


def receipt_json(receipt: Receipt) -> dict[str, Any]:
    """One receipt (docs/cli.md)."""
    outcome = receipt.outcome
    return {
        "request_id": receipt.request_id,
        "verdict": outcome.verdict.value,
        "stale": outcome.stale,
        "pending": outcome.pending or None,
        "evidence": [mask_text(text) for text in outcome.evidence],
        "changes": msgspec.to_builtins(receipt.changes),
        "new_run_id": None if outcome.new_ref is None else str(outcome.new_ref),
        "inverse": _staged(receipt.inverse),
        "took_ns": receipt.took_ns,
    }


def _print_receipt(item: PlanItem, receipt: Receipt) -> None:
    outcome = receipt.outcome
    stale = " (stale: nothing was sent)" if outcome.stale else ""
    line(f"{outcome.verdict.value}{stale}: {mask_text(item.title)}")
    for text in outcome.evidence:
        line(f"  evidence     {mask_text(text)}")
    for change in receipt.changes:
        line(f"  changed      {change.what}: {mask_text(change.before)} -> {mask_text(change.after)}")
    if outcome.new_ref is not None:
        line(f"  new run      {outcome.new_ref}")
    if outcome.pending:
        line(f"  awaited      {outcome.pending}")
    if receipt.inverse is not None:
        line(f"  undo         {receipt.inverse.action} {_called(receipt.inverse.target)}")
    line(f"  request      {receipt.request_id}, {fmt.duration(receipt.took_ns)}")


def settled_note(settled: Settled) -> None:
    """Tells on stderr what became of an intent that a dead Playhead left behind."""
    staged, outcome = settled.intent.item.staged, settled.outcome
    why = f" ({mask_text(outcome.evidence[0])})" if outcome.evidence else ""
    note(
        f"Left behind by an ended Playhead: {staged.action} {target_text(staged.target)}: {outcome.verdict.value}{why}"
    )
