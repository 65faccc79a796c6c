"""Runner part: the life of a runner. Guards, then the library, then (once a job came) the user's code."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from typing import Any

from engine_bridge.replay.runners.channel import Channel, Stop, read_line
from engine_bridge.replay.runners.frames import Files, stack_from, thread_frame, user_frame
from engine_bridge.replay.runners.guard import Guard, deny_network, deny_writes
from engine_bridge.replay.runners.lines import LineTracer
from engine_bridge.replay.runners.pictures import picture

PROTOCOL = 1
LOOK_S = 0.25


class Engine:
    """What an engine's part of a runner is: it knows its library, and nothing of the parent."""

    def warm(self) -> tuple[str, tuple[str, ...]]:
        """Imports the library before there is a job; its version, and the folders that it lives in."""
        raise RuntimeError("a runner needs an engine")

    def load(self, job: dict[str, Any], recorder: Recorder) -> dict[str, tuple[str, int]]:
        """Imports the user's code; its workflows with file and line."""
        raise RuntimeError("a runner needs an engine")

    def replay(self, item: dict[str, Any], recorder: Recorder) -> dict[str, Any]:
        """Replays one run and says how it ended (engine_bridge/replay/model.py: End), without the counts."""
        raise RuntimeError("a runner needs an engine")


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
        self.since = 0.0  # when user code was last entered; 0 while it does not run
        self._detail: tuple[int, int] | None = None
        self._cpu = 0
        self._lock = threading.Lock()

    def begin(self, item: dict[str, Any]) -> None:
        """A run begins; line records only in the steps asked for."""
        self.run_id, self.n, self.blocked = item["run_id"], 0, []
        detail = item.get("detail")
        self._detail = (detail[0], detail[1]) if detail else None
        self.lines.reset()
        self.lines.open(self._wanted(0))
        self._cpu = time.process_time_ns()
        self.channel.send("begin", run_id=self.run_id)
        self.enter()

    def _wanted(self, n: int) -> bool:
        return self._detail is not None and self._detail[0] <= n <= self._detail[1]

    def enter(self) -> None:
        """User code runs from here on."""
        self.since = time.monotonic()

    def leave(self) -> None:
        """No user code runs: the run is over."""
        self.since = 0.0

    def step(self, name: str, **values: Any) -> int:
        """One boundary; its number. ``values`` are fields of TraceStep."""
        if self.cancelled:
            raise Stop("cancelled")
        with self._lock:
            n, self.n = self.n, self.n + 1
            now = time.process_time_ns()
            took, self._cpu = (now - self._cpu) // 1000, now
            if self._wanted(n):
                hits, cut = self.lines.hits or [], self.lines.cut
                self.channel.send("lines", run_id=self.run_id, n=n, hits=hits, cut=cut)
            self.lines.open(self._wanted(n + 1))
            if self.record != "bare":
                step = {"n": n, "name": name, "took_us": took, **values}
                self.channel.send("step", run_id=self.run_id, step=step)
        self.enter()
        return n

    def stack(self, frame: Any = None) -> list[dict[str, Any]]:
        """The stack of the calling thread, innermost first, as the record asks for it."""
        if self.record == "bare":
            return []
        return stack_from(frame or sys._getframe(1), self.files, self.record == "full", picture)

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
        blocked = {"what": words, "at": self.place()}
        self.blocked.append(blocked)
        self.channel.send("blocked", run_id=self.run_id, blocked=blocked)
        if self.run_id:
            raise Stop("blocked", what=words)
        raise PermissionError(f"Playhead's replay process may not do this: it {words}.")

    def end(self, values: dict[str, Any], wall: float, cpu: int) -> None:
        """The run is over."""
        self.leave()
        coverage = {
            file: {str(line): n for line, n in hits.items()} for file, hits in self.lines.coverage.items()
        }
        values = {
            "run_id": self.run_id,
            "steps": self.n,
            "blocked": self.blocked,
            "coverage": coverage,
            **values,
        }
        values["took_ms"] = round((time.perf_counter() - wall) * 1000, 3)
        values["cpu_ms"] = round((time.process_time_ns() - cpu) / 1e6, 3)
        self.channel.send("end", run_id=self.run_id, end=values)
        self.run_id = ""


