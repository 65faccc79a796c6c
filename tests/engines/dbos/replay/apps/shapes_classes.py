"""Workflows and steps of classes and their instances: a part of shapes.py."""

from __future__ import annotations

from dbos import DBOS, DBOSConfiguredInstance


@DBOS.step()
def plus(a: int, b: int) -> int:
    return a + b


@DBOS.dbos_class()
class Shelf(DBOSConfiguredInstance):
    def __init__(self, name: str) -> None:
        super().__init__(config_name=name)
        self.name = name

    @DBOS.workflow()
    def count(self, shelf: int) -> str:
        return f"{self.name}:{self.look(shelf)}:{DBOS.start_workflow(self.part, shelf).get_result()}"

    @DBOS.step()
    def look(self, shelf: int) -> int:
        return shelf + 1

    @DBOS.workflow()
    def part(self, shelf: int) -> int:
        return shelf

    @classmethod
    @DBOS.workflow()
    def of_class(cls, value: int) -> str:
        return f"{cls.__name__}{plus(value, 1)}"

    @staticmethod
    @DBOS.workflow()
    def of_nobody(value: int) -> int:
        return int(plus(value, 2))


SHELF = Shelf("left")
