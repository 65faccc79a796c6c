"""Eight operators move the same fifty rows: nothing is lost, and every history row begins where the last one ended."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from engine_bridge.engines.entity_state.engine import bound
from engine_bridge.engines.entity_state.engine.errors import StaleError
from tests.engines.entity_state.engine.shop import INVOICE, Shop, broken_links, user


def compete(shop: Shop, moves: int, operators: int = 8, rows: int = 50) -> None:
    """Every operator makes so many attempts on rows chosen at random."""
    shop.add(count=rows)
    flow = shop.engine().workflow("invoice")

    def operate(number: int) -> tuple[int, int]:
        rng = random.Random(number)
        won = lost = 0
        with bound(user(name=f"operator-{number}")):
            for _ in range(moves):
                row = flow.read(flow.attempt(None, None), rng.randint(1, rows))
                to = rng.choice([s for s in INVOICE["status_types"] if s != row.status])
                try:
                    flow.move(row.id, to, "tidying up", seen=(row.status, row.version))
                    won += 1
                except StaleError as error:
                    assert error.winner is not None
                    assert error.winner["actor"].startswith("operator-")
                    lost += 1
        return won, lost

    with ThreadPoolExecutor(operators) as pool:
        results = list(pool.map(operate, range(operators)))
    won = sum(result[0] for result in results)
    assert won + sum(result[1] for result in results) == operators * moves
    history, invoices = shop.tables.history, shop.invoices
    with shop.db.connect() as connection:
        assert connection.execute(sa.select(sa.func.sum(invoices.c.version - 1))).scalar_one() == won
        assert connection.execute(sa.select(sa.func.count()).select_from(history)).scalar_one() == won
        assert broken_links(history, connection) == 0
        last = {str(row.id): row.status for row in connection.execute(sa.select(invoices))}
        for row in connection.execute(sa.select(history).order_by(history.c.id.desc())):
            assert last.pop(row.entity_id, row.to_status) == row.to_status


def test_no_move_is_lost_and_no_link_is_broken(shop: Shop) -> None:
    compete(shop, 20)


@pytest.mark.long
def test_no_move_of_eight_thousand_is_lost(shop: Shop) -> None:
    compete(shop, 1_000)
