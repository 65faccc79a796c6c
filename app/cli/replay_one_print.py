"""One replay in detail on a terminal, and as JSON (docs/replay.md)."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from app.cli.output import line, table
from app.cli.replay_edits import told
from app.cli.replay_print import where
from engine_bridge.payloads.masking import mask, mask_text
from engine_bridge.replay.gate_report import place_json, words
from engine_bridge.replay.model import Answer, Divergence, EditKind, End, Now, Outcome, Place, TraceStep, Was
from engine_bridge.replay.turns import Turn, turns_of

if TYPE_CHECKING:
    from app.cli.replay_one import OneReplay

_LONG: Final = 1_000
_OUTCOMES: Final = {
    Outcome.SAME: "The code does what the history says, to its end.",
    Outcome.BLOCKED: "The code tried what only an activity or step may do.",
    Outcome.CANCELLED: "Stopped.",
}


def print_one(one: OneReplay, asked: bool) -> None:
    """What was asked for, the verdict last."""
    edits = "".join(f", {'then' if edit.turn else 'what if'} {told(edit)}" for edit in one.edits)
    by = (
        f" by Python {one.runner.python} with {one.runner.engine} {one.runner.library}"
        if one.runner.python
        else ""
    )
    line(f"{one.input.type} {one.input.name or one.end.run_id} against {one.ready.project.code}{by}{edits}.")
    if one.edits and one.steps and one.end.outcome in (Outcome.STOPPED, Outcome.SAME):
        _print_turns(one)
    if asked:
        _print_answers(one.answers)
    line("")
    for text in verdict(one):
        line(text)


def _print_turns(one: OneReplay) -> None:
    turns = turns_of(one.steps, one.end)
    if len(turns) < 2:
        told_, *given = [step for step in one.commands if step.kind != "wait"] or one.steps[-1:]
        _print_commands(one, told_, given)
    else:
        _print_commands(one, turns[0].told, turns[0].commands)
    for turn in turns[1:]:
        line("")
        line(f"Then: {turn.told.name}.")
        rows = [(f"  {step.name}", where(place_of(step))) for step in turn.commands]
        if rows:
            table(("  the code would command", "where"), rows)
        else:
            line("  The code commands nothing.")
    if one.edits and one.end.next:
        line("")
        line("What could come next: " + ", ".join(dict.fromkeys(map(next_told, one.end.next))) + ".")


def next_told(kind: EditKind) -> str:
    """What can be made of what the code would do, as it is typed behind --then."""
    place = f":{kind.step_id}" if kind.step_id else ":NAME" if "name" in kind.needs else ""
    return f"{kind.kind}{place}"


def _print_commands(one: OneReplay, told_: TraceStep, given: Sequence[TraceStep]) -> None:
    line("")
    line(f"Up to event {one.input.cut} as recorded; then: {told_.name}.")
    rows = [
        (f"  {step.name}" if step else "", where(place_of(step)) if step else "", was.name if was else "",
         str(was.position) if was else "")
        for step, was in beside(given, one.input.was)
    ]  # fmt: skip
    if rows:
        table(("  the code would command", "where", "it commanded then", "event"), rows)
    else:
        line("  The code commands nothing, and commanded nothing then.")


def beside(given: Sequence[TraceStep], was: Sequence[Was]) -> list[tuple[TraceStep | None, Was | None]]:
    """Commands of now and then, those of one name on one line where their order allows."""
    found: list[tuple[TraceStep | None, Was | None]] = []
    matcher = SequenceMatcher(a=[step.name for step in given], b=[one.name for one in was], autojunk=False)
    for _, a, b, c, d in matcher.get_opcodes():
        found += zip_longest(given[a:b], was[c:d])
    return found


def _print_answers(answers: list[Answer]) -> None:
    line("")
    line("Answers, where they changed:")
    rows = [(f"  {answer.position}", _asked(answer), _said(answer).partition("\n")[0]) for answer in answers]
    table(("  from event", "query", "answer"), rows, right=frozenset({0}))
    for answer in answers[-1:]:
        if "\n" in _said(answer):
            line("")
            for text in _said(answer).splitlines():
                line(f"  {text}")


def _asked(answer: Answer) -> str:
    return answer.name if answer.args == "[]" else f"{answer.name}({answer.args[1:-1]})"


def _said(answer: Answer) -> str:
    if answer.error:
        return f"no answer: {mask_text(answer.error)}"
    return mask_text(answer.value) if isinstance(answer.value, str) else words(answer.value)


def verdict(one: OneReplay) -> list[str]:
    """How it ended, a line each."""
    end = one.end
    if end.outcome is Outcome.CANCELLED:
        return [_OUTCOMES[end.outcome]]
    found = [_OUTCOMES[end.outcome]] if end.outcome in _OUTCOMES else []
    if end.outcome is Outcome.STOPPED and end.now is not None:
        found.append(now_words(end.now))
    if end.divergence is not None:
        found += diverged(end.divergence)
    found += [f"Drift: {drift.what} at event {drift.step_id}: recorded {words(drift.recorded)}, now "
              f"{words(drift.replayed)}" for drift in end.drift]  # fmt: skip
    found += [f"Blocked: {one_.what} at {where(one_.at)}" for one_ in end.blocked]
    found += [mask_text(text) for text in (end.error, end.hint) if text]
    if end.unfit is not None:
        edits = " and ".join(told(edit) for edit in one.edits if edit.turn == end.unfit.turn)
        found.append(f"{edits} does not fit: {end.unfit.message} {end.unfit.hint}".rstrip())
    if one.bye.error and one.bye.error != end.error:
        found += [mask_text(text) for text in (one.bye.error, one.bye.hint) if text]
    return found or [f"The replay ended: {end.outcome.value}."]


def now_words(now: Now) -> str:
    """What the code does where the history ends."""
    at = f", at {where(now.at)}" if now.at.file else ""
    if now.kind == "nothing":
        return f"{now.what[:1].upper()}{now.what[1:]}{at}."
    return f"Then it {'sleeps' if now.kind == 'sleeping' else f'waits for {now.what}'}{at}."


def diverged(found: Divergence) -> list[str]:
    """Where code and history part."""
    place = f"event {found.position}" if found.position is not None else "the end"
    at = f" at {where(found.at)}" if found.at.file else ""
    return [
        f"Diverged at {place}: the history has {found.expected}, the code {found.actual}{at}.",
        *([found.message] if found.message else []),
    ]


def place_of(step: TraceStep) -> Place:
    """The user's line of a step."""
    frame = next((frame for frame in step.stack if frame.kind == "user"), None)
    return Place(file=frame.file, line=frame.line, function=frame.function) if frame is not None else Place()


