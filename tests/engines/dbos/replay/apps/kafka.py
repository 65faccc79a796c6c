"""Kafka consumers: what dbos enqueues of a message, with no broker: ``python kafka.py FOLDER``."""

from __future__ import annotations

import os
import sys
from typing import Any

from confluent_kafka import Message
from dbos import DBOS, KafkaMessage

FOLDER = sys.argv[1] if len(sys.argv) > 1 and __name__ == "__main__" else "."
CONFIG = {"bootstrap.servers": "127.0.0.1:9", "group.id": "shop"}


@DBOS.step()
def book(order: str, amount: int) -> str:
    return f"{order} for {amount}"


@DBOS.step()
async def note(text: str) -> str:
    return text


@DBOS.kafka_consumer(CONFIG, ["orders"])
@DBOS.workflow()
def on_order(message: KafkaMessage) -> Any:
    order = (message.value or b"").decode()
    DBOS.set_event("offset", message.offset)
    return [book(order, len(order)), message.topic, message.headers]


@DBOS.kafka_consumer(CONFIG, ["refunds"], ordering="partition")
@DBOS.workflow()
async def on_refund(message: KafkaMessage) -> Any:
    if message.value is None:
        raise ValueError(f"an empty message at {message.offset}")
    return await note(str(message.key))


@DBOS.kafka_consumer(CONFIG, ["waits"])
@DBOS.workflow()
def on_wait(message: KafkaMessage) -> Any:
    book("x", 1)
    return DBOS.recv("go", timeout_seconds=3600)


def consumed(func: Any, ordering: Any, queue: str, *messages: Message) -> list[str]:
    """What the consumer's loop does with messages that it got."""
    from dbos import _kafka
    from dbos._dbos import _get_dbos_instance

    dbos = _get_dbos_instance()
    rows = [_kafka._build_status(dbos, func, one, "shop", ordering, queue) for one in messages]
    dbos._sys_db.init_workflows(rows)
    return [row["workflow_uuid"] for row in rows]


def main() -> None:
    from dbos._kafka import KAFKA_ORDERED_QUEUE_NAME, KAFKA_QUEUE_NAME

    DBOS(config={"name": "kafka", "system_database_url": f"sqlite:///{FOLDER}/kafka.sqlite", "log_level": "CRITICAL",
                 "application_version": "one", "executor_id": "tester",
                 "kafka_queue_polling_interval_sec": 0.05})  # fmt: skip
    DBOS.launch()
    runs = consumed(on_order, "none", KAFKA_QUEUE_NAME, *[
        Message(topic="orders", partition=0, offset=n, value=b"order-%d" % n, key=b"k", headers=[("tenant", b"acme")])
        for n in range(3)
    ])  # fmt: skip
    runs += consumed(on_refund, "partition", KAFKA_ORDERED_QUEUE_NAME,
                     Message(topic="refunds", partition=1, offset=7, value=b"r", key=b"k7"),
                     Message(topic="refunds", partition=1, offset=8, value=None))  # fmt: skip
    (waits,) = consumed(
        on_wait, "none", KAFKA_QUEUE_NAME, Message(topic="waits", partition=0, offset=0, value=b"")
    )
    for run in runs:
        try:
            DBOS.retrieve_workflow(run).get_result(polling_interval_sec=0.02)
        except ValueError:
            print(run, "failed")
    while len(DBOS.list_workflow_steps(waits)) < 2:
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
