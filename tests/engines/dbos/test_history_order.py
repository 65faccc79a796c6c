"""The order of events: causal, stable, and honest about clocks. Hand-made rows, and any rows at all."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from engine_bridge.codes import STEP_STATUSES
from engine_bridge.engines.dbos.history import Teller
from engine_bridge.engines.dbos.history_rows import (
    RawChild,
    RawEvent,
    RawMessage,
    RawRun,
    RawStep,
    RawStream,
    Story,
)
from engine_bridge.engines.dbos.tail import broken
from engine_bridge.history import History
from engine_bridge.model import Event, EventKind, Provenance, Status, StepKind
from engine_bridge.playback import state_at
from tests.engines.dbos.story_data import CANCEL, history_of, tale_of, words

DONE = RawRun(id="r", status="SUCCESS", name="w", created_ms=0, updated_ms=90_000, completed_ms=90_001)


def row(id_: int, start: int | None, end: int | None, name: str = "work", **more: object) -> RawStep:
    return RawStep(id_, name, start, end, **more)


def order(*rows: RawStep, run: RawRun = DONE) -> list[str]:
    events = history_of(tale_of(Story(run, 100_000, list(rows)))).all_events()
    return [f"{'S' if e.kind is EventKind.STEP_STARTED else 'E'}{e.step_id}" for e in events if e.step_id]


def test_steps_within_one_millisecond_stand_one_after_the_other() -> None:
    assert order(row(1, 5, 5), row(2, 5, 5), row(3, 5, 6)) == ["S1", "E1", "S2", "E2", "S3", "E3"]


def test_steps_that_overlap_interleave() -> None:
    assert order(row(1, 5, 9), row(2, 5, 7), row(3, 6, 8)) == ["S1", "S2", "S3", "E2", "E3", "E1"]


def test_steps_without_times_keep_the_order_of_their_ids() -> None:
    assert order(row(1, None, None), row(2, None, None)) == ["E1", "E2"]
    assert order(row(1, 5, 9), row(2, None, None), row(3, 10, 11)) == ["S1", "E1", "E2", "S3", "E3"]


def test_another_workers_clock_does_not_move_steps_before_earlier_ones() -> None:
    hour = 3_600_000
    rows = [
        row(1, hour, hour + 5, written=1),
        row(2, hour + 6, hour + 9, written=2),
        row(3, 700, 800, written=3),
        row(4, 801, 900, written=4),
    ]
    tale = tale_of(Story(DONE, 100_000, rows))
    assert order(*rows) == ["S1", "E1", "S2", "E2", "S3", "E3", "S4", "E4"]
    assert tale.notes == (
        "Times go back by 59 m 59 s at step 3: the clocks of two workers differ. "
        "The order here is that in which the rows were written.",
    )


def test_a_step_executed_again_by_a_recovered_run_is_no_skew() -> None:
    """Step 1 of a gather was lost with its worker and done again later, by a sound clock."""
    rows = [row(1, 50_000, 50_100, written=3), row(2, 10, 90, written=1), row(3, 11, 80, written=2)]
    assert order(*rows) == ["S2", "S3", "E3", "E2", "S1", "E1"]
    assert tale_of(Story(DONE, 100_000, rows)).notes == ()


def test_an_end_before_its_start_is_shown_and_noted() -> None:
    tale = tale_of(Story(DONE, 100_000, [row(1, 500, 400)]))
    assert order(row(1, 500, 400)) == ["S1", "E1"]
    assert tale.steps[0].duration_ns == -100_000_000
    assert tale.notes == ("Ends before it starts, as recorded: step 1.",)


def test_a_forks_copied_steps_come_after_its_creation_and_do_not_date_its_start() -> None:
    run = replace(DONE, created_ms=50_000, forked_from="old")
    history = history_of(tale_of(Story(run, 100_000, [row(1, 10, 20), row(2, 50_100, 50_200)])))
    assert words(history.all_events())[:3] == ["run created", "run started", "step started work"]
    assert history.all_events()[0].detail == "forked from old"
    assert history.all_events()[1].time_ns == 50_000_000_000


def test_values_whose_step_is_unknown_are_told_without_a_time() -> None:
    story = Story(DONE, 100_000, [row(1, 1, 2, "DBOS.setEvent"), row(2, 3, 4, "DBOS.setEvent")])
    story.events = [RawEvent("a", None), RawEvent("b", None)]
    events = history_of(tale_of(story)).all_events()
    unknown = [e for e in events if e.step_id is None and e.kind is EventKind.EVENT_SET]
    assert [(e.name, e.time_ns) for e in unknown] == [("a", None), ("b", None)]


def test_values_published_inside_a_step_belong_to_it() -> None:
    story = Story(DONE, 100_000, [row(1, 1, 9)])
    story.events, story.streams = [RawEvent("a", 1)], [RawStream("s", 0, 1)]
    events = history_of(tale_of(story)).all_events()
    assert [(e.kind, e.step_id, e.time_ns) for e in events][2:6] == [
        (EventKind.STEP_STARTED, "1", 1_000_000),
        (EventKind.EVENT_SET, "1", None),
        (EventKind.STREAM_WRITTEN, "1", None),
        (EventKind.STEP_COMPLETED, "1", 9_000_000),
    ]


_TIMES = st.none() | st.integers(0, 80_000)
_STATUSES = st.sampled_from(
    [
        "PENDING",
        "ENQUEUED",
        "DELAYED",
        "SUCCESS",
        "ERROR",
        "CANCELLED",
        "MAX_RECOVERY_ATTEMPTS_EXCEEDED",
        "NEW",
    ]
)
_NAMES = st.sampled_from(
    ["work", "work", "DBOS.sleep", "DBOS.recv", "DBOS.getEvent", "DBOS.setEvent", "DBOS.writeStream",
     "DBOS.patch-x", "DBOS.send", "DBOS.listWorkflows", "DBOS.getResult", "child", "DBOS.waitFirst", ""]
)  # fmt: skip


@st.composite
def stories(draw: st.DrawFn) -> Story:
    ids = sorted(draw(st.sets(st.integers(1, 12), max_size=10)))
    rows = []
    for id_ in ids:
        name = draw(_NAMES)
        start, end = draw(_TIMES), draw(_TIMES)
        child = draw(st.sampled_from(["c1", "c2", "gone"])) if name in ("child", "DBOS.getResult") else None
        small = draw(st.sampled_from([None, "40.5", "1e309", "null", "gAROLg=="]))
        failed = draw(st.booleans()) and draw(st.booleans())
        error = "gASVxg==" if failed else None
        encoding = draw(st.sampled_from([None, "portable_json", "py_pickle"]))
        written = draw(st.none() | st.integers(0, 20))
        rows.append(RawStep(id_, name, start, end, child, small, error, encoding, written=written))
    status = draw(_STATUSES)
    run = RawRun(
        "r", status, "w", draw(_TIMES), draw(_TIMES), draw(_TIMES), draw(_TIMES), draw(_TIMES), draw(_TIMES),
        draw(st.none() | st.integers(0, 4)), draw(st.sampled_from([None, "q", "_dbos_internal_queue"])),
        version="v1",
    )  # fmt: skip
    children = {
        id_: RawChild(id_, "child", draw(_STATUSES), draw(_TIMES), draw(_TIMES), draw(_TIMES), "q")
        for id_ in ("c1", "c2")
    }
    eater = st.none() | st.sampled_from(ids or [1])
    messages = [
        RawMessage(f"m{n}", draw(st.sampled_from([None, "t"])), draw(_TIMES), None, None, draw(eater))
        for n in range(draw(st.integers(0, 3)))
    ]
    events = [RawEvent(f"k{n}", draw(eater)) for n in range(draw(st.integers(0, 3)))]
    streams = [RawStream("s", n, draw(eater)) for n in range(draw(st.integers(0, 3)))]
    return Story(run, draw(st.integers(0, 90_000)), rows, messages, events, streams, children)


def _check(history: History, story: Story) -> None:
    events = history.all_events()
    assert [e.position for e in events] == list(range(1, len(events) + 1))
    recorded = {str(row.id) for row in story.steps}
    found = {e.step_id for e in events}
    assert recorded <= found
    state = state_at(history, history.last_position)
    if history.run is not None and history.run.status is not Status.UNKNOWN:
        assert state.run_status is history.run.status
    for step, code in zip(history.all_steps(), state.step_status.tolist(), strict=True):
        if step.provenance is Provenance.RECORDED or step.kind is StepKind.SIGNAL_WAIT:
            assert STEP_STATUSES[code] is step.status, step


def _causal(history: History) -> None:
    """A step's life starts before it ends."""
    first: dict[str, int] = {}
    for event in history.all_events():
        if event.step_id is None or event.status is None:
            continue
        if event.status.closed:
            ends = first.setdefault(event.step_id, event.position)
            assert ends <= event.position
    for event in history.all_events():
        if event.step_id in first and event.status is not None and not event.status.closed:
            assert event.position < first[event.step_id]


