"""What a server records beside histories: pending work, waits, the chain of an id, families, resources, queries."""

from __future__ import annotations

import msgspec
import pytest

from engine_bridge.bridge import Bridge, Sort
from engine_bridge.errors import ConnectError, NotFoundError, RejectedError, UsageError
from engine_bridge.model import Blocked, Provenance, RunRef, Status, StepKind, StepStatus
from engine_bridge.queries import TRACE
from engine_bridge.query import parse
from tests.engines.temporal.local import NAMESPACE
from tests.engines.temporal.server.conftest import NEVER, history, newest
from tests.engines.temporal.shop import Shop


def waits(bridge: Bridge, workflow_id: str) -> Blocked:
    """What an open run waits for: the same from its header alone and from its history."""
    run = newest(bridge, workflow_id)
    told = history(bridge, run).run
    assert run.blocked_on is not None and told is not None and told.blocked_on is not None
    assert told.blocked_on.kind == run.blocked_on.kind
    assert run.now == f"waiting for {run.blocked_on.what}" or run.now.startswith(
        f"waiting for {run.blocked_on.what}"
    )
    return run.blocked_on


def test_a_retrying_activity_shows_its_attempt_failure_and_next_try(bridge: Bridge) -> None:
    found = waits(bridge, "export-stuck")
    assert found.kind == "retry" and found.provenance is Provenance.RECORDED
    assert "activity export_ledger, attempt" in found.what and "of 9" in found.what
    assert "LedgerLocked: ledger is locked for ledger" in found.what
    assert found.until_ns is not None and found.until_ns > bridge.now_ns(NEVER)
    steps = history(bridge, newest(bridge, "export-stuck"))
    step = next(step for step in steps.all_steps() if step.name == "export_ledger")
    assert found.step_id == step.id and step.status is StepStatus.RETRYING and step.max_attempts == 9
    assert step.attempts is not None and step.attempts > 1
    assert step.failure is not None and step.failure.type == "LedgerLocked"


def test_a_list_tells_what_the_open_runs_in_sight_wait_for(bridge: Bridge) -> None:
    refs = tuple(newest(bridge, name).ref for name in ("export-stuck", "nobody-works"))
    mark = bridge.changes(None, (), NEVER).mark
    gone = RunRef("workflow", "deleted", "01a1f8b7-7692-71a2-8067-832cc13de82f")
    changes = bridge.changes(mark, (*refs, gone), NEVER)
    assert changes.moved and changes.removed == (gone,)
    lines = {run.id: run.now for run in changes.changed}
    assert lines["nobody-works"] == "waiting for a worker: none polls task queue nobody"
    assert lines["export-stuck"].startswith("waiting for activity export_ledger, attempt")
    listed = bridge.runs(
        parse("id == 'nobody-works'", bridge.fields(NEVER)), Sort(), None, "forward", 5, NEVER
    )
    assert [run.now for run in listed.items] == [lines["nobody-works"]], "lists keep what is known"


def test_runs_are_found_by_what_they_wait_for_though_nobody_has_seen_them(bridge: Bridge) -> None:
    query = parse("status == running and now contains 'LedgerLocked'", bridge.fields(NEVER))
    found = bridge.runs(query, Sort(), None, "forward", 50, NEVER)
    assert "export-stuck" in {run.id for run in found.items} and found.complete
    assert all("LedgerLocked" in run.now for run in found.items)


def test_code_that_cannot_go_on_says_why(bridge: Bridge) -> None:
    found = waits(bridge, "release")
    assert "workflow task fails" in found.what and "KeyError" in found.what
    assert "deploy" in found.hint
    events = history(bridge, newest(bridge, "release"))
    failed = next(e for e in map(events.event, range(len(events))) if e.name == "WorkflowTaskFailed")
    assert found.since_ns == failed.time_ns


def test_a_run_that_timed_out_and_was_started_again_tells_why(bridge: Bridge, temporal_shop: Shop) -> None:
    ask = temporal_shop.worker.ask
    run = ask("start", "send_invoice", "acted-again", "i8", run_timeout=1, cron_schedule="@every 1s")
    ref = RunRef("workflow", "acted-again", run)
    while (found := bridge.run(ref, NEVER)).status is Status.RUNNING or not _listed(bridge, ref):
        NEVER.wait(0.05)
    ask("terminate", "acted-again")
    assert found.status is Status.TIMED_OUT and found.failure is not None
    assert _listed(bridge, ref) == [found.now] and "no failure is recorded" not in found.now


