"""What the command line prints: documented JSON, or tables of plain text with control characters escaped."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

import click
import msgspec

from engine_bridge import format as fmt
from engine_bridge.model import Blocked, Event, Failure, Run, RunRef, Step
from engine_bridge.payloads.masking import mask, mask_text
from engine_bridge.payloads.tree import UNSET, Number, Opaque


class Printer:
    """Prints values; secrets are masked unless ``reveal``."""

    def __init__(self, reveal: bool) -> None:
        self.reveal = reveal

    def text(self, value: str | None) -> str | None:
        """Foreign text, masked."""
        return value if value is None or self.reveal else mask_text(value)

    def tree(self, value: Any) -> Any:
        """A decoded payload or attributes, masked."""
        return value if self.reveal else mask(value)

    def run(self, run: Run) -> dict[str, Any]:
        """The documented JSON of a run (docs/cli.md)."""
        return {
            "id": run.id,
            "run_id": str(run.ref),
            "type": run.type,
            "status": run.status.value,
            "engine_status": run.engine_status,
            "created_ns": run.created_ns,
            "started_ns": run.started_ns,
            "ended_ns": run.ended_ns,
            "duration_ns": run.duration_ns,
            "updated_ns": run.updated_ns,
            "engine": run.engine,
            "parent_id": _id(run.parent),
            "forked_from_id": _id(run.forked_from),
            "attempts": run.attempts,
            "dispatches": run.dispatches,
            "error": self.text(run.error),
            "now": self.text(run.now),
            "queue": run.queue,
            "partition": run.partition,
            "priority": run.priority,
            "version": run.version,
            "worker": run.worker,
            "schedule": run.schedule,
            "deadline_ns": run.deadline_ns,
            "delay_until_ns": run.delay_until_ns,
            "steps_done": run.steps_done,
            "attributes": self.tree(run.attributes),
            "provenance": {name: p.value for name, p in run.provenance.items()},
            **({"bad": run.bad} if run.bad else {}),
        }

    def step(self, step: Step, payloads: dict[str, Any]) -> dict[str, Any]:
        """The documented JSON of a step; ``payloads`` holds its decoded input, output and error."""
        return {
            "id": step.id,
            "name": step.engine_name or step.name,
            "title": step.name,
            "kind": step.kind.value,
            "status": step.status.value,
            "attempts": step.attempts,
            "started_ns": step.start_ns,
            "ended_ns": step.end_ns,
            "duration_ns": step.duration_ns,
            "planned_end_ns": step.planned_end_ns,
            "provenance": step.provenance.value,
            "fields": {name: p.value for name, p in step.fields.items()},
            "child_id": _id(step.child),
            "input": payloads.get("input"),
            "output": payloads.get("output"),
            "error": payloads.get("error"),
            "failure": self.failure(step.failure),
            "attempt_list": [
                {
                    "number": a.number,
                    "status": a.status.value,
                    "started_ns": a.start_ns,
                    "ended_ns": a.end_ns,
                    "failure": self.failure(a.failure),
                    "provenance": a.provenance.value,
                }
                for a in step.attempt_list
            ],
            "detail": self.text(step.detail),
            "evidence": msgspec.to_builtins(step.evidence),
        }

    def event(self, event: Event) -> dict[str, Any]:
        return {
            "position": event.position,
            "time_ns": event.time_ns,
            "kind": event.kind.value,
            "name": event.name,
            "step_id": event.step_id,
            "step_name": event.step_name,
            "status": event.status.value if event.status else None,
            "attempt": event.attempt,
            "detail": self.text(event.detail),
            "provenance": event.provenance.value,
            "failure": self.failure(event.failure),
            "run_id": _id(event.ref),
            "attributes": builtin(self.tree(event.attributes)),
        }

    def failure(self, failure: Failure | None) -> dict[str, Any] | None:
        """A failure with its causes, outermost first."""
        if failure is None:
            return None
        return {
            "type": failure.type,
            "message": self.text(failure.message),
            "code": failure.code,
            "attempt": failure.attempt,
            "stack": self.text(failure.stack),
            "causes": [self.failure(cause) for cause in failure.causes],
        }

    def blocked(self, blocked: Blocked | None) -> dict[str, Any] | None:
        """The JSON of ``blocked_on``."""
        if blocked is None:
            return None
        return {
            "kind": blocked.kind,
            "what": self.text(blocked.what),
            "since_ns": blocked.since_ns,
            "until_ns": blocked.until_ns,
            "run_id": _id(blocked.ref),
            "step_id": blocked.step_id,
            "provenance": blocked.provenance.value,
            "evidence": msgspec.to_builtins(blocked.evidence),
            "hint": blocked.hint,
        }


def _id(ref: RunRef | None) -> str | None:
    return None if ref is None else str(ref)


def json_line(value: Any) -> None:
    """One JSON document on one line. Lone surrogates and other oddities are escaped, so it is always ASCII."""
    click.echo(json.dumps(value, ensure_ascii=True, default=_fallback, separators=(", ", ": ")))


def builtin(tree: Any) -> Any:
    """A decoded payload as JSON values: what is not plain becomes an object with ``$type`` (docs/cli.md)."""
    if isinstance(tree, Opaque):
        return _opaque(tree)
    if isinstance(tree, Number):
        return float(tree) if math.isfinite(tree) else {"$type": "number", "value": tree.text}
    if isinstance(tree, float) and not math.isfinite(tree):
        return {"$type": "float", "value": repr(tree)}
    if isinstance(tree, dict):
        return {key if isinstance(key, str) else repr(key): builtin(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [builtin(value) for value in tree]
    return tree


def _opaque(node: Opaque) -> dict[str, Any]:
    found: dict[str, Any] = {"$type": node.type}
    if node.value is not UNSET:
        return found | {"value": builtin(node.value)}
    parts = {"args": node.args, "kwargs": node.kwargs, "state": node.state, "items": node.items}
    return found | {name: builtin(part) for name, part in parts.items() if part}


def _fallback(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"$bytes": value[:65_536].hex()}
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    return fmt.plain(repr(value), 400)


def table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, right: frozenset[int] = frozenset()
) -> None:
    """Prints a table: columns as wide as their content, control characters escaped."""
    cells = [[fmt.plain(cell, 160) for cell in row] for row in rows]
    widths = [max([fmt.width(head), *(fmt.width(row[i]) for row in cells)]) for i, head in enumerate(heads)]
    for row in [list(heads), *cells]:
        line = "  ".join(_pad(cell, widths[i], i in right) for i, cell in enumerate(row))
        click.echo(line.rstrip())


def _pad(text: str, width: int, right: bool) -> str:
    space = " " * (width - fmt.width(text))
    return space + text if right else text + space


def line(text: str) -> None:
    """One line of plain text."""
    click.echo(fmt.plain(text, 4_000))


def note(text: str) -> None:
    """One line of plain text on stderr: for what is no part of the answer."""
    click.echo(f"playhead: {fmt.plain(text, 4_000)}", err=True)
