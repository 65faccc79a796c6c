"""Properties of cascade and validation: nothing raises, merging is field by field, findings point into their file."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine_bridge.engines.entity_state.engine import load_texts
from engine_bridge.engines.entity_state.engine.cascade import merge
from engine_bridge.engines.entity_state.engine.config import REQUESTERS
from engine_bridge.engines.entity_state.engine.findings import Report
from engine_bridge.engines.entity_state.engine.json_nodes import Node, parse
from engine_bridge.engines.entity_state.engine.simulation import Chances, simulate
from tests.engines.entity_state.engine.shop import INVOICE, catalogue

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
names = st.sampled_from(["user", "admin", "default", "key", "status", "steps", "claim", "remove"]) | st.text(
    max_size=4
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=8,
)


def node(value: Any, file: str = "x") -> Node:
    found = parse(json.dumps(value), file, Report())
    assert found is not None
    return found


@given(values)
def test_parsing_agrees_with_the_standard_library(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    for text in (json.dumps(value), json.dumps(value, indent=1, ensure_ascii=False)):
        found = parse(text, "x", Report())
        assert found is not None
        assert found.plain() == json.loads(text)


@given(st.text(alphabet='{}[]",:0123e-+ntrufalse\\ \n.x', max_size=60))
def test_whatever_the_text_parsing_agrees_about_what_is_json(text: str) -> None:
    report = Report()
    found = parse(text, "x", report)
    try:
        expected = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        assert found is None
        assert report.broken
        return
    if found is not None:
        assert found.plain() == expected


def _refuse(name: str) -> None:
    raise ValueError(name)


objects = st.dictionaries(st.sampled_from("abcde"), st.integers() | st.text(max_size=2), max_size=5)


@given(objects, objects)
def test_merging_takes_the_overlays_field_where_it_has_one(
    base: dict[str, Any], over: dict[str, Any]
) -> None:
    merged = merge(node(base, "base"), node(over, "over"), REQUESTERS)
    assert merged.plain() == base | over
    for key, child in merged.value.items():
        assert child.place.file == ("over" if key in over else "base")


@given(st.dictionaries(st.sampled_from(["user", "admin", "cron", "default"]), st.text(max_size=2), min_size=1),
       st.text(max_size=2))  # fmt: skip
def test_a_value_by_requester_over_a_plain_one_keeps_it_as_the_default(
    over: dict[str, str], base: str
) -> None:
    merged = merge(node({"f": base}), node({"f": over}), REQUESTERS).plain()["f"]
    assert merged == {"default": base, **over}


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict):
        for key, child in value.items():
            found += _paths(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            found += _paths(child, (*path, index))
    return found


PATHS = [path for path in _paths(INVOICE) if path]


@settings(max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(PATHS), values), min_size=1, max_size=3), st.booleans())
def test_any_damage_to_a_config_is_a_finding_or_harmless_but_never_an_exception(
    damage: list[tuple[tuple[Any, ...], Any]], overlay: bool
) -> None:
    config: Any = deepcopy(INVOICE)
    for path, value in damage:
        _put(config, path, value)
    texts = [("base.json", json.dumps(INVOICE)), ("x.json", json.dumps(config | {"tenant": "t"}))]
    found = load_texts(texts if overlay else [("x.json", json.dumps(config))])
    for finding in found.findings:
        assert finding.reason
        assert finding.fix
        assert finding.line > 0
        assert _resolves(json.loads(dict(texts)[finding.file]) if overlay else config, finding.pointer)


def _put(config: Any, path: tuple[Any, ...], value: Any) -> None:
    for part in path[:-1]:
        try:
            config = config[part]
        except (KeyError, IndexError, TypeError):
            return
    try:
        config[path[-1]] = value
    except (KeyError, IndexError, TypeError):
        return


def _resolves(value: Any, pointer: str) -> bool:
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list):
            value = value[int(key)]
        elif isinstance(value, dict) and key in value:
            value = value[key]
        else:
            return False
    return True


@given(st.integers(0, 2**32), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=30)
def test_simulated_lives_are_accounted_for(seed: int, reject: float, die: float) -> None:
    document = catalogue(INVOICE).get("invoice")
    chances = {"*": Chances(1, reject, 0.2, die)}
    found = simulate(document, 50, seed=seed, chances=chances)
    assert sum(found.ends.values()) == sum(found.statuses.values()) == 50
    assert found == simulate(document, 50, seed=seed, chances=chances)
