"""Tells an entity's rows as a history: one event for each history row, a span for each stay in a status. Pure.

What is not recorded is inferred with its evidence: a change without a history row, a first status without a first row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from engine_bridge.engines.entity_state.history_beside import Aside, asides
from engine_bridge.engines.entity_state.history_drafts import FIRST, Draft, Stay, Tale
from engine_bridge.engines.entity_state.history_rows import MoveRow, Story, run_code, stay_status
from engine_bridge.engines.entity_state.revisions_force import FACT, IN_FORCE
from engine_bridge.model import EventKind, Evidence, Provenance, Step, StepKind, StepStatus

_NO_PLACE: Final = "?"
_SECOND_NS: Final = 1_000_000_000


def tell(story: Story) -> Tale:
    """The tale of a story."""
    teller = _Telling(story)
    teller.begin()
    for row in story.moves:
        teller.beside(row.at_ns)
        teller.move(row)
    teller.beside_rest()
    teller.end()
    steps = [*(stay.step() for stay in teller.stays), *teller.others]
    status = teller.here.status if teller.here is not None else _NO_PLACE
    return Tale(story, status, teller.drafts, steps, story.notes)


class _Telling:
    """One pass over a story's rows."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.drafts: list[Draft] = []
        self.stays: list[Stay] = []
        self.others: list[Step] = []
        self._asides = asides(story)
        self._told = 0
        self._last = ""
        self._ids: Counter[str] = Counter()

    @property
    def here(self) -> Stay | None:
        """The stay that the entity is in."""
        return self.stays[-1] if self.stays else None

    def _open(self, id_: str, status: str, start_ns: int | None) -> Stay:
        roles = self.story.roles
        used = self._ids[id_] = self._ids[id_] + 1
        stay = Stay(id_ if used == 1 else f"{id_} #{used}", status, roles.role(status), start_ns)
        ttl = roles.ttl_s(status)
        if ttl is not None and start_ns is not None:
            stay.planned_ns = start_ns + int(ttl * _SECOND_NS)
            stay.detail = f"claim, for {ttl:g} s at most"
        self.stays.append(stay)
        return stay

    def _enter(self, stay: Stay, draft: Draft) -> None:
        draft.step_id, draft.step_name = stay.id, stay.status
        draft.status = stay_status(stay.role)
        draft.run_code = run_code(stay.role)
        self.drafts.append(draft)

    def begin(self) -> None:
        """The stay before the first history row, with the entity's creation."""
        story, entity = self.story, self.story.entity
        first = story.moves[0] if story.moves else None
        provenance, evidence = Provenance.REBUILT, ""
        if first is None:
            status, provenance, evidence = self._alone()
        elif first.source is not None:
            status, evidence = first.source, "the first history row leaves this status"
        elif story.initial is not None and story.initial != first.target:
            status, provenance = story.initial, Provenance.INFERRED
            evidence = "entities of this type begin on this status"
        else:
            return
        stay = self._open(FIRST, status, entity.created_ns)
        stay.provenance = provenance
        stay.evidence = (Evidence(rule="first status", facts=(evidence,)),) if evidence else ()
        if first is None and status != story.initial:
            self._since_update(stay)
        name = "created" if entity.created_ns is not None else "first known"
        draft = Draft("created", EventKind.RUN_CREATED, name, (status,), entity.created_ns)
        draft.provenance, draft.evidence, draft.detail = provenance, stay.evidence, status
        if entity.created_ns is not None:
            draft.provenance = Provenance.RECORDED
            draft.fields = {"detail": provenance}
        self._enter(stay, draft)

    def _alone(self) -> tuple[str, Provenance, str]:
        """The status of an entity without history rows."""
        status = self.story.entity.status
        if status is not None:
            known = "the row's status; nothing records how it came there"
            return status, Provenance.REBUILT, "" if status == self.story.initial else known
        rule = "no transition is recorded: entities of this type begin on this status"
        return self.story.initial or _NO_PLACE, Provenance.INFERRED, rule

    def _since_update(self, stay: Stay) -> None:
        """Guesses the start of a stay that no row records by the row's last update."""
        updated = self.story.entity.updated_ns
        stay.start_ns = updated
        if updated is not None:
            stay.fields = stay.fields | {"start_ns": Provenance.INFERRED}
            fact = "the row's last update; the status may be older, if something else was updated"
            stay.evidence += (Evidence(rule="start of the stay", facts=(fact,)),)

    def move(self, row: MoveRow) -> None:
        """One history row: the stay before ends, the next begins."""
        here = self.here
        if here is not None and row.source is not None and row.source != here.status:
            self._gap(row.source, None, f"the next history row leaves {row.source}")
            here = self.here
        source = row.source if row.source is not None else here.status if here is not None else None
        if here is not None:
            here.leave(row.at_ns, _left_as(here, row))
        stay = self._open(row.order, row.target, row.at_ns)
        stay.attributes = _shown(row)
        draft = Draft(f"m:{row.order}", EventKind.STATUS_CHANGED, row.step or "status changed")
        draft.prints, draft.time_ns = (row.source, row.target, row.at_ns), row.at_ns
        draft.detail = f"{source} → {row.target}" if source is not None else f"→ {row.target}"
        draft.attributes = stay.attributes
        draft.payloads = (row.metadata,) if row.metadata is not None else ()
        if row.source is None and source is not None:
            draft.fields = {"detail": Provenance.REBUILT}
            draft.evidence = (Evidence(rule="from", facts=("the status of the row before",)),)
        if FACT in row.facts:
            draft.fields = draft.fields | {FACT: Provenance.INFERRED}
            draft.evidence += (Evidence(rule="config in force", facts=(IN_FORCE,)),)
        if row.bad:
            draft.evidence += (Evidence(rule="unreadable row", facts=(row.bad,)),)
        self._enter(stay, draft)
        self._last = row.order

    def _gap(self, status: str, at_ns: int | None, fact: str) -> None:
        """A change that no history row records."""
        here = self.here
        said = here.status if here is not None else _NO_PLACE
        facts = (f"history says {said}", fact, "changed without a history row, as by raw SQL")
        evidence = (Evidence(rule="drift", facts=facts),)
        fields = {"start_ns": Provenance.INFERRED} if at_ns is not None else {}
        if here is not None:
            here.leave(at_ns, StepStatus.COMPLETED)
            here.fields = here.fields | {"end_ns": Provenance.INFERRED}
        stay = self._open(f"after {self._last or FIRST}", status, at_ns)
        stay.provenance, stay.evidence, stay.fields = Provenance.INFERRED, evidence, fields
        draft = Draft(f"g:{self._last}:{status}", EventKind.STATUS_CHANGED, "changed outside the history")
        draft.time_ns, draft.provenance, draft.evidence = at_ns, Provenance.INFERRED, evidence
        draft.detail = f"{said} → {status}"
        draft.attributes = {"drift": True}
        draft.fields = {"time_ns": Provenance.INFERRED} if at_ns is not None else {}
        self._enter(stay, draft)

    def beside(self, before_ns: int | None) -> None:
        """What other tables tell before a history row of that time."""
        while before_ns is not None and self._told < len(self._asides):
            aside = self._asides[self._told]
            if not aside.before(before_ns):
                return
            self._tell_aside(aside)

    def beside_rest(self) -> None:
        """What other tables tell after the last history row."""
        while self._told < len(self._asides):
            self._tell_aside(self._asides[self._told])

    def _tell_aside(self, aside: Aside) -> None:
        self._told += 1
        self.drafts.append(aside.tell(self.here))
        if aside.step is not None:
            self.others.append(aside.step)

    def end(self) -> None:
        """What the entity's row says beyond its history: drift, and who claims it."""
        entity, here = self.story.entity, self.here
        if entity.tells and entity.status is not None and here is not None and here.status != entity.status:
            updated = entity.updated_ns
            after = here.start_ns is None or (updated is not None and updated >= here.start_ns)
            self._gap(entity.status, updated if after else None, f"the row says {entity.status}")
            here = self.here
        if entity.claimed_by is None and entity.claimed_ns is None:
            return
        if here is not None and here.role == "claim":
            self._held(here)
        else:
            self._claim(here)

    def _held(self, stay: Stay) -> None:
        """The claim that the entity stands on is that of its claim columns."""
        entity, ttl = self.story.entity, self.story.roles.ttl_s(stay.status)
        if entity.claimed_by is not None:
            stay.attributes = stay.attributes | {"claimed_by": entity.claimed_by}
            stay.detail = f"claimed by {entity.claimed_by}" + (f" for {ttl:g} s at most" if ttl else "")
        if entity.claimed_ns is not None and ttl is not None:
            stay.planned_ns = entity.claimed_ns + int(ttl * _SECOND_NS)

    def _claim(self, stay: Stay | None) -> None:
        """A claim that is no status of its own."""
        entity = self.story.entity
        who = entity.claimed_by or "somebody"
        key = f"c:{entity.claimed_ns}:{who}"
        step = Step(
            id="claim",
            name=f"claim of {who}",
            kind=StepKind.OTHER,
            status=StepStatus.RUNNING,
            start_ns=entity.claimed_ns,
            parent_step=stay.id if stay is not None else None,
            attributes={"claimed_by": who},
        )
        self.others.append(step)
        draft = Draft(key, EventKind.STEP_STARTED, "claimed", (), entity.claimed_ns, step.id, step.name)
        draft.status, draft.detail = step.status, f"by {who}"
        self.drafts.append(draft)


def _left_as(stay: Stay, row: MoveRow) -> StepStatus:
    kind = row.facts.get("kind")
    if stay.open_failures and stay.broken is not None and stay.broken.time_ns == row.at_ns:
        return StepStatus.FAILED
    if stay.role == "claim" and kind in ("janitor", "released"):
        return StepStatus.TIMED_OUT if kind == "janitor" else StepStatus.CANCELLED
    return StepStatus.COMPLETED


def _shown(row: MoveRow) -> dict[str, Any]:
    return {name: value for name, value in row.facts.items() if value is not None}


def positions(tale: Tale) -> Iterator[tuple[str, int]]:
    """The position of every history row, by its order, in a fresh reading."""
    for position, draft in enumerate(tale.drafts, 1):
        if draft.key.startswith("m:"):
            yield draft.key[2:], position
