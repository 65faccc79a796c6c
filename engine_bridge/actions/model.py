"""Operator actions as values: what can be done, what is staged, what it will do, what it did.

An engine describes its actions with :class:`ActionSpec`, turns staged ones into :class:`PlanItem` while only
reading, and executes them with an :class:`Actor`, which lives in a child process of its own and alone may write.
"""

from __future__ import annotations

import hashlib
import uuid
from abc import ABC, abstractmethod
from enum import StrEnum
from typing import Any, Literal

import msgspec

from engine_bridge.cancel import CancelToken
from engine_bridge.errors import PlayheadError
from engine_bridge.model import RunRef


class _Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


class ParamType(StrEnum):
    TEXT = "text"
    JSON = "json"  # a value, or JSON text: a text is always quoted
    INTEGER = "integer"
    NUMBER = "number"
    DURATION = "duration"  # nanoseconds
    BOOLEAN = "boolean"
    CHOICE = "choice"
    STEP = "step"  # a step id, picked on the timeline or graph
    RUN = "run"


class Param(_Value, frozen=True):
    """One typed parameter. ``default`` may be prefilled from what was recorded elsewhere; ``source`` says where."""

    name: str
    title: str
    type: ParamType = ParamType.TEXT
    required: bool = True
    default: Any = None
    choices: tuple[str, ...] = ()
    doc: str = ""
    source: str = ""


class Target(_Value, frozen=True):
    """What an action is aimed at: a run, a step of it, or a resource (``kind`` is "run", "step" or a resource kind)."""

    kind: str
    id: str
    title: str = ""
    ref: RunRef | None = None
    step_id: str | None = None

    @property
    def name(self) -> str:
        """What people call it: a run by its name; ``id`` is what it is looked up by."""
        return self.ref.name if self.ref is not None and self.kind == "run" else self.id

    @property
    def label(self) -> str:
        """Its name, with what tells a run from others of that name."""
        return self.ref.label if self.ref is not None and self.kind == "run" else self.id


class Danger(StrEnum):
    """How much care an action asks for."""

    CHANGES = "changes"
    DESTROYS = "destroys"  # deletes recorded history or data


class ActionSpec(_Value, frozen=True):
    """An action on one target, in its present state.

    ``disabled`` is the reason why it cannot run now, "" when it can; ``effect`` says what it does in this very state.
    ``dedupes`` is True where the engine drops a second execution of the same request id; ``undoes`` are the actions
    whose last execution this one takes back, without arguments; ``rehearses``: a replay can show what the run's code
    would do (``Bridge.edit_of``), with nothing sent.
    """

    id: str
    title: str
    effect: str
    params: tuple[Param, ...] = ()
    disabled: str = ""
    danger: Danger = Danger.CHANGES
    bulk: bool = False
    dedupes: bool = False
    glyph: str = ""
    undoes: tuple[str, ...] = ()
    rehearses: bool = False


class Staged(_Value, frozen=True):
    """One staged action: not yet planned, nothing sent."""

    target: Target
    action: str
    args: dict[str, Any] = {}


class Change(_Value, frozen=True):
    """One line of a plan's before/after."""

    what: str
    before: str
    after: str


class Precondition(_Value, frozen=True):
    """A fact that was observed when the plan was made; it is read again before anything is sent."""

    what: str
    value: Any


class Mark(_Value, frozen=True):
    """What becomes of one recorded event or step when a plan is executed: it is ``again`` executed, ``applied`` once
    more, or ``left`` out. ``words`` name it."""

    position: int
    kind: Literal["again", "applied", "left"]
    words: str


class PlanItem(_Value, frozen=True):
    """What one staged action will do to its target.

    ``calls`` is the exact SQL or client call, as shown. ``refused`` is why it must not run ("" when it may): what
    would be a silent no-op is refused with the reason. ``new_run`` is True where the outcome is another run.
    ``inverse`` undoes it, or ``irreversible`` says why nothing can. ``race`` names what remains unprotected where
    the engine has no compare-and-swap. ``reason_required``: the source wants to know why, whatever its environment;
    ``typed`` is what must be typed, likewise.
    ``copy_as`` maps "SQL", "CLI", "Python" to quoted text. ``cut`` is the position from which on the run's history is
    dropped, None where all of it stays; ``marks`` say of what lies there what comes again.
    """

    staged: Staged
    title: str
    calls: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    preconditions: tuple[Precondition, ...] = ()
    refused: str = ""
    new_run: bool = False
    inverse: Staged | None = None
    irreversible: str = ""
    race: str = ""
    side_effects: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    dedupes: bool = False
    danger: Danger = Danger.CHANGES
    reason_required: bool = False
    typed: str = ""
    copy_as: dict[str, str] = {}
    cut: int | None = None
    marks: tuple[Mark, ...] = ()


class Plan(_Value, frozen=True):
    """Plans of all staged actions on one source, as one thing to confirm."""

    id: str
    source: str
    environment: str
    items: tuple[PlanItem, ...]

    @property
    def runnable(self) -> tuple[PlanItem, ...]:
        return tuple(item for item in self.items if not item.refused)

    @property
    def digest(self) -> str:
        """SHA-256 of the plan as shown: what was confirmed is what is executed."""
        return hashlib.sha256(msgspec.msgpack.encode(self.items)).hexdigest()


