"""What the names in the configs stand for. Each answers success or failure; none knows of statuses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine_bridge.engines.entity_state.engine import Call, Later, Result, Row, UseCases, failure, success
from resources.demo_entities.tables import ACCOUNTS, INVOICES, PAYMENTS, USERS

if TYPE_CHECKING:
    from resources.demo_entities.community import Community

ARCHIVE_GONE = "vault-0"
ARCHIVE_DOWN = "vault-2"


class WorkerDied(BaseException):
    """A mail worker is gone in the middle of its work, as by ``kill -9``: nothing behind it runs any more."""


def _profile(call: Call) -> dict[str, Any]:
    return dict(call.row.values["profile"])


def code_matches(_app: Community, call: Call) -> Result:
    if call.data.get("code") == _profile(call)["code"]:
        return success()
    return failure("WrongCode", "the code is not the one that was mailed")


def profile_is_complete(_app: Community, call: Call) -> Result:
    if _profile(call)["complete"]:
        return success()
    return failure("ProfileIncomplete", "the date of birth is missing")


def send_checklist(app: Community, _call: Call) -> Result:
    app.work(0.1, 0.4)
    return success()


def fetch_documents(app: Community, _call: Call) -> Result:
    app.work(0.3, 1.2)
    return success()


def fetch_from_archive(app: Community, call: Call) -> Result:
    """Acme Energy keeps what is uploaded in archives of its own."""
    app.work(0.3, 1.2)
    archive = _profile(call)["documents"]["archive"]
    if archive == ARCHIVE_GONE:
        return failure("ArchiveGone", "vault-0 was shut down; its files came by mail")
    if archive == ARCHIVE_DOWN and app.past:
        return failure("ArchiveTimeout", "vault-2 did not answer within 30 s")
    return success()


def documents_are_readable(_app: Community, call: Call) -> Result:
    if _profile(call)["documents"]["sharp"]:
        return success()
    return failure("Unreadable", "page 2 is blurred")


def file_documents(app: Community, call: Call) -> Result:
    app.work(0.3, 1.0)
    if _profile(call)["documents"]["format"] == "heic":
        return failure("UnsupportedFormat", "the virus scanner cannot open .heic files")
    return success()


def ask_again(app: Community, call: Call) -> Result:
    """The next upload is a better one."""
    documents = _profile(call)["documents"] | {"sharp": True}
    app.update(USERS, call.row.id, profile=_profile(call) | {"documents": documents})
    return success()


def reviewer_agrees(app: Community, call: Call) -> Result:
    app.work(0.2, 0.6)
    doubt = _profile(call).get("doubt")
    return failure(doubt, "a reviewer looked at the documents") if doubt else success()


def risk_is_low(_app: Community, call: Call) -> Result:
    if _profile(call)["risk"] < 20:
        return success()
    return failure("RiskTooHigh", "a human has to look at it")


def open_account(app: Community, call: Call) -> Result:
    """Another module's table, and the failure log: what had failed for good is mended."""
    log = app.engine.tables.failures
    mended = sa.update(log).where(
        log.c.entity_type == "User", log.c.entity_id == call.row.id, log.c.resolved_at.is_(None)
    )
    with app.inside(call) as connection:
        opened = {"user_id": call.row.id, "opened_at": app.engine.clock()}
        connection.execute(sa.insert(ACCOUNTS).prefix_with("OR IGNORE"), opened)
        connection.execute(mended.values(resolved_at=app.engine.clock()))
    return success()


def amount_is_plausible(_app: Community, call: Call) -> Any:
    return _each(call, _plausible)


def _plausible(row: Row) -> Result:
    if 0 < row.values["amount_cents"] < 1_000_000:
        return success()
    return failure("AmountImplausible", "nobody uses that much energy")


def assign_number(app: Community, call: Call) -> Result:
    for row in call.rows:
        app.update(INVOICES, row.id, number=f"{app.engine.clock():%Y%m}-{row.id.removeprefix('i-')}")
    return success()


def _each(call: Call, judge: Callable[[Row], Result]) -> Any:
    answers = {row.id: judge(row) for row in call.rows}
    return answers if len(answers) > 1 else answers[call.row.id]


def send_invoice(app: Community, call: Call) -> Result:
    app.work(1.5, 4.0)
    if app.dies(call.row.id):
        raise WorkerDied
    if call.row.values["lines"].get("bounces"):
        return failure("AddressUnknown", "the mail came back: no such mailbox")
    reminder = Later(call.row.values["term_s"], "cron", expected_status="sent", step="remind")
    return success(later=(reminder,))


def send_reminder(app: Community, _call: Call) -> Result:
    app.work(0.2, 0.6)
    return success()


def _pay(way: str, _app: Community, call: Call) -> Result:
    if call.connection is None:
        return failure("Misconfigured", "a payment is booked in the transition's own transaction")
    paid = {"invoice_id": call.row.id, "amount_cents": call.row.values["amount_cents"], "way": way}
    call.connection.execute(sa.insert(PAYMENTS), paid)
    return success()


def _ok(_app: Community, _call: Call) -> Result:
    return success()


def send_letter(_app: Community, call: Call) -> Result:
    """An after-effect: that it fails now and then harms nothing."""
    if call.row.id.endswith("7"):
        return failure("PaperJam", "the printer wants to be looked at")
    return success()


CASES: dict[str, Callable[[Any, Call], Any]] = {
    "code_matches": code_matches,
    "profile_is_complete": profile_is_complete,
    "send_checklist": send_checklist,
    "send_energy_checklist": send_checklist,
    "fetch_documents": fetch_documents,
    "fetch_from_archive": fetch_from_archive,
    "documents_are_readable": documents_are_readable,
    "file_documents": file_documents,
    "ask_again": ask_again,
    "note_waiver": _ok,
    "reviewer_agrees": reviewer_agrees,
    "risk_is_low": risk_is_low,
    "tell_rejected": _ok,
    "open_account": open_account,
    "greet": _ok,
    "send_letter": send_letter,
    "amount_is_plausible": amount_is_plausible,
    "assign_number": assign_number,
    "send_invoice": send_invoice,
    "tell_customer": _ok,
    "send_reminder": send_reminder,
    "charge_card": partial(_pay, "card"),
    "book_payment": partial(_pay, "bank"),
}


def registry(app: Community) -> UseCases:
    """Every use case; what it refuses is kept for the failure log, should it be for good."""
    cases = UseCases()
    for name, case in CASES.items():
        cases.register(name)(partial(_kept, app, case))
    return cases


def _kept(app: Community, case: Callable[[Any, Call], Any], call: Call) -> Any:
    answer = case(app, call)
    if isinstance(answer, Result):
        for later in answer.later:
            app.scheduled(later.after_s)
        if not answer.ok:
            app.refusals[call.workflow_type, str(call.row.id)] = answer
    return answer
