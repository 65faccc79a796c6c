"""Runner part: the run under way, as the hooks share it, and what happens when the code asks for a step."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from typing import Any

from engine_bridge.engines.dbos.replay_parts.drifts import Drifts
from engine_bridge.engines.dbos.replay_parts.parting import part
from engine_bridge.engines.dbos.replay_parts.sites import Sites
from engine_bridge.engines.dbos.replay_parts.turns import CALL, Turns
from engine_bridge.engines.dbos.replay_parts.walk import Walk
from engine_bridge.replay.runners.channel import Stop
from engine_bridge.replay.runners.loop import Recorder

_PATCHES = ("patch", "patch_async", "deprecate_patch", "deprecate_patch_async")


class State:
    """``walk`` is the run being replayed, ``turns`` who goes first in it."""

    def __init__(self, recorder: Recorder, sites: Sites, drifts: Drifts) -> None:
        self.walk: Walk | None = None
        self.turns: Turns | None = None
        self.counts_lines = True
        self.steps: dict[str, Any] = {}
        """Functions of steps by what dbos registers them as."""
        self.recorder = recorder
        self.sites = sites
        self.drifts = drifts
        self.here = threading.local()

    def begin(self, walk: Walk, detail: bool) -> None:
        """From now on this run; ``detail`` when single lines of it are asked for."""
        # A trace function would see every call of the event loop: lines of concurrent code are counted on demand.
        self.counts_lines = detail or not walk.concurrent or self.recorder.lines.is_cheap
        self.sites.begin()
        self.turns = Turns(walk, self._stalled) if walk.concurrent else None
        self.walk = walk

    def mine(self, workflow_id: str) -> Walk | None:
        """The walk of an operation; None before the replay. One that is left over from another run goes no further."""
        walk = self.walk
        if walk is not None and workflow_id != walk.id:
            if not _on_a_loop():
                threading.Event().wait()
            raise Stop("cancelled")
        return walk

    def is_user(self, frame: Any) -> bool:
        """Whether a frame is of the user's code."""
        return self.recorder.files.kind(frame.f_code.co_filename) == "user"

    def quietly(self, compare: Callable[[], None]) -> None:
        """A comparison that cannot be made must not change what the user's code does."""
        try:
            compare()
        except Exception as error:  # noqa: BLE001 - told, and the replay goes on
            if self.recorder.silent:
                return
            text = f"not compared: {type(error).__name__}: {error}"[:500]
            self.recorder.channel.send("log", text=text, level="warning")

    def is_taken(self, context: Any) -> bool:
        """Whether the id that a thread is about to take is there already; it waits (Wait) until that is so."""
        turns, call = self.turns, CALL.get()
        if turns is None or call is None or not call.late or call.takes or not turns.is_elsewhere():
            return False
        if not call.taken:
            turns.take_late(call, call.late, context)
        call.reads = True
        return True

    def taken(self, walk: Walk, fid: int, frame: Any) -> None:
        """The code took a step id: where it stands is kept until the step is asked for."""
        turns, lines = self.turns, self.recorder.lines
        # Where lines are counted by a trace function, everything called from here on is slow: our own code as well.
        lines.pause()
        call = CALL.get()
        if call is not None and turns is not None and turns.is_elsewhere():
            call.takes = True
        site = self.sites.here(frame, fid)
        if call is not None and call.takes and not site["place"]:
            site = call.site if call.site["place"] else {**site, "place": call.place}
        walk.take(fid, site)
        if turns is not None and fid in walk.recorded.steps:
            outer = frame.f_back or frame
            turns.take(fid, now=outer.f_code.co_name != "reserve_step")
        is_patch = frame.f_code.co_name in _PATCHES and walk.stop is None
        if is_patch:
            walk.tell(fid, str(frame.f_locals.get("patch_name")))
            if turns is not None:
                turns.ask(None, fid)
        if is_patch or (turns is not None and self.counts_lines):
            lines.resume()

    def reach(self, walk: Walk, fid: int, asked: str) -> dict[str, Any]:
        """The code asks for a step: its recorded row. Raises Stop (or Wait) where there is none, or another one."""
        held, call = walk.recorded.steps.get(fid), CALL.get()
        walk.asked.setdefault(fid, asked)
        self.here.fid = fid
        if walk.stop is not None:
            raise walk.again()
        if self.recorder.blocked:
            raise walk.halt(fid, "blocked")
        if fid not in walk.places:
            self.taken(walk, fid, sys._getframe(1))
        if held is None or walk.is_other(fid, asked):
            self._part(walk, fid, asked)
        walk.tell(fid, asked)
        if self.turns is None:
            self.recorder.lines.resume()
        elif call is None or not call.passed or call.fid != fid:
            self.turns.ask(call, fid)
        return held or {}

    def _part(self, walk: Walk, fid: int, asked: str) -> None:
        """There is no such result: the run stands here, or code and history part."""
        goes_on = walk.recorded.name(fid) is None and not walk.recorded.closed
        goes_on = goes_on and not walk.waits_elsewhere(fid, asked)

        def stop() -> Stop:
            if goes_on:
                return walk.halt(fid, "stopped", now=walk.frontier(fid, asked))
            registry = sys.modules["dbos._dbos"]._dbos_global_registry.workflow_info_map
            known = {**registry, **self.steps}
            return walk.halt(fid, "diverged", divergence=part(walk, fid, asked, known))

        if walk.recorded.name(fid) is not None:
            walk.orders.part(fid)
            if walk.orders.is_trial:
                raise stop()
        self.hold(walk, fid, asked, stop)

    def hold(self, walk: Walk, fid: int, asked: str, stop: Callable[[], Stop]) -> None:
        """Stops the walk here; a concurrent operation waits for the others to come as far as they can first.

        ``asked`` is "" for what is no step.
        """
        call = CALL.get()
        if self.turns is not None and call is not None and not call.takes:
            self.turns.park(call, fid, asked, stop)
        if asked:
            walk.tell(fid, asked)
        raise stop()

    def _stalled(self) -> None:
        """The code waits for something that is no operation, and will not come. On the loop's thread."""
        walk = self.walk
        if walk is None or walk.stop is not None or walk.done.is_set():
            return
        at, left = self.sites.parked() or walk.last_place, walk.unvisited()
        waits = "waits for something that is no step"
        if left or walk.recorded.closed:
            divergence = {"kind": "other step", **walk.next_held(), "actual": waits, "at": at}
            walk.halt(0, "diverged", divergence=divergence)
        else:
            walk.halt(0, "stopped", now={"kind": "waiting", "what": waits, "at": at})
        walk.done.set()


def _on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
