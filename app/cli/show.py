"""``playhead show``: one run's header, steps and events."""

from __future__ import annotations

from typing import Any

import click

from app.cli.options import json_option, reveal_option, source_argument
from app.cli.output import Printer, builtin, json_line, line, table
from app.cli.session import Progress, call, find_run, opened, wait
from app.opening import Opened
from engine_bridge import format as fmt
from engine_bridge.bridge import Capability
from engine_bridge.history import History
from engine_bridge.model import PayloadRef, Run, RunRef, Step

_PAYLOAD_BYTES = 8 << 20
_HEX_BYTES = 64 << 10
_HIDDEN = 100_000
_WHO = ("actor", "requester", "reason", "correlation_id")


@click.command()
@source_argument
@click.argument("run", required=False)
@json_option
@reveal_option
@click.option("--payloads/--no-payloads", default=True, help="Read inputs, outputs and errors (with --json).")
def show(source: str, run: str | None, as_json: bool, reveal: bool, payloads: bool) -> None:
    """Show a RUN of SOURCE: its header, steps and events. RUN may be the beginning of an id."""
    printer = Printer(reveal)
    with opened(source) as place:
        header = find_run(place, run)
        history = read_history(place, header.ref)
        decode_hidden(place, history)
        header = history.run or header
        if as_json:
            json_line(document(place, header, history, printer, payloads=payloads))
        else:
            print_run(header, history, printer)


def read_history(place: Opened, ref: RunRef) -> History:
    """The whole history of a run."""
    history, progress = place.session.empty_history(), Progress()
    stream = place.session.stream("history", ref, on_item=history.append, on_progress=progress)
    try:
        wait(stream)
    finally:
        progress.clear()
    return history


def decode_hidden(place: Opened, history: History) -> None:
    """Decodes what failures of a history hide, where the source can; else they stay as they are stored."""
    if Capability.DECODE not in place.info.capabilities:
        return
    from engine_bridge.decoding import Overlay, settled

    overlay = Overlay(most=_HIDDEN)
    history.look_through(overlay.event, overlay.step)
    for look in (history.all_events, history.all_steps):
        look()
    run = history.run and overlay.run(history.run)
    failed = settled(overlay, lambda keys: call(place, "decode_payloads", keys))
    history.run = run and overlay.run(run)
    if failed is not None:
        history.notes += (f"Encoded payloads are shown as they are stored. {failed.error} {failed.hint}",)


def document(
    place: Opened, run: Run, history: History, printer: Printer, *, payloads: bool = True
) -> dict[str, Any]:
    """The documented JSON of ``show`` (docs/cli.md)."""

    def read(ref: PayloadRef | None) -> Any:
        return decoded(place, ref, printer) if payloads and ref is not None else None

    header = printer.run(run) | {
        "input": read(run.input),
        "output": read(run.output),
        "failure": printer.failure(run.failure),
        "extra": printer.tree(run.extra),
    }
    return {
        "run": header,
        "steps": [
            printer.step(step, {name: read(getattr(step, name)) for name in ("input", "output", "error")})
            for step in history.all_steps()
        ],
        "events": [printer.event(event) for event in history.all_events()],
        "blocked_on": printer.blocked(run.blocked_on),
        "notes": list(history.notes),
    }


def decoded(place: Opened, ref: PayloadRef, printer: Printer) -> Any:
    """A payload's decoded tree, masked; an object with ``$undecodable`` where it cannot be decoded, with ``$bytes``
    where it is no text, with ``$truncated`` where it is too large.
    """
    from engine_bridge.payloads import decode

    if ref.encoded:
        [found] = call(place, "decode_payloads", (ref.key,))
        if found.data is None:
            why = f"{found.error} {found.hint}".strip()
            return {"$undecodable": why, "$encoding": ref.encoding, "$size": ref.size}
        data, encoding = found.data, found.encoding
    else:
        data, encoding = call(place, "payload", ref.key, 0, _PAYLOAD_BYTES), ref.encoding
    result = decode(data, encoding)
    if result.error:
        return {"$undecodable": result.error, "$encoding": ref.encoding, "$size": len(data)}
    if result.format == "binary":
        return {"$bytes": data[:_HEX_BYTES].hex(), "$encoding": ref.encoding, "$size": len(data)}
    tree = builtin(printer.tree(result.tree))
    whole = len(data) if ref.encoded else max(len(data), ref.size or 0)
    if result.truncated or len(data) < whole:
        return {"$truncated": tree, "$encoding": ref.encoding, "$size": whole}
    return tree


