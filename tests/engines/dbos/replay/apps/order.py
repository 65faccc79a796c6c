"""An order, executed by a real worker: ``python order.py FOLDER`` leaves FOLDER/order.sqlite. Tests edit copies."""

from __future__ import annotations

import os
import sys
from typing import Any

from dbos import DBOS, SetEnqueueOptions, SetWorkflowID

FOLDER = sys.argv[1] if len(sys.argv) > 1 and __name__ == "__main__" else "."


class Declined(Exception):
    pass


@DBOS.step()
def priced(number: int) -> int:
    return number * 10


@DBOS.step()
def reserve(number: int) -> str:
    return f"r{number}"


@DBOS.step()
def release(reservation: str) -> None:
    return None


@DBOS.step()
def print_label(number: int) -> str:
    return f"label {number}"


@DBOS.step(name="log.note")
def note(text: str) -> None:
    return None


@DBOS.step()
def pack(turn: int) -> int:
    return turn


@DBOS.step()
def fraud_check(number: int) -> float:
    return 0.5


@DBOS.step()
def charge(price: int) -> str:
    if price > 100:
        raise Declined(f"{price} is too much")
    return f"c{price}"


@DBOS.step()
def audit(text: str) -> None:
    return None


@DBOS.workflow()
def invoice(number: int) -> str:
    return f"i{number}"


@DBOS.workflow()
def bill(number: int) -> str:
    return f"b{number}"


@DBOS.workflow()
def notify(text: str) -> str:
    return text


@DBOS.workflow()
def order(number: int, express: bool = True) -> Any:
    DBOS.set_event("stage", "begun")
    price = priced(number)
    reserved = reserve(number)
    if express:
        label = print_label(number)
    else:
        label = "none"
        note("slow")
    for turn in range(3):
        pack(turn)
    DBOS.sleep(0.01)
    bills = invoice(number)
    DBOS.write_stream("log", label)
    if DBOS.patch("fraud"):
        fraud_check(number)
    with SetEnqueueOptions(priority=3):
        told = DBOS.enqueue_workflow("mail", notify, "first")
    DBOS.start_workflow(notify, "second")
    told.get_result()
    try:
        charged = charge(price)
    except Declined:
        release(reserved)
        raise
    DBOS.set_event("stage", "done")
    return {"charged": charged, "invoice": bills}


@DBOS.workflow()
def approval(number: int) -> Any:
    priced(number)
    answer = DBOS.recv("approval", timeout_seconds=3600)
    charge(answer)
    return answer


@DBOS.workflow()
def approved(number: int) -> Any:
    priced(number)
    answer = DBOS.recv("approval", timeout_seconds=30)
    charge(answer)
    return answer


def helper_of_order(number: int) -> None:
    reserve(number)
    print_label(number)


def extended_helper(number: int) -> None:
    reserve(number)
    audit("in a helper")
    print_label(number)


def shortened_helper(number: int) -> None:
    print_label(number)


@DBOS.workflow()
def helped(number: int) -> Any:
    helper_of_order(number)
    note("done")
    return charge(number)


@DBOS.workflow()
def old_way(number: int) -> Any:
    priced(number)
    return charge(number)


@DBOS.workflow()
def old_and_waiting(number: int) -> Any:
    priced(number)
    return DBOS.recv("more", timeout_seconds=3600)


def main() -> None:
    DBOS(config={"name": "order", "system_database_url": f"sqlite:///{FOLDER}/order.sqlite",
                 "application_version": "one", "executor_id": "tester", "log_level": "CRITICAL",
                 "notification_listener_polling_interval_sec": 0.02})  # fmt: skip
    DBOS.launch()
    DBOS.register_queue("mail", polling_interval_sec=0.02)
    waiting = []
    runs = {
        "order": (order, 5),
        "declined": (order, 50),
        "approval": (approval, 1),
        "approved": (approved, 2),
        "helped": (helped, 6),
        "old": (old_way, 3),
        "old-waiting": (old_and_waiting, 4),
    }
    for name, (func, number) in runs.items():
        with SetWorkflowID(name):
            waiting.append(DBOS.start_workflow(func, number))
    DBOS.send("approved", 7, topic="approval")
    for name in ("order", "declined", "approved", "helped", "old"):
        try:
            DBOS.retrieve_workflow(name).get_result(polling_interval_sec=0.02)
        except Declined:
            print(name, "was declined")
    while not DBOS.list_workflow_steps("old-waiting")[1:] or not DBOS.list_workflow_steps("approval")[1:]:
        DBOS.list_workflow_steps("old-waiting")
    os._exit(0)


if __name__ == "__main__":
    main()
