"""The demo's community: entities whose status column is the state of their workflow."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import quote

import resources
from app.demo_build import Builder
from app.demo_world import World

MAPPING: Final = Path(resources.__file__).parent / "demo_entities" / "community.toml"
NEXT: Final = MAPPING.parent.with_name("demo_entities_next") / "registration.json"
"""A release that is yet to come."""


class CommunityBuilder(Builder):
    """One worker executes all of it: its engine is given a clock that leaps."""

    def execute(self) -> None:
        """Has the worker execute the past."""
        worker = self.spawn("past", "past", 1.0, "--users", str(self.size))
        self.until(lambda: not worker.alive)

    def finish(self) -> None:
        """Says so; there is nothing left to do."""
        self.report(96, "The community's past has been executed")

    def told(self, done: int) -> str:
        """What is being done."""
        return "The community's past is being executed"


COMMUNITY: Final = World(
    name="community",
    file="community.sqlite",
    module="resources.demo_entities.worker",
    proof="workflow_history",
    address=lambda file: f"entity+sqlite:///{quote(str(file))}?mapping={quote(str(MAPPING))}",
    builder=CommunityBuilder,
    size=380,
    weight=1.0,
)