@settings(max_examples=150, deadline=None)
@given(stories())
def test_any_rows_make_a_sound_history(story: Story) -> None:
    history = history_of(tale_of(story))
    _check(history, story)
    _causal(history)
    kinds = [e.kind for e in history.all_events()]
    assert kinds.count(EventKind.SIGNAL_RECEIVED) == len(story.messages)
    setters = sum(row.name == "DBOS.setEvent" and row.error is None for row in story.steps)
    assert kinds.count(EventKind.EVENT_SET) >= setters
    assert all(e.provenance is not Provenance.RECORDED or e.kind for e in history.all_events())


def _fact(event: Event) -> tuple[object, ...]:
    """What an event says, but for what a message's later fate and a re-queued run's clock add."""
    if event.kind is EventKind.SIGNAL_RECEIVED:
        return (event.kind, event.name)
    return (event.kind, event.step_id, event.status)


@settings(max_examples=100, deadline=None)
@given(stories(), st.integers(0, 10))
def test_a_tail_ends_where_a_fresh_reading_does_or_starts_over(story: Story, cut: int) -> None:
    early = replace(
        story, steps=story.steps[:cut], run=replace(story.run, status="PENDING", completed_ms=None)
    )
    teller = Teller()
    history = history_of(tale_of(early), teller=teller)
    late = tale_of(story)
    if broken(teller, late):
        return
    for batch in teller.batches(late, 0, CANCEL):
        history.append(batch)
    fresh = history_of(late)
    _check(history, story)
    anew, live = Counter(map(_fact, fresh.all_events())), Counter(map(_fact, history.all_events()))
    assert anew <= live
    # Cancelling a run wipes that it was queued; who saw it live still knows.
    assert {fact[0] for fact in live - anew} <= {EventKind.RUN_QUEUED}
    guesses = {s.id for s in history.all_steps()} - {s.id for s in fresh.all_steps()}
    found = {s.id: s for s in history.all_steps()}
    assert {found.pop(id_).name for id_ in guesses} <= {"workflow code"}
    assert found == {s.id: s for s in fresh.all_steps()}
