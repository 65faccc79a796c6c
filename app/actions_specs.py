"""What an operator can do to what is looked at: asked of the source whenever that changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal

from app.context import Source
from app.jobs import Jobs
from engine_bridge.actions.model import ActionSpec, Staged, Target
from engine_bridge.bridge import Capability
from engine_bridge.errors import PlayheadError

_SETTLE_MS: Final = 60
_ASKED: Final = 8  # of many targets, so many are asked what can be done to them


@dataclass(frozen=True, slots=True)
class Offered:
    """Actions on some targets. ``reason`` says why there are none; ``staged`` are those staged on these targets,
    ``draft`` all that are staged on their source.

    With several targets the specs are those of the first ones, and only what can be done in bulk is enabled.
    """

    targets: tuple[Target, ...] = ()
    specs: tuple[ActionSpec, ...] = ()
    reason: str = ""
    staged: tuple[Staged, ...] = field(default=())
    draft: tuple[Staged, ...] = field(default=())

    def spec(self, action: str) -> ActionSpec | None:
        return next((spec for spec in self.specs if spec.id == action), None)

    def with_reasons(self) -> list[tuple[ActionSpec, str]]:
        """Every action with why it cannot be staged now, as menus show them."""
        return [(spec, self.why_not(spec.id)) for spec in self.specs]

    def why_not(self, action: str) -> str:
        """Why an action cannot be staged now; "" when it can."""
        spec = self.spec(action)
        if spec is None:
            return self.reason or "what is chosen here has no such action"
        if len(self.targets) > 1:
            return "" if spec.bulk else "it works on one run at a time"
        return spec.disabled


def merged(answers: list[list[ActionSpec]]) -> tuple[ActionSpec, ...]:
    """The first target's actions; one that is disabled there gives way to the same one of a target where it is not."""
    found = []
    for spec in answers[0]:
        others = (other for specs in answers for other in specs if other.id == spec.id)
        found.append(next((other for other in others if not other.disabled), spec))
    return tuple(found)


class Specs(QObject):
    """Keeps ``offered`` true to the targets it was told last. GUI thread. ``changed`` comes after each answer."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.offered = Offered(reason="no run is open")
        self._jobs = Jobs(self)
        self._source: Source | None = None
        self._targets: tuple[Target, ...] = ()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLE_MS)
        self._timer.timeout.connect(self._ask)

    def look(self, source: Source | None, targets: tuple[Target, ...], *, again: bool = True) -> None:
        """Asks what can be done to targets of a source, shortly: selections move in bursts.

        ``again``: also when they are those that were asked about last, for their state may have moved.
        """
        moved = source is not self._source or targets != self._targets
        self._source, self._targets = source, targets
        if moved:
            self._jobs.cancel_all()
            self._set(Offered(targets=targets, reason=self._why_not() or "the source is being asked"))
        if (moved or again) and not self._why_not():
            self._timer.start()

    def _why_not(self) -> str:
        if self._source is None:
            return "no source is chosen"
        if not self._targets:
            return "nothing is chosen to act on"
        return self._source.can(Capability.ACTIONS)

    def _ask(self) -> None:
        source, targets = self._source, self._targets
        self._jobs.cancel_all()
        if source is None or source.session is None or not targets:
            return
        asked = targets[:_ASKED]
        answers: dict[int, list[ActionSpec]] = {}

        def arrived(number: int, specs: list[ActionSpec]) -> None:
            answers[number] = specs
            if len(answers) == len(asked):
                found = merged([answers[n] for n in range(len(asked))])
                self._set(Offered(targets=targets, specs=found))

        for number, target in enumerate(asked):
            self._jobs.run(
                f"actions {number}",
                source.session,
                "actions",
                target,
                on_result=partial(arrived, number),
                on_error=self._on_error,
            )

    def _on_error(self, error: PlayheadError) -> None:
        self._set(Offered(targets=self._targets, reason=error.message))

    def _set(self, offered: Offered) -> None:
        if offered != self.offered:
            self.offered = offered
            self.changed.emit()

    def stop(self) -> None:
        self._timer.stop()
        self._jobs.cancel_all()
