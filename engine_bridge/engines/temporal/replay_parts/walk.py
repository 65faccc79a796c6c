"""Runner part: one replay as it goes: each workflow task, what the code commanded in it, and what of that is told."""

from __future__ import annotations

from typing import Any

from engine_bridge.engines.temporal.replay_parts.commands import KINDS, Asked
from engine_bridge.engines.temporal.replay_parts.contents import Contents
from engine_bridge.engines.temporal.replay_parts.drifts import Drifts
from engine_bridge.engines.temporal.replay_parts.jobs import jobs_told
from engine_bridge.engines.temporal.replay_parts.locally import Local, LocalEnd, LocalMark
from engine_bridge.engines.temporal.replay_parts.matching import Matcher
from engine_bridge.engines.temporal.replay_parts.recorded import ENDS, Recorded, Task
from engine_bridge.engines.temporal.replay_parts.sites import Sites, where
from engine_bridge.engines.temporal.replay_parts.waits import Waits
from engine_bridge.replay.runners.channel import Stop
from engine_bridge.replay.runners.loop import Recorder

DRIFTS = 50
TASK = "workflow task"


class Answer:
    """The code's answer to one workflow task: ``task`` is the recorded one, None where there is none."""

    def __init__(self, started: int, task: Task | None) -> None:
        self.started = started
        self.task = task
        self.asked: list[Any] = []
        self.matcher = Matcher(task)
        self.place: dict[str, Any] = {}
        """Where the code stood when it had answered."""
        self.flags: set[int] = set()
        """Flags of the SDK that were in use."""

    @property
    def recorded(self) -> bool:
        return self.task is not None and self.task.completed > 0

    @property
    def completed(self) -> int | None:
        """The event that the answer was recorded with."""
        return self.task.completed or None if self.task is not None else None


