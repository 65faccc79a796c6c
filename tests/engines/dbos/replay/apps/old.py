"""What made the databases of older schemas (tests/data/dbos/old_*)."""

from __future__ import annotations

from dbos import DBOS


@DBOS.step()
def s(number: int) -> int:
    return number + 1


@DBOS.workflow()
def w(number: int) -> int:
    DBOS.set_event("k", number)
    return s(number)
