"""Runner part: concurrent operations of one asynchronous workflow, in the order in which the history completed them.

Every operation of dbos goes through ``asyncio.to_thread``. There it waits on the loop, without a thread, until it is
its turn; one that the history does not hold waits until nothing else can go on. So a replay is the same every time,
each branch of a gather comes as far as it came, and what was abandoned (a lost race) does not end it.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from engine_bridge.engines.dbos.replay_parts.walk import Walk
from engine_bridge.replay.runners.channel import Stop

JUMPS = 1000
SPINS = 20  # of a loop that does not tell what is ready
SPINS_MOST = 2000  # of one that is never at rest
STALLS = 4
_TO_THREAD = asyncio.to_thread


class Wait(BaseException):
    """Leaves a worker thread: the operation must wait on the loop and then ask again."""


class Call:
    """One call of dbos through ``asyncio.to_thread``; ``fid`` is the step that it asked for.

    ``place`` is the line that waits for a child, ``site`` that which reads its result, with the id ``taken`` for that;
    ``gone``: nobody waits for it any more; ``takes``: it takes ids of steps itself, so it cannot be called again.
    """

    def __init__(self) -> None:
        self.fid = 0
        self.taken = 0
        self.place: dict[str, Any] = {}
        self.passed = False
        self.site: dict[str, Any] = {"place": {}, "stack": []}
        self.gone = False
        self.takes = False


class Parked(NamedTuple):
    """An operation without a recorded result; ``stop`` makes the stop, ``asked`` is "" where it is no step."""

    future: asyncio.Future[None] | None
    asked: str
    stop: Callable[[], Stop]


CALL: contextvars.ContextVar[Call | None] = contextvars.ContextVar("playhead_call", default=None)


class Turns:
    """Who may go on, for one walk. On the loop, but for ``take``, ``ask``, ``park``, ``take_late``, ``nudge``.

    ``on_stall`` is called when the code waits for what is no operation at all, and nothing moves any more.
    """

    def __init__(self, walk: Walk, on_stall: Callable[[], None]) -> None:
        self.walk = walk
        self.loop: Any = None
        self._thread = 0
        self._on_stall = on_stall
        self._lock = threading.Lock()
        self._active = 0
        self._flying: dict[int, tuple[int, int, int]] = {}
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._parked: dict[int, Parked] = {}
        self._late: dict[int, tuple[Call, int, Any]] = {}
        self._settled = True
        self._looking = False
        self._jumps = 0
        self._ahead = 0.0
        self._spins = 0
        self._stalls = 0
        self._over = False

    def begin(self) -> None:
        """On the loop, before the workflow's first line."""
        self.loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        with suppress(AttributeError):
            self.loop.time = lambda: time.monotonic() + self._ahead
        self._look()

    def end(self) -> None:
        """On the loop, when the walk is over."""
        self._over = True
        with suppress(AttributeError):
            del self.loop.time

    def is_elsewhere(self) -> bool:
        """Whether this is not the loop's thread."""
        return threading.get_ident() != self._thread

    def take(self, fid: int) -> None:
        """The code took the id of a step that the history holds. Any thread."""
        if self.walk.recorded.is_timeout(fid):
            return
        with self._lock:
            self._flying[fid] = self.walk.recorded.order(fid)
            # Others may take theirs in the same turn of the loop: nobody is first before it is at rest.
            self._settled = False
        if self.is_elsewhere():
            self.nudge()
        else:
            self._look()

    def ask(self, call: Call | None, fid: int) -> None:
        """A recorded step wants its result: now, or (Wait) when those completed before it have theirs."""
        with self._lock:
            if call is None or call.takes:
                self._flying.pop(fid, None)
                return
            call.fid = fid
            first = fid not in self._flying or self._first() == fid
            if first and self._settled and not self._is_awaited():
                self.walk.orders.note(fid, self._flying)
                call.passed = True
                return
        raise Wait

    def park(self, call: Call, fid: int, asked: str, stop: Callable[[], Stop]) -> None:
        """A step that the history does not hold, or holds as another one: waits until nothing else goes on."""
        with self._lock:
            call.fid = fid
            self._flying.pop(fid, None)
            if not call.gone:
                self._parked[fid] = Parked(None, asked, stop)
        raise Wait

    def take_late(self, call: Call, held: int, context: Any) -> None:
        """An operation that takes its id in a thread, whenever that comes by: it waits, and the loop takes it.

        ``held`` is where the history has it, 0 where it has not.
        """
        with self._lock:
            call.fid = -len(self._late) - 1
            while call.fid in self._late:
                call.fid -= 1
            self._late[call.fid] = (call, held, context)
        raise Wait

    def _is_awaited(self) -> bool:
        """Whether the next id is one that is taken late: it must come first, if it is on its way."""
        recorded, newest = self.walk.recorded, self.walk.newest
        row, before = recorded.steps.get(newest + 1), recorded.steps.get(newest)
        if row is None or row["function_name"] != "DBOS.getResult":
            return False
        return before is None or before.get("child_workflow_id") != row.get("child_workflow_id")

    def _take(self, key: int) -> asyncio.Future[None] | None:
        with self._lock:
            call, _, context = self._late.pop(key)
        call.taken = context.function_id + 1
        # Not by the attribute, which looks at the stack.
        context.__dict__["playhead_id"] = call.taken
        self.walk.take(call.taken, call.site)
        if call.taken in self.walk.recorded.steps:
            self.take(call.taken)
        return self._waiting.get(key)

    async def run(self, call: Call | None, func: Callable[..., Any], args: Any, named: Any) -> Any:
        """``asyncio.to_thread``, with the waiting in front where it is dbos that calls (else ``call`` is None)."""
        if call is None:
            return await self._in_thread(func, args, named)
        token = CALL.set(call)
        try:
            while True:
                with suppress(Wait):
                    return await self._in_thread(func, args, named)
                await self._wait(call)
        finally:
            with suppress(ValueError):
                CALL.reset(token)
            self._delivered(call)

    async def _in_thread(self, func: Callable[..., Any], args: Any, named: Any) -> Any:
        self._active += 1
        try:
            return await _TO_THREAD(func, *args, **named)
        finally:
            self._active -= 1
            self._look()

    async def _wait(self, call: Call) -> None:
        if self.walk.stop is not None:
            raise self.walk.stop
        fid = call.fid
        future: asyncio.Future[None] = self.loop.create_future()
        with self._lock:
            if fid in self._parked:
                self._parked[fid] = self._parked[fid]._replace(future=future)
            else:
                self._waiting[fid] = future
        self._look()
        try:
            await future
            call.passed = fid > 0
        finally:
            with self._lock:
                self._waiting.pop(fid, None)
                self._parked.pop(fid, None)
                self._late.pop(fid, None)

    def _delivered(self, call: Call) -> None:
        """It has its result, or was cancelled: a lost race, a time-out of the user's own."""
        with self._lock:
            call.gone = True
            self._parked.pop(call.fid, None)
            if self._flying.pop(call.fid, None) is not None and self._flying:
                self._settled = False
        self._look()

    def _look(self) -> None:
        if not self._looking and not self._over and self.loop is not None:
            self._looking = True
            self._spins = 0
            self.loop.call_soon(self._step)

    def _step(self) -> None:
        """Runs until nothing is ready: whatever a result set in motion has come to rest."""
        ready = getattr(self.loop, "_ready", None)
        self._spins += 1
        if self._over or self.walk.done.is_set():
            # What was abandoned may still wait; nobody asks for it any more.
            return
        if self._spins < (SPINS if ready is None else SPINS_MOST) and (ready is None or ready):
            self.loop.call_soon(self._step)
            return
        self._looking = False
        self._settled = True
        if self.walk.stop is not None:
            self._release()
            return
        with self._lock:
            turn = self._first()
            future = self._waiting.get(turn)
            # One whose thread has not come back yet would never hear of its turn.
            late = [
                key
                for key, (_, held, context) in self._late.items()
                if key in self._waiting and context.function_id + 1 == held
            ]
            awaited = self._is_awaited()
        if late:
            future = self._take(late[0])
        elif awaited and self._active:
            return
        if future is None and self._active == 0:
            future = self._rest()
        if future is not None and not future.done():
            self.walk.orders.note(turn, self._flying)
            future.set_result(None)

    def _first(self) -> int:
        """Whose turn it is of those under way, 0 when there is none."""
        flying = self._flying
        return self.walk.orders.first(flying) if flying else 0

    def _rest(self) -> asyncio.Future[None] | None:
        """Nothing moves any more: an operation out of turn, else a timer, else the first that has no result."""
        with self._lock:
            waiting, parked, late = dict(self._waiting), dict(self._parked), dict(self._late)
        in_turn = [fid for fid in waiting if fid > 0 and fid not in parked]
        if in_turn:
            order = self.walk.recorded.order
            return waiting[self.walk.orders.first({fid: order(fid) for fid in in_turn})]
        if late:
            return self._take(min(late, key=lambda key: late[key][1]))
        timer = self._timer()
        goes_on = self.walk.recorded.closed or not parked or self.walk.unvisited()
        if timer is not None and goes_on and self._jumps < JUMPS:
            # No need to wait for a time-out that the history lived through.
            self._jumps += 1
            self._ahead += max(0.0, timer - self.loop.time()) + 1e-6
            self._look()
        elif parked:
            for fid in sorted(parked):
                if parked[fid].asked:
                    self.walk.tell(fid, parked[fid].asked)
            parked[min(parked)].stop()
            self._release()
        elif timer is None:
            self._stalls += 1
            if self._stalls == STALLS:
                self._on_stall()
        return None

    def _timer(self) -> float | None:
        handles = getattr(self.loop, "_scheduled", ())
        return min((handle.when() for handle in handles if not handle.cancelled()), default=None)

    def _release(self) -> None:
        """Every operation that still waits gets the stop."""
        with self._lock:
            futures = [*self._waiting.values(), *(parked.future for parked in self._parked.values())]
        for future in futures:
            if future is not None and not future.done() and self.walk.stop is not None:
                future.set_exception(self.walk.stop)

    def nudge(self) -> None:
        """From another thread: looks whether anything can go on."""
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self._look)
