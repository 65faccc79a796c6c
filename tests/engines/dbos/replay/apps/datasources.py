"""Transactions of datasources, most of them asynchronous: ``python datasources.py FOLDER URL``, URL of SQLAlchemy."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, AsyncSQLAlchemyDatasource, SetWorkflowID

FOLDER, URL = (
    sys.argv[1:3] if len(sys.argv) > 2 and __name__ == "__main__" else (".", "postgresql://nobody@nowhere/x")
)
shop = asyncio.run(AsyncSQLAlchemyDatasource.create(URL))


class SoldOut(Exception):
    pass


@DBOS.step()
async def price(number: int) -> int:
    return number * 10


@shop.transaction
async def sell(name: str, number: int) -> int:
    session = shop.sql_session()
    if number > 100:
        raise SoldOut(name)
    return int((await session.execute(sa.text("SELECT 1"))).scalar_one()) + number


async def count(number: int) -> int:
    return number


@DBOS.workflow()
async def sells(number: int) -> Any:
    first = await sell("lamp", number)
    rest = await asyncio.gather(*[sell(f"lamp {n}", n) for n in range(4)], price(3))
    inline = await shop.run_tx_step_async({"name": "inline"}, count, 3)
    return [first, rest, inline]


@DBOS.workflow()
async def sells_too_many() -> Any:
    try:
        await sell("lamp", 1000)
    except SoldOut:
        return await price(1)


@DBOS.workflow()
async def fails() -> Any:
    await asyncio.gather(sell("lamp", 1), sell("kettle", 1000))


@DBOS.workflow()
async def sells_and_waits() -> Any:
    await sell("lamp", 1)
    return await DBOS.recv_async("go", timeout_seconds=3600)


def main() -> None:
    DBOS(config={"name": "datasources", "system_database_url": f"sqlite:///{FOLDER}/datasources.sqlite",
                 "log_level": "CRITICAL", "application_version": "one", "executor_id": "tester"})  # fmt: skip
    DBOS.launch()
    handles = {}
    for func, args in ((sells, (5,)), (sells_too_many, ()), (fails, ()), (sells_and_waits, ())):
        with SetWorkflowID(func.__name__):
            handles[func.__name__] = DBOS.start_workflow(func, *args)
    for name in ("sells", "sells_too_many", "fails"):
        try:
            print(name, handles[name].get_result(polling_interval_sec=0.02))
        except SoldOut:
            print(name, "failed")
    while len(DBOS.list_workflow_steps("sells_and_waits")) < 2:
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
