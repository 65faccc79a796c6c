"""Decoded payloads of one source, beside a history whose records stay as they are stored.

Views look at events and steps through an Overlay: it puts in what is known, and remembers what is missing, for its
owner to ask the bridge for in few calls. Nothing of it is ever written to a file.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from engine_bridge.bridge import Decoding
from engine_bridge.model import Attempt, Event, Failure, PayloadRef, Run, Step
from engine_bridge.payloads import failures

KEPT: Final = 16 << 20
"""Bytes of decoded payloads that are kept."""
BATCH: Final = 200
"""Keys that are asked for in one call."""
_HEAD: Final = 320
_replaced = msgspec.structs.replace


class Overlay:
    """What was decoded of one source, by key. Any thread.

    ``on_missing`` is called (in the thread that looked) when something was looked at that is not decoded yet; ``take``
    then names it. At most ``most`` keys wait, the ones looked at last.
    """

    def __init__(self, on_missing: Callable[[], None] = lambda: None, most: int = 2 * BATCH) -> None:
        self._on_missing = on_missing
        self._most = most
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Decoding] = OrderedDict()
        self._bytes = 0
        self._missing: OrderedDict[str, None] = OrderedDict()

    def take(self) -> tuple[str, ...]:
        """Keys to decode next, at most ``BATCH``; they do not wait any more."""
        with self._lock:
            return tuple(self._missing.popitem()[0] for _ in range(min(BATCH, len(self._missing))))

    def put(self, keys: Sequence[str], answers: Iterable[Decoding]) -> None:
        """What keys decode to."""
        with self._lock:
            for key, answer in zip(keys, answers, strict=True):
                self._bytes += len(answer.data or b"") + len(key)
                self._known[key] = answer
            while self._bytes > KEPT and len(self._known) > 1:
                key, old = self._known.popitem(last=False)
                self._bytes -= len(old.data or b"") + len(key)

    def forget_failures(self) -> None:
        """What could not be decoded is asked for again when it is looked at."""
        with self._lock:
            for key in [key for key, answer in self._known.items() if answer.data is None]:
                self._bytes -= len(key)
                del self._known[key]

    def of(self, ref: PayloadRef | None) -> Decoding | None:
        """What a payload decodes to; None for one that is readable as stored, or not decoded yet."""
        if ref is None or not ref.encoded:
            return None
        with self._lock:
            found = self._known.get(ref.key)
            fresh = found is None and ref.key not in self._missing
            if fresh:
                self._missing[ref.key] = None
                if len(self._missing) > self._most:
                    self._missing.popitem(last=False)
        if fresh:
            self._on_missing()
        return found

    def ref(self, ref: PayloadRef) -> PayloadRef:
        """A reference with what a short payload decodes to as its head, for previews."""
        found = self.of(ref)
        if found is None or found.data is None or len(found.data) > _HEAD:
            return ref
        return _replaced(ref, head=found.data)

    def failure(self, failure: Failure) -> Failure:
        """A failure with the messages and stacks that were hidden; what was decoded has no ``raw`` any more."""
        causes = tuple(self.failure(cause) for cause in failure.causes)
        found = self.of(failure.raw)
        if found is None or found.data is None:
            return failure if causes == failure.causes else _replaced(failure, causes=causes)
        inside = failures.failure(found.data, found.encoding)
        return _replaced(
            failure,
            raw=None,
            message=inside.message or failure.message,
            stack=inside.stack or failure.stack,
            causes=causes,
        )

    def event(self, event: Event) -> Event:
        if not any(ref.encoded for ref in event.payloads) and not hides(event.failure):
            return event
        failure = event.failure and self.failure(event.failure)
        return _replaced(event, payloads=tuple(map(self.ref, event.payloads)), failure=failure)

    def step(self, step: Step) -> Step:
        changes: dict[str, Any] = {
            name: self.ref(ref)
            for name in ("input", "output", "error")
            if (ref := getattr(step, name)) is not None and ref.encoded
        }
        if hides(step.failure) and step.failure is not None:
            changes["failure"] = self.failure(step.failure)
        if any(hides(attempt.failure) for attempt in step.attempt_list):
            changes["attempt_list"] = tuple(map(self._attempt, step.attempt_list))
        return _replaced(step, **changes) if changes else step

    def _attempt(self, attempt: Attempt) -> Attempt:
        return (
            attempt if attempt.failure is None else _replaced(attempt, failure=self.failure(attempt.failure))
        )

    def run(self, run: Run) -> Run:
        """A run with its failure and that of what it waits for, and with what its lines say of them."""
        blocked = run.blocked_on
        if run.failure is not None and hides(run.failure):
            failure = self.failure(run.failure)
            say = _words(run.failure, failure)
            run = _replaced(run, failure=failure, error=run.error and say(run.error), now=say(run.now))
        if blocked is not None and blocked.failure is not None and hides(blocked.failure):
            failure = self.failure(blocked.failure)
            say = _words(blocked.failure, failure)
            told = _replaced(blocked, failure=failure, what=say(blocked.what), hint=say(blocked.hint))
            run = _replaced(run, blocked_on=told, now=say(run.now))
        return run


def settled(overlay: Overlay, decode: Callable[[tuple[str, ...]], Sequence[Decoding]]) -> Decoding | None:
    """Decodes all that is missing, in this thread, until a call decodes nothing; what that call then said."""
    while keys := overlay.take():
        answers = decode(keys)
        overlay.put(keys, answers)
        if all(one.data is None for one in answers):
            return answers[0]
    return None


def hides(failure: Failure | None) -> bool:
    """Whether messages of a failure, or of its causes, are hidden."""
    return failure is not None and any(one.raw is not None and one.raw.encoded for one in _chain(failure))


def _words(hidden: Failure, known: Failure) -> Callable[[str], str]:
    """Says in a text what is known of a failure where it said what was hidden."""
    pairs = [(_line(old), _line(new)) for old, new in zip(_chain(hidden), _chain(known), strict=True)]

    def say(text: str) -> str:
        for old, new in pairs:
            text = text.replace(old, new) if old else text
        return text

    return say


def _line(failure: Failure) -> str:
    return f"{failure.type}: {failure.message}" if failure.type else failure.message


def _chain(failure: Failure) -> Iterator[Failure]:
    """A failure and its causes, depth first."""
    yield failure
    for cause in failure.causes:
        yield from _chain(cause)
