"""Runs a bulk job in a process that a test may kill: ``… SHOP JOURNAL JOB``; prints the state in which it ended."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

from engine_bridge.actions.bulk import BulkRun
from engine_bridge.actions.bulk_store import BulkStore
from engine_bridge.actions.journal import Journal
from engine_bridge.cancel import CancelToken
from tests.fakes_actions import ShopActor


def main(shop: str, folder: str, job: str) -> None:
    journal = Journal(Path(folder))
    store = BulkStore(Path(folder), journal.owner.dead)
    with BulkRun(functools.partial(ShopActor, shop), journal, store, job) as run:
        ended = run.run(CancelToken())
    print(ended.state, ended.why, flush=True)
    store.close()
    journal.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
