"""A synthetic exported history of Temporal: activities with retries, timers, signals; for benchmarks."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

_WORDS = ("charge", "card", "order", "refund", "payout", "customer", "invoice", "shipment", "parcel", "label")
_TYPES = tuple(
    f"{verb}_{noun}" for verb in ("charge", "ship", "book", "refund") for noun in ("card", "order", "label")
)


class _Writer:
    def __init__(self, seed: int, payload: int) -> None:
        self.rng = random.Random(seed)
        self.events: list[dict[str, Any]] = []
        self._time = datetime(2026, 11, 20, tzinfo=UTC)
        self._payload = payload

    def add(self, type_: str, **attributes: Any) -> int:
        """One event; its id."""
        self._time += timedelta(microseconds=self.rng.randint(1_000, 900_000))
        words = type_.lower().split("_")
        key = words[0] + "".join(word.capitalize() for word in words[1:]) + "EventAttributes"
        number = len(self.events) + 1
        time = self._time.strftime("%Y-%m-%dT%H:%M:%S.%f") + f"{self.rng.randrange(1000):03}Z"
        self.events.append(
            {"eventId": str(number), "eventTime": time, "eventType": f"EVENT_TYPE_{type_}", key: attributes}
        )  # fmt: skip
        return number

    def payloads(self) -> dict[str, Any]:
        note = " ".join(self.rng.choices(_WORDS, k=self._payload // 8))
        value = {
            "order_id": f"ord-{self.rng.getrandbits(40):x}",
            "amount": self.rng.randint(1, 99_999) / 100,
            "note": note,
        }
        data = base64.b64encode(json.dumps(value).encode()).decode()
        return {"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": data}]}

    def task(self) -> str:
        """A workflow task from schedule to end; the id of its end."""
        scheduled = self.add("WORKFLOW_TASK_SCHEDULED", taskQueue={"name": "orders"}, attempt=1)
        started = self.add("WORKFLOW_TASK_STARTED", scheduledEventId=str(scheduled), identity="1@host")
        return str(
            self.add("WORKFLOW_TASK_COMPLETED", scheduledEventId=str(scheduled), startedEventId=str(started))
        )

    def activities(self, task: str) -> None:
        begun = [
            self.add(
                "ACTIVITY_TASK_SCHEDULED",
                activityId=str(len(self.events) + 1),
                activityType={"name": self.rng.choice(_TYPES)},
                taskQueue={"name": "orders"},
                input=self.payloads(),
                startToCloseTimeout="60s",
                workflowTaskCompletedEventId=task,
            )
            for _ in range(self.rng.choice((1, 1, 2, 3)))
        ]
        for scheduled in begun:
            attempt = self.rng.choice((1, 1, 1, 2, 3))
            more = {"lastFailure": _failure(self.rng)} if attempt > 1 else {}
            started = self.add(
                "ACTIVITY_TASK_STARTED",
                scheduledEventId=str(scheduled),
                identity="w@host",
                attempt=attempt,
                **more,
            )
            self.add(
                "ACTIVITY_TASK_COMPLETED",
                result=self.payloads(),
                scheduledEventId=str(scheduled),
                startedEventId=str(started),
            )

    def timer(self, task: str) -> None:
        begun = self.add(
            "TIMER_STARTED",
            timerId=str(len(self.events)),
            startToFireTimeout="30s",
            workflowTaskCompletedEventId=task,
        )
        self.add("TIMER_FIRED", timerId=str(begun - 1), startedEventId=str(begun))


def _failure(rng: random.Random) -> dict[str, Any]:
    stack = "\n".join(f'  File "/app/x.py", line {rng.randrange(999)}, in f{i}' for i in range(8))
    return {
        "message": "upstream did not answer",
        "stackTrace": stack,
        "applicationFailureInfo": {"type": "TimeoutError"},
    }


def events(count: int, payload: int = 1_250, seed: int = 5) -> Iterator[dict[str, Any]]:
    """``count`` events of one completed run, with about ``payload`` bytes in each input and result."""
    writer = _Writer(seed, payload)
    writer.add(
        "WORKFLOW_EXECUTION_STARTED",
        workflowType={"name": "OrderWorkflow"},
        taskQueue={"name": "orders"},
        input=writer.payloads(),
        workflowId="order-123",
        originalExecutionRunId="0198bc22-3782-784e-afe3-9a4f11c76556",
        attempt=1,
    )
    while len(writer.events) < count - 20:
        task, what = writer.task(), writer.rng.random()
        if what < 0.8:
            writer.activities(task)
        elif what < 0.9:
            writer.timer(task)
        else:
            writer.add(
                "WORKFLOW_EXECUTION_SIGNALED", signalName=writer.rng.choice(_WORDS), input=writer.payloads()
            )
    while len(writer.events) < count - 1:
        writer.add("WORKFLOW_EXECUTION_SIGNALED", signalName="last", input=writer.payloads())
    writer.add("WORKFLOW_EXECUTION_COMPLETED", result=writer.payloads())
    return iter(writer.events)


def history(count: int, payload: int = 1_250, seed: int = 5) -> bytes:
    """The same as one JSON document."""
    return json.dumps({"events": list(events(count, payload, seed))}, separators=(",", ":")).encode()
