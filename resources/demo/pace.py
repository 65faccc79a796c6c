"""How fast the shop works: 1 is human speed; the past is made at a small fraction of it.

Only steps ask for it: how long a workflow sleeps is in a step's result, the same whenever its code is replayed.
"""

from __future__ import annotations

import asyncio
import os
import random
import time

from dbos import DBOS

PACE = float(os.environ.get("PLAYHEAD_DEMO_PACE", "1"))

#: The carrier that is down. Hermes was, all through the past; it is back, so what failed for it can be retried.
CARRIER_DOWN = "hermes" if PACE < 1 else "seur"


def seconds(nominal: float) -> float:
    """A duration at human speed, at today's pace."""
    return round(nominal * PACE, 6)


def attempt() -> int:
    """The current step's attempt, counted from 1."""
    status = DBOS.step_status
    return 1 + ((status.current_attempt or 0) if status else 0)


def dice() -> random.Random:
    """Chance that is the same whenever this attempt of this step of this run is executed."""
    return random.Random(f"{DBOS.workflow_id}/{DBOS.step_id}/{attempt()}")


def work(low: float, high: float) -> None:
    """Takes as long as a call to another service would, in seconds at human speed."""
    time.sleep(seconds(dice().uniform(low, high)))


async def work_async(low: float, high: float) -> None:
    """``work`` for coroutines."""
    await asyncio.sleep(seconds(dice().uniform(low, high)))
