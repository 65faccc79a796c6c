"""A third engine, for tests: a workflow is a plain function ``flow(step)``, a history the list of what steps gave."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from engine_bridge.replay.model import Project, ReplayInput, RunnerSpec

SPEC: Final = RunnerSpec(
    engine="plain",
    title="Plain functions",
    runner="tests.engine_bridge.replay.plain:walk.py+engine.py",
    library="json",
    supported=">=2,<3",
)


def recorded(
    run_id: str, steps: Sequence[tuple[str, Any]], *, closed: bool = True, flow: str = "flow"
) -> ReplayInput:
    """One run as this engine records it: names and results in order, and whether it is over."""
    data = json.dumps({"flow": flow, "steps": [list(step) for step in steps], "closed": closed}).encode()
    return ReplayInput(run_id=run_id, type=flow, data=data, steps=len(steps))


def project(file: Path, **more: Any) -> Project:
    """One file of workflows, run by the interpreter of the tests."""
    values = {"python": sys.executable, "modules": (str(file),), "paths": (str(file.parent),), **more}
    return Project(code=str(file), **values)
