"""Runner part: one walk along a recorded list of steps."""

from __future__ import annotations

from typing import Any

from engine_bridge.replay.runners.channel import Stop
from engine_bridge.replay.runners.loop import Recorder
from engine_bridge.replay.runners.pictures import picture


class Walk:
    """What user code calls as ``step(name)``: the recorded result, else the end of the replay."""

    def __init__(self, history: dict[str, Any], recorder: Recorder) -> None:
        self.steps = history["steps"]
        self.closed = history["closed"]
        self.recorder = recorder
        self.at = 0

    def __call__(self, name: str, *arguments: Any) -> Any:
        found = self.steps[self.at] if self.at < len(self.steps) else None
        if found is None and not self.closed:
            now = {"kind": "step", "what": name, "at": self.recorder.place()}
            raise Stop("stopped", now=now)
        values = {"stack": self.recorder.stack(), "position": self.at, "step_id": str(self.at)}
        if found is None or found[0] != name:
            self.recorder.step(name, recorded=found and found[0], **values)
            raise Stop("diverged", divergence=self.divergence(name, found))
        self.at += 1
        result = found[1]
        self.recorder.step(name, recorded=name, **values)
        return result

    def divergence(self, name: str, found: Any) -> dict[str, Any]:
        """Another step than the recorded one, or one too many."""
        kind, expected = ("other step", found[0]) if found else ("extra step", "the end")
        return {
            "kind": kind, "expected": expected, "actual": name, "step_id": str(self.at), "position": self.at,
            "at": self.recorder.place(),
        }  # fmt: skip

    def over(self, result: Any) -> dict[str, Any]:
        """How the run ends when the code has returned."""
        if self.at < len(self.steps):
            missing = {"kind": "early end", "expected": self.steps[self.at][0], "actual": "the end"}
            return {"outcome": "diverged", "divergence": {**missing, "position": self.at}}
        return {
            "outcome": "same",
            "drift": [{"what": "result", "replayed": picture(result)}] if isinstance(result, int) else [],
            "notes": [result] if isinstance(result, str) else [],
        }
