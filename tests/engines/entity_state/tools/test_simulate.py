"""Simulation: the same seed, weights of what becomes of steps, what cannot be simulated."""

from __future__ import annotations

from typing import Any

import pytest

from engine_bridge.cancel import CancelToken
from engine_bridge.configs import Simulation
from engine_bridge.engines.entity_state.tools import EntityConfigs
from engine_bridge.errors import CancelledError, RejectedError, UsageError
from tests.engines.entity_state.tools.conftest import SIMPLE, Folder, changed

SURE = {"*": {"success": 1, "rejection": 0, "failure": 0, "death": 0}}


def simulated(folder: Folder, *configs: dict[str, Any], **options: Any) -> tuple[Simulation, ...]:
    places = tuple(folder.write(f"{i}.json", config) for i, config in enumerate(configs or (SIMPLE,)))
    return EntityConfigs().simulate(places, CancelToken(), **options)


def test_where_all_goes_well_all_end_well(folder: Folder) -> None:
    (found,) = simulated(folder, count=200, chances=SURE)
    assert (found.type, found.n, found.statuses, found.ends) == ("order", 200, {"done": 200}, {"good": 200})
    assert found.hops == (3, 3, 3)
    assert found.samples[0] == ("new", "checked", "shipped", "done")
    taken = {(a, b): n for a, b, _, n in found.edges}
    assert taken["new", "checked"] == taken["shipped", "done"] == 200


def test_the_same_seed_gives_the_same_lives(folder: Folder) -> None:
    assert simulated(folder, count=300, seed=7) == simulated(folder, count=300, seed=7)
    assert simulated(folder, count=300, seed=7)[0].edges != simulated(folder, count=300, seed=8)[0].edges


def test_unless_told_otherwise_things_go_wrong_at_times(folder: Folder) -> None:
    (found,) = simulated(folder, count=2_000)
    assert found.n == 2_000 and sum(found.ends.values()) == 2_000
    assert found.statuses.keys() == {"done", "failed", "shipping"}
    assert found.ends["good"] > 1_500 and found.ends["stuck"] == found.statuses["shipping"]


def test_a_weight_of_one_step_leaves_the_others(folder: Folder) -> None:
    sure = SURE | {"check": {"success": 0, "rejection": 1}}
    (found,) = simulated(folder, count=50, chances=sure)
    assert found.statuses == {"failed": 50}


def test_one_simulation_for_each_type_or_for_one(folder: Folder) -> None:
    other = changed(SIMPLE, workflow_type="return")
    assert [s.type for s in simulated(folder, SIMPLE, other, count=1)] == ["order", "return"]
    assert [s.type for s in simulated(folder, SIMPLE, other, count=1, type="return")] == ["return"]


def test_a_tenant_walks_by_its_overlay(folder: Folder) -> None:
    acme = {
        "workflow_type": "order",
        "tenant": "acme",
        "steps": [{"key": "close", "successful_state": "failed"}],
    }
    (base,) = simulated(folder, SIMPLE, acme, count=10, chances=SURE)
    (own,) = simulated(folder, SIMPLE, acme, count=10, chances=SURE, tenant="acme")
    assert (base.statuses, own.statuses) == ({"done": 10}, {"failed": 10})


@pytest.mark.parametrize(
    ("chances", "message"),
    [
        ({"chek": {"success": 1}}, "No step is called 'chek'. Did you mean “check”?"),
        ({"check": {"luck": 1}}, "No outcome of a step is called 'luck'."),
        ({"check": {"success": -1}}, "The weight of success must be 0 or more."),
        ({"*": {"success": float("nan")}}, "The weight of success must be 0 or more."),
    ],
)
def test_weights_that_mean_nothing_are_refused(folder: Folder, chances: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        simulated(folder, count=1, chances=chances)
    assert str(caught.value).startswith(message)


def test_a_broken_config_is_refused_with_its_first_error(folder: Folder) -> None:
    with pytest.raises(RejectedError, match=r"0\.json:16: “initial”"):
        simulated(folder, changed(SIMPLE, initial=7))


def test_a_cancelled_simulation_stops(folder: Folder) -> None:
    token = CancelToken(lambda done, total, text: token.cancel() if done else None)
    place = folder.write("0.json", SIMPLE)
    with pytest.raises(CancelledError):
        EntityConfigs().simulate((place,), token, count=1_000_000)
