"""Runner part: what the history holds of one run, and where the code stands in it."""

from __future__ import annotations

import threading
from typing import Any

from engine_bridge.replay.runners.channel import Stop

TERMINAL = ("SUCCESS", "ERROR")
WAITS = {"DBOS.recv": "wait", "DBOS.getEvent": "wait", "DBOS.sleep": "sleep", "DBOS.getResult": "child"}
_TIMED = ("DBOS.recv", "DBOS.getEvent")


class Recorded:
    """One run's record. ``steps`` maps a function id to its row; ``status`` is the recorded one."""

    def __init__(self, record: dict[str, Any]) -> None:
        tables = record["tables"]
        self.id: str = record["run"]
        self.row: dict[str, Any] = next(r for r in tables["workflow_status"] if r["workflow_uuid"] == self.id)
        self.status: str = self.row["status"]
        self.steps: dict[int, dict[str, Any]] = {
            row["function_id"]: row
            for row in tables.get("operation_outputs", ())
            if row["workflow_uuid"] == self.id
        }
        self.children = {
            r["workflow_uuid"]: r for r in tables["workflow_status"] if r["workflow_uuid"] != self.id
        }
        inputs = {row["workflow_uuid"]: row for row in tables.get("workflow_input", ())}
        for child, row in self.children.items():
            row["inputs"] = (inputs.get(child) or {}).get("inputs") or row.get("inputs")
        self.events = _by_step(tables.get("workflow_events_history", ()), self.id)
        self.streams = _by_step(tables.get("streams", ()), self.id)
        outputs = {row["workflow_uuid"]: row for row in tables.get("workflow_output", ())}
        self.result: dict[str, Any] = outputs.get(self.id) or {
            "output": self.row.get("output"),
            "error": self.row.get("error"),
        }

    @property
    def closed(self) -> bool:
        """Whether the record is whole: the code has nothing to do beyond it."""
        return self.status in TERMINAL


def _by_step(rows: Any, run: str) -> dict[int, dict[str, Any]]:
    found = {}
    for row in rows:
        if row["workflow_uuid"] == run and row.get("function_id") is not None:
            found[row["function_id"]] = row
    return found


class Walk:
    """One replay of a record: what was reached, and why it stopped. The first stop counts."""

    def __init__(self, recorded: Recorded) -> None:
        self.recorded = recorded
        self.id = recorded.id
        self.sites: dict[int, dict[str, Any]] = {}
        self.visited: set[int] = set()
        self.stop: Stop | None = None
        self.drift: list[dict[str, Any]] = []
        self.outcome: tuple[str, Any, Any] | None = None
        self.error: BaseException | None = None
        self.done = threading.Event()

    def halt(self, kind: str, **values: Any) -> Stop:
        """The stop to raise; user code that swallows it gets the same one again."""
        if self.stop is None:
            self.stop = Stop(kind, **values)
        return self.stop

    def unvisited(self) -> list[int]:
        """Recorded steps that the code did not ask for, without the time-outs that belong to a wait."""
        steps = self.recorded.steps
        left = sorted(set(steps) - self.visited)
        return [
            n
            for n in left
            if not (n - 1 in self.visited and steps.get(n - 1, {}).get("function_name") in _TIMED)
        ]

    def part(self, fid: int, asked: str) -> dict[str, Any]:
        """The divergence at a step where the code asks for something else than the history holds."""
        steps = self.recorded.steps
        held = steps.get(fid)
        if held is None:
            kind, expected = "extra step", "the end of the run"
        else:
            expected = str(held["function_name"])
            following = [steps[n]["function_name"] for n in sorted(steps) if fid < n <= fid + 8]
            kind = (
                "missing step" if asked in following else "extra step" if self._known(asked) else "other step"
            )
        site = self.sites.get(fid, {})
        return {
            "kind": kind,
            "expected": expected,
            "actual": asked,
            "step_id": str(fid),
            "at": site.get("place", {}),
            "message": f"Step {fid} of the history is {expected}; the code asks for {asked}.",
        }

    def _known(self, asked: str) -> bool:
        """Whether the code's step was put before one that the history holds: then it is one too many."""
        return all(row["function_name"] != asked for row in self.recorded.steps.values())
