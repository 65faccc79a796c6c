"""Runner part: concurrent operations of one asynchronous workflow, in the order in which the history completed them.

Every operation of dbos goes through ``asyncio.to_thread``. There it waits on the loop, without a thread, until it is
its turn; one that the history does not hold waits until nothing else can go on. So a replay is the same every time,
each branch of a gather comes as far as it came, and what was abandoned (a lost race) does not end it.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple

from engine_bridge.engines.dbos.replay_parts.clock import Clock, Timer
from engine_bridge.engines.dbos.replay_parts.recorded import LAST
from engine_bridge.engines.dbos.replay_parts.walk import Walk
from engine_bridge.replay.runners.channel import Stop

JUMPS = 1000
ASIDE = -(1 << 30)  # below the keys of timers
SPINS = 20  # of a loop that does not tell what is ready
SPINS_MOST = 2000  # of one that is never at rest
STALLS = 4
LATE = {"record_get_result": "DBOS.getResult", "get_workflow_status": "DBOS.getStatus"}
"""Functions of dbos that take the id of their step in a thread."""


class Wait(BaseException):
    """Leaves a worker thread: the operation must wait on the loop and then ask again."""


class Call:
    """One call of dbos through ``asyncio.to_thread``; ``fid`` is the step that it asked for.

    ``place`` is the line that waits for a child, ``site`` that which reads its result, with the id ``taken`` for that;
    ``gone``: nobody waits for it any more; ``takes``: it takes ids of steps itself, so it cannot be called again.
    ``late`` is the step that it is known to take the id of in its thread; ``reads``: it is about to read that id;
    ``aside``: the user's code goes on with what it gives, though it is no step. ``number`` and ``ms`` (of the record)
    tell when it was called.
    """

    def __init__(self, number: int, ms: int, late: str = "", *, aside: bool = False) -> None:
        self.number = number
        self.ms = ms
        self.fid = 0
        self.taken = 0
        self.late = late
        self.aside = aside
        self.reads = False
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


class Late(NamedTuple):
    """An operation that takes its id in a thread: ``wanted`` is where the history has it (0: nowhere), or its name."""

    call: Call
    wanted: int | str
    context: Any

    def is_next(self, walk: Walk) -> bool:
        """Whether the history has it as the next step, or has nothing there: some are cancelled as they write."""
        recorded, following = walk.recorded, self.context.function_id + 1
        if not self.wanted:
            return following not in recorded.steps and following < recorded.last
        return self.wanted in (following, recorded.name(following))

    def place(self, key: int, walk: Walk) -> tuple[int, int, int]:
        """Where it comes in the record."""
        recorded, wanted = walk.recorded, self.wanted
        found = wanted if isinstance(wanted, int) else recorded.first_after(walk.newest, wanted)
        # After a crash results may have been read that had been written as others'.
        time = recorded.order(found)[0] if found else 0 if recorded.again else LAST
        return time, found, key


CALL: contextvars.ContextVar[Call | None] = contextvars.ContextVar("playhead_call", default=None)


class Turns:
    """Who may go on, for one walk. On the loop, but for ``take``, ``ask``, ``park``, ``take_late``, ``nudge``.

    ``on_stall`` is called when the code waits for what is no operation at all, and nothing moves any more.
    """

    def __init__(self, walk: Walk, on_stall: Callable[[], None]) -> None:
        self.walk = walk
        self.loop: Any = None
        self._thread = 0
        self._clock = Clock(walk.recorded.began_ms)
        self._on_stall = on_stall
        self._lock = threading.Lock()
        self._active = 0
        self._calls = 0
        self._flying: dict[int, tuple[int, int, int]] = {}
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._parked: dict[int, Parked] = {}
        self._late: dict[int, Late] = {}
        self._left: dict[int, Late] = {}
        self._settled = True
        self._looking = False
        self._jumps = 0
        self._held: dict[int, asyncio.Future[None]] = {}
        self._asides: dict[int, tuple[int, asyncio.Future[None]]] = {}
        self._called = 0
        self._spins = 0
        self._stalls = 0
        self._over = False
        self._back = threading.Event()

    def begin(self) -> None:
        """On the loop, before the workflow's first line."""
        self.loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._clock.begin(self.loop)
        self._look()

    def end(self) -> None:
        """On the loop, when the walk is over."""
        self._over = True
        self._clock.end()

    def call(self, late: str, *, aside: bool) -> Call:
        """A new call, on the loop."""
        self._called += 1
        return Call(self._called, self._clock.now_ms, late, aside=aside)

    def is_elsewhere(self) -> bool:
        """Whether this is not the loop's thread."""
        return threading.get_ident() != self._thread

    def take(self, fid: int, *, now: bool = True) -> None:
        """The code took the id of a step that the history holds, to begin with it ``now`` or later. Any thread."""
        if self.walk.recorded.is_timeout(fid):
            return
        with self._lock:
            self._flying[fid] = self.walk.recorded.order(fid)
            # Others may take theirs in the same turn of the loop: nobody is first before it is at rest.
            self._settled = False
        if self.is_elsewhere():
            self.nudge()
            return
        if now and self.walk.recorded.name(fid) not in LATE.values():
            self._clock.reach(self.walk.recorded.steps[fid].get("started_at_epoch_ms") or 0)
        self._look()

    def ask(self, call: Call | None, fid: int) -> None:
        """A recorded step wants its result: now, or (Wait) when those completed before it have theirs."""
        with self._lock:
            if call is None or call.takes:
                self._flying.pop(fid, None)
                return
            call.fid = fid
            places = self._places(self._flying)
            first = fid not in self._flying or self.walk.orders.first(places) == fid
            # Others whose threads are still on their way may turn out to be first, or to be cancelled by this one.
            if first and self._settled and self._calls <= 1 and not self._held and not self._is_awaited():
                self._goes(fid, places)
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

    def take_late(self, call: Call, wanted: int | str, context: Any) -> None:
        """An operation that takes its id in a thread, whenever that comes by: it waits, and the loop takes it."""
        late = Late(call, wanted, context)
        with self._lock:
            if call.gone:
                self._leave(late)
                raise Wait
            call.fid = -call.number
            self._late[call.fid] = late
        raise Wait

    def _leave(self, late: Late) -> None:
        """It was cancelled; in dbos its thread goes on, and takes the id where the history has it."""
        if isinstance(late.wanted, int) and late.wanted in self.walk.recorded.steps:
            self._left[late.wanted] = late

    def skip(self, fid: int) -> int:
        """The id that the code takes: behind those that threads took, some of them of cancelled operations."""
        while not self.is_elsewhere() and fid not in self.walk.places:
            late = next(
                (key for key, late in self._late.items() if late.wanted == fid and key in self._waiting), 0
            )
            if late:
                self._wake(self._take(late))
            elif fid in self._left:
                self._bury(fid)
            else:
                break
            fid += 1
        return fid

    def _bury(self, fid: int) -> None:
        late = self._left.pop(fid)
        self.walk.take(fid, late.call.site)
        self.walk.tell(fid, str(self.walk.recorded.name(fid)))

    def settle(self, seconds: float) -> None:
        """When the code has ended, on the main thread: what is still under way comes to its end first."""
        until = time.monotonic() + seconds
        while self._calls and self.walk.stop is None and time.monotonic() < until:
            self._back.wait(0.01)
            self._back.clear()
        for fid in sorted(self._left):
            if self.walk.stop is None and fid not in self.walk.places:
                self._bury(fid)

    def _is_awaited(self) -> bool:
        """Whether the next id is one that is taken late: it must come first, if it is on its way."""
        recorded, newest = self.walk.recorded, self.walk.newest
        row, before = recorded.steps.get(newest + 1), recorded.steps.get(newest)
        if row is None or row["function_name"] not in LATE.values():
            return False
        child = row.get("child_workflow_id")
        return child is None or before is None or before.get("child_workflow_id") != child

    def _take(self, key: int) -> asyncio.Future[None] | None:
        with self._lock:
            call, _, context = self._late.pop(key)
            self._left.pop(context.function_id + 1, None)
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
            return await self._in_thread(call, func, args, named)
        token = CALL.set(call)
        try:
            while True:
                with suppress(Wait):
                    return await self._in_thread(call, func, args, named)
                await self._wait(call)
        finally:
            with suppress(ValueError):
                CALL.reset(token)
            self._delivered(call)

    async def _in_thread(self, call: Call | None, func: Callable[..., Any], args: Any, named: Any) -> Any:
        """As ``asyncio.to_thread``; what is cancelled runs all the same, also where no thread was free for it yet."""
        calls = call is not None
        self._active += 1
        self._calls += calls
        context = contextvars.copy_context()
        work = self.loop.run_in_executor(None, functools.partial(context.run, func, *args, **named))

        def back(work: asyncio.Future[Any]) -> None:
            self._active -= 1
            self._calls -= calls
            self._back.set()
            if not work.cancelled():
                work.exception()
            self._look()

        work.add_done_callback(back)
        try:
            return await asyncio.shield(work)
        finally:
            if call is not None and not call.fid and work.done():
                await self._hold(call)

    async def _hold(self, call: Call) -> None:
        """What dbos looked up without recording it: that goes on when all else has come to rest, one by one."""
        if self.walk.stop is not None or self._over:
            return
        future: asyncio.Future[None] = self.loop.create_future()
        if call.aside:
            self._asides[ASIDE - call.number] = call.ms + 1, future
        else:
            self._held[call.number] = future
        self._look()
        await future

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
                late = self._late.pop(fid, None)
                if late is not None:
                    self._leave(late)

    def _delivered(self, call: Call) -> None:
        """It has its result, or was cancelled: a lost race, a time-out of the user's own."""
        with self._lock:
            call.gone = True
            self._parked.pop(call.fid, None)
            if self._flying.pop(call.taken or call.fid, None) is not None and self._flying:
                self._settled = False
        if call.taken in self.walk.recorded.steps:
            # It may have been cancelled before it asked.
            self.walk.tell(call.taken, str(self.walk.recorded.name(call.taken)))
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
        if not self._calls:
            self._go_on()

    def _go_on(self) -> None:
        """Everything is at rest: whoever is next goes on."""
        while self._held:
            future = self._held.pop(min(self._held))
            if not future.done():
                future.set_result(None)
                return
        with self._lock:
            # One whose thread has not come back yet would never hear of its turn.
            late = [
                key for key, late in self._late.items() if key in self._waiting and late.is_next(self.walk)
            ]
            awaited = self._is_awaited()
            places = self._places(self._flying)
            turn = self.walk.orders.first(places) if places else 0
        if late:
            self._wake(self._take(max(late)))
        elif awaited and self._active:
            return
        elif turn in self._waiting or turn in self._asides:
            self._wake(self._goes(turn, places))
        elif self._active == 0:
            self._rest()

    def _places(self, fids: Iterable[int]) -> dict[int, tuple[int, int, int]]:
        """Where steps under way come in the record, and with them the next timer."""
        recorded, timer = self.walk.recorded, self._clock.first()
        found = {fid: recorded.order(fid) for fid in fids}
        asides = {key: time for key, (time, future) in self._asides.items() if not future.done()}
        found |= {key: (time, key, key) for key, time in asides.items()}
        if found and timer is not None and self._jumps < JUMPS:
            found[timer.key] = self._due(timer)
        return found

    def _late_or_timer(self, late: dict[int, Late]) -> int:
        """Which of these is next, 0 where there is none."""
        places = {key: one.place(key, self.walk) for key, one in late.items()}
        timer = self._clock.first()
        if places and timer is not None and self._jumps < JUMPS:
            places[timer.key] = self._due(timer)
        return min(places.values(), default=(0,))[-1]

    def _due(self, timer: Timer) -> tuple[int, int, int]:
        return LAST if self.walk.recorded.again else self._clock.due_ms(timer), LAST, timer.key

    def _goes(self, turn: int, places: dict[int, tuple[int, int, int]]) -> asyncio.Future[None] | None:
        self.walk.orders.note(turn, places)
        self._jumps = 0
        if places.get(turn, (LAST,))[0] < LAST:
            self._clock.reach(places[turn][0])
        return self._asides.pop(turn)[1] if turn in self._asides else self._waiting.get(turn)

    @staticmethod
    def _wake(future: asyncio.Future[None] | None) -> None:
        if future is not None and not future.done():
            future.set_result(None)

    def _rest(self) -> None:
        """Nothing moves any more: a timer or an operation out of turn, else the first that has no result."""
        with self._lock:
            waiting, parked, late = dict(self._waiting), dict(self._parked), dict(self._late)
        places = self._places([fid for fid in waiting if fid > 0 and fid not in parked])
        turn = self.walk.orders.first(places) if places else self._late_or_timer(late)
        timer = self._clock.first()
        goes_on = self.walk.recorded.closed or not parked or self.walk.unvisited()
        if turn > 0 or turn in self._asides:
            self._wake(self._goes(turn, places))
        elif turn in late:
            self._wake(self._take(turn))
        elif timer is not None and (turn or goes_on) and self._jumps < JUMPS:
            # No need to wait for a time-out that the history lived through.
            self.walk.orders.note(timer.key, places)
            self._jumps += 1
            self._clock.fire(timer)
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

    def _release(self) -> None:
        """Every operation that still waits gets the stop."""
        with self._lock:
            futures = [
                *self._waiting.values(),
                *(parked.future for parked in self._parked.values()),
                *self._held.values(),
                *(future for _, future in self._asides.values()),
            ]
        for future in futures:
            if future is not None and not future.done() and self.walk.stop is not None:
                future.set_exception(self.walk.stop)

    def nudge(self) -> None:
        """From another thread: looks whether anything can go on."""
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self._look)