def print_run(run: Run, history: History, printer: Printer) -> None:
    line(f"{run.type}  {run.id}")
    line(
        f"status    {run.status_words} ({run.status.value if run.ref.kind == 'entity' else run.engine_status})"
    )
    for title, ns in (("created", run.created_ns), ("started", run.started_ns), ("ended", run.ended_ns)):
        mark = f"  ({run.provenance[title + '_ns'].value})" if title + "_ns" in run.provenance else ""
        line(f"{title:<9} {fmt.timestamp(ns) or '-'}{mark if ns is not None else ''}")
    if run.duration_ns is not None:
        line(f"took      {fmt.duration(run.duration_ns)}")
    for title, text in (("parent", run.parent), ("queue", run.queue), ("version", run.version)):
        if text is not None:
            line(f"{title:<9} {text}")
    if run.error:
        line(f"error     {printer.text(run.error)}")
    if run.now and run.now != run.error:
        line(f"now       {printer.text(run.now)}")
    if run.blocked_on is not None:
        _print_blocked(run, printer)
    for note in history.notes:
        line(f"note      {note}")
    click.echo()
    _print_steps(history, printer)
    _print_moves(history, printer)


def _print_moves(history: History, printer: Printer) -> None:
    """Who did what, and why, where the events themselves tell."""
    told = [event for event in history.all_events() if any(event.attributes.get(name) for name in _WHO)]
    if not told:
        return
    click.echo()
    rows = [
        (
            fmt.timestamp(event.time_ns).partition(".")[0],
            event.name,
            printer.text(event.detail) or "",
            *(printer.text(str(event.attributes.get(name) or "")) or "" for name in _WHO),
        )
        for event in told
    ]
    table(("time", "event", "detail", *(name.replace("_", " ") for name in _WHO)), rows)


def _print_blocked(run: Run, printer: Printer) -> None:
    blocked = run.blocked_on
    if blocked is None:
        return
    until = f", until {fmt.timestamp(blocked.until_ns)}" if blocked.until_ns else ""
    since = f", since {fmt.timestamp(blocked.since_ns)}" if blocked.since_ns else ""
    line(f"blocked   on {printer.text(blocked.what)}{since}{until} ({blocked.provenance.value})")
    for evidence in blocked.evidence:
        line(f"          because {': '.join(filter(None, (evidence.rule, '; '.join(evidence.facts))))}")


def _print_steps(history: History, printer: Printer) -> None:
    steps = history.all_steps()
    if not steps:
        line("No steps are recorded.")
        return
    heads = ("id", "step", "kind", "status", "started", "took", "attempts", "detail")
    table(heads, [_step_row(step, printer) for step in steps], right=frozenset({5, 6}))


def _step_row(step: Step, printer: Printer) -> tuple[str, ...]:
    detail = step.detail
    if step.failure is not None:
        detail = f"{step.failure.type}: {step.failure.message}"
    elif step.child is not None:
        detail = f"child {step.child}"
    mark = "" if step.provenance.value == "recorded" else f" ({step.provenance.value})"
    return (
        step.id,
        step.name,
        step.kind.value,
        step.status.value + mark,
        fmt.clock(step.start_ns),
        fmt.duration(step.duration_ns),
        "" if step.attempts is None else str(step.attempts),
        printer.text(detail) or "",
    )
