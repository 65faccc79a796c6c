"""Masks what a bundle takes along: run headers, events, steps, and payloads on their decoded form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from engine_bridge.bridge import Relation
from engine_bridge.model import Attempt, Blocked, Event, Evidence, Failure, PayloadRef, Run, Step
from engine_bridge.payloads import FULL, decode
from engine_bridge.payloads.masking import mask, mask_text
from engine_bridge.payloads.render import render

T = TypeVar("T")
OnRef = Callable[[PayloadRef], PayloadRef]


def masked_payload(data: bytes, encoding: str | None) -> tuple[bytes | None, str]:
    """A payload without secrets, or None and why it cannot be masked in place.

    Bytes in which no secret is seen stay as they are, a pickle too. JSON and text are written anew; everything else
    that holds a secret, or cannot be looked at whole, is left out.
    """
    seen = decode(data, encoding, FULL)
    if seen.format == "binary":
        return None, "binary"
    if seen.truncated or (seen.error and seen.format != "text"):
        return None, "cannot be decoded whole"
    if seen.format == "text":
        return mask_text(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape"), ""
    tree = mask(seen.tree)
    if tree == seen.tree:
        return data, ""
    if seen.format == "pickle":
        return None, "a pickle with secrets"
    fresh = render(tree, indented=False).encode("utf-8", "surrogateescape")
    again = decode(fresh, encoding, FULL)
    return (fresh, "") if again.tree == tree and not again.error else (None, "cannot be written anew")


class Masking:
    """Copies of the model's values: texts masked (unless ``raw``), every PayloadRef passed through ``on_ref``."""

    def __init__(self, raw: bool, on_ref: OnRef) -> None:
        self._raw = raw
        self._ref = on_ref

    def _text(self, text: Any) -> Any:
        return mask_text(text) if isinstance(text, str) and not self._raw else text

    def _tree(self, tree: dict[str, Any]) -> dict[str, Any]:
        return tree if self._raw else {**mask(tree)}

    def _maybe(self, ref: PayloadRef | None) -> PayloadRef | None:
        return None if ref is None else self._ref(ref)

    def _evidence(self, found: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
        return tuple(Evidence(rule=one.rule, facts=tuple(map(self._text, one.facts))) for one in found)

    def failure(self, failure: Failure | None) -> Failure | None:
        if failure is None:
            return None
        return msgspec.structs.replace(
            failure,
            message=self._text(failure.message),
            stack=self._text(failure.stack),
            causes=tuple(cause for one in failure.causes if (cause := self.failure(one))),
            raw=self._maybe(failure.raw),
        )

    def _attempt(self, attempt: Attempt) -> Attempt:
        return msgspec.structs.replace(attempt, failure=self.failure(attempt.failure))

    def _blocked(self, blocked: Blocked | None) -> Blocked | None:
        if blocked is None:
            return None
        return msgspec.structs.replace(
            blocked,
            what=self._text(blocked.what),
            hint=self._text(blocked.hint),
            failure=self.failure(blocked.failure),
            evidence=self._evidence(blocked.evidence),
        )

    def run(self, run: Run) -> Run:
        return msgspec.structs.replace(
            run,
            now=self._text(run.now),
            error=self._text(run.error),
            failure=self.failure(run.failure),
            blocked_on=self._blocked(run.blocked_on),
            input=self._maybe(run.input),
            output=self._maybe(run.output),
            error_payload=self._maybe(run.error_payload),
            attributes=self._tree(run.attributes),
            extra=self._tree(run.extra),
            evidence=self._evidence(run.evidence),
            bad=self._text(run.bad),
        )

    def event(self, event: Event) -> Event:
        return msgspec.structs.replace(
            event,
            detail=self._text(event.detail),
            payloads=tuple(map(self._ref, event.payloads)),
            failure=self.failure(event.failure),
            evidence=self._evidence(event.evidence),
            attributes=self._tree(event.attributes),
        )

    def step(self, step: Step) -> Step:
        return msgspec.structs.replace(
            step,
            detail=self._text(step.detail),
            failure=self.failure(step.failure),
            attempt_list=tuple(map(self._attempt, step.attempt_list)),
            input=self._maybe(step.input),
            output=self._maybe(step.output),
            error=self._maybe(step.error),
            evidence=self._evidence(step.evidence),
            attributes=self._tree(step.attributes),
        )

    def relation(self, relation: Relation) -> Relation:
        run = None if relation.run is None else self.run(relation.run)
        return msgspec.structs.replace(relation, run=run, note=self._text(relation.note))