def watch(recorder: Recorder, busy_after: float) -> None:
    """Tells the parent, from a thread of its own, when user code does not come back."""
    while True:
        time.sleep(LOOK_S)
        since = recorder.since
        if since and time.monotonic() - since > busy_after:
            for ident in list(sys._current_frames()):
                frame = user_frame(thread_frame(ident), recorder.files)
                if frame is not None:
                    stack = stack_from(frame, recorder.files, False, picture)
                    recorder.channel.send("busy", seconds=round(time.monotonic() - since, 2), stack=stack)
                    break


def listen(recorder: Recorder) -> None:
    """Follows the parent's commands, and ends with it."""
    while True:
        command = read_line()
        if command is None or command.get("cmd") == "exit":
            os._exit(4)
        if command.get("cmd") == "cancel":
            recorder.cancelled = True


def limit(memory_mb: int) -> None:
    """Bounds this process' memory where the platform can; no core files."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory_mb:
        resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))


def peak_mb() -> int:
    """The most memory this process had, in MiB; 0 where it cannot be known."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak >> (20 if sys.platform == "darwin" else 10))


def serve(engine: Engine) -> None:
    """A runner's whole life. The first argument is its scratch folder."""
    channel = Channel()
    scratch = sys.argv[1]
    denied = {"network": deny_network(), "writes": deny_writes((scratch,))}
    guards = [name for name, why in denied.items() if not why]
    try:
        version, folders = engine.warm()
    except ImportError as error:
        channel.send("bye", code=2, error=f"{type(error).__name__}: {error}")
        os._exit(2)
    channel.send("hello", version=PROTOCOL, python=sys.version.split()[0], library=version, pid=os.getpid(),
                 guards=guards, lacks=[why for why in denied.values() if why])  # fmt: skip
    job = read_line()
    if job is None:
        os._exit(4)
    limit(job.get("memory_mb", 0))
    code, text = 0, ""
    try:
        work(engine, channel, job, scratch, folders)
    except BaseException as caught:  # noqa: BLE001 - the parent is told whatever it was
        code, text = 2, "".join(traceback.format_exception(caught))[-8000:]
    channel.send("bye", code=code, error=text, peak_mb=peak_mb())
    os._exit(code)


def work(
    engine: Engine, channel: Channel, job: dict[str, Any], scratch: str, folders: tuple[str, ...]
) -> None:
    """One job: the user's modules, then every run of it."""
    user = tuple(os.path.join(os.path.realpath(path), "") for path in job.get("paths", ()))
    recorder = Recorder(channel, job, Files(folders, user))
    guard = Guard((scratch,), recorder.on_blocked)
    guard.install()
    threading.Thread(target=listen, args=(recorder,), daemon=True, name="playhead-listen").start()
    busy = (recorder, job.get("busy_after_s", 1.0))
    threading.Thread(target=watch, args=busy, daemon=True, name="playhead-watch").start()
    began = time.perf_counter()
    if job.get("cwd"):
        os.chdir(job["cwd"])
    for path in reversed(job.get("paths", ())):
        sys.path.insert(0, path)
    if recorder.record == "full":
        # Before the engine makes its threads: a trace function only reaches those that start later.
        recorder.lines.start()
    recorder.enter()
    guard.armed = True
    workflows = engine.load(job, recorder)
    recorder.leave()
    channel.send("loaded", workflows=workflows, took_ms=round((time.perf_counter() - began) * 1000, 1))
    for item in job["items"]:
        if recorder.cancelled:
            break
        wall, cpu = time.perf_counter(), time.process_time_ns()
        recorder.begin(item)
        recorder.end(replay_one(engine, item, recorder), wall, cpu)


def replay_one(engine: Engine, item: dict[str, Any], recorder: Recorder) -> dict[str, Any]:
    """One run; what goes wrong with it ends it, and not the next one."""
    try:
        return engine.replay(item, recorder)
    except Stop as stop:
        outcome = stop.kind if stop.kind in ("cancelled", "blocked") else "failed"
        return {"outcome": outcome, "error": "" if outcome != "failed" else stop.kind}
    except Exception as error:  # noqa: BLE001 - told with its stack
        text = f"{type(error).__name__}: {error}"[:2000]
        return {"outcome": "failed", "error": text, "stack": traceback.format_exc()[-8000:]}
