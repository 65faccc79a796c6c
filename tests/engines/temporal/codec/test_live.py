"""Runs of workers that encrypt: read in all forms of source, and acted on so that these workers can read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.opening import ActorFactory
from engine_bridge.actions.execute import Execution
from engine_bridge.actions.journal import Journal
from engine_bridge.actions.model import PlanItem, Staged, Target, Verdict
from engine_bridge.bridge import load_engine
from engine_bridge.cancel import CancelToken
from engine_bridge.decoding import Overlay, hides, settled
from engine_bridge.history import History
from engine_bridge.model import Event, PayloadRef
from engine_bridge.payloads import decode
from tests.app.cli.conftest import Answer, playhead
from tests.engines.temporal.act.acting import REASON, plan_of
from tests.engines.temporal.codec.conftest import SecretShop
from tests.engines.temporal.codec.server import CodecPlace
from tests.waiting import until

__all__ = ["playhead"]

NEVER = CancelToken()


def opened(shop: SecretShop, url: str) -> Any:
    scheme = url.partition(":")[0]
    bridge = shop.child.bridge(url) if scheme == "temporal" else load_engine("temporal").bridge(url, None)
    bridge.open(NEVER)
    return bridge


@pytest.fixture
def server(secret_shop: SecretShop, codec: CodecPlace) -> Iterator[Any]:
    bridge = opened(secret_shop, secret_shop.urls(codec.url)["server"])
    yield bridge
    bridge.close()


def decoded(bridge: Any, ref: PayloadRef | None) -> Any:
    assert ref is not None and ref.encoded == "encrypted" and ref.head is None
    [found] = bridge.decode_payloads((ref.key,), NEVER)
    assert not found.error
    return decode(found.data, found.encoding).tree


@pytest.mark.parametrize("form", ["server", "database", "file"])
def test_a_run_is_read_decoded(form: str, secret_shop: SecretShop, codec: CodecPlace) -> None:
    bridge = opened(secret_shop, secret_shop.urls(codec.url)[form])
    [run] = bridge.find("poor", 5, NEVER)
    run = bridge.run(run.ref, NEVER)
    assert run.error == "CardDeclined: Encoded failure (encrypted)" and hides(run.failure)
    assert decoded(bridge, run.input) == ["poor-1", False]
    history = History(bridge.decode_event, bridge.decode_step)
    overlay = Overlay()
    history.look_through(overlay.event, overlay.step)
    for batch in bridge.history(run.ref, NEVER):
        history.append(batch)
    history.all_events(), history.all_steps(), overlay.run(run)
    asked = len(codec.asked)
    assert settled(overlay, lambda keys: bridge.decode_payloads(keys, NEVER)) is None
    assert len(codec.asked) == asked + 1  # all of them in one question
    assert overlay.run(run).error == "CardDeclined: insufficient funds"
    steps = {step.name: step for step in history.all_steps()}
    failed = steps["charge_card"].failure
    assert failed is not None and failed.message == "insufficient funds" and "shop.py" in (failed.stack or "")
    assert [ref.head for ref in (steps["validate_order"].input, steps["validate_order"].output) if ref] == [
        b'"poor-1"',
        b'"poor-1: valid"',
    ]
    assert {headers["X-Namespace"] for _, headers, _ in codec.asked} == {"shop"}
    assert b"insufficient" not in bridge.payload(run.input.key, 0, -1, NEVER)
    bridge.close()


@pytest.mark.parametrize("form", ["server", "database"])
def test_what_a_run_waits_for_is_told_decoded(form: str, secret_shop: SecretShop, codec: CodecPlace) -> None:
    bridge = opened(secret_shop, secret_shop.urls(codec.url)[form])
    [found] = bridge.find("stuck", 5, NEVER)
    until(lambda: "LedgerLocked" in bridge.run(found.ref, NEVER).now)
    run = bridge.run(found.ref, NEVER)
    assert "Encoded failure (encrypted)" in run.now
    overlay = Overlay()
    overlay.run(run)
    settled(overlay, lambda keys: bridge.decode_payloads(keys, NEVER))
    shown = overlay.run(run)
    assert "LedgerLocked: ledger is locked for ledger" in shown.now
    assert shown.blocked_on is not None and "ledger is locked for ledger" in shown.blocked_on.what
    bridge.close()


def test_the_command_line_shows_it_decoded(
    playhead: Callable[..., Answer], secret_shop: SecretShop, codec: CodecPlace
) -> None:
    url = secret_shop.urls(codec.url)["file"]
    document = playhead("show", url, "--json").document
    steps = {step["title"]: step for step in document["steps"]}
    assert steps["validate_order"]["output"] == "poor-1: valid" and not document["notes"]
    assert document["run"]["error"] == "CardDeclined: insufficient funds"
    plain = playhead("show", str(secret_shop.file)).out
    assert "Encoded failure (encrypted)" in plain and "A codec server of yours can decode it" in plain
    assert "insufficient funds" in playhead("failures", url).out
    codec.way = "error"
    shown = playhead("show", url, "--json").document
    assert "answered 500 Internal Server Error" in shown["notes"][0]
    assert shown["steps"][1]["output"]["$encoding"] == "binary/encrypted"


@pytest.fixture
def execution(secret_shop: SecretShop, codec: CodecPlace, tmp_path: Any) -> Iterator[Execution]:
    url = secret_shop.urls(codec.url)["server"]
    journal = Journal(tmp_path / "journal")
    with Execution(ActorFactory("temporal", url, None), journal, plan_of(url), REASON) as running:
        yield running
    journal.close()


def events(bridge: Any, workflow_id: str) -> list[Event]:
    [run] = bridge.find(workflow_id, 5, NEVER)
    history = History(bridge.decode_event, bridge.decode_step)
    for batch in bridge.history(run.ref, NEVER):
        history.append(batch)
    return history.all_events()


def planned(bridge: Any, action: str, **args: Any) -> PlanItem:
    [run] = bridge.find("waits", 5, NEVER)
    target = Target(kind="run", id="waits", ref=run.ref)
    [item] = bridge.plan((Staged(target=target, action=action, args=args),), NEVER)
    assert isinstance(item, PlanItem)
    return item


def test_what_is_sent_is_encoded_so_that_the_worker_reads_it(
    secret_shop: SecretShop, server: Any, execution: Execution, codec: CodecPlace
) -> None:
    until(lambda: any(event.name == "TimerStarted" for event in events(server, "waits")))
    address = planned(server, "update", name="change_address", args=["there"])
    assert any("encoded by the codec server 127.0.0.1" in change.after for change in address.changes)
    receipt = execution.run(address, NEVER)
    assert receipt.outcome.verdict is Verdict.APPLIED, receipt
    assert any(path == "/encode" for path, _, _ in codec.asked)
    assert (
        server.ask(planned(server, "query", name="approval").staged.target.ref, "approval", "", NEVER).data
        == b'""'
    )
    codec.way = "error"
    signal = planned(server, "signal", name="approve_order", args=["ann"])
    refused = execution.run(signal, NEVER)
    assert refused.outcome.verdict is Verdict.NOT_APPLIED
    assert "Nothing was sent: it could not be encoded." in refused.outcome.evidence[0]
    codec.way = "good"
    assert execution.run(signal, NEVER).outcome.verdict is Verdict.APPLIED
    assert secret_shop.worker.ask("wait", "waits") == "'order-1 sent to there'"


def test_without_a_codec_server_it_must_be_said_that_it_goes_unencrypted(secret_shop: SecretShop) -> None:
    bridge = opened(secret_shop, secret_shop.server.url)
    refused = planned(bridge, "start_like", args=["x"])
    assert "would be sent unencrypted" in refused.refused and "unencrypted=true" in refused.refused
    said = planned(bridge, "start_like", args=["x"], unencrypted=True)
    assert not said.refused and "Sent unencrypted" in said.warnings[-1]
    assert not planned(bridge, "start_like").refused  # the stored input goes as it is stored
    [spec] = [one for one in bridge.actions(said.staged.target, NEVER) if one.id == "start_like"]
    assert "unencrypted" in [param.name for param in spec.params]
    bridge.close()


def test_a_key_that_was_made_up_is_not_found(secret_shop: SecretShop) -> None:
    bridge = load_engine("temporal").bridge(f"temporal+file://{secret_shop.file}", None)
    bridge.open(NEVER)
    for key in ("", "[]", '["\\u0000payload", "", 0, "{"]', '["poor", "x", 1, "input"]'):
        [found] = bridge.decode_payloads((key,), NEVER)
        assert "not there any more" in found.error or "not in these files" in found.error
    bridge.close()
