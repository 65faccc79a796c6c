"""What inference looks at beyond the run's own rows: its queue, the versions, a likely topic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine_bridge.engines.dbos.history_rows import RawRun

HOLDERS: Final = 5


@dataclass(slots=True, frozen=True)
class QueueFacts:
    """A queue as recorded now; ``known`` is False where no queues row exists (declared in code only).

    ``ahead`` counts the runs that DBOS would take first; None when it was not counted. ``holders`` are the ids of
    some runs that run there now, one more than are told.
    """

    name: str
    known: bool = False
    partition: str | None = None
    queued: int = 0
    running: int = 0
    partition_running: int | None = None
    ahead: int | None = None
    concurrency: int | None = None
    worker_concurrency: int | None = None
    partition_concurrency: int | None = None
    rate_max: int | None = None
    rate_period_s: float | None = None
    holders: tuple[str, ...] = ()

    def facts(self) -> tuple[str, ...]:
        """The counts and limits as short sentences."""
        found = [] if self.ahead is None else [f"{self.ahead} ahead in {self._place()}"]
        found.append(f"{self.queued} queued and {self.running} running on {self.name}")
        if not self.known:
            found.append("its limits are declared in code only")
        if self.concurrency is not None:
            found.append(f"limit {self.concurrency} at once")
        if self.worker_concurrency is not None:
            found.append(f"limit {self.worker_concurrency} at once per worker")
        if self.partition_concurrency is not None:
            running = "" if self.partition_running is None else f", {self.partition_running} running"
            found.append(f"limit {self.partition_concurrency} at once per partition{running}")
        if self.rate_max is not None:
            found.append(f"limit {self.rate_max} starts per {self.rate_period_s or 0:g} s")
        if self.holders:
            more = " and more" if len(self.holders) > HOLDERS else ""
            found.append(f"running there: {', '.join(self.holders[:HOLDERS])}{more}")
        return tuple(found)

    def _place(self) -> str:
        return self.name if self.partition is None else f"{self.name} / {self.partition}"

    def holder(self) -> str | None:
        """The one run that leaves no room, None when there are several or none."""
        return self.holders[0] if len(self.holders) == 1 and self.reason() else None

    def reason(self) -> str:
        """The limit that leaves no room now, "" when none is seen to."""
        if self.concurrency == 0:
            return "paused: concurrency 0"
        if self.concurrency is not None and self.running >= self.concurrency:
            return f"{self.running} of {self.concurrency} running"
        busy, limit = self.partition_running, self.partition_concurrency
        if limit is not None and busy is not None and busy >= limit:
            return f"{busy} of {limit} running in partition {self.partition}"
        # A per-worker limit binds only through the number of workers, which is not recorded.
        if self.worker_concurrency is not None and self.running >= self.worker_concurrency:
            return f"{self.running} running, {self.worker_concurrency} per worker"
        return ""


@dataclass(slots=True, frozen=True)
class Context:
    """``latest`` is the newest registered application version and ``latest_ms`` when it was registered."""

    latest: str | None = None
    latest_ms: int | None = None
    queue: QueueFacts | None = None
    topic: str | None = None
    topic_from: str | None = None

    def stranded(self, run: RawRun) -> bool:
        """Whether only a worker of an older version would take this run up."""
        return run.version is not None and self.latest is not None and run.version != self.latest
