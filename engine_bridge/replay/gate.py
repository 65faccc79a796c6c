"""The gate: many histories against one version of the code, in parallel, before it is deployed.

Each worker thread owns one runner process at a time and gives it a batch of runs. A run that crashes, hangs or takes
too much ends that process alone: what was not begun goes to the next one.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from engine_bridge.cancel import CancelToken
from engine_bridge.replay.gate_batch import Batch, Case
from engine_bridge.replay.gate_report import GateReport, Result, Runner
from engine_bridge.replay.grouping import group
from engine_bridge.replay.model import Outcome, Project, ReplayInput, RunnerSpec
from engine_bridge.replay.progress import left_words, words
from engine_bridge.replay.protocol import Progress
from engine_bridge.replay.supervisor import Limits, Warm

OnProgress = Callable[[int, int | None, str], None]
LIMITS: Final = Limits(busy_s=10.0)
_MOST: Final = 400
"""Runs a process replays: its start costs as much as replaying some forty."""
_LARGEST: Final = 32 << 20


class GateJob(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate is to do. ``parallel`` 0: as many processes as cores; ``total`` of the inputs, None when unknown."""

    spec: RunnerSpec
    project: Project
    parallel: int = 0
    total: int | None = None
    limits: Limits = LIMITS


def run_gate(
    job: GateJob,
    inputs: Iterable[ReplayInput | Result],
    cancel: CancelToken,
    on_result: Callable[[Result], None] = lambda result: None,
) -> GateReport:
    """Replays all inputs and groups what they show. Blocks; any thread.

    ``inputs`` is read lazily, in worker threads, one at a time; a Result among them (its input could not be read) is
    taken as it is. Progress goes to ``cancel``; ``on_result`` hears every result as it comes, one at a time. When
    cancelled it ends the processes and answers with what came so far.
    """
    return _Gate(job, inputs, cancel, on_result).run()


def cores() -> int:
    """How many processes can work at once for us."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Gate:
    def __init__(
        self,
        job: GateJob,
        inputs: Iterable[ReplayInput | Result],
        cancel: CancelToken,
        on_result: Callable[[Result], None],
    ) -> None:
        self._job = job
        self._inputs: Iterator[ReplayInput | Result] = iter(inputs)
        self._cancel = cancel
        self._on_result = on_result
        self._reading = threading.Lock()
        self._lock = threading.RLock()  # whoever hears of a result may cancel
        self._again: deque[Case] = deque()
        self._results: dict[int, Result] = {}
        self._given = 0
        self._dry = False
        self._open: set[Batch] = set()
        self._runner = Runner()
        self._unloadable: tuple[str, str, str] = ("", "", "")
        self._broken: BaseException | None = None
        self._parallel = self._processes()

    def _processes(self) -> int:
        wanted = self._job.parallel or cores()
        return max(1, min(wanted, self._job.total or wanted))

    def run(self) -> GateReport:
        began = time.monotonic()
        forget = self._cancel.add_hook(self._stop)
        workers = [
            threading.Thread(target=self._work, name=f"playhead-gate-{n}", daemon=True)
            for n in range(self._parallel)
        ]
        self._progress()
        try:
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        finally:
            forget()
        if self._broken is not None:
            raise self._broken
        return self._report(time.monotonic() - began)

    def _report(self, took_s: float) -> GateReport:
        results = tuple(self._results[number] for number in sorted(self._results))
        results = tuple(msgspec.structs.replace(result, number=n) for n, result in enumerate(results))
        error, hint, detail = self._unloadable
        stopped = self._cancel.cancelled or bool(error)
        return GateReport(
            code=self._job.project.code, interpreter=self._job.project.python, runner=self._runner, results=results,
            groups=group(results), complete=not stopped, error=error, hint=hint, detail=detail, took_s=took_s,
            processes=self._parallel,
        )  # fmt: skip

    # -- worker threads -------------------------------------------------------------------------------------

    def _work(self) -> None:
        project = self._job.project
        warm = Warm(self._job.spec, project.python, project.options.get("environment"))
        try:
            while not self._over():
                if self._expects():
                    warm.prepare()  # it imports the library while the inputs are read
                cases = self._take()
                if not cases:
                    return
                self._replay(cases, warm)
        except BaseException as error:  # noqa: BLE001  raised again in the thread that asked
            self._broken = self._broken or error
            self._stop()
        finally:
            warm.close()

    def _expects(self) -> bool:
        """Whether there are probably more inputs."""
        return bool(self._again) or not (self._dry or self._given == self._job.total)

    def _over(self) -> bool:
        return self._cancel.cancelled or self._broken is not None or bool(self._unloadable[0])

    def _take(self) -> list[Case]:
        """The next batch: what a process left behind, else new inputs, neither too many nor too large."""
        with self._lock:
            if self._again:
                cases = list(self._again)
                self._again.clear()
                return cases
        cases, size, most = [], 0, self._most()
        with self._reading:
            while len(cases) < most and size < _LARGEST and not self._dry and not self._over():
                value = next(self._inputs, None)
                if value is None:
                    self._dry = True
                    break
                self._given += 1
                if isinstance(value, Result):
                    self._keep(msgspec.structs.replace(value, number=self._given - 1))
                    continue
                cases.append(Case(self._given - 1, value))
                size += len(value.data)
        return cases

    def _most(self) -> int:
        """How many runs for the next process, so that all of them have work to the end."""
        total = self._job.total
        return _MOST if total is None else max(1, min(_MOST, -(-total // self._parallel)))

    def _replay(self, cases: list[Case], warm: Warm) -> None:
        batch = Batch(
            self._job.spec, self._job.project, cases, self._job.limits, self._keep, self._long, warm
        )
        with self._lock:
            self._open.add(batch)
        if not self._over():
            batch.run()
        with self._lock:
            self._open.discard(batch)
            self._runner = batch.runner if batch.runner.library else self._runner
            if batch.unloadable[0] and not self._over():
                self._unloadable = batch.unloadable
            self._again.extend(batch.left)
        if self._unloadable[0]:
            self._stop()

    def _keep(self, result: Result) -> None:
        with self._lock:
            if result.outcome is not Outcome.CANCELLED:
                self._results[result.number] = result
                self._on_result(result)
        self._progress()

    def _progress(self) -> None:
        self._cancel.progress_through(len(self._results), self._job.total, "replayed")

    def _long(self, progress: Progress) -> None:
        """A run that takes long: of one alone, its own progress."""
        if self._job.total == 1:
            self._cancel.progress_through(progress.done, progress.total, left_words(progress.left_s))
            return
        text = f"replayed; one run is at {words(progress)}"
        self._cancel.progress_through(len(self._results), self._job.total, text)

    def _stop(self) -> None:
        with self._lock:
            batches = list(self._open)
        for batch in batches:
            batch.cancel()
