"""Messages that people will send to runs: kept until they are due."""

from __future__ import annotations

import time
from heapq import heappop, heappush
from itertools import count

from dbos import DBOS, error

from resources.demo import pace
from resources.demo.traffic import Arrival, Message


class Mailbox:
    """Holds the messages of runs that have begun."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, str, Message]] = []
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._due)

    def expect(self, arrival: Arrival) -> None:
        """Keeps the messages of a run that begins now."""
        for message in arrival.messages:
            at = time.monotonic() + pace.seconds(message.after)
            heappush(self._due, (at, next(self._numbers), arrival.run, message))

    def deliver(self) -> None:
        """Sends what is due."""
        while self._due and self._due[0][0] <= time.monotonic():
            _, _, run, message = heappop(self._due)
            try:
                DBOS.send(run, message.body, message.topic)
            except error.DBOSNonExistentWorkflowError:
                continue  # Somebody deleted the run.
