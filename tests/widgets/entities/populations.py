"""Populations for tests: the registration of the fakes, and made-up ones of any size."""

from __future__ import annotations

import random

from engine_bridge.populations import Flow, Population, StatusNode
from tests.fakes_population import REGISTRATION, make_entity, population_of


def registration(count: int = 300) -> Population:
    return population_of(REGISTRATION, [make_entity(number) for number in range(count)])


def large(statuses: int, seed: int = 1) -> Population:
    """A config of many statuses: mostly forward ways, some over several columns, some back that nobody declared."""
    chance = random.Random(seed)
    roles = ["waiting"] * statuses
    roles[0], roles[-1] = "initial", "good"
    nodes = tuple(
        StatusNode(status=f"status_{n:03d}", role=role, count=chance.randint(0, 90_000), stuck=n % 17 == 3)
        for n, role in enumerate(roles)
    )
    flows = []
    for n in range(1, statuses):
        before = max(0, n - chance.randint(1, max(2, int(statuses**0.5))))
        flows.append(_flow(before, n, count=chance.randint(0, 900), share=chance.random()))
        if chance.random() < 0.35 and n + 8 < statuses:
            flows.append(_flow(n, n + chance.randint(2, 8), count=5, share=0.1))
        if chance.random() < 0.1:
            flows.append(_flow(n, max(0, n - 4), declared=False, count=4))
    return Population(
        type="large", nodes=nodes, flows=tuple(flows), total=sum(n.count for n in nodes), as_of_ns=1
    )


def _flow(source: int, target: int, **more: object) -> Flow:
    return Flow(
        source=f"status_{source:03d}", target=f"status_{target:03d}", steps=(f"step_{target}",), **more
    )
