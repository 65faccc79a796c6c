"""Walking runs in the order of their creation, over a list that answers as a server does: by other order, in pages."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsResponse, ListWorkflowExecutionsResponse

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.client_url import parse
from engine_bridge.engines.temporal.server_places import Place, key_of
from engine_bridge.engines.temporal.server_walk import Walk

NOW = 1_800_000_000 * 10**9
_BOUND = re.compile(r"(Start|Close)Time (<=|>) '([^']+)\.(\d{9})Z'")


class Visibility:
    """The lists of a server whose answers hold ``most`` rows; in any order, or as a server has it."""

    source = parse("temporal://h/n")

    def __init__(self, times: list[int], most: int, ends: list[int | None] | None = None) -> None:
        self.ordered = ends is not None
        ends = ends or [None] * len(times)
        self.rows = [_info(number, *both) for number, both in enumerate(zip(times, ends, strict=True))]
        self.most = most
        self.rounds = self.read = 0  # questions, those asked at once being one; rows

    def now_ns(self) -> int:
        return NOW

    def call_all(self, rpc: str, requests: list[Any], cancel: CancelToken) -> list[Any]:
        self.rounds += 1
        return [self._answer(rpc, request) for request in requests]

    def call(self, rpc: str, request: Any, cancel: CancelToken, **_: Any) -> Any:
        self.rounds += 1
        return self._answer(rpc, request)

    def _answer(self, rpc: str, request: Any) -> Any:
        found = [row for row in self.rows if _satisfies(row, request.query)]
        if rpc == "count_workflow_executions":
            return CountWorkflowExecutionsResponse(count=len(found))
        start = int(request.next_page_token or b"0")
        size = min(request.page_size, self.most)
        more = str(start + size).encode() if start + size < len(found) else b""
        found.sort(key=_servers_order if self.ordered else lambda row: row.execution.run_id[::-1])
        self.read += len(found[start : start + size])
        return ListWorkflowExecutionsResponse(executions=found[start : start + size], next_page_token=more)


def _info(number: int, at: int, end: int | None) -> WorkflowExecutionInfo:
    info = WorkflowExecutionInfo(execution=WorkflowExecution(workflow_id="w", run_id=f"{number:05d}"))
    info.start_time.seconds, info.start_time.nanos = divmod(at, 10**9)
    if end is not None:
        info.close_time.seconds, info.close_time.nanos = divmod(end, 10**9)
    return info


def _end(row: Any) -> int | None:
    return row.close_time.ToNanoseconds() if row.HasField("close_time") else None


def _servers_order(row: Any) -> tuple[int, int]:
    end = _end(row)
    return (-(2**62) if end is None else -end, -key_of(row)[0])


def _satisfies(row: Any, query: str) -> bool:
    end = _end(row)
    if ("CloseTime is null" in query and end is not None) or (
        "CloseTime is not null" in query and end is None
    ):
        return False
    for which, operator, seconds, rest in _BOUND.findall(query):
        edge = int(datetime.fromisoformat(f"{seconds}+00:00").timestamp()) * 10**9 + int(rest)
        at = key_of(row)[0] if which == "Start" else end
        if at is None or not (at <= edge if operator == "<=" else at > edge):
            return False
    return True


def walked(visibility: Any, start: Place | None, newer: bool, aim: int) -> list[tuple[int, str]]:
    walk = Walk(visibility, "", {}, CancelToken(), aim=aim)
    return [key_of(info) for infos in walk.infos(start, newer) for info in infos]


# Years ago, one after another within a millisecond, all at once, and ahead of this machine's clock.
moments = st.one_of(
    st.integers(NOW - 10**17, NOW),
    st.integers(NOW - 10**6, NOW),
    st.just(NOW - 5),
    st.integers(NOW, NOW + 10**12),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(moments, max_size=60), st.integers(1, 30), st.integers(1, 20), st.integers(0, 59))
def test_every_run_is_met_once_in_order_from_every_place(
    times: list[int], most: int, aim: int, at: int
) -> None:
    every_run_is_met(Visibility(times, most), aim, at)


# How long runs took: most a moment, some for long, some go on.
lengths = st.one_of(st.integers(0, 10**6), st.integers(0, 10**16), st.none())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(moments, lengths), max_size=80),
    st.integers(1, 30),
    st.integers(1, 20),
    st.integers(0, 79),
)
def test_the_servers_own_order_is_used_where_it_leads_to_the_next_runs(
    runs: list[tuple[int, int | None]], most: int, aim: int, at: int
) -> None:
    times = [start for start, _ in runs]
    ends = [None if length is None else start + length for start, length in runs]
    every_run_is_met(Visibility(times, most, ends), aim, at)


def every_run_is_met(visibility: Visibility, aim: int, at: int) -> None:
    keys = sorted(key_of(row) for row in visibility.rows)
    assert walked(visibility, None, False, aim) == keys[::-1]
    assert walked(visibility, None, True, aim) == keys
    if keys:
        key = keys[at % len(keys)]
        for above in (True, False):
            here = Place(key, above)
            assert walked(visibility, here, True, aim) == [
                k for k in keys if k > key or (k == key and not above)
            ]
            assert walked(visibility, here, False, aim) == [
                k for k in keys[::-1] if k < key or (k == key and above)
            ]


def test_the_newest_runs_cost_little_more_than_their_rows() -> None:
    times = [NOW - 10**15 + number * 10**9 for number in range(20_000)]
    ends = [None if number % 7 == 0 else at + number % 50 * 10**10 for number, at in enumerate(times)]
    visibility = Visibility(times, 1_000, ends)
    walk = Walk(visibility, "", {}, CancelToken(), aim=300)  # type: ignore[arg-type]  # answers what a client would
    first = next(walk.infos(None, False))
    assert [key_of(info)[0] for info in first[:201]] == times[:-202:-1]
    assert visibility.rounds <= 4 and visibility.read < 900


def test_long_gaps_and_crowds_take_few_questions() -> None:
    crowd = [NOW - 3 * 10**15 + number * 10**6 for number in range(3_000)]
    visibility = Visibility([NOW - 10**12, *crowd, NOW - 10**17], 1_000)
    assert len(walked(visibility, None, False, 500)) == 3_002
    assert visibility.rounds < 60
