"""What files say and do not say: unknown types, cut ends, gaps, order, damage."""

from __future__ import annotations

import gzip
import json

import pytest

from engine_bridge.engines.temporal.events import TYPES, canonical, type_name
from engine_bridge.engines.temporal.events_fast import screaming
from engine_bridge.engines.temporal.events_values import duration_ns, time_ns, times_ns
from engine_bridge.engines.temporal.load import load
from engine_bridge.errors import CorruptError
from tests.engines.temporal.files import histories as h


def test_names_of_types_are_those_of_the_api() -> None:
    from temporalio.api.enums.v1 import EventType

    for value in EventType.DESCRIPTOR.values:
        if value.number:
            assert TYPES[value.number] == canonical(value.name) == type_name(value.number)
            assert screaming(TYPES[value.number]) == value.name


def test_an_unknown_type_keeps_its_name_and_is_reported() -> None:
    events = h.events()
    events[40]["eventType"] = "EVENT_TYPE_WORKFLOW_EXECUTION_MOVED"
    found = h.one(h.dumped({"events": events}))
    assert found.notes == ("1 event of a type that is not known here: WorkflowExecutionMoved.",)
    event = h.grouped(found).event(40)
    assert event.name == "WorkflowExecutionMoved" and event.position == 41 and event.kind.value == "other"


def test_an_unknown_number_is_not_turned_into_nothing() -> None:
    events = json.loads(h.numeric_enums())["events"]
    events[12]["eventType"] = 777
    found = h.one(h.dumped({"events": events}))
    assert found.notes == ("1 event of a type that is not known here: EventType 777.",)
    assert h.grouped(found).event(12).name == "EventType 777"


def test_an_unknown_type_in_protobuf_is_reported() -> None:
    message = h.message()
    message.events[12].event_type = 777  # type: ignore[assignment]
    found = h.one(message.SerializeToString())
    assert found.notes == ("1 event of a type that is not known here: EventType 777.",)


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.9, 0.99])
def test_a_cut_file_is_shown_up_to_the_break(cut: float) -> None:
    whole = h.dialect("cli.json")
    found = h.one(whole[: int(len(whole) * cut)])
    shown = len(found.heads)
    assert 5 < shown < 62 and not found.whole and found.lost <= 1
    assert found.notes[-1].startswith("The file breaks off ") and found.notes[-1].endswith(
        "What came later is not in it."
    )
    assert f"event {shown + 1}," in found.notes[-1] or f"after event {shown}." in found.notes[-1]
    assert h.told(h.grouped(found))[:1] == h.told(h.history_of(whole))[:1]


