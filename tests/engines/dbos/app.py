"""A small DBOS application whose database the tests read. usage: python app.py URL VERSION

Version v1 runs one of every kind of run, leaves some of them open, and kills itself in the middle of a step;
v2 runs a few more and exits, so that the open runs of v1 are stranded.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from dbos import (
    DBOS,
    DBOSConfiguredInstance,
    SetEnqueueOptions,
    SetWorkflowAttributes,
    SetWorkflowID,
    SetWorkflowTimeout,
    WorkflowSerializationFormat,
)

IN_STEP = threading.Event()


class Declined(Exception):
    def __init__(self, code: str, text: str) -> None:
        super().__init__(code, text)
        self.code = code


@DBOS.step()
def validate(order: dict[str, Any]) -> dict[str, Any]:
    if not order.get("items"):
        raise ValueError(f"order {order['id']} has no items")
    return {**order, "at": datetime(2026, 11, 20, 12, 0)}


@DBOS.step(retries_allowed=True, max_attempts=3, interval_seconds=0.01, backoff_rate=1.0)
def charge(order_id: str, works: bool) -> str:
    if not works:
        raise Declined("51", "insufficient funds")
    return f"charge-{order_id}"


@DBOS.step(name="quote")
async def quote(carrier: str) -> dict[str, Any]:
    await asyncio.sleep(0.02)
    return {"carrier": carrier, "price": len(carrier)}


@DBOS.step()
def download(url: str) -> int:
    IN_STEP.set()
    time.sleep(3600)
    return 1


@DBOS.step()
def pack(item: str) -> str:
    return f"packed {item}"


@DBOS.workflow()
async def quotes(order_id: str) -> dict[str, Any]:
    found = await asyncio.gather(*(quote(name) for name in ("dhl", "ups", "post")))
    return min(found, key=lambda one: one["price"])


@DBOS.workflow()
def ship(order_id: str) -> str:
    DBOS.set_event("tracking", f"t-{order_id}")
    return pack(order_id)


@DBOS.workflow()
def order(data: dict[str, Any]) -> dict[str, Any]:
    DBOS.set_event("stage", "validating")
    DBOS.write_stream("log", {"msg": "start"})
    checked = validate(data)
    if data.get("approval"):
        decision = DBOS.recv("approval", timeout_seconds=data["approval"])
        if decision is None:
            raise TimeoutError("approval timed out")
    receipt = charge(data["id"], data.get("pays", True))
    best = DBOS.start_workflow(quotes, data["id"]).get_result()
    with SetEnqueueOptions(queue_partition_key=data.get("place", "ams")):
        handle = DBOS.enqueue_workflow("warehouse", ship, data["id"])
    packed = handle.get_result()
    DBOS.sleep(0.01)
    DBOS.set_event("stage", "done")
    DBOS.close_stream("log")
    return {"receipt": receipt, "best": best, "packed": packed, "items": len(checked["items"])}


@DBOS.workflow()
def import_catalog(url: str) -> int:
    pack("before")
    return download(url)


@DBOS.workflow()
def nap(seconds: float) -> str:
    DBOS.sleep(seconds)
    return "rested"


@DBOS.workflow()
def slow(name: str) -> str:
    for i in range(200):
        pack(f"{name}-{i}")
        DBOS.sleep(0.05)
    return name


@DBOS.workflow(serialization_type=WorkflowSerializationFormat.PORTABLE)
def invoice(order_id: str, amount: float) -> dict[str, Any]:
    pack("invoice")
    if amount < 0:
        raise ValueError("negative invoice Ünïcode")
    return {"invoice": order_id, "amount": amount}


@DBOS.dbos_class()
class Warehouse(DBOSConfiguredInstance):
    def __init__(self, name: str) -> None:
        super().__init__(config_name=name)

    @DBOS.workflow()
    def stocktake(self, shelf: int) -> str:
        return pack(f"{self.config_name}:{shelf}")


@DBOS.workflow()
def drift_check(scheduled: datetime, context: Any) -> None:
    pack(f"drift {context['region']}")


AMS = Warehouse("ams")


def engine_of(url: str) -> sa.Engine | None:
    """DBOS on SQLite needs SQLite >= 3.42 on newer Pythons, and for milliseconds on any."""
    if not url.startswith("sqlite"):
        return None
    try:
        import pysqlite3.dbapi2 as module
    except ImportError:
        return None
    engine = sa.create_engine(url, module=module)

    @sa.event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute("PRAGMA busy_timeout=30000")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine


def launch(url: str, version: str) -> None:
    config: dict[str, Any] = {
        "name": "orders",
        "application_version": version,
        "executor_id": "local",
        "log_level": "CRITICAL",
        "scheduler_polling_interval_sec": 0.2,
    }
    engine = engine_of(url)
    config |= {"system_database_url": url} if engine is None else {"system_database_engine": engine}
    DBOS(config=config)
    DBOS.launch()
    DBOS.register_queue("warehouse", global_concurrency=4, partition_concurrency=1, polling_interval_sec=0.05)
    DBOS.register_queue("reports", worker_concurrency=1, polling_interval_sec=0.05)
    DBOS.register_queue("paused", global_concurrency=0, polling_interval_sec=1.0)
    DBOS.apply_schedules(
        [
            {
                "schedule_name": "drift-eu",
                "workflow_fn": drift_check,
                "schedule": "*/2 * * * * *",
                "context": {"region": "eu"},
            }
        ]
    )


def goods(number: int) -> dict[str, Any]:
    return {
        "id": f"o{number}",
        "items": ["sku1", "sku2"][: number % 3],
        "place": "ams" if number % 2 else "ber",
    }


def orders() -> list[Any]:
    handles = []
    for i in range(12):
        data = {**goods(i), "pays": i % 4 != 1}
        tags = {"tenant": "acme" if i % 2 else "globex", "size": i, "nested": {"gold": i % 3 == 0}}
        with SetWorkflowID(f"order-{i:03d}"), SetWorkflowAttributes(tags):
            handles.append(DBOS.start_workflow(order, data))
    return handles


def v1() -> None:
    handles = orders()
    with SetWorkflowID("waiting-1"):
        DBOS.start_workflow(order, {**goods(1), "approval": 3600.0})
    with SetWorkflowID("approved-1"):
        handles.append(DBOS.start_workflow(order, {**goods(2), "approval": 60.0}))
    with SetWorkflowID("expired-1"):
        handles.append(DBOS.start_workflow(order, {**goods(2), "approval": 0.2}))
    with SetWorkflowID("nap-1"):
        DBOS.start_workflow(nap, 86_400.0)
    for i, amount in enumerate((12.5, -1.0)):
        with SetWorkflowID(f"invoice-{i}"):
            handles.append(DBOS.start_workflow(invoice, f"o{i}", amount))
    with SetWorkflowID("stocktake-1"):
        handles.append(DBOS.start_workflow(AMS.stocktake, 7))
    for i in range(3):
        with SetWorkflowID(f"report-{i}"), SetEnqueueOptions(priority=i + 1, deduplication_id=f"r{i}"):
            DBOS.enqueue_workflow("reports", slow, f"report-{i}")
    with SetWorkflowID("held-1"):
        DBOS.enqueue_workflow("paused", nap, 0.0)
    with SetWorkflowID("later-1"), SetEnqueueOptions(delay_seconds=86_400):
        DBOS.enqueue_workflow("reports", nap, 0.0)
    with SetWorkflowID("timeout-1"), SetWorkflowTimeout(0.3):
        DBOS.start_workflow(slow, "timeout")
    with SetWorkflowID("cancelled-1"):
        DBOS.start_workflow(nap, 3600.0)
    DBOS.send("approved-1", {"ok": True}, topic="approval")
    until(lambda: DBOS.list_workflow_steps("cancelled-1"))
    DBOS.cancel_workflow("cancelled-1")
    for handle in handles:
        try:
            handle.get_result()
        except Exception as error:  # noqa: BLE001  the failing ones are meant to fail
            print(type(error).__name__)
    with SetWorkflowID("stuck-1"):
        DBOS.start_workflow(import_catalog, "https://example.com/catalog.csv")
    IN_STEP.wait()
    until(settled)
    time.sleep(
        1
    )  # on SQLite the next version's time is a whole second: it is later than the last step in any case
    os.kill(os.getpid(), signal.SIGKILL)


def until(true: Callable[[], Any]) -> None:
    while not true():
        time.sleep(0.05)


def settled() -> bool:
    """What is open has come as far as it will."""
    if len(DBOS.list_workflow_steps("waiting-1")) < 4 or not DBOS.list_workflow_steps("nap-1"):
        return False
    found = {run.workflow_id: run.status for run in DBOS.list_workflows()}
    fired = [status for run_id, status in found.items() if run_id.startswith("sched-drift-eu")]
    return (
        found["timeout-1"] == "CANCELLED"
        and len(DBOS.list_workflow_steps("report-0")) > 9
        and "SUCCESS" in fired
    )


def v2() -> None:
    for i in range(2):
        with SetWorkflowID(f"new-{i}"):
            DBOS.start_workflow(AMS.stocktake, i).get_result()
    DBOS.fork_workflow("order-002", 3).get_result()
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    launch(sys.argv[1], sys.argv[2])
    v1() if sys.argv[2] == "v1" else v2()
