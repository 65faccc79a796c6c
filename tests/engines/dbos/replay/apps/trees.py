"""Asynchronous workflows that branch as chance has it: ``python trees.py URL COUNT``."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from typing import Any

from dbos import DBOS, SetWorkflowID

URL = sys.argv[1] if len(sys.argv) > 1 and __name__ == "__main__" else "sqlite:///none"


@DBOS.step()
async def work(name: str, seconds: float) -> str:
    await asyncio.sleep(seconds)
    if name.endswith("7"):
        raise ValueError(name)
    return name


@DBOS.workflow()
async def leaf(name: str, seconds: float) -> str:
    return await work(f"leaf {name}", seconds)


class Grower:
    """Makes the same choices again from the same seed, whoever comes first: each branch has a chance of its own."""

    def __init__(self, seed: str) -> None:
        self.chance = random.Random(seed)
        self.seed = seed

    async def grow(self, depth: int) -> Any:
        kinds = [self.one, self.one, self.sleep, self.event, self.child, self.started, self.inline]
        if depth:
            kinds += [lambda: self.gather(depth), lambda: self.race(depth), lambda: self.in_turn(depth)]
        return await self.chance.choice(kinds)()

    def branch(self, number: int) -> Grower:
        return Grower(f"{self.seed}.{number}")

    async def one(self) -> Any:
        try:
            return await work(f"{self.seed} {self.chance.randrange(20)}", self.chance.random() / 50)
        except ValueError as error:
            return f"failed {error}"

    async def sleep(self) -> Any:
        return await DBOS.sleep_async(self.chance.random() / 50)

    async def event(self) -> Any:
        return await DBOS.set_event_async(f"at {self.seed}", self.chance.randrange(9))

    async def child(self) -> Any:
        return await leaf(self.seed + "x", self.chance.random() / 50)

    async def started(self) -> Any:
        handle = await DBOS.start_workflow_async(leaf, self.seed + "y", self.chance.random() / 50)
        return [await self.one(), await handle.get_result(polling_interval_sec=0.01)]

    async def inline(self) -> Any:
        return await DBOS.run_step_async({"name": "inline"}, len, self.seed)

    async def gather(self, depth: int) -> Any:
        count = self.chance.randint(2, 5)
        return await asyncio.gather(*[self.branch(n).grow(depth - 1) for n in range(count)])

    async def race(self, depth: int) -> Any:
        found = []
        for done in asyncio.as_completed(
            [asyncio.ensure_future(self.branch(n).grow(depth - 1)) for n in range(3)]
        ):
            found.append([await done, await self.one()])
        return found

    async def in_turn(self, depth: int) -> Any:
        return [await self.branch(n).grow(depth - 1) for n in range(self.chance.randint(2, 4))]


@DBOS.workflow()
async def tree(seed: int) -> Any:
    grower = Grower(str(seed))
    return [await grower.gather(3), await grower.race(2), await grower.grow(2)]


def main() -> None:
    DBOS(config={"name": "trees", "system_database_url": URL, "log_level": "CRITICAL",
                 "application_version": "one", "executor_id": "tester"})  # fmt: skip
    DBOS.launch()
    handles = []
    for seed in range(int(sys.argv[2])):
        with SetWorkflowID(f"tree-{seed}"):
            handles.append(DBOS.start_workflow(tree, seed))
    for handle in handles:
        handle.get_result(polling_interval_sec=0.02)
    os._exit(0)


if __name__ == "__main__":
    main()
