"""Retrying a step through the mapping's endpoint: approved once, no redirects, honest outcomes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from engine_bridge.actions.model import Verdict
from engine_bridge.engines.entity_state import act_http
from tests.engines.entity_state.act.tools import Place, Places
from tests.waiting import LIMIT_S


class Application:
    """Answers as told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answer: tuple[int, dict[str, Any]] = (202, {"outcome": "queued"})
        self.asked: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.take: Any = lambda body: None
        application = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                application.asked.append((self.path, body, dict(self.headers)))
                application.take(body)
                code, told = application.answer
                if code == 0:
                    self.connection.close()
                    return
                self.send_response(code)
                if 300 <= code < 400:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(json.dumps(told).encode())

            def log_message(self, *_: Any) -> None:
                return

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                """Whoever asked has given up."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/retry"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


@pytest.fixture
def application() -> Iterator[Application]:
    found = Application()
    yield found
    found.close()


@pytest.fixture
def place(places: Places, application: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    found = places("sqlite", "own")
    found.write(f'[writes]\nmode = "http"\nendpoint = "{application.url}"\n')
    return found


def test_an_endpoint_is_approved_once_for_each_content_of_a_mapping(
    place: Place, application: Application
) -> None:
    ann = place.operator()
    specs = ann.specs("inv-003")
    assert "endpoint only" in specs["move"].disabled
    assert specs["retry_step"].params[-1].name == "approve"
    assert "was not approved yet" in ann.plan("inv-003", "retry_step").refused
    assert "was not approved yet" in ann.plan("inv-003", "retry_step", approve="yes").refused
    item = ann.plan("inv-003", "retry_step", approve="127.0.0.1", data={"kind": "bank"})
    assert item.calls[0].startswith(f"POST {application.url} {{") and application.asked == []
    receipt = ann.execute(item, request := "52f6e5f5-6f4c-4dd5-8d8e-4dd9d2f0a001")
    assert receipt.outcome.verdict is Verdict.APPLIED and "202: queued" in receipt.outcome.evidence[0]
    [(_, body, headers)] = application.asked
    assert headers["Idempotency-Key"] == request == body["request_id"] and "Authorization" not in headers
    assert (body["step"], body["requester_type"], body["expected_status"]) == ("send", "system", "approved")
    assert body["data"] == {"kind": "bank"} and body["envelope"]["tenant_id"] == "acme"
    assert not ann.plan("inv-003", "retry_step").refused
    place.sample.mapping.write_text(place.sample.mapping.read_text() + "\n# changed\n")
    assert "was not approved yet" in place.operator().plan("inv-003", "retry_step").refused


def test_what_the_application_records_is_the_evidence(place: Place, application: Application) -> None:
    def take(body: dict[str, Any]) -> None:
        place.sql(
            "INSERT INTO workflow_history (entity_type, entity_id, workflow_type, step_key, from_status, to_status, "
            "actor, correlation_id, changed_at) VALUES ('Invoice', :id, 'invoice', 'send', 'approved', 'sent', "
            "'worker', :c, '2026-11-20 09:00:00.000000')",
            id=body["entity_id"],
            c=body["envelope"]["correlation_id"],
        )

    application.take = take
    ann = place.operator()
    item = ann.plan("inv-003", "retry_step", approve="127.0.0.1")
    receipt = ann.execute(item, request := "52f6e5f5-6f4c-4dd5-8d8e-4dd9d2f0a002")
    assert "worker moved it approved → sent" in receipt.outcome.evidence[0]
    assert ann.settle(item, request).verdict is Verdict.APPLIED
    assert ann.settle(item, "52f6e5f5-6f4c-4dd5-8d8e-4dd9d2f0a003").verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("answer", "verdict", "said"),
    [
        ((302, {}), Verdict.NOT_APPLIED, "redirects are not followed"),
        ((404, {"error": "no such step"}), Verdict.NOT_APPLIED, "no such step"),
        ((409, {"message": "it moved"}), Verdict.NOT_APPLIED, "it moved"),
        ((503, {"secret": "do not show"}), Verdict.UNKNOWN, "answered 503"),
        ((0, {}), Verdict.UNKNOWN, "did not answer"),
    ],
)
def test_every_answer_has_its_outcome(
    place: Place, application: Application, answer: Any, verdict: Verdict, said: str
) -> None:
    ann = place.operator()
    application.answer = answer
    outcome = ann.execute(ann.plan("inv-003", "retry_step", approve="127.0.0.1")).outcome
    assert outcome.verdict is verdict and said in " ".join(outcome.evidence)
    assert outcome.stale is (answer[0] == 409) and "do not show" not in str(outcome)
    assert len(application.asked) == 1


def test_nobody_there_is_not_applied_and_silence_cannot_be_known(
    place: Place, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = place.operator()
    item = ann.plan("inv-003", "retry_step", approve="127.0.0.1")
    monkeypatch.setattr(act_http, "TIMEOUT_S", 0.2)
    release = threading.Event()
    application.take = lambda body: release.wait(LIMIT_S)
    assert ann.execute(item).outcome.verdict is Verdict.UNKNOWN
    release.set()
    application.close()
    assert ann.execute(item).outcome.verdict is Verdict.NOT_APPLIED


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("https://user:pass@app.example/retry", "holds a user or password"),
        ("http://app.example/retry", "must be https"),
        ("file:///etc/passwd", "must be an http"),
        ("https://app.example:port/", "no URL"),
    ],
)
def test_endpoints_that_are_not_used(place: Place, endpoint: str, why: str) -> None:
    place.write(f'[writes]\nmode = "http"\nendpoint = "{endpoint}"\n')
    disabled = place.operator().specs("inv-003")["retry_step"].disabled
    assert why in disabled and "pass" not in disabled.replace("password", "")
