"""Runner part: a workflow's instance with the recorder around it, made by a subclass of the project's own runner class.

A plain wrapper of the runner would break plugins and the SDK, which ask for its class and copy it.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

from engine_bridge.engines.temporal.replay_parts.asking import Asking
from engine_bridge.engines.temporal.replay_parts.dropped import without_handler
from engine_bridge.engines.temporal.replay_parts.locally import LocalEnd
from engine_bridge.engines.temporal.replay_parts.sites import ORIGINS, Sites
from engine_bridge.engines.temporal.replay_parts.turns import Turns
from engine_bridge.engines.temporal.replay_parts.walk import Walk
from engine_bridge.replay.runners.channel import Stop
from engine_bridge.replay.runners.loop import Recorder

LOCAL_COMMANDS = ("schedule_local_activity", "request_cancel_local_activity")
_REFUSED = "Playhead stopped the replay here"


class Current:
    """The replay under way, which instances ask for."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.walk: Walk | None = None
        self.asking: Asking | None = None
        self.turns: Turns | None = None
        self.facts: dict[str, str] = {}
        """What the code may ask about its run and a replayer does not know: namespace, task queue."""
        self.finds_ends = False
        self.inside = False
        self.since = 0.0  # when core last had an answer

    @property
    def all_lines(self) -> bool:
        """Whether all lines are counted: where that costs little (sys.monitoring), or when somebody looks at them."""
        return self.finds_ends or self.recorder.detailed or hasattr(sys, "monitoring")

    @property
    def counts_ends(self) -> bool:
        """Whether lines are counted in the workflow task alone that ends a run: in all of them it costs too much."""
        recorder = self.recorder
        return recorder.record == "places" and not (self.finds_ends or recorder.lines.is_cheap)

    def informed(self, details: Any) -> Any:
        """The details of an instance as the recorded run had them."""
        names = {field.name for field in dataclasses.fields(details.info)}
        known = {name: value for name, value in self.facts.items() if name in names and value}
        if self.walk is None or not known:
            return details
        return dataclasses.replace(details, info=dataclasses.replace(details.info, **known))


def recording(base: Any, current: Current) -> Any:
    """The same runner, whose instances are recorded."""
    kind = type(base)

    def create_instance(runner: Any, details: Any) -> Any:
        return Instance(kind.create_instance(runner, current.informed(details)), details, current)

    made = type(f"Recording{kind.__name__}", (kind,), {"create_instance": create_instance})
    runner: Any = object.__new__(made)
    runner.__dict__.update(getattr(base, "__dict__", {}))
    return runner


