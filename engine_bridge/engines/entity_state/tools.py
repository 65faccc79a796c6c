"""What can be done with config files alone: findings, graphs, simulation, impact, replay, a report to keep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from engine_bridge.cancel import CancelToken
from engine_bridge.configs import (
    ConfigTools,
    ImpactReport,
    LintReport,
    Move,
    ReplayReport,
    Simulation,
)
from engine_bridge.errors import RejectedError, UsageError

if TYPE_CHECKING:
    from engine_bridge.engines.entity_state.lint import Loaded

Counts = Mapping[tuple[str, str], Mapping[str, int]]


class EntityConfigs(ConfigTools):
    """The tools for configs of the reference engine's form. Any thread; holds nothing."""

    def recognises(self, places: tuple[str, ...]) -> bool:
        """Whether a file at one of the places names a ``workflow_type``, in whatever shape the file is."""
        from engine_bridge.engines.entity_state.revisions import read

        return any('"workflow_type"' in file.text for file in read(places, CancelToken()).files)

    def lint(
        self,
        places: tuple[str, ...],
        cancel: CancelToken,
        *,
        tenant: str | None = None,
        counts: Counts | None = None,
    ) -> LintReport:
        """Findings, graphs and paths. Raises only CancelledError."""
        from engine_bridge.engines.entity_state.lint import loaded, report

        return report(loaded(places, cancel, tenant), counts, cancel)

    def html(self, report: LintReport) -> str:
        """One self-contained file: no script, no resource from anywhere, light and dark."""
        from engine_bridge.engines.entity_state.report_html import page

        return page(report)

    def simulate(
        self,
        places: tuple[str, ...],
        cancel: CancelToken,
        *,
        type: str | None = None,
        tenant: str | None = None,
        count: int = 10_000,
        seed: int = 0,
        chances: Mapping[str, Mapping[str, float]] | None = None,
    ) -> tuple[Simulation, ...]:
        """One simulation for each workflow type. Raises RejectedError where a config cannot be used, and UsageError."""
        from engine_bridge.engines.entity_state.lint import loaded
        from engine_bridge.engines.entity_state.simulate import check, simulate

        found = usable(loaded(places, cancel, tenant), type)
        documents = [
            found.catalogue.get(name, tenant) for name in found.catalogue.types if type in (None, name)
        ]
        check(documents, chances)
        return tuple(simulate(d, cancel, count=count, seed=seed, chances=chances) for d in documents)

    def impact(
        self,
        old: tuple[str, ...],
        new: tuple[str, ...],
        cancel: CancelToken,
        *,
        tenant: str | None = None,
        counts: Counts | None = None,
    ) -> ImpactReport:
        """What changes, and whom it strands. Raises only CancelledError."""
        from engine_bridge.engines.entity_state.impact import compare
        from engine_bridge.engines.entity_state.lint import loaded

        return compare(loaded(old, cancel, tenant), loaded(new, cancel, tenant), counts, cancel)

    def replay(
        self, places: tuple[str, ...], type: str, moves: Iterable[Move], cancel: CancelToken
    ) -> ReplayReport:
        """The first divergence of each entity, grouped. Raises RejectedError where the config cannot be used."""
        from engine_bridge.engines.entity_state.conformance import replay
        from engine_bridge.engines.entity_state.lint import loaded

        return replay(usable(loaded(places, cancel), type).catalogue, type, moves, cancel)


def usable(found: Loaded, type: str | None) -> Loaded:
    """Itself. Raises RejectedError (the first error) where a type has no usable config, UsageError where none is."""
    types = found.catalogue.types
    missing = not types if type is None else type not in types
    errors = [f for f in found.found if f.severity == "error"]
    if missing and errors:
        first = errors[0]
        where = f"{first.file}:{first.line}" if first.line else first.file
        raise RejectedError(
            f"The config cannot be used: {where}: {first.reason}.",
            first.fix,
            detail="\n".join(str(f) for f in errors),
        )
    if missing:
        raise UsageError(f"No config for the workflow {type!r}.", f"Known: {', '.join(types) or 'none'}.")
    return found