class Walk:
    """The state of one replay. ``stop`` ended it from within; ``failure`` is the workflow task's, as core was told."""

    def __init__(self, recorded: Recorded, recorder: Recorder, contents: Contents) -> None:
        self.recorded = recorded
        self.recorder = recorder
        self.answers: list[Answer] = []
        self.drift: list[dict[str, Any]] = []
        self.commands: dict[tuple[str, int], Asked] = {}
        self.stop: Stop | None = None
        self.crash: BaseException | None = None
        self.failure: Any = None
        self.now: dict[str, Any] = {}
        self.ended = False
        self._drifts = Drifts(recorded, contents)
        self._pending: tuple[Any, dict[str, Any]] | None = None
        self._parked: list[dict[str, Any]] = []
        self._told = 0
        self._jobs: list[tuple[str, Any]] = []
        self.marks: dict[int, tuple[int, int]] = {}
        """The last step and the position behind each workflow task, by the event that started it."""
        self.began: dict[tuple[int, int], int] = {}
        """The first step of each workflow task, and of each end of a local activity in it, counted from 1."""
        self._local_ends = 0
        self._given: set[int] = set()
        self._cancelled: set[int] = set()
        self.hypothetical = False

    @property
    def last_place(self) -> dict[str, Any]:
        """The last line known of the code."""
        return next((answer.place for answer in reversed(self.answers) if answer.place), {})

    @property
    def ends_here(self) -> bool:
        """Whether the recorded run ended in this workflow task: the line that ends it is wanted."""
        task = self.answers[-1].task if self.answers else None
        return task is not None and any(event.type in ENDS for event in task.events[-1:])

    def begin(self, activation: Any, jobs: list[tuple[str, Any]], entry: dict[str, Any]) -> None:
        """Core hands out jobs of a workflow task, each with its kind; one task may come in several parts."""
        started = activation.history_length
        if not self.answers or self.answers[-1].started != started:
            self.answers.append(Answer(started, self.recorded.tasks.get(started)))
            self._local_ends = 0
        task = self.answers[-1].task
        self._told = len(self.answers[-1].asked)
        self._jobs = jobs
        if self.recorder.owes_progress:
            self.recorder.progress(started, len(self.recorded.raw), self.recorded.share(started))
        ended = (job.resolve_activity.seq for what, job in jobs if what == "resolve_activity")
        self._local_ends += sum(("schedule_local_activity", seq) in self.commands for seq in ended)
        self.began.setdefault((started, self._local_ends), self.recorder.n)
        name = jobs_told(jobs, self.commands)
        self._parked = self._parked or ([{**entry, "kind": "user"}] if entry else [])
        self.recorder.step(
            name,
            held=True,
            kind=TASK,
            recorded=name,
            step_id=str(task.scheduled) if task is not None else "",
            position=started,
            stack=self._parked,
            via="task",
        )

    def reach(self, command: Any, site: dict[str, Any]) -> None:
        """The code gives a command, which is filled in after this."""
        self.recorder.mark()
        self._pending = command, site

    def flush(self) -> None:
        """The command before is whole now: it is matched and told."""
        if self._pending is None:
            return
        (command, site), self._pending = self._pending, None
        asked = Asked(command, site)
        answer = self.answers[-1]
        answer.asked.append(asked)
        if asked.what == "request_cancel_local_activity":
            self._cancelled.add(asked.seq)
        if not asked.tells:
            return
        self.commands.setdefault((asked.what, asked.seq), asked)
        answer.place = where(site["stack"]) or answer.place
        event = asked.event = self._event(asked, answer)
        drift = self._compare(asked, event, answer.task)
        self.ended = self.ended or asked.type in ENDS
        asked.n = self.recorder.step(
            asked.title,
            held=True,
            kind=KINDS.get(asked.what, "end" if asked.type in ENDS else "command"),
            recorded=asked.title if event is not None else None,
            step_id=str(event.id) if event is not None else "",
            position=event.id if event is not None else answer.completed,
            stack=site["stack"] or self._line(asked),
            via=site["via"],
            drift=drift,
        )
        site["stack"] = [where(site["stack"])] if site["stack"] else []  # told, and not to be kept

    def _event(self, asked: Asked, answer: Answer) -> Any:
        found = answer.matcher.match(asked)
        if found is None and asked.what == "schedule_local_activity":
            # Its marker is with the workflow task in which it ended.
            markers = [e for e in self.recorded.events if e.is_local and e.name == asked.name]
            same = (e for e in markers if str(e.marked.get("seq")) == str(asked.seq))
            found = next(same, None if self.hypothetical else next(iter(markers), None))
        return found

    def _line(self, asked: Asked) -> list[dict[str, Any]]:
        """The line that was executed last, for what the SDK commands after the code has returned."""
        last = self.recorder.lines.last
        if asked.type not in (*ENDS, "WorkflowExecutionUpdateCompleted") or last is None:
            return self._parked
        code, line = last
        function = getattr(code, "co_qualname", code.co_name)
        found = {"file": code.co_filename, "line": line, "function": function, "kind": "user"}
        self.answers[-1].place = asked.site["last"] = where([found])
        return [found]

    def _compare(self, asked: Asked, event: Any, task: Task | None) -> list[dict[str, Any]]:
        if event is None or asked.key != event.key:
            return []
        try:
            found = self._drifts.of(asked, event, task)
        except Exception as error:  # noqa: BLE001 - told, and the replay goes on
            text = f"{asked.words} was not compared: {type(error).__name__}: {error}"[:500]
            self.recorder.channel.send("log", text=text, level="warning")
            return []
        drift = [{**one, "step_id": str(event.id)} for one in found]
        self.drift += drift[: DRIFTS - len(self.drift)]
        return drift

    def finish(self, completion: Any, sites: Sites, instance: Any) -> None:
        """The code has answered, and stands where it waits."""
        self.flush()
        self._finish(completion, sites, instance)
        answer = self.answers[-1]
        self.marks[answer.started] = self.recorder.n - 1, answer.completed or answer.started

    def _finish(self, completion: Any, sites: Sites, instance: Any) -> None:
        if completion.HasField("failed"):
            self.failure = completion.failed.failure
            return
        self._drop(completion.successful.commands)
        self.ended = any(one.type in ENDS for answer in self.answers[-1:] for one in answer.asked)
        if self.ended:
            return
        answer = self.answers[-1]
        if any(what in ("signal_workflow", "do_update") for what, _ in self._jobs):
            sites.forget()
        if self.recorder.record != "full":
            self._parked = sites.parked(getattr(instance, "_primary_task", None)) or self._parked
            answer.place = where(self._parked) or answer.place
            return
        told = Waits(instance, sites, self.commands).told()
        if told is None:
            self._parked = sites.last_stack
            return
        self._parked = told["stack"]
        answer.place = where(self._parked) or answer.place
        last = max((one.event.id for one in answer.asked if one.event is not None), default=0)
        position = max(last, answer.completed or 0, answer.started)
        name = told.pop("name")
        self.recorder.step(name, held=True, kind="wait", recorded=name, position=position, via="task", **told)

    def _drop(self, kept: Any) -> None:
        """The SDK leaves out what comes after the end of a run."""
        asked = self.answers[-1].asked
        if len(kept) >= len(asked) - self._told:
            return
        left = [
            (c.WhichOneof("variant"), getattr(getattr(c, c.WhichOneof("variant")), "seq", 0)) for c in kept
        ]
        still = []
        for one in asked[self._told :]:
            if left and (one.what, one.seq) == left[0]:
                left.pop(0)
                still.append(one)
        asked[self._told :] = still

    # -- local activities of a hypothetical end ---------------------------------------------------------------

    def local(self) -> list[Local]:
        """Local activities that the code waits for, and of which the history tells no end."""
        ended = {str(event.marked.get("seq")) for event in self.recorded.events if event.is_local}
        asked = [one for (what, _), one in self.commands.items() if what == "schedule_local_activity"]
        return [
            Local(one.seq, one.name, one.seq in self._cancelled, one.n)
            for one in asked
            if str(one.seq) not in ended and one.seq not in self._given
        ]

    def give(self, end: LocalEnd, time: Any) -> None:
        """A local activity ends in the workflow task under way."""
        self._given.add(end.seq)
        asked = self.commands["schedule_local_activity", end.seq]
        self.answers[-1].asked.append(LocalMark(asked, end, self._local_ends + 1, time))

    def leave(self, sites: Sites, instance: Any) -> None:
        """The run is about to be forgotten: what it waits for is looked at once more."""
        if not self.ended and self.failure is None:
            self.now = Waits(instance, sites, self.commands).now()
