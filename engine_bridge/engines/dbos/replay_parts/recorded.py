"""Runner part: what the history holds of one run, by step id."""

from __future__ import annotations

from typing import Any

TERMINAL = ("SUCCESS", "ERROR")
TIMED = ("DBOS.recv", "DBOS.getEvent")
KINDS = {
    "DBOS.recv": "wait", "DBOS.getEvent": "wait", "DBOS.readStream": "wait", "DBOS.readStreamOffset": "wait",
    "DBOS.sleep": "sleep", "DBOS.getResult": "child", "DBOS.waitFirst": "child", "DBOS.asyncio_wait": "wait",
}  # fmt: skip
NOW = {"wait": "waiting", "child": "child", "sleep": "sleeping"}
LAST = 1 << 62
_WRITTEN_MS = 100


class Recorded:
    """One run's record. ``steps`` maps a function id to its row; ``status`` is the recorded one.

    Two ids belong to a wait with a time limit: its own, and the next one for the time-out, which is written first.
    """

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
        own = (r for r in tables.get("workflow_input", ()) if r["workflow_uuid"] == self.id)
        self.inputs = next((row.get("inputs") for row in own), None) or self.row.get("inputs")
        self._order: dict[int, tuple[int, int, int]] = {}
        self.last = max(self.steps, default=0)
        self.began_ms = min(
            (row.get("started_at_epoch_ms") or LAST for row in self.steps.values()), default=0
        )
        self.again = int(self.row.get("recovery_attempts") or 0) > 1 or bool(self.row.get("forked_from"))
        """Whether it was executed again from a record: results that were there came at once, in any order."""
        self.names = {row["function_name"] for row in self.steps.values()}
        self.children = _children(tables, self.id)
        self.events = _by_step(tables.get("workflow_events_history", ()), self.id)
        self.streams = _by_step(tables.get("streams", ()), self.id)
        self.topics = {
            row["consumed_by_function_id"]: row["topic"]
            for row in tables.get("notifications", ())
            if row.get("consumed_by_function_id") is not None
        }
        outputs = {row["workflow_uuid"]: row for row in tables.get("workflow_output", ())}
        self.result: dict[str, Any] = outputs.get(self.id) or {
            "output": self.row.get("output"),
            "error": self.row.get("error"),
        }
        self.reads: dict[str, list[int]] = {}
        for fid in sorted(self.steps):
            if self.steps[fid]["function_name"] == "DBOS.getResult":
                self.reads.setdefault(self.steps[fid].get("child_workflow_id") or "", []).append(fid)
        self.results = {
            row["child_workflow_id"]: row
            for row in reversed(list(self.steps.values()))
            if row["function_name"] == "DBOS.getResult" and row.get("child_workflow_id")
        }

    @property
    def closed(self) -> bool:
        """Whether the record is whole: the code has nothing to do beyond it."""
        return self.status in TERMINAL

    @property
    def queued(self) -> bool:
        """Whether nobody executes it yet."""
        return self.status in ("ENQUEUED", "DELAYED")

    @property
    def queue(self) -> str:
        """The queue that it waits in, in words."""
        name = str(self.row.get("queue_name") or "")
        return "its queue" if not name or name.startswith("_dbos_") else name

    def name(self, fid: int) -> str | None:
        """What the history calls a step, None where it holds none."""
        row = self.steps.get(fid)
        return None if row is None else str(row["function_name"])

    def is_timeout(self, fid: int) -> bool:
        """Whether a recorded step is the time limit of the wait before it."""
        return self.name(fid) == "DBOS.sleep" and self.name(fid - 1) in TIMED

    def order(self, fid: int) -> tuple[int, int, int]:
        """Where a step comes in the order in which the code went on: a time, its place among equals, itself."""
        if not self._order:
            self._order = self._in_order()
        return self._order.get(fid, (LAST, fid, fid))

    def _in_order(self) -> dict[int, tuple[int, int, int]]:
        # Rows come as they were written, but for those that a fork copied. The code goes on when its row is written,
        # which is later than the time in it; behind a sleep it does so at the time in its row.
        written = not self.row.get("forked_from")
        found: dict[int, tuple[int, int, int]] = {}
        reached = 0
        for number, (fid, row) in enumerate(self.steps.items()):
            done = row.get("completed_at_epoch_ms")
            time = LAST if done is None else int(done)
            if written and done is not None:
                time = max(reached, time)
                reached = reached if row["function_name"] == "DBOS.sleep" else time
            found[fid] = (time, number if written else fid, fid)
        return found

    def doubt(self, fid: int, early: int) -> int:
        """About how many milliseconds of the record speak against a step having gone on that much before its place.

        A sleep or a timer is over at its time; all others go on some time after theirs, when they are written.
        """
        early = min(early, _WRITTEN_MS) if self.again else early
        return early + (_WRITTEN_MS if fid > 0 and self.name(fid) != "DBOS.sleep" else 0)

    def first_after(self, fid: int, name: str) -> int:
        """The first step of that name behind one, 0 when there is none."""
        return min(
            (n for n, row in self.steps.items() if n > fid and row["function_name"] == name), default=0
        )

    def next(self, fid: int) -> int:
        """The step that the code calls after one: without what belongs to that one (a child's result, a time limit)."""
        found = fid + 1
        launched = self.steps.get(fid, {}).get("child_workflow_id") is not None
        while self.is_timeout(found) or (launched and self.name(found) == "DBOS.getResult"):
            found += 1
        return found

    def wake_ns(self, fid: int) -> int | None:
        """When a recorded sleep or time limit ends."""
        try:
            return int(float(self.steps[fid]["output"]) * 1e9)
        except (KeyError, TypeError, ValueError):
            return None


def _children(tables: dict[str, Any], run: str) -> dict[str, dict[str, Any]]:
    found = {r["workflow_uuid"]: r for r in tables["workflow_status"] if r["workflow_uuid"] != run}
    inputs = {row["workflow_uuid"]: row for row in tables.get("workflow_input", ())}
    for child, row in found.items():
        row["inputs"] = (inputs.get(child) or {}).get("inputs") or row.get("inputs")
    return found


def _by_step(rows: Any, run: str) -> dict[int, dict[str, Any]]:
    found = {}
    for row in rows:
        if row["workflow_uuid"] == run and row.get("function_id") is not None:
            found[row["function_id"]] = row
    return found
