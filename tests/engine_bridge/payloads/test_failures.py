"""Recorded errors as failures: type, message, attempts, causes."""

from __future__ import annotations

import base64
import json
import pickle
from typing import Any

import pytest

from engine_bridge.model import Failure
from engine_bridge.payloads import failure, headline, short_type
from engine_bridge.payloads.failures import MAX_CAUSES


class PaymentDeclined(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code


class RetriesExceeded(Exception):
    def __init__(self, step: str, most: int, errors: list[Exception]) -> None:
        super().__init__(f"Step {step} has exceeded its maximum of {most} retries")
        self.args_kept = (step, most, errors)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.args_kept


def pickled(error: BaseException, protocol: int = 4) -> Failure:
    return failure(base64.b64encode(pickle.dumps(error, protocol)), "py_pickle")


@pytest.mark.parametrize("protocol", [3, 4, 5])  # older ones rename what Python 2 had not
@pytest.mark.parametrize(
    ("error", "type_name", "message"),
    [
        (ValueError("bad amount"), "ValueError", "bad amount"),
        (KeyError("sku"), "KeyError", "sku"),
        (RuntimeError(), "RuntimeError", ""),
        (TimeoutError("approval timed out"), "TimeoutError", "approval timed out"),
        (FileNotFoundError(2, "No such file", "/x"), "FileNotFoundError", "[Errno 2] No such file: '/x'"),
        (ValueError("a", 1), "ValueError", "a, 1"),
        (ValueError({"why": ["x"]}), "ValueError", '{"why": ["x"]}'),
        (
            UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
            "UnicodeDecodeError",
            "invalid start byte",
        ),
    ],
)
def test_pickled_exceptions(error: Exception, type_name: str, message: str, protocol: int) -> None:
    found = pickled(error, protocol)
    assert (found.type, found.message, found.causes) == (type_name, message, ())


def test_types_are_qualified_and_have_a_short_form() -> None:
    found = pickled(PaymentDeclined("51", "insufficient funds"))
    assert found.type == f"{__name__}.PaymentDeclined" and short_type(found.type) == "PaymentDeclined"
    assert (found.message, found.code) == ("insufficient funds", "51")
    assert headline(found) == "PaymentDeclined: insufficient funds"


def test_every_attempt_of_a_step_that_gave_up_is_a_cause() -> None:
    tries = [PaymentDeclined("51", "insufficient funds"), TimeoutError("slow"), TimeoutError("slow")]
    found = pickled(RetriesExceeded("charge_card", 3, tries))
    assert [(cause.attempt, headline(cause)) for cause in found.causes] == [
        (1, "PaymentDeclined: insufficient funds"),
        (2, "TimeoutError: slow"),
        (3, "TimeoutError: slow"),
    ]
    assert found.message == "charge_card, 3"


def test_a_group_has_members_not_attempts() -> None:
    found = pickled(ExceptionGroup("several failed", [ValueError("a"), KeyError("b")]))
    assert found.message == "several failed"
    assert [(cause.attempt, cause.type) for cause in found.causes] == [
        (None, "ValueError"),
        (None, "KeyError"),
    ]


def test_a_wrapped_exception_is_a_cause() -> None:
    found = pickled(RuntimeError("step failed", ValueError("inner")))
    assert [headline(cause) for cause in found.causes] == ["ValueError: inner"]
    assert found.message == "step failed"


def test_causes_are_bounded() -> None:
    many = pickled(RetriesExceeded("s", 999, [ValueError(str(i)) for i in range(999)]))
    assert len(many.causes) == MAX_CAUSES
    deep: Exception = ValueError("bottom")
    for _ in range(60):
        deep = RuntimeError("level", deep)
    assert headline(pickled(deep)) == "RuntimeError: level"


@pytest.mark.parametrize("encoding", ["portable_json", "java_jackson", None])
def test_portable_errors(encoding: str | None) -> None:
    raw = {
        "name": "ValueError",
        "message": "negative invoice",
        "code": 409,
        "data": {"x": 1},
        "stack": "at pay.ts:5",
    }
    found = failure(json.dumps(raw).encode(), encoding)
    assert found == Failure(type="ValueError", message="negative invoice", code="409", stack="at pay.ts:5")


def test_portable_errors_have_causes_too() -> None:
    raw = {"name": "A", "message": "outer", "cause": {"name": "B", "message": "inner"}}
    assert [headline(cause) for cause in failure(json.dumps(raw).encode()).causes] == ["B: inner"]


def test_text_errors() -> None:
    assert failure(b"shop.CardDeclined: no funds") == Failure(type="", message="shop.CardDeclined: no funds")
    assert failure(b"ValueError: no funds") == Failure(type="ValueError", message="no funds")
    trace = b'Traceback (most recent call last):\n  File "a.py", line 1, in f\nshop.PayError: declined\n'
    found = failure(trace)
    assert (found.type, found.message) == ("shop.PayError", "declined")
    assert found.stack is not None and 'File "a.py", line 1' in found.stack


def test_what_is_no_error_is_shown_as_a_message() -> None:
    assert failure(b'{"odd": 1}').message == '{"odd": 1}'
    assert failure(b"[1, 2]").message == "[1, 2]"
    assert failure(b"").message == ""
    assert failure(b"\x00\xff", "py_pickle").message.startswith("00000000  00 ff")
    broken = base64.b64encode(pickle.dumps(ValueError("half"))[:-3])
    assert failure(broken, "py_pickle").type in ("ValueError", "type", "")


def test_a_custom_exception_from_superjson() -> None:
    raw = {"json": {"name": "Error", "message": "boom"}, "meta": {"values": ["Error"]}}
    assert headline(failure(json.dumps(raw).encode(), "js_superjson")) == "Error: boom"