class Instance:
    """Stands for an instance of the SDK: everything but ``activate`` is its own."""

    def __init__(self, inner: Any, details: Any, current: Current) -> None:
        self._inner = inner
        self._details = details
        self._current = current
        self._sites: Sites | None = None
        self._real: Any = None
        self._leaving = False
        self._given = 0  # ends of local activities that were handed out

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if type(found) is types.MethodType:
            self.__dict__[name] = found  # the SDK asks for some at each payload
        return found

    def activate(self, activation: Any) -> Any:
        """One activation of core, between two boundaries that are told."""
        walk = self._current.walk
        if walk is None:
            return self._asked(activation)
        jobs = [(job.WhichOneof("variant") or "", job) for job in activation.jobs]
        if any(what == "remove_from_cache" for what, _ in jobs):
            return self._leave(walk, activation)
        self._current.inside = True
        try:
            completion = self._activate(walk, activation, jobs)
            for end, made in self._local_ends(activation, completion):
                walk.give(end, activation.timestamp)
                more = [(job.WhichOneof("variant") or "", job) for job in made.jobs]
                _join(completion, self._activate(walk, made, more))
            return completion
        finally:
            self._current.inside, self._current.since = False, time.monotonic()

    def _local_ends(self, activation: Any, completion: Any) -> Iterator[tuple[LocalEnd, Any]]:
        """Ends of local activities that an edit gives in the last workflow task, each as an activation of its own."""
        turns = self._current.turns
        given = turns.given if turns is not None and turns.last == activation.history_length else []
        while completion.HasField("successful") and self._given < len(given):
            end = given[self._given]
            if end.seq not in getattr(_real_instance(self._inner), "_pending_activities", {}):
                return
            self._given += 1
            yield end, _resolving(activation, end)

    def _asked(self, activation: Any) -> Any:
        """One activation that is not told; behind it, questions."""
        current = self._current
        current.inside = True
        try:
            completion = self._inner.activate(activation)
            leaves = any(job.HasField("remove_from_cache") for job in activation.jobs)
            if current.asking is not None and not leaves and not completion.HasField("failed"):
                for _, made in self._local_ends(activation, completion):
                    _join(completion, self._inner.activate(made))
                self._without_local(completion, current.asking.answered(activation.history_length))
                current.asking.behind(self._inner, activation)
            return completion
        finally:
            current.inside, current.since = False, time.monotonic()

    def _activate(self, walk: Walk, activation: Any, jobs: list[tuple[str, Any]]) -> Any:
        self._current.recorder.enter()
        try:
            self._quietly(self._prepare, walk, activation, jobs)
            completion = self._run(walk, activation)
            self._quietly(self._finish, walk, completion)
            walk.answers[-1].flags.update(completion.successful.used_internal_flags)
            self._quietly(self._without_local, completion, walk.answers[-1].recorded)
        except Stop as stop:
            walk.stop = stop
        except Exception:
            raise
        except BaseException as error:  # noqa: BLE001 - sys.exit in a workflow
            walk.crash = error
        if self._current.recorder.blocked or Stop.first is not None:
            walk.stop = walk.stop or Stop.first or Stop("blocked")
        self._current.recorder.enter()
        return _refused(activation) if walk.stop is not None or walk.crash is not None else completion

    def _without_local(self, completion: Any, recorded: bool) -> None:
        """Local activities of which the history has no end: nobody will run them, and some versions of core wait."""
        turns = self._current.turns
        if (recorded and turns is None) or not completion.HasField("successful"):
            return
        ended = turns.ended_locally if turns is not None and recorded else set()
        commands = completion.successful.commands
        kept = [one for one in commands if not _is_local_beyond(one, ended)]
        if len(kept) < len(commands):
            del commands[:]
            commands.extend(kept)

    def _run(self, walk: Walk, activation: Any) -> Any:
        lines, counts = self._current.recorder.lines, self._current.all_lines or walk.ends_here
        starts = counts and self._current.counts_ends
        if starts:
            lines.start()
        if counts:
            lines.here()
        else:
            lines.away()  # the SDK's threads begin with it where lines are counted so
        sys.set_coroutine_origin_tracking_depth(ORIGINS)
        try:
            return self._inner.activate(activation)
        finally:
            sys.set_coroutine_origin_tracking_depth(0)
            lines.away()
            if starts:
                lines.stop()

    def _quietly(self, work: Callable[..., Any], *args: Any) -> None:
        """What cannot be told must not change what the code does."""
        try:
            work(*args)
        except Exception as error:  # noqa: BLE001 - told, and the replay goes on
            text = f"not recorded: {type(error).__name__}: {error}"[:500]
            self._current.recorder.channel.send("log", text=text, level="warning")

    def _prepare(self, walk: Walk, activation: Any, jobs: list[tuple[str, Any]]) -> None:
        """Lines that were executed to import the code, or by its converters, are no part of the run."""
        lines = self._current.recorder.lines
        lines.last = None
        if lines.hits:
            lines.hits.clear()
        if not walk.answers:
            lines.coverage = {}
        self._hook(walk).forget()
        walk.begin(activation, jobs, self._entry)

    def _finish(self, walk: Walk, completion: Any) -> None:
        walk.finish(completion, self._hook(walk), self._real)

    def _hook(self, walk: Walk) -> Sites:
        if self._sites is not None:
            return self._sites
        self._real = real = _real_instance(self._inner)
        sites = self._sites = Sites(self._current.recorder, real)
        add, create = getattr(real, "_add_command", None), getattr(real, "create_task", None)
        if add is None or create is None:
            return sites

        def reach(command: Any, frame: Any) -> None:
            walk.reach(command, sites.at(frame))

        def add_command() -> Any:
            if self._leaving:
                return add()
            self._quietly(walk.flush)
            command, frame = add(), sys._getframe(1)
            self._quietly(reach, command, frame)
            return command

        def create_task(coroutine: Any, **options: Any) -> Any:
            task = create(coroutine, **options)
            frame = sys._getframe(1)
            self._quietly(sites.made, task, coroutine, frame)
            return task

        real._add_command, real.create_task = add_command, create_task
        return sites

    @functools.cached_property
    def _entry(self) -> dict[str, Any]:
        """The first line of the workflow's main function."""
        code = getattr(getattr(self._details.defn, "run_fn", None), "__code__", None)
        if code is None:
            return {}
        name = getattr(code, "co_qualname", code.co_name)
        return {"file": code.co_filename, "line": code.co_firstlineno, "function": name}

    def _leave(self, walk: Walk, activation: Any) -> Any:
        """Core forgets the run: its tasks are cancelled, which is no part of it."""
        self._leaving = True
        lines = self._current.recorder.lines
        coverage = {file: dict(counts) for file, counts in lines.coverage.items()}
        try:
            if self._sites is not None:
                self._quietly(walk.leave, self._hook(walk), self._real)
                if without_handler(self._real):
                    self._current.recorder.channel.send(
                        "log", text=without_handler(self._real), level="warning"
                    )
            return self._inner.activate(activation)
        except Exception:
            if walk.stop is None:
                raise
        except BaseException as error:  # noqa: BLE001 - code that does not let itself be cancelled
            walk.crash = walk.crash or (None if isinstance(error, Stop) else error)
        finally:
            whole = self._current.all_lines and self._current.recorder.record == "full"
            lines.coverage = coverage if whole else {}
        return _succeeded(activation)