def test_a_cut_gzip_says_so_too() -> None:
    packed = gzip.compress(h.dialect("cli.json"))
    found = h.one(packed[: len(packed) * 2 // 3])
    assert found.notes[0] == "The compressed file breaks off before its end."
    assert 5 < len(found.heads) < 62 and not found.whole


def test_a_cut_binary_says_how_much_is_left() -> None:
    found = h.one(h.binary()[:3000])
    assert (
        not found.whole
        and "breaks off after event" in found.notes[0]
        and "bytes of the next one are left" in found.notes[0]
    )


def test_a_damaged_event_is_named_and_the_rest_is_shown() -> None:
    text = h.dialect("cli.jsonl").replace(b'"activityId":"3"', b'"activityId":3"', 1)
    found = h.one(text)
    assert found.lost == 1 and len(found.heads) == 61 and found.missing == 1
    assert "Event 14 is damaged and not shown" in found.notes[0]


def test_missing_and_double_events_are_counted() -> None:
    events = h.events()
    found = h.one(h.dumped([*events[3:10], *events[12:], events[20]]))
    assert found.missing == 5 and found.lost == 1
    assert found.notes[-1] == "5 events not in this file: 1 to 3, 11 to 12."
    assert "1 event stood twice" in found.notes[0]


def test_a_page_of_a_longer_history_says_so() -> None:
    found = h.one(h.dumped({"history": {"events": h.events()[:20]}, "nextPageToken": "AbC"}))
    assert not found.whole and "one page of a longer history" in found.notes[0]


def test_several_histories_in_one_file() -> None:
    assert [len(one.heads) for one in load(h.dumped([h.kitchen(), h.kitchen()]))] == [62, 62]
    lines = h.dialect("cli.jsonl").strip()
    assert [len(one.heads) for one in load(lines + b"\n" + lines)] == [62, 62]


def test_histories_behind_a_broken_line_are_read_too() -> None:
    line, short = h.dialect("cli.jsonl").strip(), h.dumped({"events": h.events()[:9]})
    one, other = load(line + b'\n{"broken": \n' + short + b"\n")
    assert (len(one.heads), len(other.heads), other.lost) == (62, 9, 0)
    assert other.notes == ("10 characters before this history are none of it.",)
    one, other = load(line[:3_000] + b"\n" + short)
    assert not one.whole and "breaks off inside event" in one.notes[0] and len(other.heads) == 9


@pytest.mark.parametrize("before", [b"INFO: asking the server\n", b"\x1b[0m"])
def test_what_stands_around_a_history_is_said(before: bytes) -> None:
    found = h.one(before + h.dialect("cli.json") + b"done")
    assert len(found.heads) == 62 and found.whole
    assert [note.split()[2] for note in found.notes] == ["before", "after"]


def test_times_that_cannot_be_read_are_counted() -> None:
    events = h.events()
    events[3]["eventTime"] = "yesterday"
    assert h.one(h.dumped({"events": events})).notes == ("1 event without a time that can be read.",)


def test_a_cut_export_of_many_says_so() -> None:
    whole = h.exported() * 2
    one, other = load(whole[: len(whole) - 3_000])
    assert len(one.heads) == 62 and one.whole
    assert 9 < len(other.heads) < 62 and not other.whole and "breaks off after event" in other.notes[0]


def test_a_file_that_ends_within_its_first_event_says_so() -> None:
    with pytest.raises(CorruptError, match="breaks off inside its first event"):
        load(h.dialect("cli.json")[:200])


def test_the_only_event_of_a_run_that_waits_to_begin_is_a_history() -> None:
    (first,) = h.one(h.dumped(h.events()[0])).heads.id.tolist()
    assert first == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"   \n",
        b"{}",
        b"[]",
        b"[1, 2]",
        b'{"a": 1}',
        b"\x0a\x00\xff",
        b"SQLite format 3\0",
        b"\x1f\x8b\x08bad",
    ],
)
def test_what_is_no_history_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptError) as error:
        load(data)
    assert error.value.hint


def test_the_whole_corpus_is_read(subtests: object = None) -> None:
    import csv

    with (h.DATA / "corpus" / "MANIFEST.tsv").open() as file:
        expected = {row["file"]: int(row["events"]) for row in csv.DictReader(file, delimiter="\t")}
    for path in h.CORPUS:
        found = h.one(path.read_bytes())
        assert len(found.heads) == expected[path.name.removesuffix(".gz")], path.name
        assert found.lost == 0 and found.whole


def test_times_of_every_spelling() -> None:
    second = 1_795_144_716 * 1_000_000_000
    assert time_ns("2026-11-20T03:18:36.197520182Z") == second + 197_520_182
    assert time_ns("2026-11-20T04:18:36.1975+01:00") == second + 197_500_000
    assert time_ns({"seconds": "1795144716", "nanos": 5}) == second + 5
    assert time_ns({"seconds": {"low": 1795144716, "high": 0}}) == second
    assert [time_ns(one) for one in ("", None, "today", "2026-13-01T00:00:00Z", {}, 5)] == [None] * 6
    assert duration_ns("0.100s") == 100_000_000 and duration_ns({"seconds": 3}) == 3_000_000_000
    assert duration_ns("100") is None


def test_many_times_at_once_are_those_one_by_one() -> None:
    import random

    from engine_bridge.codes import NO_TIME

    rng = random.Random(3)
    odd = [
        "",
        "2026-02-30T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "2026-01-01T00:00:00+02:00",
        "2026-01-01 00:00:00Z",
        "x" * 40,
        "é",
    ]
    for extra in ([], *([one] for one in odd)):
        values = [
            f"20{rng.randrange(10, 60)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}T{rng.randrange(24):02}:"
            f"{rng.randrange(60):02}:{rng.randrange(60):02}{rng.choice(['', '.5', '.123', '.123456789'])}Z"
            for _ in range(50)
        ] + extra
        expected = [time_ns(value) for value in values]
        assert times_ns(values).tolist() == [NO_TIME if one is None else one for one in expected]
