"""Runner part: one replay of a record: how far the code is, what was told of it, and why it stopped."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

from engine_bridge.engines.dbos.replay_parts.orders import Orders
from engine_bridge.engines.dbos.replay_parts.recorded import KINDS, NOW, TIMED, Recorded
from engine_bridge.replay.runners.channel import Stop
from engine_bridge.replay.runners.loop import Recorder

AGAIN_MOST = 8
_PLACE = ("file", "line", "function")


class Walk:
    """The state of one replay. Steps are told in the order in which the code called them, which does not depend on
    which thread of dbos comes first. Of several stops the one of the first step counts. Any thread.
    """

    def __init__(self, recorded: Recorded, recorder: Recorder, orders: Orders) -> None:
        self.recorded = recorded
        self.orders = orders
        self.id = recorded.id
        self.concurrent = False
        self.thread = 0
        self.places: dict[int, dict[str, Any]] = {}
        self.stacks: dict[int, list[tuple[str, int]]] = {}
        self.starts: set[int] = set()
        self.visited: set[int] = set()
        self.asked: dict[int, str] = {}
        self.drift: list[dict[str, Any]] = []
        self.stop: Stop | None = None
        self.stopped_at = 0.0
        self.outcome: tuple[str, Any, Any] | None = None
        self.error: BaseException | None = None
        self.done = threading.Event()
        self.last_place: dict[str, Any] = {}
        self.apart = 0
        self.unread: list[tuple[int, Exception]] = []
        self._recorder = recorder
        self._fid = 0
        self._swallowed = 0
        self._furthest = 0
        self.newest = 0
        self._lock = threading.RLock()
        self._sites: dict[int, dict[str, Any]] = {}
        self._called: deque[int] = deque()
        self._ready: dict[int, dict[str, Any]] = {}
        self._drift_of: dict[int, list[dict[str, Any]]] = {}

    def take(self, fid: int, site: dict[str, Any]) -> None:
        """The code took a step id: it stands at the call."""
        with self._lock:
            self.places[fid] = site["place"]
            self.stacks[fid] = [(f["file"], f["line"]) for f in site["stack"] if f["kind"] == "user"]
            self.orders.take(fid)
            self.newest = max(self.newest, fid)
            self.last_place = site["place"] or self.last_place
            self._sites[fid] = site
            self._called.append(fid)

    def tell(self, fid: int, asked: str) -> None:
        """The code asks for a step: told once, with where it stood when it called it."""
        with self._lock:
            if fid in self.visited:
                return
            self.visited.add(fid)
            self._furthest = max(self._furthest, fid)
            self.asked[fid] = asked
            site = self._sites.pop(fid, {})
            self._ready[fid] = {
                "kind": "patch" if asked.startswith("DBOS.patch") else KINDS.get(asked, "step"),
                "step_id": str(fid),
                "recorded": self.recorded.name(fid),
                "stack": site.get("stack", []),
                "tasks": site.get("tasks", []),
                "via": site.get("via", "stack"),
            }
            self._send()

    def _send(self) -> None:
        if not self.concurrent:
            self._send_all()
            return
        while self._called and (self._called[0] in self._ready or self._is_passed(self._called[0])):
            fid = self._called.popleft()
            if fid in self._ready:
                self._send_one(fid)

    def _is_passed(self, fid: int) -> bool:
        # What the history does not hold is told at the end: until then it may still go away.
        unknown = fid not in self.recorded.steps
        return unknown or self.recorded.is_timeout(fid) or self.asked.get(fid - 1) in TIMED

    def _send_all(self) -> None:
        self._called.clear()
        for fid in sorted(self._ready):
            self._send_one(fid)

    def _send_one(self, fid: int) -> None:
        drift = self._drift_of.pop(fid, [])
        self._recorder.step(self.asked[fid], **self._ready.pop(fid), drift=drift)

    def finish(self) -> None:
        """Tells what was held back."""
        with self._lock:
            self._send_all()

    def drifted(self, what: str, recorded: Any, replayed: Any, fid: int = 0, note: str = "") -> None:
        """Notes what differs while dbos passes in silence. Values are pictures already."""
        entry = {"what": what, "recorded": recorded, "replayed": replayed}
        entry |= {"step_id": str(fid)} if fid else {}
        entry |= {"note": note} if note else {}
        with self._lock:
            self.drift.append(entry)
            if fid:
                self._drift_of.setdefault(fid, []).append(entry)

    def halt(self, fid: int, kind: str, **values: Any) -> Stop:
        """The stop to raise. Code that swallows it gets the same one again."""
        with self._lock:
            if self.stop is None or 0 < fid < self._fid:
                self.stop, self._fid = Stop(kind, **values), fid
                self.stopped_at = time.monotonic()
            return self.stop

    def again(self) -> Stop:
        """The stop for code that goes on after it; code that will not end is left standing where it is."""
        with self._lock:
            self._swallowed += 1
            stop = self.stop or Stop("cancelled")
        if self._swallowed > AGAIN_MOST:
            self.leave()
        return stop

    def leave(self) -> None:
        """Leaves this thread standing for ever: its code does not end. Not the loop's, which other runs need."""
        self.done.set()
        if not (self.concurrent and threading.get_ident() == self.thread):
            threading.Event().wait()

    def frontier(self, fid: int, asked: str) -> dict[str, Any]:
        """What a run does that stands before a step without a recorded result: a Now."""
        recorded, kind = self.recorded, NOW.get(KINDS.get(asked, ""), "step")
        now: dict[str, Any] = {
            "kind": kind,
            "what": asked,
            "step_id": str(fid),
            "at": self.places.get(fid, {}),
        }
        if asked in TIMED and recorded.name(fid + 1) == "DBOS.sleep":
            now["until_ns"] = recorded.wake_ns(fid + 1)
        if recorded.queued:
            until = recorded.row.get("delay_until_epoch_ms")
            now |= {"kind": "queued", "what": f"waits in {recorded.queue}; then {asked}"}
            now |= {"until_ns": int(until) * 1_000_000} if until else {}
        return now

    def waits_elsewhere(self, fid: int, asked: str) -> bool:
        """Whether the run is known to wait for a message at a step where the code asks for something else."""
        # Only in code that does one thing after the other: the time limit of a wait is written before its result.
        waits = self.recorded.last == fid + 1 and self.recorded.name(fid + 1) == "DBOS.sleep"
        return waits and not self.concurrent and asked not in TIMED

    def next_held(self) -> dict[str, str]:
        """What the history goes on with: the first step that the code did not ask for, else the end."""
        left = self.unvisited()
        if not left:
            return {"expected": f"the end of the run ({self.recorded.status})", "step_id": ""}
        return {"expected": self.recorded.name(left[0]) or "", "step_id": str(left[0])}

    def is_other(self, fid: int, asked: str) -> bool:
        """Whether a recorded step is something else than what the code asks for, be it of the same name."""
        row = self.recorded.steps[fid]
        if row["function_name"] != asked:
            return True
        launched = row.get("child_workflow_id") is not None
        if fid in self.starts:
            return not launched and row.get("error") is None
        return launched and not asked.startswith("DBOS.")

    def result_of(self, child: str) -> int:
        """The next recorded step that read a child's result, 0 when there is none left."""
        read = self.recorded.reads.get(child, ())
        return next((fid for fid in read if fid not in self.visited and fid not in self.places), 0)

    def launch_of(self, child: str) -> str:
        """The step that started a child."""
        rows = self.recorded.steps.items()
        return next((str(fid) for fid, row in rows if row.get("child_workflow_id") == child), "")

    @property
    def is_behind(self) -> bool:
        """Whether the history goes on behind the last step that the code asked for."""
        last = self.recorded.last
        return self._furthest < (last - 1 if self.recorded.is_timeout(last) else last)

    def unvisited(self) -> list[int]:
        """Recorded steps that the code did not ask for, without the time limits of waits."""
        left = sorted(set(self.recorded.steps) - self.visited)
        return [n for n in left if not self.recorded.is_timeout(n) and self.asked.get(n - 1) not in TIMED]


def place_of(frame: dict[str, Any]) -> dict[str, Any]:
    """The line of a frame's record."""
    return {key: frame[key] for key in _PLACE}
