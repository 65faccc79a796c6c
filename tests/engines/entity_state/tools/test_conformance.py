"""Replay of recorded moves: what a config would not make, per entity, grouped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from engine_bridge.cancel import CancelToken
from engine_bridge.configs import DivergenceGroup, Move, ReplayReport
from engine_bridge.engines.entity_state.tools import EntityConfigs
from engine_bridge.errors import RejectedError, UsageError
from engine_bridge.model import RunRef
from tests.engines.entity_state.tools.conftest import SIMPLE, Folder, changed, renamed

GOOD = (
    ("new", "checked", "check", "user"),
    ("checked", "shipping", "ship", "system"),
    ("shipping", "shipped", "ship", "system"),
    ("shipped", "done", "close", "user"),
)


def life(entity: str, *rows: tuple[str, ...], **fields: Any) -> list[Move]:
    """The moves of one entity: (from, to, step, requester[, kind])."""
    return [
        Move(
            ref=RunRef("entity", "order", entity), position=number, source=row[0], target=row[1], step=row[2],
            requester=row[3], kind=row[4] if len(row) > 4 else "", **fields,
        )
        for number, row in enumerate(rows, 1)
    ]  # fmt: skip


def replayed(folder: Folder, moves: Iterable[Move], *configs: dict[str, Any]) -> ReplayReport:
    chosen = configs or (SIMPLE,)
    places = tuple(folder.write(f"{i}.json", config) for i, config in enumerate(chosen))
    return EntityConfigs().replay(places, "order", moves, CancelToken())


def first(folder: Folder, *rows: tuple[str, ...], config: dict[str, Any] = SIMPLE) -> tuple[str, ...] | None:
    """(kind, recorded, expected, position) of one entity's divergence."""
    groups = replayed(folder, life("1", *rows), config).groups
    if not groups:
        return None
    (one,) = groups[0].entities
    return one.kind, one.recorded, one.expected, str(one.position)


def test_what_was_recorded_under_a_config_conforms_to_it(folder: Folder) -> None:
    assert replayed(folder, [*life("1", *GOOD), *life("2", *GOOD[:2])]) == ReplayReport(
        type="order", entities=2, moves=6
    )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("new", "gone", "check", "user")], ("unknown status", "gone", "a status of the config", "1")),
        ([GOOD[0], ("checked", "done", "jump", "user")],
         ("no such step", "jump: checked → done", "ship → shipping or skip → shipped", "2")),
        ([GOOD[0], ("checked", "done", "", "user")],
         ("no such step", "checked → done", "ship → shipping or skip → shipped", "2")),
        ([("new", "shipped", "check", "user")],
         ("other target", "check: new → shipped", "check: new → checked or failed", "1")),
        ([GOOD[0], ("checked", "shipped", "skip", "user")],
         ("other requester", "checked → shipped by user", "by admin", "2")),
        ([("checked", "shipped", "skip", "admin")], ("initial", "begins at checked", "begins at new", "1")),
        ([("", "checked", "make", "user")], ("initial", "begins at checked", "begins at new", "1")),
        ([*GOOD, ("done", "new", "again", "user")],
         ("no such step", "again: done → new", "nothing leads on from done", "5")),
    ],
)  # fmt: skip
def test_each_kind_of_divergence(
    folder: Folder, rows: list[tuple[str, ...]], expected: tuple[str, ...]
) -> None:
    assert first(folder, *rows) == expected


@pytest.mark.parametrize(
    "rows",
    [
        [("", "new", "made", "user"), *GOOD],  # the row that made the entity
        [("new", "failed", "check", "user")],  # a rejection
        [GOOD[0], GOOD[1], ("shipping", "checked", "ship", "cron")],  # the janitor, back
        [GOOD[0], GOOD[1], ("shipping", "failed", "ship", "cron")],  # the janitor, failed
        [GOOD[0], GOOD[1], ("shipping", "shipped", "ship", "cron")],  # the janitor, forward
        [
            GOOD[0],
            ("checked", "new", "operator_move", "admin", "moved"),
            GOOD[0],
        ],  # by hand, and on from there
        [GOOD[0], ("checked", "shipped", "skip", "", "observed")],
        [GOOD[0], ("checked", "shipped", "skip", "data_hub", "observed")],
        [("new", "checked", "old_name_of_check", "user")],
        [("new", "checked", "check", "")],
    ],
)
def test_what_is_no_divergence(folder: Folder, rows: list[tuple[str, ...]]) -> None:
    assert first(folder, *rows) is None


