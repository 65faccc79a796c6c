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
from engine_bridge.engines.temporal.server_walk import Place, Walk, key_of

NOW = 1_800_000_000 * 10**9
_BOUND = re.compile(r"StartTime (<=|>) '([^']+)\.(\d{9})Z'")


class Visibility:
    """The lists of a server whose answers hold ``most`` rows."""

    source = parse("temporal://h/n")

    def __init__(self, times: list[int], most: int) -> None:
        self.rows = [_info(at, number) for number, at in enumerate(times)]
        self.most = most
        self.calls = 0

    def now_ns(self) -> int:
        return NOW

    def call(self, rpc: str, request: Any, cancel: CancelToken, **_: Any) -> Any:
        self.calls += 1
        found = [row for row in self.rows if _satisfies(key_of(row)[0], request.query)]
        if rpc == "count_workflow_executions":
            return CountWorkflowExecutionsResponse(count=len(found))
        start = int(request.next_page_token or b"0")
        size = min(request.page_size, self.most)
        more = str(start + size).encode() if start + size < len(found) else b""
        # Any order but that of creation.
        found.sort(key=lambda row: row.execution.run_id[::-1])
        return ListWorkflowExecutionsResponse(executions=found[start : start + size], next_page_token=more)


def _info(at: int, number: int) -> WorkflowExecutionInfo:
    info = WorkflowExecutionInfo(execution=WorkflowExecution(workflow_id="w", run_id=f"{number:05d}"))
    info.start_time.seconds, info.start_time.nanos = divmod(at, 10**9)
    return info


def _satisfies(at: int, query: str) -> bool:
    for operator, seconds, rest in _BOUND.findall(query):
        edge = int(datetime.fromisoformat(f"{seconds}+00:00").timestamp()) * 10**9 + int(rest)
        if not (at <= edge if operator == "<=" else at > edge):
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
    visibility = Visibility(times, most)
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


def test_long_gaps_and_crowds_take_few_questions() -> None:
    crowd = [NOW - 3 * 10**15 + number * 10**6 for number in range(3_000)]
    visibility = Visibility([NOW - 10**12, *crowd, NOW - 10**17], 1_000)
    assert len(walked(visibility, None, False, 500)) == 3_002
    assert visibility.calls < 60
