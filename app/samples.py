"""Recorded histories that come with Playhead, with the code that made them: a replay of them takes no server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Sample:
    """One of ``resources/samples``. ``file`` is below that folder."""

    id: str
    title: str
    note: str
    file: str
    keys: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """What to open."""
        import resources

        return resources.path().resolve() / "samples" / self.file


SAMPLES: Final = (
    Sample(
        id="loan",
        title="A Loan",
        note="121 recorded events with their Python code, to replay",
        file="loan/history.json",
        keys=("Ctrl+Alt+O",),
    ),
)