def _real_instance(inner: Any) -> Any:
    """The SDK's own instance, also where it lives in the sandbox."""
    inside = getattr(inner, "globals_and_locals", None)
    box = inside.get("__temporal_in_sandbox") if type(inside) is dict else None
    return getattr(box, "instance", inner)


def _is_local_beyond(command: Any, ended: set[int]) -> bool:
    what = command.WhichOneof("variant")
    return what in LOCAL_COMMANDS and getattr(command, what).seq not in ended


def _resolving(activation: Any, end: LocalEnd) -> Any:
    """An activation as core makes one when a local activity has ended."""
    made = type(activation)()
    made.CopyFrom(activation)
    del made.jobs[:]
    job = made.jobs.add().resolve_activity
    job.seq = end.seq
    if "is_local" in job.DESCRIPTOR.fields_by_name:
        job.is_local = True
    if end.kind == "result":
        job.result.completed.result.CopyFrom(end.what)
    else:
        getattr(job.result, "failed" if end.kind == "failure" else "cancelled").failure.CopyFrom(end.what)
    return made


def _join(completion: Any, more: Any) -> None:
    """What the code answered in a further activation of one workflow task belongs to the same answer."""
    if more.HasField("failed"):
        completion.CopyFrom(more)
        return
    completion.successful.commands.extend(more.successful.commands)
    completion.successful.used_internal_flags.extend(more.successful.used_internal_flags)


def _completion(activation: Any) -> Any:
    from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion

    return WorkflowActivationCompletion(run_id=activation.run_id)


def _refused(activation: Any) -> Any:
    completion = _completion(activation)
    completion.failed.failure.message = _REFUSED
    return completion


def _succeeded(activation: Any) -> Any:
    completion = _completion(activation)
    completion.successful.SetInParent()
    return completion
