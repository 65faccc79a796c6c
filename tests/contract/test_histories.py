"""Histories, failures, payload search, relations, resources. Every bridge passes; capabilities gate."""

from __future__ import annotations

import numpy as np
import pytest

from engine_bridge.bridge import Capability, FailureRow, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import NotFoundError
from engine_bridge.history import History
from engine_bridge.model import Run, RunRef
from engine_bridge.playback import state_at
from tests.contract.conftest import Opened

NEVER = CancelToken()


def some_runs(opened: Opened) -> tuple[Run, ...]:
    runs: tuple[Run, ...] = opened.bridge.runs(None, Sort(), None, "forward", 60, NEVER).items
    return runs


def history_of(opened: Opened, ref: RunRef) -> History:
    history = History(opened.bridge.decode_event, opened.bridge.decode_step)
    for batch in opened.bridge.history(ref, NEVER):
        history.append(batch)
    return history


def test_positions_rise_and_steps_stand_in_their_events(opened: Opened) -> None:
    for run in some_runs(opened):
        history = history_of(opened, run.ref)
        positions = history.events["position"]
        assert len(positions) and positions[0] >= 1 and (np.diff(positions) > 0).all(), run.id
        assert history.run is not None and history.run.id == run.id
        rows = history.events["step"]
        assert rows.max(initial=-1) < history.n_steps
        assert len({step.id for step in history.all_steps()}) == history.n_steps
        for event in history.all_events():
            assert event.name


def test_the_end_of_the_record_is_the_state_that_the_list_shows(opened: Opened) -> None:
    for run in some_runs(opened):
        history = history_of(opened, run.ref)
        last = state_at(history, history.last_position)
        if run.status.closed:
            assert last.run_status == run.status, run.id
        live = state_at(history, None)
        assert live.run_status == run.status


def test_a_history_of_an_unknown_run_is_not_found(opened: Opened) -> None:
    with pytest.raises(NotFoundError):
        history_of(opened, RunRef("workflow", "nope", "nope"))


def test_failures_come_newest_first_and_in_pages(opened: Opened) -> None:
    if not opened.has(Capability.FAILURES):
        return
    whole: tuple[FailureRow, ...] = opened.bridge.failures(None, "", None, 1000, NEVER).items
    times = [row.time_ns or 0 for row in whole]
    failed = {run.ref for run in some_runs(opened) if run.status.bad}
    assert {row.ref for row in whole} >= failed and failed
    assert times == sorted(times, reverse=True)
    paged: list[FailureRow] = []
    cursor = None
    while True:
        page = opened.bridge.failures(None, "", cursor, 3, NEVER)
        paged += page.items
        cursor = page.after
        if cursor is None:
            break
    assert [(r.ref, r.step_id) for r in paged] == [(r.ref, r.step_id) for r in whole]


def test_failures_are_searched_in_their_decoded_text(opened: Opened) -> None:
    if not opened.has(Capability.FAILURES):
        return
    found = opened.bridge.failures(None, "INSUFFICIENT funds", None, 1000, NEVER).items
    assert found
    assert opened.bridge.failures(None, "no failure says this", None, 1000, NEVER).items == ()


def test_relations_name_runs(opened: Opened) -> None:
    if not opened.has(Capability.RELATIONS):
        return
    for run in some_runs(opened)[:10]:
        for relation in opened.bridge.related(run.ref, None, 50, NEVER).items:
            assert relation.role and relation.ref.run


def test_every_kind_of_resource_is_listed(opened: Opened) -> None:
    if not opened.has(Capability.RESOURCES):
        return
    for kind in opened.info.resource_kinds:
        for resource in opened.bridge.resources(kind, NEVER):
            assert resource.kind == kind and resource.title
            assert all(
                value is None or isinstance(value, str | int | float) for value in resource.cells.values()
            )


def test_a_tail_ends_when_it_is_cancelled(opened: Opened) -> None:
    if not opened.has(Capability.TAIL):
        return
    run = some_runs(opened)[0]
    token = CancelToken()
    tail = opened.bridge.tail(run.ref, history_of(opened, run.ref).last_position, token)
    token.cancel()
    batches = []
    try:
        batches.extend(tail)
    except Exception as error:  # noqa: BLE001  only the kind matters
        assert type(error).__name__ == "CancelledError"
    assert len(batches) <= 1