# -- JSON ---------------------------------------------------------------------------------------------------


def one_json(one: OneReplay) -> dict[str, Any]:
    """The documented JSON of one replay in detail: every key is always there."""
    end, runner = one.end, one.runner
    return {
        "format": 1,
        "run": end.run_id,
        "name": one.input.name or end.run_id,
        "type": one.input.type,
        "code": one.ready.project.code,
        "interpreter": one.ready.project.python,
        "runner": {
            "engine": runner.engine, "library": runner.library, "python": runner.python,
            "guards": list(runner.guards), "lacks": list(runner.lacks),
        },
        "edits": [told(edit) for edit in one.edits],
        "cut": one.input.cut,
        "outcome": end.outcome.value,
        "passed": one.good,
        "commands": [_step(step) for step in one.commands] if one.edits else [],
        "turns": [_turn(one, turn) for turn in turns_of(one.steps, one.end)],
        "next": [next_told(kind) for kind in end.next],
        "unfit": end.unfit and {"turn": end.unfit.turn, "message": end.unfit.message, "hint": end.unfit.hint},
        "was": [{"position": was.position, "name": was.name, "step_id": was.step_id} for was in one.input.was],
        "steps": [_step(step) for step in one.steps],
        "answers": [_answer(answer) for answer in one.answers],
        **_end(end),
        "error": end.error or one.bye.error,
        "hint": end.hint or one.bye.hint,
    }  # fmt: skip


def _turn(one: OneReplay, turn: Turn) -> dict[str, Any]:
    return {
        "edits": [told(edit) for edit in one.edits if edit.turn == turn.number],
        "told": turn.told.name,
        "commands": [_step(step) for step in turn.commands],
    }


def _end(end: End) -> dict[str, Any]:
    now, found = end.now, end.divergence
    return {
        "now": now and {"kind": now.kind, "what": now.what, "step_id": now.step_id, "at": place_json(now.at)},
        "divergence": found
        and {
            "kind": found.kind, "expected": found.expected, "actual": found.actual, "position": found.position,
            "at": place_json(found.at), "message": found.message,
        },
        "took_ms": end.took_ms,
    }  # fmt: skip


def _step(step: TraceStep) -> dict[str, Any]:
    return {
        "n": step.n,
        "name": step.name,
        "kind": step.kind,
        "position": step.position,
        "recorded": step.recorded,
        "at": place_json(place_of(step)),
    }


def _answer(answer: Answer) -> dict[str, Any]:
    value = mask_text(answer.value) if isinstance(answer.value, str) else mask(answer.value)
    return {
        "n": answer.n,
        "position": answer.position,
        "query": answer.name,
        "args": answer.args,
        "value": value,
        "error": mask_text(answer.error),
    }
