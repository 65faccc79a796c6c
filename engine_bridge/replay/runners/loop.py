"""Runner part: the life of a runner. Guards, then the library, then (once a job came) the user's code."""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

from engine_bridge.replay.runners.channel import Channel, Stop
from engine_bridge.replay.runners.debugger import LET_IN, Debugger, NoDebuggerError, listening
from engine_bridge.replay.runners.failures import failure
from engine_bridge.replay.runners.frames import Files, stack_from, user_frame
from engine_bridge.replay.runners.guard import Guard
from engine_bridge.replay.runners.kernel import deny_all
from engine_bridge.replay.runners.life import (
    die_with_parent,
    leave_stacks,
    limit,
    listen,
    peak_mb,
    watch,
)
from engine_bridge.replay.runners.lines import LineTracer, trace_nothing, trace_threads, without_files
from engine_bridge.replay.runners.modules import use_paths
from engine_bridge.replay.runners.pictures import STEP_NODES, Painter, forget_classes, picture

PROTOCOL = 1
SWALLOWED = 2000  # gathered tasks may stop each for itself
BLOCKED = 20  # told of one run; a loop may try for ever
PROGRESS_S = 0.3  # between two words on how far it is
_now, _cpu_ns = time.monotonic, time.process_time_ns


class Engine:
    """What an engine's part of a runner is: it knows its library, and nothing of the parent."""

    def warm(self) -> tuple[str, tuple[str, ...]]:
        """Imports the library before there is a job; its version, and the folders that it lives in."""
        raise RuntimeError("a runner needs an engine")

    def load(self, job: dict[str, Any], recorder: Recorder) -> dict[str, tuple[str, int]]:
        """Imports the user's code; its workflows with file and line."""
        raise RuntimeError("a runner needs an engine")

    def replay(self, item: dict[str, Any], recorder: Recorder) -> dict[str, Any]:
        """Replays one run and says how it ended (engine_bridge/replay/model.py: End), without the counts.

        User code that runs in the calling thread needs ``recorder.lines.here()`` before.
        """
        raise RuntimeError("a runner needs an engine")

    def handlers(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """Names of queries, signals … that each workflow declares, by kind, once the modules are loaded."""
        return {}

    def ask(self, item: dict[str, Any], questions: list[dict[str, Any]], recorder: Recorder) -> None:
        """Replays the run that was just told once more, and tells what its queries answer (Recorder.answer)."""
        for question in questions:
            recorder.answer(question, 0, 0, error="Runs of this engine answer no queries.")


class Nobody(io.TextIOBase):
    """Reads what is printed, and forgets it."""

    def write(self, text: str) -> int:
        return len(text)


class Recorder:
    """Tells the parent where the code is. ``step`` is called at every boundary, in the thread of the user's code."""

    def __init__(self, channel: Channel, job: dict[str, Any], files: Files) -> None:
        self.channel = channel
        self.files = files
        self.record = job.get("record", "full")
        self.lines = LineTracer(files, picture)
        self.blocked: list[dict[str, Any]] = []
        self.run_id = ""
        self.n = 0
        self.cancelled = False
        self.silent = False
        self.debugger: Debugger | None = None
        self.asking = False  # what the code tries while it is asked is no part of the replay
        self.since = 0.0  # when user code was last entered; 0 while it does not run
        self.thread = 0  # the one that was heard of last
        self._detail: tuple[int, int] | None = None
        self._marked: tuple[list[dict[str, Any]], bool] | None = None
        self._began = self._progressed = 0.0
        self.total = 0  # steps to come, where the engine does not tell its progress itself
        self._lock = threading.Lock()

    def attach(self, debugger: Debugger) -> None:
        """Waits for a debugger, before the user's code is imported. Raises NoDebuggerError."""
        debugger.start()
        self.debugger = debugger
        self.lines.yield_to_debugger()
        self.channel.holds = False
        self.channel.send("debug", port=debugger.port, debugpy=debugger.words)
        debugger.wait()
        self.channel.send("debug", port=debugger.port, debugpy=debugger.words, attached=True)

    def begin(self, item: dict[str, Any]) -> None:
        """A run begins; line records only in the steps asked for."""
        self.run_id, self.n, self.blocked = item["run_id"], 0, []
        Stop.made, Stop.first = 0, None
        self._marked = None
        detail = item.get("detail")
        self._detail = (detail[0], detail[1]) if detail else None
        forget_classes()
        self.lines.reset()
        self.lines.open(self._wanted(0))
        self.total = item.get("steps", 0)
        self._began = self._progressed = _now()
        if self.record == "places":
            self.channel.hold("begin", run_id=self.run_id, steps=self.total)
        else:
            self.channel.send("begin", run_id=self.run_id, steps=self.total)
            self.channel.eager()
        self.enter()

    def _wanted(self, n: int) -> bool:
        return self._detail is not None and self._detail[0] <= n <= self._detail[1]

    @property
    def detailed(self) -> bool:
        """Whether single lines of some step of this run are asked for."""
        return self._detail is not None

    @contextmanager
    def trial(self) -> Iterator[None]:
        """What runs in here is told to nobody and leaves nothing behind."""
        kept = self.n, self.record, self.blocked, self._detail, self._marked
        lines = self.lines.coverage, self.lines.last, self.lines.hits, self.lines.cut
        self.record, self.blocked, self._detail, self.silent = "bare", [], None, True
        self.lines.coverage, self.lines.hits = {}, None
        Stop.made, Stop.first = 0, None
        self.enter()
        try:
            with redirect_stdout(Nobody()), redirect_stderr(Nobody()):
                yield
        finally:
            self.n, self.record, self.blocked, self._detail, self._marked = kept
            self.lines.coverage, self.lines.last, self.lines.hits, self.lines.cut = lines
            self.silent = False
            self.enter()

    def enter(self) -> None:
        """User code runs from here on."""
        self.thread = threading.get_ident()
        self.since = _now()

    def leave(self) -> None:
        """No user code runs: the run is over."""
        self.since = 0.0

    def mark(self) -> None:
        """A boundary is here, which is told later: lines from here on belong to the one behind it."""
        if self._detail is not None:
            self._marked = self.lines.hits or [], self.lines.cut
            self.lines.open(self._wanted(self.n + 1))

    def step(self, name: str, *, stack: Sequence[Any] = (), held: bool = False, **values: Any) -> int:
        """One boundary; its number. ``values`` are fields of TraceStep; ``held`` sends it with the next message,
        at the latest when the watch looks; a crash does not take it along. ``stack`` stays as it is from here on.
        """
        if self.cancelled:
            raise Stop("cancelled")
        if Stop.made > SWALLOWED and Stop.first is not None:
            # It goes round in a bare except: nothing of that is a record, and the watch will tell.
            raise Stop.first.with_traceback(None)
        with self._lock:
            n, self.n = self.n, self.n + 1
            if self._detail is not None:
                self._tell_lines(n)
            if self.record != "bare":
                self.channel.step(self.run_id, {"n": n, "name": name, **values}, stack, held)
        self.enter()
        if self.total > n:
            self.progress(n, self.total, n / self.total)
        return n

    def _tell_lines(self, n: int) -> None:
        """The lines that led to a step, if they are asked for."""
        marked, self._marked = self._marked, None
        hits, cut = marked or (self.lines.hits or [], self.lines.cut)
        if self._wanted(n):
            self.channel.send("lines", run_id=self.run_id, n=n, hits=without_files(hits), cut=cut)
        if marked is None:
            self.lines.open(self._wanted(n + 1))

    @property
    def owes_progress(self) -> bool:
        """Whether it is time for another word on how far it is, as of when user code was last entered."""
        return self.since - self._progressed >= PROGRESS_S

    def progress(self, done: int, total: int, share: float) -> None:
        """How far the replay is; ``share`` of the work, 0 to 1: later steps may cost more or less than earlier ones."""
        now = _now()
        if now - self._progressed < PROGRESS_S:
            return
        self._progressed = now
        left = round((now - self._began) * (1 - share) / share, 1) if share > 0 else None
        self.channel.send("progress", run_id=self.run_id, done=done, total=total, left_s=left)

    def stack(self, frame: Any = None) -> list[dict[str, Any]]:
        """The stack of the calling thread, innermost first, as the record asks for it."""
        if self.record == "bare":
            return []
        frame = frame or sys._getframe(1)
        return stack_from(frame, self.files, self.record == "full", Painter(STEP_NODES))

    def place(self, frame: Any = None) -> dict[str, Any]:
        """The line of the user's code at or outside a frame; {} when there is none."""
        found = user_frame(frame or sys._getframe(1), self.files)
        if found is None:
            return {}
        code = found.f_code
        name = getattr(code, "co_qualname", code.co_name)
        return {"file": code.co_filename, "line": found.f_lineno or 0, "function": name}

    def on_blocked(self, words: str) -> None:
        """A side effect was tried: told, and stopped."""
        if self.debugger is not None and self.debugger.evaluates():
            raise PermissionError(f"A replay may not do this: it {words}.")
        if len(self.blocked) < BLOCKED and not self.asking:
            blocked = {"what": words, "at": self.place()}
            self.blocked.append(blocked)
            if not self.silent:
                self.channel.send("blocked", run_id=self.run_id, blocked=blocked)
        if self.run_id:
            raise Stop("blocked", what=words)
        raise PermissionError(f"Playhead's replay process may not do this: it {words}.")

    def end(self, values: dict[str, Any], wall: float, cpu: int) -> None:
        """The run is over."""
        self.leave()
        counted = self.lines.coverage.items()
        coverage = {file: {str(line): n for line, n in list(hits.items())} for file, hits in list(counted)}
        took = {
            "took_ms": round((time.perf_counter() - wall) * 1000, 3),
            "cpu_ms": round((_cpu_ns() - cpu) / 1e6, 3),
        }
        known = {"run_id": self.run_id, "steps": self.n, "blocked": self.blocked, "coverage": coverage}
        self.channel.send("end", run_id=self.run_id, end={**known, **values, **took})
        self.run_id = ""

    def ask(self, run_id: str) -> None:
        """Questions about a run begin."""
        self.run_id, self.asking = run_id, True
        self._began = self._progressed = _now()

    def answer(
        self, question: dict[str, Any], n: int, position: int, value: Any = None, error: str = ""
    ) -> None:
        """What a query answers from a position of the history on; ``n`` is the last step before."""
        asked = {"name": question["name"], "args": question.get("args", "[]")}
        told = {"n": n, "position": position, **asked, "value": value, "error": error}
        self.channel.send("answer", run_id=self.run_id, answer=told)


def serve(engine: Engine) -> None:
    """A runner's whole life. The first argument is its scratch folder."""
    channel = Channel()
    scratch = sys.argv[1]
    stacks = leave_stacks(scratch)
    channel.keep_in(scratch)
    debug = _debug_socket(channel)
    guards, lacks = deny_all(scratch)
    if debug is None:
        trace_threads()
    else:
        lacks = [*lacks, LET_IN.format(debug.getsockname()[1])]
    try:
        version, folders = engine.warm()
    except BaseException as error:  # noqa: BLE001 - a library may fail in any way when it is imported
        channel.send("bye", code=2, **failure(error, Files()))
        os._exit(2)
    python = sys.version.split()[0]
    channel.send(
        "hello", version=PROTOCOL, python=python, library=version, pid=os.getpid(), guards=guards, lacks=lacks
    )
    job = channel.receive()
    if job is None:
        os._exit(4)
    die_with_parent(channel.descriptor)
    limit(job.get("memory_mb", 0))
    paths = tuple(
        os.path.join(p, "") for path in job.get("paths", ()) for p in (path, os.path.realpath(path))
    )
    recorder = Recorder(channel, job, Files(folders, paths))
    told: dict[str, Any] = {"code": 0}
    try:
        if debug is not None:
            recorder.attach(Debugger(debug, job.get("debugger", ""), paths))
        work(engine, recorder, job, scratch, folders)
    except NoDebuggerError as unfit:
        told = {"code": 2, **unfit.told}
    except BaseException as caught:  # noqa: BLE001 - the parent is told whatever it was
        told = {"code": 2, **failure(caught, recorder.files)}
    channel.send("bye", **told, peak_mb=peak_mb())
    if recorder.debugger is not None:
        recorder.debugger.stop()
    stacks.close()
    os._exit(told["code"])


def _debug_socket(channel: Channel) -> Any:
    """The socket that a debugger may attach at, where the second argument names its port."""
    if len(sys.argv) < 3:
        return None
    try:
        return listening(int(sys.argv[2]))
    except NoDebuggerError as unfit:
        channel.send("bye", code=2, **unfit.told)
        os._exit(2)


def work(
    engine: Engine, recorder: Recorder, job: dict[str, Any], scratch: str, folders: tuple[str, ...]
) -> None:
    """One job: the user's modules, then every run of it."""
    guard = Guard((scratch,), recorder.on_blocked)
    guard.install()
    threading.Thread(target=listen, args=(recorder,), daemon=True, name="playhead-listen").start()
    if recorder.debugger is None:  # who steps takes their time
        busy = (recorder, job.get("busy_after_s", 1.0))
        threading.Thread(target=watch, args=busy, daemon=True, name="playhead-watch").start()
    began = time.perf_counter()
    if job.get("cwd"):
        os.chdir(job["cwd"])
    use_paths(tuple(job.get("paths", ())), folders)
    sys.argv = [job.get("code", "")]
    recorder.enter()
    guard.armed = True
    workflows = engine.load(job, recorder)
    recorder.leave()
    recorder.channel.send(
        "loaded", workflows=workflows, took_ms=round((time.perf_counter() - began) * 1000, 1),
        handlers=engine.handlers(),
    )  # fmt: skip
    if recorder.record == "full":
        recorder.lines.start()
    elif recorder.debugger is None:
        trace_nothing()
    for item in job.get("items", ()):
        if recorder.cancelled:
            break
        wall, cpu = time.perf_counter(), _cpu_ns()
        recorder.begin(item)
        found = replay_one(engine, item, recorder)
        recorder.end(found, wall, cpu)
        if job.get("questions") and not recorder.cancelled:
            ask(engine, item, job["questions"], recorder)


def ask(engine: Engine, item: dict[str, Any], questions: list[dict[str, Any]], recorder: Recorder) -> None:
    """The questions about one run, which is over: whatever becomes of them, its end is told."""
    recorder.ask(item["run_id"])
    Stop.made, Stop.first = 0, None
    recorder.enter()
    try:
        engine.ask(item, questions, recorder)
    except BaseException as error:  # noqa: BLE001 - told as the answer
        words = failure(error, recorder.files)["error"]
        for question in questions:
            recorder.answer(question, recorder.n, 0, error=f"It could not be asked any more: {words}")
    finally:
        recorder.leave()
        recorder.run_id, recorder.asking = "", False


def replay_one(engine: Engine, item: dict[str, Any], recorder: Recorder) -> dict[str, Any]:
    """One run; what goes wrong with it ends it, and not the next one."""
    try:
        return engine.replay(item, recorder)
    except Stop as stop:
        outcome = stop.kind if stop.kind in ("cancelled", "blocked") else "failed"
        return {"outcome": outcome, "error": "" if outcome != "failed" else stop.kind}
    except BaseException as error:  # noqa: BLE001 - told with its stack
        return {"outcome": "failed", **failure(error, recorder.files)}
