"""A serialiser of the application's own, and instances made in ``main``: ``python custom.py FOLDER``."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from dbos import DBOS, DBOSConfiguredInstance, Serializer, SetWorkflowID

FOLDER = sys.argv[1] if len(sys.argv) > 1 and __name__ == "__main__" else "."


class Reversed(Serializer):
    """JSON, read from the end."""

    def serialize(self, data: Any) -> str:
        if isinstance(data, Exception):
            data = {"error": [type(data).__name__, str(data)]}
        elif isinstance(data, dict) and "args" in data:
            data = {"args": list(data["args"]), "kwargs": data["kwargs"]}
        return json.dumps(data)[::-1]

    def deserialize(self, serialized_data: str) -> Any:
        data = json.loads(serialized_data[::-1])
        if isinstance(data, dict) and "error" in data:
            return ValueError(data["error"][1])
        return (
            {"args": tuple(data["args"]), "kwargs": data["kwargs"]}
            if isinstance(data, dict) and "args" in data
            else data
        )

    def name(self) -> str:
        return "reversed"


@DBOS.step()
def double(value: int) -> int:
    if value > 100:
        raise ValueError("too much")
    return value * 2


@DBOS.workflow()
def child(value: int) -> int:
    return double(value)


@DBOS.workflow()
def plain(value: int) -> dict[str, Any]:
    DBOS.set_event("stage", {"at": value})
    return {"double": double(value), "child": DBOS.start_workflow(child, value).get_result()}


@DBOS.workflow()
def failing(value: int) -> int:
    return double(value)


@DBOS.dbos_class()
class Shelf(DBOSConfiguredInstance):
    def __init__(self, name: str) -> None:
        super().__init__(config_name=name)

    @DBOS.workflow()
    def count(self, value: int) -> str:
        return f"{self.config_name}{double(value)}"


def make() -> list[Shelf]:
    return [Shelf("left"), Shelf("right")]


def main() -> None:
    DBOS(config={"name": "custom", "system_database_url": f"sqlite:///{FOLDER}/custom.sqlite", "log_level": "CRITICAL",
                 "application_version": "one", "executor_id": "tester", "serializer": Reversed()})  # fmt: skip
    left, _ = make()
    DBOS.launch()
    for name, func, value in (("plain", plain, 3), ("failing", failing, 300), ("count", left.count, 2)):
        with SetWorkflowID(name):
            handle = DBOS.start_workflow(func, value)
        try:
            handle.get_result()
        except ValueError:
            print(name, "failed")
    os._exit(0)


if __name__ == "__main__":
    main()
