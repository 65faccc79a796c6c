"""An operator who moves random entities as fast as possible, against others.

usage: python -m tests.engines.entity_state.act.racer URL NAME MOVES SEED ID…

Prints JSON: requests that were applied, how many were too late, how many of those were not told who won.
"""

from __future__ import annotations

import json
import random
import sys

from engine_bridge.actions.model import Signature, Staged, Verdict, new_request_id
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import actions
from engine_bridge.engines.entity_state.act import EntityActor
from engine_bridge.engines.entity_state.store import Store
from tests.engines.entity_state.act.tools import target_of

STATUSES = ("draft", "approved", "sent", "overdue")


def main(url: str, name: str, moves: str, seed: str, *ids: str) -> None:
    never, chance = CancelToken(), random.Random(int(seed))
    store, actor = Store(url), EntityActor(url)
    store.open(never)
    actor.open(never)
    actor.sign(Signature(who=name, reason="race"), never)
    applied, late, untold = [], 0, 0
    for _ in range(int(moves)):
        aim = target_of(chance.choice(ids))
        [item] = actions.plan(
            store, (Staged(target=aim, action="move", args={"to": chance.choice(STATUSES)}),), never
        )
        if item.refused:
            continue
        request = new_request_id()
        outcome = actor.execute(item, request, never).outcome
        if outcome.verdict is Verdict.APPLIED:
            applied.append(request)
        else:
            late += 1
            untold += not (outcome.stale and any(" moved it " in text for text in outcome.evidence))
    actor.close()
    store.close()
    print(json.dumps({"applied": applied, "late": late, "untold": untold}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
