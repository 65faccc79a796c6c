"""The same agreement on PostgreSQL, whose collations, booleans and JSONB differ from SQLite's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects.postgresql import JSONB

from engine_bridge.query.ast import Node
from tests.engines.dbos.databases import make_database

from .strategies import METADATA, nodes, rows, table
from .test_sql import check, edge_texts


class RawJson(sa.types.TypeDecorator[str]):
    """Takes JSON as text, so that a row is stored as it was drawn."""

    impl = JSONB
    cache_ok = True

    def bind_expression(self, bindparam: Any) -> Any:
        return sa.cast(sa.type_coerce(bindparam, sa.Text), JSONB)

    def bind_processor(self, dialect: sa.Dialect) -> None:
        return None


POSTGRES = table("runs_pg", RawJson, sa.Boolean)


@pytest.fixture(scope="module")
def postgres(server: Any) -> Iterator[sa.Connection]:
    uri = make_database(server, "filters")
    engine = sa.create_engine(uri.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        METADATA.create_all(connection, tables=[POSTGRES])
        yield connection
    engine.dispose()


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(drawn=st.lists(rows(nul=False, broken=False), min_size=1, max_size=12), tree=nodes)
def test_pushed_and_residual_return_what_the_predicate_does(
    postgres: sa.Connection, drawn: list[dict[str, Any]], tree: Node
) -> None:
    check(postgres, POSTGRES, drawn, tree)


@pytest.mark.parametrize("op", ["contains", "~", "==", "<", ">="])
def test_texts_at_the_edge_of_case_and_patterns(postgres: sa.Connection, op: str) -> None:
    edge_texts(postgres, POSTGRES, [], op, "queue")
