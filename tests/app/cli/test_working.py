"""Long work of a command: Ctrl+C asks it to stop, and its outcome is still told."""

from __future__ import annotations

import signal
import threading

import pytest

from app.cli.working import work
from engine_bridge.cancel import CancelToken


def test_ctrl_c_asks_it_to_stop_and_its_outcome_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    main = threading.main_thread().ident

    def task(token: CancelToken) -> str:
        signal.pthread_kill(main or 0, signal.SIGINT)
        assert token.wait(60)
        return "told"

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert [work(task, "Stopping.") for _ in range(3)] == ["told"] * 3
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err.count("Stopping.") == 3


def test_what_it_raises_is_raised_again() -> None:
    def task(token: CancelToken) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        work(task)