def test_by_hand_to_a_status_that_nobody_knows_any_more(folder: Folder) -> None:
    assert first(folder, ("new", "limbo", "operator_move", "admin", "moved")) == (
        "unknown status", "limbo", "a status of the config", "1",
    )  # fmt: skip


def test_only_the_first_divergence_of_an_entity_counts(folder: Folder) -> None:
    rows = (("new", "gone", "x", "user"), ("gone", "other", "y", "user"))
    report = replayed(folder, life("1", *rows))
    assert [(g.recorded, g.count) for g in report.groups] == [("gone", 1)]
    assert report.moves == 2


def test_a_renamed_status_diverges_where_it_first_comes(folder: Folder) -> None:
    config = renamed(SIMPLE, "shipped", "sent")
    assert first(folder, *GOOD, config=config) == ("unknown status", "shipped", "a status of the config", "3")


def test_divergences_are_grouped_the_most_first(folder: Folder) -> None:
    moves = [m for i in range(250) for m in life(f"a{i}", ("new", "gone", "x", "user"))]
    moves += [m for i in range(3) for m in life(f"b{i}", ("new", "done", "x", "user"))]
    report = replayed(folder, moves)
    assert (report.entities, report.moves) == (253, 253)
    assert [(g.kind, g.recorded, g.count, len(g.entities)) for g in report.groups] == [
        ("unknown status", "gone", 250, 100),
        ("no such step", "x: new → done", 3, 3),
    ]
    assert isinstance(report.groups[0], DivergenceGroup)
    assert report.groups[0].entities[0].ref == RunRef("entity", "order", "a0")


def test_each_entity_meets_the_config_of_its_tenant(folder: Folder) -> None:
    acme = {
        "workflow_type": "order",
        "tenant": "acme",
        "steps": [{"key": "close", "successful_state": "failed"}],
    }
    moves = [*life("1", *GOOD, tenant="globex"), *life("2", *GOOD, tenant="acme")]
    report = replayed(folder, moves, SIMPLE, acme)
    (group,) = report.groups
    assert (group.expected, [str(e.ref) for e in group.entities]) == ("close: shipped → failed", ["2"])


def test_a_cancelled_replay_tells_what_it_found(folder: Folder) -> None:
    token = CancelToken()

    def endless() -> Iterator[Move]:
        for number in range(10_000):
            if number == 50:
                token.cancel()
            yield from life(str(number), ("new", "gone", "x", "user"))

    place = folder.write("0.json", SIMPLE)
    report = EntityConfigs().replay((place,), "order", endless(), token)
    assert not report.complete
    assert report.entities == report.groups[0].count == 50


def test_progress_is_told(folder: Folder) -> None:
    seen: list[int] = []
    token = CancelToken(lambda done, total, text: seen.append(done))
    place = folder.write("0.json", SIMPLE)
    moves = (m for i in range(3_000) for m in life(str(i), GOOD[0]))
    EntityConfigs().replay((place,), "order", moves, token)
    assert seen == [1_000, 2_000, 3_000]


def test_a_config_that_cannot_be_used_is_refused(folder: Folder) -> None:
    broken = changed(SIMPLE, initial=7)
    with pytest.raises(RejectedError, match=r"The config cannot be used: .*0\.json:16: “initial”"):
        replayed(folder, [], broken)
    with pytest.raises(UsageError, match=r"No config for the workflow 'order'\. Known: return\."):
        replayed(folder, [], changed(SIMPLE, workflow_type="return"))