def _listed(bridge: Bridge, ref: RunRef) -> list[str]:
    """What a list says of a run that has ended."""
    query = parse(f"run_id == '{ref.run}' and status == timed_out", bridge.fields(NEVER))
    return [run.now for run in bridge.runs(query, Sort(), None, "forward", 5, NEVER).items]


def test_a_run_that_no_worker_takes_says_which_queue(bridge: Bridge) -> None:
    found = waits(bridge, "nobody-works")
    assert found.kind == "queue" and "none polls task queue nobody" in found.what


def test_a_timer_is_known_with_its_end(bridge: Bridge) -> None:
    found = waits(bridge, "order-0009")
    assert found.kind == "timer" and found.until_ns is not None
    assert found.since_ns is not None and found.until_ns - found.since_ns == 6 * 3600 * 10**9


def test_a_delayed_run_waits_for_its_time(bridge: Bridge) -> None:
    run = newest(bridge, "invoice-later")
    assert run.status is Status.DELAYED and run.started_ns is None and run.delay_until_ns is not None
    assert run.blocked_on is not None and run.blocked_on.kind == "delay"


def test_a_run_that_waits_for_nothing_recorded_says_that_this_is_inferred(bridge: Bridge) -> None:
    found = waits(bridge, "invoice-waits")
    assert found.kind == "signal" and found.provenance is Provenance.INFERRED and found.evidence


def test_search_attributes_and_memo_are_attributes(bridge: Bridge) -> None:
    run = newest(bridge, "order-0002")
    assert run.attributes["tenant"] == "globex"
    assert run.attributes["memo"] == {"charged": True, "note": "for globex"}
    assert "tenant (Keyword)" in next(f.doc for f in bridge.fields(NEVER) if f.name == "attributes")


@pytest.mark.parametrize(
    ("text", "count", "scanned"),
    [
        ("attributes.tenant == initech", 1, False),
        ("id == order-0007 or run_id == nope", 1, False),
        ("id ~ 'ORDER-*'", 0, True),
        ("attributes.memo.note == 'for initech'", 1, True),
        ("error contains 'insufficient'", 2, True),
    ],
)
def test_filters_tell_what_had_to_be_searched(bridge: Bridge, text: str, count: int, scanned: bool) -> None:
    page = bridge.runs(parse(text, bridge.fields(NEVER)), Sort(), None, "forward", 50, NEVER)
    assert len(page.items) == count
    assert (page.searched is not None and page.of is not None) is scanned


@pytest.mark.parametrize(
    "hostile", ["it's", 'a"b', "back\\slash", "x' or WorkflowId != 'y", "ü – ∞", "a%b_c"]
)
def test_ids_of_every_kind_are_asked_for_as_they_are(bridge: Bridge, shop: Shop, hostile: str) -> None:
    shop.worker.ask("start", "fraud_check", hostile, "x", wait=True)
    shop.worker.ask("listed", hostile)
    from engine_bridge.query.ast import Compare

    page = bridge.runs(Compare("id", "==", hostile), Sort(), None, "forward", 50, NEVER)
    assert {run.id for run in page.items} == {hostile}
    assert (page.searched is None) is {*hostile}.isdisjoint('"\\')
    assert bridge.find(hostile, 5, NEVER)[0].id == hostile


