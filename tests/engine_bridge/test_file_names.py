"""Paths in addresses, whatever bytes their names are made of."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from engine_bridge.bridge import load_engine
from engine_bridge.engines import bundle
from engine_bridge.engines.dbos import url as dbos
from engine_bridge.engines.entity_state import url as entity
from engine_bridge.engines.temporal import dev_url, url

ODD = os.fsdecode(b"/srv/\xff%41 b.json")


@pytest.mark.parametrize(
    "there_and_back",
    [
        lambda path: bundle.path_of(load_engine("bundle").absolute(path)),
        lambda path: url.parse(url.file_url(path)).path,
        lambda path: dev_url.parse(dev_url.dev_url(path)).path,
        lambda path: dbos.parse(dbos.file_url(path)).path,  # type: ignore[union-attr]
        lambda path: entity.parse(entity.file_url(path, "m.toml")).path,
    ],
)
def test_a_name_that_is_no_text_stands_in_an_address(there_and_back: Callable[[str], object]) -> None:
    assert str(there_and_back(ODD)) == ODD