class Verdict(StrEnum):
    APPLIED = "applied"
    NOT_APPLIED = "not applied"
    UNKNOWN = "cannot be known"


class Outcome(_Value, frozen=True):
    """What became of an intent, and how we know. ``stale`` when a precondition no longer held: nothing was sent."""

    verdict: Verdict
    evidence: tuple[str, ...] = ()
    stale: bool = False
    new_ref: RunRef | None = None
    pending: str = ""  # applied, but its effect is still awaited ("nothing has taken the signal yet")


class Receipt(_Value, frozen=True):
    """What an execution did: its outcome, what was read back, and the inverse where one exists."""

    request_id: str
    outcome: Outcome
    changes: tuple[Change, ...] = ()
    inverse: Staged | None = None
    took_ns: int = 0


class Intent(_Value, frozen=True):
    """What is written to the journal before anything is sent, and what ``settle`` gets after a crash.

    ``applied``: that is certain already; what is asked is how far its effect is.
    """

    request_id: str
    source: str
    item: PlanItem
    applied: bool = False


def new_request_id() -> str:
    """A random request id; ids that the engine lets us choose derive from it (``derived_id``)."""
    return str(uuid.uuid4())


def derived_id(request_id: str, purpose: str) -> str:
    """A stable id for a thing made by a request (a fork's run id, a message key): UUID version 5."""
    return str(uuid.uuid5(uuid.UUID(request_id), purpose))


class Signature(_Value, frozen=True):
    """Who acts and why, for engines that record it beside what was done."""

    who: str = ""
    reason: str = ""


class Actor(ABC):
    """The writing half of an engine, opened in a child process that may be killed at any moment.

    It opens its own connection for writing, refuses schema versions that were not tested, and never retries a
    write by itself.
    """

    concurrent = False
    signature = Signature()

    @abstractmethod
    def open(self, cancel: CancelToken) -> None:
        """Connects. Raises PlayheadError, and refuses an untested schema version."""

    def sign(self, signature: Signature, cancel: CancelToken) -> None:
        """Says, after ``open``, who acts and why."""
        self.signature = signature

    @abstractmethod
    def execute(self, item: PlanItem, request_id: str, cancel: CancelToken) -> Receipt:
        """Reads the preconditions again, acts, and reads back until the state moved.

        Reports through ``cancel.progress`` ("waiting for the lock"). A stale precondition is an outcome, not an error.
        """

    def together(self, action: str, cancel: CancelToken) -> int:
        """How many items of a bulk job it can send in one transaction; 1 where each has its own."""
        return 1

    def execute_many(
        self, asked: tuple[tuple[PlanItem, str], ...], cancel: CancelToken
    ) -> list[Receipt | PlayheadError]:
        """As ``execute``, for items with their request ids: the receipt or the error of each, in order.

        Raises what makes the outcome of all of them uncertain.
        """
        return [self._ended(item, request_id, cancel) for item, request_id in asked]

    def _ended(self, item: PlanItem, request_id: str, cancel: CancelToken) -> Receipt | PlayheadError:
        try:
            return self.execute(item, request_id, cancel)
        except PlayheadError as error:
            return error

    @abstractmethod
    def settle(self, intent: Intent, cancel: CancelToken) -> Outcome:
        """What became of an intent whose owner died, or how far the effect is of one that was applied; reads only.

        ``pending`` says what is still awaited: it is asked for again when somebody looks.
        """

    @abstractmethod
    def close(self) -> None:
        """Frees everything; may be called twice."""


def _aim(staged: Staged) -> tuple[str, str, str | None, str]:
    target = staged.target
    return target.kind, target.id, target.step_id, staged.action


class Draft:
    """Staged actions of one source, with undo. GUI thread or command line."""

    def __init__(self) -> None:
        self._steps: list[tuple[Staged, ...]] = [()]

    @property
    def staged(self) -> tuple[Staged, ...]:
        return self._steps[-1]

    @property
    def can_undo(self) -> bool:
        return len(self._steps) > 1

    def add(self, *staged: Staged) -> None:
        """Stages actions; one for the same target and action replaces the earlier one."""
        fresh = {(s.target, s.action) for s in staged}
        kept = tuple(s for s in self.staged if (s.target, s.action) not in fresh)
        self._steps.append(kept + staged)

    def remove(self, staged: Staged) -> None:
        """Takes an action off, as staged or as its plan has it: with other arguments, where the plan resolved them."""
        kept = tuple(s for s in self.staged if _aim(s) != _aim(staged))
        if kept != self.staged:
            self._steps.append(kept)

    def clear(self) -> None:
        if self.staged:
            self._steps.append(())

    def undo(self) -> None:
        """Takes the last change of the draft back."""
        if self.can_undo:
            self._steps.pop()

    def diff(self, other: tuple[Staged, ...]) -> tuple[tuple[Literal["+", "-"], Staged], ...]:
        """What this draft adds to and lacks of another state of it."""
        removed = [("-", s) for s in other if s not in self.staged]
        added = [("+", s) for s in self.staged if s not in other]
        return (*removed, *added)  # type: ignore[arg-type]