def roles(bridge: Bridge, workflow_id: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    cursor = None
    while True:
        page = bridge.related(newest(bridge, workflow_id).ref, cursor, 2, NEVER)
        for item in page.items:
            found.setdefault(item.role, []).append(item.ref.group)
        cursor = page.after
        if cursor is None:
            return found


def test_the_chain_of_an_id_and_families_are_related(bridge: Bridge) -> None:
    assert roles(bridge, "catalog") == {"previous": ["catalog"], "first": ["catalog"]}
    assert roles(bridge, "order-0001")["reset from"] == ["order-0001"]
    assert sorted(roles(bridge, "agent")["child"]) == [f"agent-{number}" for number in range(5)]
    assert roles(bridge, "agent-3")["parent"] == ["agent"]


def test_a_reset_and_what_it_made_know_each_other(bridge: Bridge) -> None:
    made = newest(bridge, "order-0001")
    back = next(r for r in bridge.related(made.ref, None, 20, NEVER).items if r.role == "reset from")
    forth = {r.role: r.ref for r in bridge.related(back.ref, None, 20, NEVER).items}
    assert forth["reset to"] == made.ref
    assert made.forked_from == back.ref


def test_a_continued_run_names_the_next_one(bridge: Bridge) -> None:
    last = newest(bridge, "catalog")
    before = next(r for r in bridge.related(last.ref, None, 20, NEVER).items if r.role == "previous")
    assert (
        before.run is not None and before.run.status is Status.CONTINUED and before.note == "continued as new"
    )
    following = next(r for r in bridge.related(before.ref, None, 20, NEVER).items if r.role == "next")
    assert following.ref == last.ref


def test_resources_say_what_an_operator_must_see(bridge: Bridge) -> None:
    schedules = {one.id: one for one in bridge.resources("schedules", NEVER)}
    assert schedules["nightly"].cells["spec"] == "every 30 d" and not schedules["nightly"].warning
    assert "paused" in schedules["paused-one"].warning
    queues = {one.id: one for one in bridge.resources("task queues", NEVER)}
    assert "no worker polls" in queues["nobody"].warning and not queues["shop"].warning
    assert {child.title for child in queues["shop"].children} == {"shop-worker"}
    attributes = {one.id: one.cells["type"] for one in bridge.resources("search attributes", NEVER)}
    assert attributes["tenant"] == "Keyword" and attributes["tags"] == "KeywordList"
    shown = [one.id for one in bridge.resources("namespaces", NEVER) if one.cells["shown"]]
    assert shown == [NAMESPACE]
    for kind in ("workers", "batch operations"):
        bridge.resources(kind, NEVER)


def test_runs_of_a_schedule_are_found_by_its_filter(bridge: Bridge) -> None:
    schedule = next(one for one in bridge.resources("schedules", NEVER) if one.id == "nightly")
    page = bridge.runs(parse(schedule.filter, bridge.fields(NEVER)), Sort(), None, "forward", 50, NEVER)
    assert {run.schedule for run in page.items} == {"nightly"} and page.searched is None


def test_queries_are_answered_by_a_worker(bridge: Bridge) -> None:
    ref = newest(bridge, "order-0009").ref
    told = bridge.queries(ref, NEVER)
    assert [query.name for query in told.queries] == ["approval"]
    assert told.others == {"signal": ("approve_order",), "update": ("change_address",)}
    answer = bridge.ask(ref, "approval", "", NEVER)
    assert (answer.encoding, msgspec.json.decode(answer.data)) == ("json/plain", "")
    stack = bridge.ask(ref, "__stack_trace", "", NEVER)
    assert stack.encoding == TRACE and b"query:" not in stack.data
    assert stack.data.startswith(b"run  (pending)\n  File ")
    with pytest.raises(RejectedError, match=r"not answered: .*'nothing_such'.*known queries: .*approval"):
        bridge.ask(ref, "nothing_such", "", NEVER)
    with pytest.raises(UsageError, match="no JSON"):
        bridge.ask(ref, "approval", "[1,", NEVER)


def test_a_query_that_nobody_answers_says_whom_it_waited_for(bridge: Bridge) -> None:
    with pytest.raises(ConnectError, match="No worker answered") as caught:
        bridge.ask(newest(bridge, "nobody-works").ref, "approval", "", NEVER)
    assert "task queue nobody" in caught.value.hint


def test_an_update_stands_in_the_history_with_its_own_timer(bridge: Bridge) -> None:
    steps = history(bridge, newest(bridge, "order-0009")).all_steps()
    update = next(step for step in steps if step.name == "change_address")
    inside = [step for step in steps if step.parent_step == update.id]
    assert [step.kind for step in inside] == [StepKind.TIMER]


def test_payloads_are_read_by_their_keys(bridge: Bridge, shop: Shop) -> None:
    run = newest(bridge, "order-0003")
    assert run.input is not None and run.output is not None
    assert bridge.payload(run.output.key, 0, -1, NEVER) == b'"order-0003 sent to here"'
    again = shop.child.bridge(shop.server.url)
    again.open(NEVER)
    assert again.payload(run.output.key, 1, 5, NEVER) == b"order"
    again.close()


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        (("/shop", "/nope"), NotFoundError, "It has: default, shop"),
        (("/shop", "/shop?tls=true"), ConnectError, "does not speak TLS"),
        (("127.0.0.1", "no-such-host.invalid"), ConnectError, "There is no host"),
    ],
)
def test_what_cannot_be_opened_says_what_to_do(
    shop: Shop, change: tuple[str, str], kind: type[Exception], said: str
) -> None:
    made = shop.child.bridge(shop.server.url.replace(*change))
    with pytest.raises(kind, match=said) as caught:
        made.open(NEVER)
    assert caught.value.hint  # type: ignore[attr-defined]
    made.close()
